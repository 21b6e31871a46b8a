// Tests every implementation that Candidates() of convolution.h returns, on small convolutions of
// unusual shapes: the first seeds stand for those of KnownShapes(), the others draw a shape at
// random. Buffers lie between pages that must not be touched, so that reads and writes there crash.
// A candidate fails if it crashes, hangs, writes beside a buffer, or differs from plain loops by
// more than a tolerance.
//
// Each shape is tried in a child process. The environment variable COTANGENT_SWEEP=COUNT[,SEED]
// sets the number of shapes and the seed of the first one (0 if not given); the others' seeds count
// up from it.

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "tensor/convolution.h"
#include "tensor/reference.h"

namespace cotangent::tensor {
namespace {

constexpr int kShapes = 24;
// Limits for one shape: seconds of processor time, and seconds of elapsed time on a machine that
// other programs use. Both are far more than any shape needs.
constexpr unsigned kSecondsOfWork = 30, kSecondsAllowed = 300;
constexpr int64_t kPage = 4096;
constexpr unsigned char kFence = 0xa5;

// A buffer aligned to 64 bytes, between two pages that must not be touched. If at_end, it ends at
// most 63 bytes before the second of them; otherwise it begins right after the first. The other
// bytes of its own pages hold kFence and must keep it.
class GuardedBuffer {
 public:
  GuardedBuffer(int64_t bytes, bool at_end) : bytes_(bytes) {
    const int64_t aligned = (std::max<int64_t>(bytes, 1) + 63) / 64 * 64;
    inner_ = (aligned + kPage - 1) / kPage * kPage;
    void* const pages =
        mmap(nullptr, inner_ + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages_ = static_cast<unsigned char*>(pages);
    mprotect(pages_ + kPage, inner_, PROT_READ | PROT_WRITE);
    std::memset(pages_ + kPage, kFence, inner_);
    data_ = pages_ + kPage + (at_end ? inner_ - aligned : 0);
    std::memset(data_, 0xff, bytes_);  // bytes of all ones are NaN in f32 and bf16
  }
  GuardedBuffer(const GuardedBuffer&) = delete;
  ~GuardedBuffer() { munmap(pages_, inner_ + 2 * kPage); }

  void* data() { return data_; }
  int64_t bytes() const { return bytes_; }
  bool FenceStands() const {
    const unsigned char* const begin = pages_ + kPage;
    const auto is_fence = [](unsigned char byte) { return byte == kFence; };
    return std::all_of(begin, static_cast<const unsigned char*>(data_), is_fence) &&
           std::all_of(static_cast<const unsigned char*>(data_) + bytes_, begin + inner_, is_fence);
  }

 private:
  int64_t bytes_, inner_;
  unsigned char *pages_, *data_;
};

// oneDNN's kernels failed on these shapes (IsBroken() in onednn.cc lists how): with AVX2 they
// corrupted the heap or did not end; with AMX, or in bf16 without it, they crashed; with AVX-512 or
// AMX a gradient was wrong.
std::vector<ConvolutionShape> KnownShapes() {
  const ConvolutionShape pointwise = {
      .batch = 32, .out_channels = 8, .in_height = 32, .in_width = 32, .stride_width = 2};
  std::vector<ConvolutionShape> shapes(3, pointwise);
  shapes[1].in_channels = 3, shapes[1].stride_height = 2;
  shapes[2].in_channels = 7, shapes[2].stride_height = 3;
  const ConvolutionShape below = {.in_channels = 8,
                                  .out_channels = 9,
                                  .in_height = 4,
                                  .in_width = 3,
                                  .stride_height = 2,
                                  .pad_bottom = 3};
  shapes.push_back(below);
  ConvolutionShape lopsided = {.batch = 2,
                               .in_channels = 10,
                               .out_channels = 17,
                               .in_height = 4,
                               .in_width = 4,
                               .kernel_height = 3,
                               .kernel_width = 3,
                               .pad_top = 1,
                               .pad_left = 1};
  shapes.push_back(lopsided);
  std::swap(lopsided.pad_top, lopsided.pad_bottom);
  shapes.push_back(lopsided);
  const ConvolutionShape narrow = {.batch = 2,
                                   .in_channels = 13,
                                   .out_channels = 16,
                                   .in_height = 1,
                                   .in_width = 2,
                                   .stride_height = 4,
                                   .stride_width = 3};
  shapes.push_back(narrow);
  const ConvolutionShape overhanging = {.batch = 31,
                                        .in_channels = 7,
                                        .out_channels = 3,
                                        .in_height = 7,
                                        .in_width = 1,
                                        .kernel_height = 5,
                                        .kernel_width = 2,
                                        .stride_width = 2,
                                        .pad_right = 2};
  shapes.push_back(overhanging);
  return shapes;
}

ConvolutionShape RandomShape(uint64_t seed) {
  const std::vector<ConvolutionShape> known = KnownShapes();
  if (seed < known.size()) return known[seed];
  std::mt19937 random(static_cast<uint32_t>(seed));
  const auto between = [&](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % (most - least + 1));
  };
  const auto often = [&](int64_t usual, int64_t least, int64_t most) {
    return random() % 2 == 0 ? usual : between(least, most);
  };
  while (true) {
    ConvolutionShape s;
    s.batch = often(2, 1, 33);
    s.in_channels = between(1, 17), s.out_channels = between(1, 17);
    if (random() % 4 == 0) {
      s.groups = between(2, 17);
      s.in_channels = s.groups * between(1, 2), s.out_channels = s.groups * between(1, 2);
    }
    s.in_height = between(1, 9), s.in_width = between(1, 9);
    s.kernel_height = often(1, 1, 5),
    s.kernel_width = random() % 4 == 0 ? between(1, 5) : s.kernel_height;
    s.stride_height = often(1, 1, 4),
    s.stride_width = random() % 4 == 0 ? between(1, 4) : s.stride_height;
    s.dilation_height = random() % 4 == 0 ? between(1, 3) : 1,
    s.dilation_width = random() % 4 == 0 ? between(1, 3) : s.dilation_height;
    const auto pad = [&] { return random() % 3 == 0 ? between(0, 5) : 0; };
    s.pad_top = pad(), s.pad_bottom = random() % 2 == 0 ? s.pad_top : pad();
    s.pad_left = random() % 2 == 0 ? s.pad_top : pad(),
    s.pad_right = random() % 2 == 0 ? s.pad_left : pad();
    if (s.Validate().ok()) return s;
  }
}

std::vector<float> RandomValues(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  // Draws multiples of 1/64 from -1 to 1, which bf16 holds exactly.
  for (float& value : values)
    value = static_cast<float>(static_cast<int>(random() % 129) - 64) / 64;
  return values;
}

// Memory that a child process and its parent share. `what` says what the child is trying, so that
// the parent can name it if the child crashes; `wrong` lists the failures so far.
struct Attempt {
  char what[512];
  char wrong[2048];
};

void Copy(const std::string& text, absl::Span<char> to) {
  const size_t count = std::min(text.size(), to.size() - 1);
  std::memcpy(to.data(), text.data(), count);
  to[count] = 0;
}

void Complain(Attempt& attempt, const std::string& what) {
  Copy(absl::StrCat(attempt.wrong, attempt.what, ": ", what, "\n"), attempt.wrong);
}

void Fill(const std::vector<float>& values, const Shape& shape, Layout layout, ElementType type,
          GuardedBuffer& to) {
  Reorder(shape, values.data(), Layout::kNchw, ElementType::kF32, to.data(), layout, type);
}

// Returns the largest difference between `found` and `exact`, divided by the largest absolute value
// in `exact`.
double ErrorOf(const std::vector<float>& found, const std::vector<double>& exact) {
  double largest = 1e-30, error = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    // The condition is written so that NaN counts as an error; std::max would lose it.
    if (!(std::abs(found[i] - exact[i]) <= error)) error = std::abs(found[i] - exact[i]);
  }
  return error / largest;
}

struct Problem {
  ConvolutionShape shape;
  std::vector<float> in, weights, out;
  std::vector<double> exact[3];  // results of the plain loops (reference.h), by Direction
};

Problem ProblemOf(const ConvolutionShape& s) {
  Problem p{s,
            RandomValues(s.in().NumElements(), 1),
            RandomValues(s.weights().NumElements(), 2),
            RandomValues(s.out().NumElements(), 3),
            {}};
  const std::vector<double> in(p.in.begin(), p.in.end()),
      weights(p.weights.begin(), p.weights.end()), out(p.out.begin(), p.out.end());
  p.exact[0] = reference::ConvolutionForward(s, in, weights);
  p.exact[1] = reference::ConvolutionInputGradient(s, out, weights);
  p.exact[2] = reference::ConvolutionWeightGradient(s, in, out);
  return p;
}

void Try(const Problem& p, Direction direction, const ConvolutionChoice& choice, bool at_end,
         Attempt& attempt) {
  const ConvolutionShape& s = p.shape;
  absl::StatusOr<std::unique_ptr<Convolution>> convolution =
      Convolution::Create(s, direction, choice);
  if (!convolution.ok()) return Complain(attempt, std::string(convolution.status().message()));
  GuardedBuffer in(StorageBytes(s.in(), choice.in_layout, choice.in_type), at_end),
      out(StorageBytes(s.out(), choice.out_layout, choice.out_type), at_end);
  GuardedBuffer packed((*convolution)->packed_weight_bytes(), at_end),
      scratch((*convolution)->scratch_bytes(), at_end),
      plain(s.weights().NumElements() * 4, at_end);
  if (direction != Direction::kInputGradient)
    Fill(p.in, s.in(), choice.in_layout, choice.in_type, in);
  if (direction != Direction::kForward)
    Fill(p.out, s.out(), choice.out_layout, choice.out_type, out);
  if (direction != Direction::kWeightGradient) {
    std::memcpy(plain.data(), p.weights.data(), plain.bytes());
    if ((*convolution)->weights_are_plain()) {
      std::memcpy(packed.data(), p.weights.data(), plain.bytes());
    } else {
      (*convolution)->PackWeights(static_cast<float*>(plain.data()), packed.data());
    }
  }
  (*convolution)
      ->Run({.in = in.data(),
             .weights = packed.data(),
             .out = out.data(),
             .scratch = scratch.data()});
  std::vector<float> found(p.exact[static_cast<int>(direction)].size());
  if (direction == Direction::kWeightGradient) {
    const bool is_plain = (*convolution)->weights_are_plain();
    if (!is_plain)
      (*convolution)->UnpackWeightGradient(packed.data(), static_cast<float*>(plain.data()));
    std::memcpy(found.data(), is_plain ? packed.data() : plain.data(), plain.bytes());
  } else {
    const bool forward = direction == Direction::kForward;
    Reorder(forward ? s.out() : s.in(), forward ? out.data() : in.data(),
            forward ? choice.out_layout : choice.in_layout,
            forward ? choice.out_type : choice.in_type, found.data(), Layout::kNchw,
            ElementType::kF32);
  }
  const auto check = [&](const char* name, const GuardedBuffer& buffer) {
    if (!buffer.FenceStands()) Complain(attempt, absl::StrCat("wrote beside ", name));
  };
  check("in", in), check("out", out), check("the packed weights", packed),
      check("the scratch memory", scratch), check("the weights", plain);
  const bool bf16 = choice.in_type == ElementType::kBf16 || choice.out_type == ElementType::kBf16;
  const double tolerance = bf16 ? (choice.algorithm == Algorithm::kWinograd ? 0.03 : 0.006) : 2e-5;
  if (const double error = ErrorOf(found, p.exact[static_cast<int>(direction)]);
      !(error <= tolerance))
    Complain(attempt, absl::StrCat("off by ", error));
}

void TryAll(uint64_t seed, Attempt& attempt) {
  const Problem p = ProblemOf(RandomShape(seed));
  SetThreads(seed % 2 == 0 ? 2 : 1);
  for (const ElementType precision : {ElementType::kF32, ElementType::kBf16}) {
    for (const Direction direction :
         {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
      const std::string what = absl::StrCat(p.shape.ToString(), " ", std::string(Name(direction)),
                                            " ", std::string(Name(precision)));
      Copy(absl::StrCat(what, ", listing candidates"), attempt.what);
      const std::vector<ConvolutionChoice> candidates =
          Candidates(p.shape, direction, precision, /*exact=*/false);
      if (candidates.empty()) Complain(attempt, "there are none");
      for (const ConvolutionChoice& choice : candidates) {
        for (const bool at_end : {true, false}) {
          Copy(absl::StrCat(what, ", ", choice.ToString(),
                            at_end ? ", at the end of its memory" : ", at its beginning"),
               attempt.what);
          Try(p, direction, choice, at_end, attempt);
        }
      }
    }
  }
}

// Tries all candidates for the shape of this seed in a child process. Returns a description of the
// failures, or "" if there are none.
std::string FailuresOf(uint64_t seed, Attempt& attempt) {
  attempt = {};
  const pid_t child = fork();
  if (child == 0) {
    const rlimit work = {.rlim_cur = kSecondsOfWork, .rlim_max = kSecondsOfWork};
    setrlimit(RLIMIT_CPU, &work);
    alarm(kSecondsAllowed);
    TryAll(seed, attempt);
    std::exit(0);  // frees all memory; a corrupted heap crashes here
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return absl::StrCat(attempt.wrong, attempt.what, ": ", strsignal(WTERMSIG(status)), "\n");
  if (WEXITSTATUS(status) != 0)
    return absl::StrCat(attempt.wrong, "exit code ", WEXITSTATUS(status), " after ", attempt.what,
                        "\n");
  return attempt.wrong;
}

TEST(ConvolutionSweep, NoCandidateGoesAstray) {
  int count = kShapes;
  uint64_t seed = 0;
  if (const char* asked = std::getenv("COTANGENT_SWEEP")) {
    const std::vector<std::string> parts = absl::StrSplit(asked, ',');
    ASSERT_TRUE(absl::SimpleAtoi(parts[0], &count) &&
                (parts.size() < 2 || absl::SimpleAtoi(parts[1], &seed)))
        << asked;
  }
  auto* const attempt = static_cast<Attempt*>(
      mmap(nullptr, sizeof(Attempt), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(attempt, MAP_FAILED);
  for (int i = 0; i < count; ++i)
    EXPECT_EQ(FailuresOf(seed + i, *attempt), "") << "seed " << seed + i;
}

}  // namespace
}  // namespace cotangent::tensor
