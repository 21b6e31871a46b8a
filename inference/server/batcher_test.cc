#include "inference/server/batcher.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "inference/inference_file.h"
#include "inference/trained_testing.h"

namespace cotangent::inference {
namespace {

// So long that a test that waits for its end fails.
constexpr absl::Duration kForever = absl::Minutes(10);
constexpr absl::Duration kMoment = absl::Milliseconds(100);

std::shared_ptr<Classifier> Loaded() {
  constexpr char kNetwork[] = "input { height: 4 width: 4 } layer { linear {} }";
  const std::string path = ::testing::TempDir() + "/batcher.safetensors";
  EXPECT_TRUE(WriteInferenceFile(path, MakeTrained(kNetwork, {"cat", "dog"})).ok());
  return *Classifier::Load(path, {.batch_size = 16, .simultaneous = 2});
}

data::Image Drawn(uint8_t grey) { return {4, 4, std::vector<uint8_t>(size_t{3} * 4 * 4, grey)}; }

// A client's request with one picture, from its arrival to its answer.
void Request(Batcher& batcher, int client) {
  const Batcher::Arrival arrival(batcher, client);
  EXPECT_TRUE(batcher.Classify({Drawn(100)}).ok());
}

TEST(Batcher, WaitsForAClientThatSendsAtOnceAfterAnAnswer) {
  Batcher batcher(Loaded(), {.delay = kForever});
  Request(batcher, 1);
  Request(batcher, 1);  // at once after its answer: the next is expected, too
  std::atomic<bool> is_answered{false};
  std::thread other([&] {
    Request(batcher, 2);
    is_answered = true;
  });
  absl::SleepFor(kMoment);
  EXPECT_FALSE(is_answered);
  Request(batcher, 1);
  other.join();
  EXPECT_EQ(batcher.numbers().pictures, 4);
}

TEST(Batcher, DoesNotWaitForAClientThatTakesItsTime) {
  constexpr absl::Duration kDelay = absl::Milliseconds(700);
  Batcher batcher(Loaded(), {.delay = kDelay});
  Request(batcher, 1);
  absl::SleepFor(kDelay + kMoment);
  Request(batcher, 1);
  const absl::Time begin = absl::Now();
  Request(batcher, 2);
  EXPECT_LT(absl::Now() - begin, kDelay / 2);
}

TEST(Batcher, ManyThatWaitAreABatch) {
  Batcher batcher(Loaded(), {.delay = kForever});
  std::vector<std::thread> threads;
  {
    const Batcher::Arrival late(batcher, 100);  // its picture never comes
    for (int client = 0; client < 13; ++client)
      threads.emplace_back([&, client] { Request(batcher, client); });
    absl::SleepFor(kMoment);
    EXPECT_EQ(batcher.numbers().pictures, 0);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(batcher.numbers().pictures, 13);
  EXPECT_EQ(batcher.numbers().batches, 1);
}

TEST(Batcher, PicturesOfOneRequestAreABatchAndKeepTheirOrder) {
  Batcher batcher(Loaded(), {.delay = kForever});
  const Batcher::Arrival arrival(batcher, 1);
  std::vector<data::Image> images;
  for (int i = 0; i < 14; ++i) images.push_back(Drawn(static_cast<uint8_t>(15 * i)));
  const auto together = *batcher.Classify(images);
  EXPECT_EQ(batcher.numbers().batches, 1);
  ASSERT_EQ(together.size(), images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    const auto alone = *batcher.Classify({images[i]});
    EXPECT_NEAR(together[i].probabilities[0], alone[0].probabilities[0], 1e-5) << i;
  }
}

}  // namespace
}  // namespace cotangent::inference
