// A Communicator (communicator.h) for the processes of an MPI program, started by mpirun or srun.
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

// Returns whether mpirun or srun has started this process.
bool IsStartedAsRank();
// Returns this process's rank according to the environment variables that mpirun or srun set; 0 if
// there are none.
int RankOfStarter();

// The ranks are all processes of the job (MPI_COMM_WORLD). A process makes one such object, which
// starts MPI in its constructor and ends it in its destructor. All calls come from one thread; a
// thread of each Means moves data in the background.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator();
  ~MpiCommunicator() override;
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  // Returns an error if MPI sees only this process although several were started (they were started
  // by the mpirun of another MPI library), or if the MPI library is not Open MPI of the major
  // version that this program was compiled for. Call it before anything else.
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
  struct Channels;  // MPI's communicators, and unfinished broadcasts
  using Ready = std::function<bool()>;

  // Waits until ready() returns true. Wait() holds mutex_ while it calls ready().
  void Wait(const Ready& ready);
  // Waits like Wait(), but for other ranks within a training step, and adds the time to
  // seconds_waited_. If the wait lasts 25 s and some ranks have not begun the same wait, prints the
  // numbers and machines of those ranks on standard error and ends the job.
  void WaitForRanks(const Ready& ready);
  void CollectArrivals();
  // Sends waits_ to all other ranks, which tells them that this rank has begun its wait number
  // waits_. CollectArrivals() receives the messages that have come from other ranks and stores the
  // numbers in arrived_.
  void TellArrival();
  void AbortNamingMissing();

  int ranks_ = 1, rank_ = 0;
  int64_t waits_ = 0;               // number of calls of WaitForRanks() so far
  std::vector<int64_t> arrived_;    // by rank: the largest number received from that rank
  std::vector<std::string> hosts_;  // names of the machines, by rank
  double seconds_waited_ = 0;
  std::mutex mutex_;  // held by a thread while it calls MPI
  std::unique_ptr<Channels> channels_;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_
