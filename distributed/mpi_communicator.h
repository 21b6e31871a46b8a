// The ranks of an MPI program, started by mpirun or srun.
#ifndef COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_
#define COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "distributed/communicator.h"

namespace cotangent::distributed {

// Whether mpirun or srun has started this process.
bool IsStartedAsRank();

// All processes of the job (MPI_COMM_WORLD). One object a process, from its beginning to its end:
// MPI begins with it and ends with it. All calls come from one thread.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator();
  ~MpiCommunicator() override;
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int ranks() const override { return ranks_; }
  int rank() const override { return rank_; }
  std::string host() const override;
  void Sum(absl::Span<float> values) override;
  void Broadcast(std::string& text) override;
  std::vector<std::string> Gather(const std::string& text) override;
  void Abort(int exit_code) override;

 private:
  void CollectArrivals();
  void TellArrival();
  void AbortNamingMissing();

  int ranks_ = 1, rank_ = 0;
  int64_t sums_ = 0;                // how many sums were begun
  std::vector<int64_t> arrived_;    // by rank: the latest sum that it told to be waiting in
  std::vector<std::string> hosts_;  // by rank
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_COMMUNICATOR_H_
