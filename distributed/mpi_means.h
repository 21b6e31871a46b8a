// Means over the ranks of an MPI program.
#ifndef COTANGENT_DISTRIBUTED_MPI_MEANS_H_
#define COTANGENT_DISTRIBUTED_MPI_MEANS_H_

#include <condition_variable>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/memory.h"
#include "distributed/mpi_channels.h"

namespace cotangent::distributed {

// Open MPI moves data only while it is called. Between two operations of a network lie up to 100 ms,
// so a thread calls it: it sleeps kNap between two looks, and altogether while nothing is under way.
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
  // Shares of a stretch by rank, as MPI takes them: in floats from the stretch's begin.
  struct Part {
    Stretch stretch;
    std::vector<int> sizes, begins;  // of all shares
    // Of what goes out to those that have the shares, and comes in of one's own: nothing from and to
    // oneself.
    std::vector<int> sizes_out, sizes_in, begins_in;
    int64_t received = 0;  // where what comes in begins in received_
    MPI_Request request = MPI_REQUEST_NULL;
  };
  // What is sent of a number: a float, or two bytes.
  bool rounds() const { return format_ == ElementType::kBf16; }
  MPI_Datatype type() const { return rounds() ? MPI_UINT16_T : MPI_FLOAT; }
  char* outgoing(const Part& part) {
    return rounds() ? reinterpret_cast<char*>(rounded_.data() + part.stretch.begin)
                    : reinterpret_cast<char*>(buffer_ + part.stretch.begin);
  }
  // Goes on with what can go on. With the mutex held.
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
  BigVector<Bf16> rounded_;                // what is sent, laid out as the buffer
  BigVector<float> left_, left_of_means_;  // by rounding, the same

  // Parts in the order in which they were begun: the first done_ have their means in place, the
  // first taken_ have sent them.
  std::vector<size_t> begun_;
  size_t taken_ = 0, done_ = 0;
  bool stopping_ = false;
  std::condition_variable something_begun_;
  std::thread thread_;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_MEANS_H_
