// Means (means.h) over the ranks of an MPI program.
#ifndef COTANGENT_DISTRIBUTED_MPI_MEANS_H_
#define COTANGENT_DISTRIBUTED_MPI_MEANS_H_

#include <condition_variable>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/memory.h"
#include "distributed/mpi_channels.h"

namespace cotangent::distributed {

// Open MPI moves data only while it is called. Up to 100 ms pass between two operations of a
// network, so a thread of this object calls it: every kNap while something is under way, and
// otherwise it sleeps.
class MpiCommunicator::MpiMeans final : public Means {
 public:
  MpiMeans(MpiCommunicator& ranks, float* buffer, const std::vector<Stretch>& stretches,
           ElementType format);
  ~MpiMeans() override;
  void Begin(size_t stretch) override;
  void Finish() override;
  void Forget() override;
  const std::vector<Record>& records() const override { return records_; }

 private:
  // A stretch and how it is cut into shares, one per rank, in the form in which MPI takes it: sizes
  // and begins in floats, counted from the stretch's begin.
  struct Part {
    Stretch stretch;
    std::vector<int> sizes, begins;  // of all shares, by rank
    // First exchange: how much this rank sends to each rank, and receives of its own share from
    // each rank, and where in received_. Nothing is sent to itself.
    std::vector<int> sizes_out, sizes_in, begins_in;
    int64_t received = 0;  // where in received_ the part's numbers begin
    MPI_Request request = MPI_REQUEST_NULL;
  };
  // The type of the numbers sent: float, or two bytes in bf16.
  bool rounds() const { return format_ == ElementType::kBf16; }
  MPI_Datatype type() const { return rounds() ? MPI_UINT16_T : MPI_FLOAT; }
  char* outgoing(const Part& part) {
    return rounds() ? reinterpret_cast<char*>(rounded_.data() + part.stretch.begin)
                    : reinterpret_cast<char*>(buffer_ + part.stretch.begin);
  }
  // Takes and sends the means of parts whose numbers have come, and finishes parts whose means have
  // come. Call with the mutex held.
  void Advance();
  void TakeMean(Part& part);
  void SendMean(Part& part);
  void Work();

  MpiCommunicator& ranks_;
  float* const buffer_;
  const ElementType format_;
  std::vector<Part> parts_;
  std::vector<Record> records_;
  BigVector<char> received_;
  BigVector<Bf16> rounded_;                // the bf16 numbers sent, laid out like buffer_
  BigVector<float> left_, left_of_means_;  // rounding errors, likewise

  // Indices of parts in the order in which they were begun. The first taken_ of them have sent
  // their means, the first done_ have received all means.
  std::vector<size_t> begun_;
  size_t taken_ = 0, done_ = 0;
  bool stopping_ = false;
  std::condition_variable something_begun_;
  std::thread thread_;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_MEANS_H_
