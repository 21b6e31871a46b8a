#include "tensor/arena.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

using ::testing::HasSubstr;

struct Piece {
  int64_t bytes, first_use, last_use;
};

ArenaPlanner PlanOf(const std::vector<Piece>& pieces) {
  ArenaPlanner planner;
  for (const Piece& piece : pieces) planner.Add(piece.bytes, piece.first_use, piece.last_use);
  EXPECT_TRUE(planner.Plan().ok());
  return planner;
}

void ExpectNoOverlap(const ArenaPlanner& planner, const std::vector<Piece>& pieces) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(planner.offset(i) % kAlignment, 0);
    EXPECT_LE(planner.offset(i) + pieces[i].bytes, planner.total());
    for (size_t j = 0; j < i; ++j) {
      const bool meet =
          pieces[i].first_use <= pieces[j].last_use && pieces[j].first_use <= pieces[i].last_use;
      const bool overlap = planner.offset(i) < planner.offset(j) + pieces[j].bytes &&
                           planner.offset(j) < planner.offset(i) + pieces[i].bytes;
      EXPECT_FALSE(meet && overlap) << "pieces " << j << " and " << i;
    }
  }
}

TEST(ArenaPlanner, SharesWhatIsNeverAliveTogether) {
  const std::vector<Piece> chain = {{640, 0, 1}, {640, 1, 2}, {640, 2, 3}, {640, 3, 4}};
  const ArenaPlanner planner = PlanOf(chain);
  ExpectNoOverlap(planner, chain);
  EXPECT_EQ(planner.total(), 2 * 640);
  EXPECT_EQ(planner.LowerBound(), 2 * 640);
}

TEST(ArenaPlanner, KeepsApartWhatIsAliveTogether) {
  const std::vector<Piece> together = {{100, 0, 9}, {64, 2, 3}, {1, 3, 3}};
  const ArenaPlanner planner = PlanOf(together);
  ExpectNoOverlap(planner, together);
  EXPECT_EQ(planner.total(), 128 + 64 + 64);
}

TEST(ArenaPlanner, HoldsForwardAndBackwardOfAChain) {
  // Activation i is written at step i, in the forward pass, and read again until step 2 * layers -
  // i, in the backward pass. So all activations are in use at the same time between the two passes.
  std::vector<Piece> pieces;
  const int64_t layers = 20;
  for (int64_t i = 0; i < layers; ++i) {
    pieces.push_back({6400 * (layers - i), i, 2 * layers - i});
    pieces.push_back({6400 * (layers - i), 2 * layers - i - 1, 2 * layers - i});  // its gradient
  }
  const ArenaPlanner planner = PlanOf(pieces);
  ExpectNoOverlap(planner, pieces);
  EXPECT_LE(planner.total(), planner.LowerBound() * 1.1);
}

TEST(ArenaPlanner, StaysNearTheLowerBoundOnRandomLifetimes) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<Piece> pieces(60);
    for (Piece& piece : pieces) {
      piece.bytes = 1 + random() % 100000;
      piece.first_use = random() % 100;
      piece.last_use = piece.first_use + random() % 20;
    }
    const ArenaPlanner planner = PlanOf(pieces);
    ExpectNoOverlap(planner, pieces);
    EXPECT_LE(planner.total(), planner.LowerBound() * 1.3);
  }
}

// The published algorithm, which compares each piece with every other.
std::vector<int64_t> OffsetsByComparison(const std::vector<Piece>& pieces) {
  std::vector<int> order(pieces.size()), placed;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return pieces[a].bytes > pieces[b].bytes; });
  std::vector<int64_t> offsets(pieces.size());
  const auto size = [&](int i) {
    return (pieces[i].bytes + kAlignment - 1) / kAlignment * kAlignment;
  };
  for (int i : order) {
    std::sort(placed.begin(), placed.end(), [&](int a, int b) { return offsets[a] < offsets[b]; });
    int64_t best = -1, smallest = 0, end = 0;
    for (int j : placed) {
      if (pieces[j].last_use < pieces[i].first_use || pieces[i].last_use < pieces[j].first_use)
        continue;
      const int64_t gap = offsets[j] - end;
      if (gap >= size(i) && (best < 0 || gap < smallest)) best = end, smallest = gap;
      end = std::max(end, offsets[j] + size(j));
    }
    offsets[i] = best >= 0 ? best : end;
    placed.push_back(i);
  }
  return offsets;
}

TEST(ArenaPlanner, PlacesAsComparingAllPiecesDoes) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<Piece> pieces(1 + random() % 80);
    const int64_t steps = 1 + random() % 200, longest = 1 + random() % steps;
    for (Piece& piece : pieces) {
      piece.bytes = 1 + random() % (round % 2 == 0 ? 1000 : 100000);
      piece.first_use = random() % steps * (round % 3 == 0 ? 1000000007 : 1);
      piece.last_use = piece.first_use + random() % longest;
    }
    const ArenaPlanner planner = PlanOf(pieces);
    const std::vector<int64_t> expected = OffsetsByComparison(pieces);
    for (size_t i = 0; i < pieces.size(); ++i) ASSERT_EQ(planner.offset(i), expected[i]) << round;
  }
}

// Comparing all of these pieces with each other takes minutes, and the test's time limit is one.
TEST(ArenaPlanner, PlacesManyPieces) {
  std::mt19937 random(3);
  const int64_t layers = 150000;
  std::vector<Piece> pieces;
  for (int64_t i = 0; i < layers; ++i) {
    const int64_t bytes = 64 << (random() % 6);
    pieces.push_back({bytes, i, 2 * layers - i});
    pieces.push_back({bytes, 2 * layers - i - 1, 2 * layers - i});
  }
  const ArenaPlanner planner = PlanOf(pieces);
  EXPECT_LE(planner.total(), planner.LowerBound() * 1.1);
}

TEST(ArenaPlanner, RejectsNonsense) {
  ArenaPlanner negative, backward;
  negative.Add(-1, 0, 0);
  EXPECT_FALSE(negative.Plan().ok());
  backward.Add(64, 3, 2);
  EXPECT_THAT(std::string(backward.Plan().message()), HasSubstr("used from step 3 to 2"));
}

TEST(Arena, IsOneAllocation) {
  ArenaPlanner planner = PlanOf({{1000, 0, 1}, {2000, 1, 2}});
  absl::StatusOr<Arena> arena = Arena::Create(planner, "a test");
  ASSERT_TRUE(arena.ok());
  EXPECT_EQ(arena->size(), planner.total());
  EXPECT_EQ(static_cast<char*>(arena->at(planner.offset(0))) - static_cast<char*>(arena->at(0)),
            planner.offset(0));
  ArenaPlanner absurd = PlanOf({{int64_t{1} << 60, 0, 1}});
  EXPECT_FALSE(Arena::Create(absurd, "a test").ok());
}

}  // namespace
}  // namespace cotangent::tensor
