#include "distributed/mpi_means.h"

#include <unistd.h>

#include <algorithm>

#include "base/parallel.h"

namespace cotangent::distributed {
namespace {

constexpr int kNap = 100;  // microseconds between two polls of MPI

bool IsDone(MPI_Request& request) {
  int done = 0;
  MPI_Test(&request, &done, MPI_STATUS_IGNORE);
  return done != 0;
}

}  // namespace

MpiCommunicator::MpiMeans::MpiMeans(MpiCommunicator& ranks, float* buffer,
                                    const std::vector<Stretch>& stretches, ElementType format)
    : ranks_(ranks), buffer_(buffer), format_(format) {
  int64_t received = 0, end = 0;
  for (const Stretch& stretch : stretches) {
    Part part;
    part.stretch = stretch;
    part.received = received;
    const auto [own_begin, own_end] = PartOf(stretch.size, ranks_.rank_, ranks_.ranks_);
    const int own = static_cast<int>(own_end - own_begin);
    for (int rank = 0; rank < ranks_.ranks_; ++rank) {
      const auto [share_begin, share_end] = PartOf(stretch.size, rank, ranks_.ranks_);
      const int size = static_cast<int>(share_end - share_begin);
      part.sizes.push_back(size);
      part.begins.push_back(static_cast<int>(share_begin));
      part.sizes_out.push_back(rank == ranks_.rank_ ? 0 : size);
      part.sizes_in.push_back(rank == ranks_.rank_ ? 0 : own);
      part.begins_in.push_back(rank * own);
    }
    received += int64_t{own} * ranks_.ranks_;
    end = std::max(end, stretch.begin + stretch.size);
    parts_.push_back(std::move(part));
  }
  received_.resize(received * Bytes(format_));
  if (rounds()) {
    rounded_.resize(end);
    left_.resize(end);
    left_of_means_.resize(end);
  }
  records_.resize(parts_.size());
  begun_.reserve(parts_.size());
  thread_ = std::thread([this] { Work(); });
}

MpiCommunicator::MpiMeans::~MpiMeans() {
  {
    const std::lock_guard lock(ranks_.mutex_);
    stopping_ = true;
  }
  something_begun_.notify_one();
  thread_.join();
}

void MpiCommunicator::MpiMeans::Begin(size_t stretch) {
  Part& part = parts_[stretch];
  records_[stretch].begun = Clock::now();
  const auto [begin, size] = part.stretch;
  if (rounds()) {
    RoundWithFeedback({buffer_ + begin, static_cast<size_t>(size)}, left_.data() + begin,
                      rounded_.data() + begin);
  }
  const std::lock_guard lock(ranks_.mutex_);
  MPI_Ialltoallv(outgoing(part), part.sizes_out.data(), part.begins.data(), type(),
                 received_.data() + part.received * Bytes(format_), part.sizes_in.data(),
                 part.begins_in.data(), type(), ranks_.channels_->shares, &part.request);
  begun_.push_back(stretch);
  something_begun_.notify_one();
}

void MpiCommunicator::MpiMeans::Advance() {
  while (taken_ < begun_.size() && IsDone(parts_[begun_[taken_]].request)) {
    Part& part = parts_[begun_[taken_]];
    TakeMean(part);
    SendMean(part);
    ++taken_;
  }
  while (done_ < taken_ && IsDone(parts_[begun_[done_]].request)) {
    const auto [begin, size] = parts_[begun_[done_]].stretch;
    if (rounds()) Widen({rounded_.data() + begin, static_cast<size_t>(size)}, buffer_ + begin);
    records_[begun_[done_]].ended = Clock::now();
    ++done_;
  }
}

// Computes the means of the share of a stretch (a range of the buffer) that this rank (process)
// owns, and writes them to the share's range of the buffer.
void MpiCommunicator::MpiMeans::TakeMean(Part& part) {
  const int rank = ranks_.rank_;
  const size_t size = part.sizes[rank];
  const int64_t begin = part.stretch.begin + part.begins[rank];
  float* const mean = buffer_ + begin;
  const auto add = [&]<typename T>(const T* received, const T* own) {
    // Adds in the order of the ranks, so that the bits are always the same. `mean` holds rank 0's
    // numbers already; `own` points to this rank's.
    for (int from = 1; from < ranks_.ranks_; ++from)
      Add({from == rank ? own : received + part.begins_in[from], size}, mean);
  };
  if (rounds()) {
    const Bf16* const received = reinterpret_cast<const Bf16*>(received_.data()) + part.received;
    const Bf16* const own = rounded_.data() + begin;
    Widen({rank == 0 ? own : received, size}, mean);
    add(received, own);
  } else {
    float* const received = reinterpret_cast<float*>(received_.data()) + part.received;
    // Swaps rank 0's numbers, which were received, with this rank's own numbers, which are in
    // `mean`.
    if (rank != 0) std::swap_ranges(mean, mean + size, received);
    add(received, rank == 0 ? mean : received);
  }
  Scale(1.0f / static_cast<float>(ranks_.ranks_), {mean, size});
}

void MpiCommunicator::MpiMeans::SendMean(Part& part) {
  if (rounds()) {
    const int64_t begin = part.stretch.begin + part.begins[ranks_.rank_];
    RoundWithFeedback({buffer_ + begin, static_cast<size_t>(part.sizes[ranks_.rank_])},
                      left_of_means_.data() + begin, rounded_.data() + begin);
  }
  MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, outgoing(part), part.sizes.data(),
                  part.begins.data(), type(), ranks_.channels_->means, &part.request);
}

void MpiCommunicator::MpiMeans::Finish() {
  ranks_.WaitForRanks([this] {
    Advance();
    return done_ == begun_.size();
  });
  const std::lock_guard lock(ranks_.mutex_);
  begun_.clear();
  taken_ = done_ = 0;
}

void MpiCommunicator::MpiMeans::Forget() {
  std::fill(left_.begin(), left_.end(), 0.0f);
  std::fill(left_of_means_.begin(), left_of_means_.end(), 0.0f);
}

void MpiCommunicator::MpiMeans::Work() {
  std::unique_lock lock(ranks_.mutex_);
  while (!stopping_) {
    if (done_ == begun_.size()) {
      something_begun_.wait(lock);
      continue;
    }
    Advance();
    lock.unlock();
    usleep(kNap);
    lock.lock();
  }
}

std::unique_ptr<Means> MpiCommunicator::MakeMeans(float* buffer, std::vector<Stretch> stretches,
                                                  ElementType format) {
  return std::make_unique<MpiMeans>(*this, buffer, stretches, format);
}

}  // namespace cotangent::distributed
