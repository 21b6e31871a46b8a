// The ranks of an MPI program, started by mpirun or srun.
#ifndef COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_
#define COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "distributed/communicator.h"

namespace cotangent::distributed {

// Whether mpirun or srun has started this process.
bool IsStartedAsRank();
// The rank that whoever started this process gave it, as the environment tells; 0 where it does not.
int RankOfStarter();

// All processes of the job (MPI_COMM_WORLD). One object a process, from its beginning to its end:
// MPI begins with it and ends with it. All calls come from one thread; means go on in another.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator();
  ~MpiCommunicator() override;
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  // An error where MPI knows of fewer processes than were started, as it does when they are started
  // by an mpirun of another make than the library, or is not the library that this program was
  // compiled for. To be looked at before anything else.
  absl::Status Check() const;

  int ranks() const override { return ranks_; }
  int rank() const override { return rank_; }
  std::string host() const override;
  void Sum(absl::Span<double> values) override;
  std::unique_ptr<Means> MakeMeans(float* buffer, std::vector<Stretch> stretches,
                                   ElementType format) override;
  void BeginBroadcast(absl::Span<float> values, int from) override;
  void FinishBroadcasts() override;
  void Broadcast(std::string& text) override;
  std::vector<std::string> Gather(const std::string& text) override;
  double SecondsWaited() const override { return seconds_waited_; }
  void Abort(int exit_code) override;

 private:
  class MpiMeans;
  struct Channels;  // MPI's communicators, and what is under way in them
  using Ready = std::function<bool()>;

  // Returns when ready(), which is asked with the mutex held, says so.
  void Wait(const Ready& ready);
  // The same for what waits for other ranks in a step: one that hangs is named, and the job ends.
  void WaitForRanks(const Ready& ready);
  void CollectArrivals();
  void TellArrival();
  void AbortNamingMissing();

  int ranks_ = 1, rank_ = 0;
  int64_t waits_ = 0;               // how many waits for other ranks were begun
  std::vector<int64_t> arrived_;    // by rank: the latest wait that it told to be in
  std::vector<std::string> hosts_;  // by rank
  double seconds_waited_ = 0;
  std::mutex mutex_;  // held by whoever calls MPI
  std::unique_ptr<Channels> channels_;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_
