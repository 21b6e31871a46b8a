#include "distributed/communicator.h"

#include <string>
#include <utility>

#include "distributed/straggler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::distributed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A communicator of two ranks (processes that train together) that plays rank 1. `of_rank_zero`
// holds the texts that rank 0 broadcasts or contributes to Gather(), in order.
class SecondOfTwo final : public Communicator {
 public:
  explicit SecondOfTwo(std::vector<std::string> of_rank_zero)
      : of_rank_zero_(std::move(of_rank_zero)) {}
  int ranks() const override { return 2; }
  int rank() const override { return 1; }
  std::string host() const override { return "second"; }
  void Sum(absl::Span<double> /*values*/) override {}
  std::unique_ptr<Means> MakeMeans(float*, std::vector<Stretch>, ElementType) override {
    return nullptr;
  }
  void BeginBroadcast(absl::Span<float>, int) override {}
  void FinishBroadcasts() override {}
  double SecondsWaited() const override { return 0; }
  void Broadcast(std::string& text) override { text = of_rank_zero_.at(next_++); }
  std::vector<std::string> Gather(const std::string& text) override {
    return {of_rank_zero_.at(next_++), text};
  }
  void Abort(int exit_code) override { exit(exit_code); }

 private:
  const std::vector<std::string> of_rank_zero_;
  size_t next_ = 0;
};

TEST(OneProcessTest, IsTheOnlyRankAndAgreesWithItself) {
  Communicator& ranks = OneProcess();
  EXPECT_EQ(ranks.ranks(), 1);
  EXPECT_EQ(ranks.rank(), 0);
  double value = 3;
  ranks.Sum(absl::MakeSpan(&value, 1));
  EXPECT_EQ(value, 3);
  EXPECT_TRUE(Any(ranks, true));
  EXPECT_FALSE(Any(ranks, false));
  EXPECT_EQ(Agree(ranks, absl::NotFoundError("gone")), absl::NotFoundError("gone"));
  EXPECT_EQ(AtRankZero(ranks, [] { return absl::DataLossError("lost"); }),
            absl::DataLossError("lost"));
  EXPECT_TRUE(CheckSame(ranks, {{"seed", "1"}}).ok());
}

TEST(DescribeStragglerTest, NamesTheSlowestWhereItIsFarFromTheMedian) {
  const std::vector<std::string> hosts = {"a", "b", "c", "d"};
  EXPECT_EQ(DescribeStraggler({1, 1.1, 1, 1.8}, hosts),
            "straggler: rank 3 on d, 1.8 times the median");
  EXPECT_EQ(DescribeStraggler({1, 1.1, 1, 1.4}, hosts), "");
  EXPECT_EQ(DescribeStraggler({3, 1}, {"a", "b"}), "straggler: rank 0 on a, 3.0 times the median");
  EXPECT_EQ(GatherNumber(OneProcess(), 2.5), (std::vector<double>{2.5}));
}

TEST(AgreeTest, NamesTheRankUnlessAllSayTheSame) {
  SecondOfTwo one_fails({"", "first"});
  EXPECT_EQ(Agree(one_fails, absl::NotFoundError("gone")),
            absl::NotFoundError("rank 1 on second: gone"));
  const std::string not_found(1, static_cast<char>(absl::StatusCode::kNotFound));
  SecondOfTwo both_fail({not_found + "gone"});
  EXPECT_EQ(Agree(both_fail, absl::NotFoundError("gone")), absl::NotFoundError("gone"));
  SecondOfTwo other_fails({not_found + "gone", "first"});
  EXPECT_EQ(Agree(other_fails, absl::OkStatus()), absl::NotFoundError("rank 0 on first: gone"));
}

TEST(AtRankZeroTest, OtherRanksDoNotWork) {
  SecondOfTwo ranks({""});
  EXPECT_TRUE(AtRankZero(ranks, [] { return absl::InternalError("called"); }).ok());
}

TEST(CheckSameTest, TellsTheFirstLineThatDiffers) {
  // Rank 0 sends its host, its two facts, its status (OK), and its host again.
  SecondOfTwo ranks({"first", "7", "a\nb\nc", "", "first"});
  const absl::Status status = CheckSame(ranks, {{"the seed", "7"}, {"the text", "a\nB\nc"}});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("rank 1 on second: the text here is 'B'"),
                    HasSubstr("on rank 0 on first 'b'")));
}

}  // namespace
}  // namespace cotangent::distributed
