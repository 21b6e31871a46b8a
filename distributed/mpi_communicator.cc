#include "distributed/mpi_communicator.h"

// MPI's functions in C; those in C++ are gone from the standard.
#define OMPI_SKIP_MPICXX 1
#include <mpi/mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace cotangent::distributed {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTellArrivalAfter(1), kHungAfter(25);
// A wait begins by asking without pause, then lets others have the processor, then sleeps.
constexpr std::chrono::milliseconds kEager(2), kYielding(20);
constexpr int kNap = 200;  // microseconds
// Of one message: MPI counts in int.
constexpr int64_t kMostBytes = int64_t{1} << 30;
constexpr int kArrivalTag = 1;

// One pause between two looks at what is waited for since `start`.
void Pause(Clock::time_point start) {
  const Clock::duration waited = Clock::now() - start;
  if (waited < kEager) return;
  if (waited < kYielding) {
    sched_yield();
  } else {
    usleep(kNap);
  }
}

void Wait(MPI_Request request) {
  const Clock::time_point start = Clock::now();
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done) Pause(start);
}

}  // namespace

bool IsStartedAsRank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (getenv(name) != nullptr) return true;
  }
  return false;
}

MpiCommunicator::MpiCommunicator() {
  // Threads compute; MPI is called by one of them.
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  arrived_.assign(ranks_, 0);
  hosts_ = Gather(host());
}

MpiCommunicator::~MpiCommunicator() {
  // What slow sums have told and nobody needed.
  Gather("");
  CollectArrivals();
  MPI_Finalize();
}

std::string MpiCommunicator::host() const {
  char name[MPI_MAX_PROCESSOR_NAME] = {};
  int length = 0;
  MPI_Get_processor_name(name, &length);
  return std::string(name, length);
}

void MpiCommunicator::Sum(absl::Span<float> values) {
  if (ranks_ == 1) return;
  ++sums_;
  MPI_Request request;
  MPI_Iallreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_FLOAT, MPI_SUM,
                 MPI_COMM_WORLD, &request);
  Clock::time_point start = Clock::now(), last_look = start;
  bool told = false;
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done) {
    Pause(start);
    // A process that was itself stopped knows nothing of the others.
    const Clock::time_point now = Clock::now();
    if (now - last_look > kTellArrivalAfter) start = now;
    last_look = now;
    const Clock::duration waited = now - start;
    if (waited > kTellArrivalAfter && !told) TellArrival(), told = true;
    if (waited < kHungAfter) continue;
    CollectArrivals();
    AbortNamingMissing();
    start = Clock::now();  // all are here: the network is slow
  }
}

// Tells all others that this rank has come to the current sum. Such a message is small enough to be
// sent without the receiver's doing.
void MpiCommunicator::TellArrival() {
  for (int to = 0; to < ranks_; ++to) {
    if (to != rank_) MPI_Send(&sums_, 1, MPI_INT64_T, to, kArrivalTag, MPI_COMM_WORLD);
  }
}

void MpiCommunicator::CollectArrivals() {
  int is_there = 0;
  MPI_Status status;
  while (MPI_Iprobe(MPI_ANY_SOURCE, kArrivalTag, MPI_COMM_WORLD, &is_there, &status), is_there) {
    int64_t sum = 0;
    MPI_Recv(&sum, 1, MPI_INT64_T, status.MPI_SOURCE, kArrivalTag, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    int64_t& latest = arrived_[status.MPI_SOURCE];
    latest = std::max(latest, sum);
  }
}

// The first rank that told to miss another does so for all.
void MpiCommunicator::AbortNamingMissing() {
  arrived_[rank_] = sums_;
  std::string missing;
  for (int rank = 0; rank < ranks_; ++rank) {
    if (arrived_[rank] >= sums_) continue;
    absl::StrAppend(&missing, missing.empty() ? "" : ", ", "rank ", rank, " on ", hosts_[rank]);
  }
  if (missing.empty()) return;
  fprintf(stderr, "rank %d on %s has waited %d s for %s, which hangs: the job ends\n", rank_,
          hosts_[rank_].c_str(), static_cast<int>(kHungAfter.count()), missing.c_str());
  Abort(1);
}

void MpiCommunicator::Broadcast(std::string& text) {
  if (ranks_ == 1) return;
  MPI_Request request;
  int64_t size = static_cast<int64_t>(text.size());
  MPI_Ibcast(&size, 1, MPI_INT64_T, 0, MPI_COMM_WORLD, &request);
  Wait(request);
  text.resize(size);
  for (int64_t at = 0; at < size; at += kMostBytes) {
    MPI_Ibcast(text.data() + at, static_cast<int>(std::min(kMostBytes, size - at)), MPI_BYTE, 0,
               MPI_COMM_WORLD, &request);
    Wait(request);
  }
}

std::vector<std::string> MpiCommunicator::Gather(const std::string& text) {
  if (ranks_ == 1) return {text};
  MPI_Request request;
  const int size = static_cast<int>(text.size());
  std::vector<int> sizes(ranks_), offsets(ranks_);
  MPI_Iallgather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD, &request);
  Wait(request);
  int total = 0;
  for (int rank = 0; rank < ranks_; ++rank) offsets[rank] = total, total += sizes[rank];
  std::string all(total, '\0');
  MPI_Iallgatherv(text.data(), size, MPI_BYTE, all.data(), sizes.data(), offsets.data(), MPI_BYTE,
                  MPI_COMM_WORLD, &request);
  Wait(request);
  std::vector<std::string> texts;
  for (int rank = 0; rank < ranks_; ++rank) texts.push_back(all.substr(offsets[rank], sizes[rank]));
  return texts;
}

void MpiCommunicator::Abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  abort();
}

}  // namespace cotangent::distributed
