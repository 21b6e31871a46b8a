#include "distributed/mpi_communicator.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "distributed/mpi_channels.h"

namespace cotangent::distributed {
namespace {

using Clock = std::chrono::steady_clock;

// Times in a wait for other ranks (processes of the job): after kTellArrivalAfter a rank tells the
// others that it is waiting, too; after kHungAfter it ends the job if some ranks have not begun to
// wait.
constexpr std::chrono::seconds kTellArrivalAfter(1), kHungAfter(25);
// How a wait polls MPI: for the first kEager without pause; until kYielding it yields the processor
// after each poll; from then on it sleeps kNap after each poll.
constexpr std::chrono::milliseconds kEager(2), kYielding(20);
constexpr int kNap = 200;  // microseconds
// The longest message in bytes. MPI counts elements in int.
constexpr int64_t kMostBytes = int64_t{1} << 30;
constexpr int kArrivalTag = 1;

// Pauses after a poll of MPI, as kEager, kYielding and kNap say, in a wait that began at `start`.
void Pause(Clock::time_point start) {
  const Clock::duration waited = Clock::now() - start;
  if (waited < kEager) return;
  if (waited < kYielding) {
    sched_yield();
  } else {
    usleep(kNap);
  }
}

bool IsDone(MPI_Request& request) {
  int done = 0;
  MPI_Test(&request, &done, MPI_STATUS_IGNORE);
  return done != 0;
}

// Returns the value of the first of the environment variables `names` whose value is a number;
// `otherwise` if there is none.
int FirstNumber(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    const char* const value = getenv(name);
    int number = 0;
    if (value != nullptr && absl::SimpleAtoi(value, &number)) return number;
  }
  return otherwise;
}

// Returns the number of processes that mpirun or srun says it has started; 1 if neither says.
int StartedRanks() { return FirstNumber({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}, 1); }

}  // namespace

bool IsStartedAsRank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (getenv(name) != nullptr) return true;
  }
  return false;
}

// If MPI sees only this process, it sets OMPI_COMM_WORLD_RANK to 0, so PMI_RANK is read first.
int RankOfStarter() {
  return FirstNumber({"PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"}, 0);
}

MpiCommunicator::MpiCommunicator() {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  channels_ = std::make_unique<Channels>();
  for (MPI_Comm* own : {&channels_->shares, &channels_->means, &channels_->broadcasts})
    MPI_Comm_dup(MPI_COMM_WORLD, own);
  arrived_.assign(ranks_, 0);
  hosts_ = Gather(host());
}

MpiCommunicator::~MpiCommunicator() {
  // Receives the messages of TellArrival() that no wait has received yet. After Gather() no rank
  // sends another message.
  Gather("");
  CollectArrivals();
  for (MPI_Comm* own : {&channels_->shares, &channels_->means, &channels_->broadcasts})
    MPI_Comm_free(own);
  MPI_Finalize();
}

absl::Status MpiCommunicator::Check() const {
  char version[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(version, &length);
  const std::string expected = absl::StrCat("Open MPI v", OMPI_MAJOR_VERSION, ".");
  if (!absl::StartsWith(version, expected)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the MPI library is '", std::string(version).substr(0, 40),
                     "'; this program was compiled for ", expected, OMPI_MINOR_VERSION,
                     ": build it on this machine, or install that library"));
  }
  if (ranks_ == 1 && StartedRanks() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        StartedRanks(), " ranks were started, but ", expected, OMPI_MINOR_VERSION,
        ", which this program was compiled for, knows of one alone: start them with its own mpirun "
        "(Debian's openmpi-bin), or with srun --mpi=pmix"));
  }
  return absl::OkStatus();
}

std::string MpiCommunicator::host() const {
  char name[MPI_MAX_PROCESSOR_NAME] = {};
  int length = 0;
  MPI_Get_processor_name(name, &length);
  return std::string(name, length);
}

void MpiCommunicator::Wait(const Ready& ready) {
  const Clock::time_point start = Clock::now();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (ready()) return;
    }
    Pause(start);
  }
}

void MpiCommunicator::WaitForRanks(const Ready& ready) {
  ++waits_;
  const Clock::time_point begin = Clock::now();
  Clock::time_point start = begin, last_look = begin;
  bool told = false;
  Wait([&] {
    if (ready()) return true;
    // If more than kTellArrivalAfter has passed between two polls, this process itself was stopped
    // and cannot tell how late other ranks are, so the time of its wait begins anew.
    const Clock::time_point now = Clock::now();
    if (now - last_look > kTellArrivalAfter) start = now;
    last_look = now;
    const Clock::duration waited = now - start;
    if (waited > kTellArrivalAfter && !told) TellArrival(), told = true;
    if (waited < kHungAfter) return false;
    CollectArrivals();
    AbortNamingMissing();
    start = now;  // all ranks are waiting, so the network is slow
    return false;
  });
  seconds_waited_ += std::chrono::duration<double>(Clock::now() - begin).count();
}

void MpiCommunicator::Sum(absl::Span<double> values) {
  if (ranks_ == 1) return;
  MPI_Request request;
  {
    const std::lock_guard lock(mutex_);
    MPI_Iallreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE,
                   MPI_SUM, MPI_COMM_WORLD, &request);
  }
  WaitForRanks([&] { return IsDone(request); });
}

void MpiCommunicator::BeginBroadcast(absl::Span<float> values, int from) {
  if (ranks_ == 1) return;
  const std::lock_guard lock(mutex_);
  channels_->broadcasts_under_way.emplace_back();
  MPI_Ibcast(values.data(), static_cast<int>(values.size()), MPI_FLOAT, from, channels_->broadcasts,
             &channels_->broadcasts_under_way.back());
}

void MpiCommunicator::FinishBroadcasts() {
  std::vector<MPI_Request>& requests = channels_->broadcasts_under_way;
  if (requests.empty()) return;
  WaitForRanks([&] {
    int done = 0;
    MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
    return done != 0;
  });
  requests.clear();
}

// MPI_Send() returns for messages as small as these even if the receiver does not call MPI.
void MpiCommunicator::TellArrival() {
  for (int to = 0; to < ranks_; ++to) {
    if (to != rank_) MPI_Send(&waits_, 1, MPI_INT64_T, to, kArrivalTag, MPI_COMM_WORLD);
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

// Prints the numbers and machines of the ranks that have not begun the current wait, and ends the
// job; does nothing if all have. The first rank whose wait takes too long does this for all ranks.
void MpiCommunicator::AbortNamingMissing() {
  arrived_[rank_] = waits_;
  std::string missing;
  for (int rank = 0; rank < ranks_; ++rank) {
    if (arrived_[rank] >= waits_) continue;
    absl::StrAppend(&missing, missing.empty() ? "" : ", ", "rank ", rank, " on ", hosts_[rank]);
  }
  if (missing.empty()) return;
  fprintf(stderr, "rank %d on %s has waited %d s for %s, which hangs: the job ends\n", rank_,
          hosts_[rank_].c_str(), static_cast<int>(kHungAfter.count()), missing.c_str());
  Abort(1);
}

void MpiCommunicator::Broadcast(std::string& text) {
  if (ranks_ == 1) return;
  const auto broadcast = [this](void* data, int64_t bytes) {
    MPI_Request request;
    {
      const std::lock_guard lock(mutex_);
      MPI_Ibcast(data, static_cast<int>(bytes), MPI_BYTE, 0, MPI_COMM_WORLD, &request);
    }
    Wait([&] { return IsDone(request); });
  };
  int64_t size = static_cast<int64_t>(text.size());
  broadcast(&size, sizeof size);
  text.resize(size);
  for (int64_t at = 0; at < size; at += kMostBytes)
    broadcast(text.data() + at, std::min(kMostBytes, size - at));
}

std::vector<std::string> MpiCommunicator::Gather(const std::string& text) {
  if (ranks_ == 1) return {text};
  MPI_Request request;
  const int size = static_cast<int>(text.size());
  std::vector<int> sizes(ranks_), offsets(ranks_);
  {
    const std::lock_guard lock(mutex_);
    MPI_Iallgather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD, &request);
  }
  Wait([&] { return IsDone(request); });
  int total = 0;
  for (int rank = 0; rank < ranks_; ++rank) offsets[rank] = total, total += sizes[rank];
  std::string all(total, '\0');
  {
    const std::lock_guard lock(mutex_);
    MPI_Iallgatherv(text.data(), size, MPI_BYTE, all.data(), sizes.data(), offsets.data(), MPI_BYTE,
                    MPI_COMM_WORLD, &request);
  }
  Wait([&] { return IsDone(request); });
  std::vector<std::string> texts;
  for (int rank = 0; rank < ranks_; ++rank) texts.push_back(all.substr(offsets[rank], sizes[rank]));
  return texts;
}

void MpiCommunicator::Abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  abort();
}

}  // namespace cotangent::distributed
