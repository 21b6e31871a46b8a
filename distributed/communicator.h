// Ranks: the processes that train one network together, on one machine or many.
//
// Every rank calls the same functions in the same order; each call waits for the others'. One
// process alone is the plain case (OneProcess()), in which a call costs nothing, so that what is
// written for ranks is written once:
//
//   void Average(distributed::Communicator& ranks, absl::Span<double> gradient) {
//     ranks.Sum(gradient);
//     for (double& value : gradient) value /= ranks.ranks();
//   }
//
// mpi_communicator.h has the ranks of an MPI program; nothing else needs MPI.
#ifndef COTANGENT_DISTRIBUTED_COMMUNICATOR_H_
#define COTANGENT_DISTRIBUTED_COMMUNICATOR_H_

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/element_type.h"
#include "distributed/means.h"

namespace cotangent::distributed {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int ranks() const = 0;
  virtual int rank() const = 0;  // 0 to ranks() - 1
  // The machine this rank runs on.
  virtual std::string host() const = 0;

  // Replaces the numbers by their sums over the ranks, of as many numbers each: the same bits on
  // all ranks. A rank that keeps the others waiting for half a minute, here, in means or in
  // broadcasts, has hung: it is named on standard error and the job ends.
  virtual void Sum(absl::Span<double> values) = 0;
  // Means of stretches of a buffer, which must outlive them, in `format` on their way: kF32 or
  // kBf16. All is allocated here.
  virtual std::unique_ptr<Means> MakeMeans(float* buffer, std::vector<Stretch> stretches,
                                           ElementType format) = 0;
  // Begins to replace the numbers by those of rank `from`, which has them. All ranks begin the same
  // in the same order, and leave them alone until FinishBroadcasts().
  virtual void BeginBroadcast(absl::Span<float> values, int from) = 0;
  virtual void FinishBroadcasts() = 0;
  // Replaces the text, of any length, by that of rank 0. Waits as long as it takes.
  virtual void Broadcast(std::string& text) = 0;
  // The small texts of all ranks, by rank. Waits as long as it takes.
  virtual std::vector<std::string> Gather(const std::string& text) = 0;

  // For how long this rank has waited for others so far, in sums, means and broadcasts.
  virtual double SecondsWaited() const = 0;

  // Ends all ranks at once, whatever they do.
  [[noreturn]] virtual void Abort(int exit_code) = 0;
};

// This process, the only rank.
Communicator& OneProcess();

// Replaces a value by that of rank 0.
template <typename T>
void BroadcastValue(Communicator& ranks, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::string bytes(reinterpret_cast<const char*>(&value), sizeof(T));
  ranks.Broadcast(bytes);
  std::memcpy(&value, bytes.data(), sizeof(T));
}

// Whether it is true on any rank.
bool Any(Communicator& ranks, bool here);

// The same status on all ranks: OK if it is so on all, else that of the first rank where it is not,
// which the message names unless all say the same: "rank 2 on node7: ...".
absl::Status Agree(Communicator& ranks, const absl::Status& here);

// Calls work() on rank 0 alone and gives its status to all.
absl::Status AtRankZero(Communicator& ranks, const std::function<absl::Status()>& work);

// An error, InvalidArgument, on all ranks where a fact (its name, and what it is here) is another on
// some rank than on rank 0: it names the rank and the first difference. All ranks list the same
// facts in the same order.
using Facts = std::vector<std::pair<std::string, std::string>>;
absl::Status CheckSame(Communicator& ranks, const Facts& facts);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_COMMUNICATOR_H_
