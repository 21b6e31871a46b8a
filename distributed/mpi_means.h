// Means (means.h) over the ranks (processes) of an MPI program.
#ifndef COTANGENT_DISTRIBUTED_MPI_MEANS_H_
#define COTANGENT_DISTRIBUTED_MPI_MEANS_H_

#include <condition_variable>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/memory.h"
#include "distributed/mpi_channels.h"

namespace cotangent::distributed {

// Averages stretches (ranges of a buffer) in the background. Open MPI moves data only while the
// program calls an MPI function. An operation of a network can compute for up to 100 ms without
// such a call, so a thread of this object calls MPI again and again, with short pauses, while a
// stretch is being averaged; otherwise the thread sleeps.
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
  // A stretch, its shares (pieces, one for each rank, which computes the means of the share's
  // numbers), and the state of averaging it. Sizes and begins are counted in numbers (floats or
  // bf16), `begins` from the begin of the stretch.
  struct Part {
    Stretch stretch;
    std::vector<int> sizes, begins;  // of all shares, by rank
    // For the first exchange, in which each rank gets all ranks' numbers of its own share. For each
    // rank: how many numbers this rank sends to that rank, how many it receives from that rank, and
    // where these begin, counted from `received`. A rank sends nothing to itself.
    std::vector<int> sizes_out, sizes_in, begins_in;
    int64_t received = 0;  // where in received_ this stretch's numbers begin, in numbers
    MPI_Request request = MPI_REQUEST_NULL;
  };
  // rounds() returns whether numbers are rounded to bf16 before they are sent. type() returns the
  // MPI type of a number sent: float, or two bytes for bf16.
  bool rounds() const { return format_ == ElementType::kBf16; }
  MPI_Datatype type() const { return rounds() ? MPI_UINT16_T : MPI_FLOAT; }
  char* outgoing(const Part& part) {
    return rounds() ? reinterpret_cast<char*>(rounded_.data() + part.stretch.begin)
                    : reinterpret_cast<char*>(buffer_ + part.stretch.begin);
  }
  // Continues averaging the parts (stretches), in the order in which they were begun. If all ranks'
  // numbers of this rank's share have arrived, computes the share's means and begins to send them
  // to all ranks. If the means of all shares have arrived, the buffer receives them, and the part
  // is done. The caller must hold ranks_.mutex_.
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
  BigVector<Bf16> rounded_;  // the bf16 numbers sent, laid out like buffer_
  // Rounding errors of the numbers sent and of the means sent, laid out like buffer_.
  BigVector<float> left_, left_of_means_;

  // Indices of the parts begun since the last Finish(), in order. For the first taken_ of these
  // parts, this rank has begun to send the means of its share; for the first done_, it has received
  // all means.
  std::vector<size_t> begun_;
  size_t taken_ = 0, done_ = 0;
  bool stopping_ = false;
  std::condition_variable something_begun_;
  std::thread thread_;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_MEANS_H_
