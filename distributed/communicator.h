// Communication between ranks: the processes that train one network together, on one machine or on
// many.
//
// Every rank makes the same calls in the same order. A call that needs values of other ranks waits
// for them. A program written for ranks also runs as a single process (OneProcess()), where these
// calls cost nothing:
//
//   void Average(distributed::Communicator& ranks, absl::Span<double> gradient) {
//     ranks.Sum(gradient);
//     for (double& value : gradient) value /= ranks.ranks();
//   }
//
// mpi_communicator.h implements Communicator for the ranks of an MPI program; nothing else needs
// MPI.
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
  // Returns the name of the machine this rank runs on.
  virtual std::string host() const = 0;

  // Replaces each value by its sum over the ranks. All ranks pass the same number of values and get
  // the same bits. If a rank keeps the others waiting for about half a minute, in Sum(), in Means
  // or in broadcasts of floats, that rank is taken to hang: a waiting rank prints the number and
  // machine of the rank that hangs on standard error and ends the job.
  virtual void Sum(absl::Span<double> values) = 0;
  // Makes an object that averages stretches (ranges) of `buffer` over the ranks (means.h). The
  // buffer must outlive the object. Numbers are sent as `format`, kF32 or kBf16. This call
  // allocates all the memory that averaging takes.
  virtual std::unique_ptr<Means> MakeMeans(float* buffer, std::vector<Stretch> stretches,
                                           ElementType format) = 0;
  // Begins to replace `values` on all ranks by the `values` of rank `from`. All ranks begin the
  // same broadcasts in the same order, and must not touch `values` until FinishBroadcasts() has
  // returned.
  virtual void BeginBroadcast(absl::Span<float> values, int from) = 0;
  virtual void FinishBroadcasts() = 0;
  // Replaces `text`, of any length, by that of rank 0. Waits for the other ranks without a time
  // limit.
  virtual void Broadcast(std::string& text) = 0;
  // Returns the texts of all ranks, less than 2 GiB in all, indexed by rank. Waits for the other
  // ranks without a time limit.
  virtual std::vector<std::string> Gather(const std::string& text) = 0;

  // Returns the seconds that this rank has waited for other ranks so far in Sum(), Means and
  // broadcasts of floats.
  virtual double SecondsWaited() const = 0;

  // Ends the processes of all ranks at once, whatever they are doing.
  [[noreturn]] virtual void Abort(int exit_code) = 0;
};

// Returns the communicator of a process that is the only rank.
Communicator& OneProcess();

// Replaces `value` on all ranks by its value on rank 0.
template <typename T>
void BroadcastValue(Communicator& ranks, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::string bytes(reinterpret_cast<const char*>(&value), sizeof(T));
  ranks.Broadcast(bytes);
  std::memcpy(&value, bytes.data(), sizeof(T));
}

// Returns on all ranks whether `here` is true on any rank.
bool Any(Communicator& ranks, bool here);

// Returns the same status on all ranks: OK if `here` is OK on all, otherwise that of the first rank
// where it is not. The message names that rank, as in "rank 2 on node7: ...", unless all ranks have
// the same error.
absl::Status Agree(Communicator& ranks, const absl::Status& here);

// Calls work() on rank 0 alone and returns its status on all ranks.
absl::Status AtRankZero(Communicator& ranks, const std::function<absl::Status()>& work);

// Checks that `facts`, pairs of a name and a value, have the same values on all ranks as on rank 0.
// If not, returns InvalidArgument on all ranks; the message names the first rank that differs and
// its first difference. All ranks list the same names in the same order.
using Facts = std::vector<std::pair<std::string, std::string>>;
absl::Status CheckSame(Communicator& ranks, const Facts& facts);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_COMMUNICATOR_H_
