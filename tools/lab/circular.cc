#include <fftw3.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/print.h"
#include "base/memory.h"
#include "base/status_macros.h"
#include "tensor/circulant.h"
#include "tensor/convolution.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

// Numbers in parentheses, such as (13), are equations of the problem set (tools/lab/README.md lists
// them). C_a is the circulant matrix of the vector a, and S the matrix that shifts a vector by one.

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using sym::Expr;
using tensor::CircularConvolver;
using Vector = std::vector<double>;

Vector Random(int64_t n, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  Vector values(n);
  for (double& v : values) v = normal(generator);
  return values;
}

double LargestDifference(absl::Span<const double> a, absl::Span<const double> b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

double LargestMagnitude(absl::Span<const double> a) {
  return LargestDifference(a, Vector(a.size(), 0.0));
}

template <typename Run>
double Milliseconds(Run run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

// Returns the least time of several runs, in milliseconds. There are at least 2 and at most 50
// runs; after the second, no run begins once the runs have taken `budget` milliseconds.
double Least(const std::function<void()>& run, double budget = 10) {
  double least = INFINITY, spent = 0;
  for (int i = 0; i < 50 && (i < 2 || spent < budget); ++i) {
    const double time = Milliseconds(run);
    least = std::min(least, time);
    spent += time;
  }
  return least;
}

// Proves C_a S = S C_a entry by entry, for symbols a_0 .. a_{n-1} and n from 1 to 8. `perturbation`
// is added to an entry of C_a.
Claim CommutesSymbolically(double perturbation, Section& section) {
  Claim claim{"circular.commutes",
              {},
              "C_a S = S C_a for every a (n = 1 to 8, a symbolic)",
              "C_a S = S C_a",
              "proved symbolically, entry by entry"};
  bool holds = true;
  for (size_t n = 1; n <= 8; ++n) {
    sym::Pool pool;
    std::vector<Expr> a;
    for (size_t i = 0; i < n; ++i) a.push_back(pool.Variable(absl::StrCat("a", i)));
    std::vector<Expr> c = tensor::CirculantMatrix<Expr>(a);
    if (perturbation != 0) c[n * n - 1] = c[n * n - 1] + perturbation;
    const std::vector<Expr> s = tensor::ShiftMatrix<Expr>(n, pool.Constant(0), pool.Constant(1));
    const std::vector<Expr> left = tensor::MatrixProduct<Expr>(c, s, n),
                            right = tensor::MatrixProduct<Expr>(s, c, n);
    for (size_t i = 0; i < n * n; ++i)
      holds = holds && sym::Equal(left[i], right[i]) == sym::Verdict::kEqual;
    if (n != 4) continue;
    std::string matrix =
        "<math display=\"block\"><msub><mi>C</mi><mi>a</mi></msub><mo>=</mo><mo>(</mo><mtable>";
    for (size_t i = 0; i < n; ++i) {
      absl::StrAppend(&matrix, "<mtr>");
      for (size_t j = 0; j < n; ++j)
        absl::StrAppend(&matrix, "<mtd>", sym::ToMathMlRow(c[i * n + j]), "</mtd>");
      absl::StrAppend(&matrix, "</mtr>");
    }
    section.MathMl(absl::StrCat(matrix, "</mtable><mo>)</mo></math>"));
  }
  claim.numbers.push_back({"largest n", 8});
  claim.verdict = HoldsIf(holds);
  return claim;
}

// Proves that the matrix product C_a x is the circular convolution (13), for symbols a_0 .. a_{n-1}
// and x_0 .. x_{n-1} and n from 1 to 8. `perturbation` is added to an entry of C_a.
Claim ProductSymbolically(double perturbation) {
  Claim claim{"circular.product",
              {13},
              "C_a x is the circular convolution of x and a (n = 1 to 8, a and x symbolic)",
              "(C_a x)_i = (x * a)_i = \\sum_{k=0}^{n-1} x_k a_{(i - k) \\mod n}",
              "proved symbolically, entry by entry"};
  bool holds = true;
  for (size_t n = 1; n <= 8; ++n) {
    sym::Pool pool;
    std::vector<Expr> a, x;
    for (size_t i = 0; i < n; ++i) {
      a.push_back(pool.Variable(absl::StrCat("a", i)));
      x.push_back(pool.Variable(absl::StrCat("x", i)));
    }
    std::vector<Expr> c = tensor::CirculantMatrix<Expr>(a);
    if (perturbation != 0) c[n * n - 1] = c[n * n - 1] + perturbation;
    for (size_t i = 0; i < n; ++i) {
      Expr product = pool.Constant(0), sum = pool.Constant(0);
      for (size_t k = 0; k < n; ++k) {
        product = product + c[i * n + k] * x[k];
        sum = sum + x[k] * a[(i + n - k) % n];
      }
      holds = holds && sym::Equal(product, sum) == sym::Verdict::kEqual;
    }
  }
  claim.numbers.push_back({"largest n", 8});
  claim.verdict = HoldsIf(holds);
  return claim;
}

absl::StatusOr<Claim> CommutesMeasured(const CircularPremises& premises) {
  const int64_t n = premises.measured_size;
  Claim claim{"circular.commutes_measured",
              {13},
              absl::StrCat("C_a S x = S C_a x at n = ", n),
              "C_a S x = S C_a x",
              "measured for 5 random a and x"};
  ASSIGN_OR_RETURN(auto convolver, CircularConvolver::Create(n));
  double worst = 0, inverse_error = 0;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Vector a = Random(n, 2 * seed), x = Random(n, 2 * seed + 1), left(n), right(n);
    convolver->Convolve(a, tensor::Shifted(x, 1), absl::MakeSpan(left));
    convolver->Convolve(a, x, absl::MakeSpan(right));
    // Perturbs the entry of C_a in the last row and column: adds to C_a S x (`left`) and C_a x
    // (`right`) what the perturbation contributes.
    left[n - 1] += premises.perturbation * x[n - 2];
    right[n - 1] += premises.perturbation * x[n - 1];
    worst = std::max(worst,
                     LargestDifference(left, tensor::Shifted(right, 1)) / LargestMagnitude(left));
    const auto b = convolver->Inverse(a);
    if (!b.ok()) continue;
    convolver->Convolve(*b, right, absl::MakeSpan(left));
    if (premises.perturbation == 0)
      inverse_error = std::max(inverse_error, LargestDifference(left, x));
  }
  claim.numbers = {{"n", static_cast<double>(n)},
                   {"largest relative difference", worst},
                   {"largest error of C_a^-1 C_a x", inverse_error}};
  claim.verdict = HoldsIf(worst < 1e-12 && inverse_error < 1e-6);
  return claim;
}

absl::StatusOr<Claim> EigenvalueClaim(double perturbation) {
  const int64_t n = 64;
  Claim claim{"circular.eigenvalues",
              {13},
              "the eigenvalues of C_a are the discrete Fourier transform of a",
              "C_a v_k = A_k v_k, \\quad A_k = \\sum_{j} a_j \\exp(-2 \\pi i j k / n)",
              "measured at n = 64, against the dense matrix"};
  const Vector a = Random(n, 77);
  Vector matrix = tensor::CirculantMatrix<double>(a);
  matrix[n * n - 1] += perturbation;
  ASSIGN_OR_RETURN(auto convolver, CircularConvolver::Create(n));
  const std::vector<tensor::Complex> eigenvalues = convolver->Eigenvalues(a);
  double worst = 0;
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t i = 0; i < n; ++i) {
      tensor::Complex product = 0;
      for (int64_t j = 0; j < n; ++j)
        product +=
            matrix[i * n + j] * std::polar(1.0, 2 * M_PI * static_cast<double>(j * k % n) / n);
      worst = std::max(
          worst,
          std::abs(product - eigenvalues[k] *
                                 std::polar(1.0, 2 * M_PI * static_cast<double>(i * k % n) / n)));
    }
  }
  claim.numbers.push_back({"largest |C v - A v|", worst});
  claim.verdict = HoldsIf(worst < 1e-11);
  return claim;
}

struct Box {
  std::string name;
  bool equivariant;  // the right answer: whether `map` commutes with shifts
  tensor::LinearMap map;
};

// Returns linear maps of vectors of length n, which the experiment examines as black boxes.
// `perturbation` is added to an entry of the circulant matrix.
std::vector<Box> Boxes(int64_t n, double perturbation) {
  const Vector a = Random(n, 9);
  auto matrix = std::make_shared<Vector>(tensor::CirculantMatrix<double>(a));
  (*matrix)[2 * n + 5] += perturbation;
  const auto multiply = [matrix, n](absl::Span<const double> x) {
    Vector y(n, 0.0);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) y[i] += (*matrix)[i * n + j] * x[j];
    }
    return y;
  };
  const auto neighbours = [n](bool wrap) {
    return [n, wrap](absl::Span<const double> x) {
      Vector y(n);
      for (int64_t i = 0; i < n; ++i) {
        const double left = i > 0  ? x[i - 1]
                            : wrap ? x[n - 1]
                                   : 0,
                     right = i + 1 < n ? x[i + 1]
                             : wrap    ? x[0]
                                       : 0;
        y[i] = (left + x[i] + right) / 3;
      }
      return y;
    };
  };
  return {
      {"a circulant matrix", true, multiply},
      {"mean of three neighbours, round the end", true, neighbours(true)},
      {"mean of three neighbours, zeros beyond the end", false, neighbours(false)},
      {"minus the mean", true,
       [n](absl::Span<const double> x) {
         double mean = 0;
         for (const double v : x) mean += v / n;
         Vector y(x.begin(), x.end());
         for (double& v : y) v -= mean;
         return y;
       }},
      {"reversal", false, [](absl::Span<const double> x) { return Vector(x.rbegin(), x.rend()); }},
      {"every second entry set to 0", false,
       [](absl::Span<const double> x) {
         Vector y(x.begin(), x.end());
         for (size_t i = 1; i < y.size(); i += 2) y[i] = 0;
         return y;
       }},
  };
}

absl::StatusOr<Claim> ConverseClaim(double perturbation, Section& section) {
  const int64_t n = 24;
  Claim claim{
      "circular.converse",
      {},
      "a linear map commutes with shifts if and only if it is C_a for its response a to e_0",
      "L S = S L \\iff L = C_a, \\quad a = L e_0",
      "decided for black boxes of known nature: the a rebuilds the map, or the witness breaks it"};
  section.Heading("The converse, constructively");
  section.Text(absl::StrCat(
      "Given a linear map as a black box, its response to ", InlineMath("e_0"),
      " is the only candidate for a. It is tried at every ", InlineMath("e_j = S^j e_0"),
      "; where it fails, that is a shift and an input that show it."));
  std::vector<std::vector<std::string>> rows;
  bool holds = true;
  for (const Box& box : Boxes(n, perturbation)) {
    ASSIGN_OR_RETURN(const auto decision, tensor::DecideShiftEquivariance(box.map, n));
    holds = holds && decision.equivariant == box.equivariant;
    std::string evidence;
    if (decision.equivariant) {
      const Vector x = Random(n, 123);
      const double difference =
          LargestDifference(box.map(x), tensor::DirectCircularConvolution(decision.a, x));
      holds = holds && difference < 1e-12;
      evidence =
          absl::StrCat("a = (", Short(decision.a[0]), ", ", Short(decision.a[1]),
                       ", …); on a random input C<sub>a</sub> differs by ", Short(difference));
    } else {
      const double found = box.map(tensor::Shifted(decision.input, decision.shift))[decision.index];
      const double expected =
          tensor::Shifted(box.map(decision.input), decision.shift)[decision.index];
      holds = holds && found != expected;
      evidence = absl::StrCat("shift e<sub>0</sub> by ", decision.shift, ": entry ", decision.index,
                              " is ", Short(found), " instead of ", Short(expected));
    }
    rows.push_back({EscapeHtml(box.name), decision.equivariant ? "yes" : "no", evidence});
  }
  section.Table({"map", "commutes with shifts", "evidence"}, rows);
  claim.numbers.push_back({"maps decided", static_cast<double>(rows.size())});
  claim.verdict = HoldsIf(holds);
  return claim;
}

absl::StatusOr<Claim> DetectionClaim(double perturbation) {
  const int64_t n = 32;
  Claim claim{"circular.detection",
              {},
              "a circulant matrix is recognised, and one wrong entry found",
              "",
              "tried on a circulant and on one with a wrong entry"};
  Vector matrix = tensor::CirculantMatrix<double>(Random(n, 5));
  matrix[3 * n + 3] += perturbation;
  ASSIGN_OR_RETURN(const auto whole, tensor::DetectCirculant(matrix, n));
  matrix[7 * n + 20] += 1e-3;
  ASSIGN_OR_RETURN(const auto broken, tensor::DetectCirculant(matrix, n));
  claim.numbers = {{"row found", static_cast<double>(broken.row)},
                   {"column found", static_cast<double>(broken.column)}};
  claim.verdict =
      HoldsIf(whole.circulant && !broken.circulant && broken.row == 7 && broken.column == 20);
  return claim;
}

// Calls FFTW directly: two forward transforms and one backward, of zeros, in memory that FFTW
// allocates.
class ThreeTransforms {
 public:
  explicit ThreeTransforms(int64_t n)
      : a_(fftw_alloc_real(n)),
        x_(fftw_alloc_real(n)),
        fa_(fftw_alloc_complex(n / 2 + 1)),
        fx_(fftw_alloc_complex(n / 2 + 1)) {
    forward_a_ = fftw_plan_dft_r2c_1d(static_cast<int>(n), a_, fa_, FFTW_ESTIMATE);
    forward_x_ = fftw_plan_dft_r2c_1d(static_cast<int>(n), x_, fx_, FFTW_ESTIMATE);
    backward_ = fftw_plan_dft_c2r_1d(static_cast<int>(n), fx_, x_, FFTW_ESTIMATE);
    std::fill(a_, a_ + n, 0.0);
    std::fill(x_, x_ + n, 0.0);
  }
  ThreeTransforms(const ThreeTransforms&) = delete;
  ThreeTransforms& operator=(const ThreeTransforms&) = delete;
  ~ThreeTransforms() {
    for (fftw_plan plan : {forward_a_, forward_x_, backward_}) fftw_destroy_plan(plan);
    for (void* memory : {static_cast<void*>(a_), static_cast<void*>(x_), static_cast<void*>(fa_),
                         static_cast<void*>(fx_)})
      fftw_free(memory);
  }
  void Run() {
    fftw_execute(forward_a_);
    fftw_execute(forward_x_);
    fftw_execute(backward_);
  }

 private:
  double *a_, *x_;
  fftw_complex *fa_, *fx_;
  fftw_plan forward_a_, forward_x_, backward_;
};

absl::StatusOr<Claim> FourierSpeedClaim(int64_t n) {
  Claim claim{
      "circular.fourier_speed",
      {13},
      absl::StrCat("the product at n = ", n, " takes at most twice FFTW's own three transforms"),
      "",
      "measured in turns, planned alike, least of 15 each"};
  ASSIGN_OR_RETURN(auto convolver, CircularConvolver::Create(n));
  ThreeTransforms transforms(n);
  const Vector a = Random(n, 1), x = Random(n, 2);
  Vector result(n);
  double product = INFINITY, alone = INFINITY;
  for (int i = 0; i < 15; ++i) {
    product =
        std::min(product, Milliseconds([&] { convolver->Convolve(a, x, absl::MakeSpan(result)); }));
    alone = std::min(alone, Milliseconds([&] { transforms.Run(); }));
  }
  // Checks a few entries against the definition, so that the timed product is known to be right.
  double worst = 0;
  for (const int64_t i : {int64_t{0}, n / 3, n - 1}) {
    double sum = 0;
    for (int64_t j = 0; j < n; ++j) sum += a[(i - j + n) % n] * x[j];
    worst = std::max(worst, std::abs(sum - result[i]) / std::sqrt(static_cast<double>(n)));
  }
  claim.numbers = {{"n", static_cast<double>(n)},
                   {"product, ms", product},
                   {"three transforms, ms", alone},
                   {"ratio", product / alone},
                   {"largest error against the definition, relative to sqrt(n)", worst}};
  claim.verdict = HoldsIf(product <= 2 * alone && worst < 1e-12);
  return claim;
}

// Returns the least time, in milliseconds, of a convolution of a row of 2n - 1 numbers with a
// kernel of n, which is as much work as a circular convolution of length n, over the f32
// implementations that tensor::Candidates() offers (oneDNN's and others); -1 if none can be used or
// memory is short.
double ConvolutionMilliseconds(int64_t n) {
  tensor::ConvolutionShape shape;
  shape.in_width = 2 * n - 1;
  shape.kernel_width = n;
  double best = -1;
  for (const auto& choice :
       tensor::Candidates(shape, tensor::Direction::kForward, ElementType::kF32, /*exact=*/true)) {
    auto convolution = tensor::Convolution::Create(shape, tensor::Direction::kForward, choice);
    if (!convolution.ok()) continue;
    std::vector<float> plain(n, 0.5f);
    auto in = AlignedBuffer::Create(16 * 2 * n * sizeof(float)),
         out = AlignedBuffer::Create(16 * n * sizeof(float));
    auto weights = AlignedBuffer::Create((*convolution)->packed_weight_bytes()),
         scratch = AlignedBuffer::Create((*convolution)->scratch_bytes() + 64);
    if (!in.ok() || !out.ok() || !weights.ok() || !scratch.ok()) return -1;
    (*convolution)->PackWeights(plain.data(), weights->data());
    const double time = Least(
        [&] {
          (*convolution)
              ->Run({.in = in->data(),
                     .weights = weights->data(),
                     .out = out->data(),
                     .scratch = scratch->data()});
        },
        5);
    if (best < 0 || time < best) best = time;
  }
  return best;
}

absl::StatusOr<Claim> SpeedBySize(int64_t largest, Section& section) {
  Plot plot{.title = "A circular convolution of length n",
            .x_label = "n",
            .y_label = "milliseconds",
            .log_x = true,
            .log_y = true,
            .width = 560};
  plot.series = {{.name = "Fourier", .mark = Mark::kLinePoints},
                 {.name = "dense matrix", .mark = Mark::kLinePoints},
                 {.name = "convolution of a network (f32)", .mark = Mark::kLinePoints},
                 {.name = "by definition", .mark = Mark::kLinePoints}};
  double fourier_at_2048 = 0, dense_at_2048 = 0;
  for (int64_t n = 16; n <= largest; n *= 4) {
    const Vector a = Random(n, 1), x = Random(n, 2);
    Vector result(n);
    ASSIGN_OR_RETURN(auto convolver, CircularConvolver::Create(n));
    const auto add = [&](int series, double time) {
      plot.series[series].x.push_back(static_cast<double>(n));
      plot.series[series].y.push_back(time);
    };
    add(0, Least([&] { convolver->Convolve(a, x, absl::MakeSpan(result)); }));
    if (n <= 4096) {
      const Vector matrix = tensor::CirculantMatrix<double>(a);
      add(1, Least([&] {
            for (int64_t i = 0; i < n; ++i) {
              double sum = 0;
              for (int64_t j = 0; j < n; ++j) sum += matrix[i * n + j] * x[j];
              result[i] = sum;
            }
          }));
      fourier_at_2048 = plot.series[0].y.back();
      dense_at_2048 = plot.series[1].y.back();
    }
    if (n <= 256) {
      const double time = ConvolutionMilliseconds(n);
      if (time > 0) add(2, time);
    }
    if (n <= 4096) add(3, Least([&] { result = tensor::DirectCircularConvolution(a, x); }));
  }
  section.Heading("Speed");
  section.Figure(ToSvg(plot),
                 "n log n against n squared. The kernel is as long as the input: for the short "
                 "kernels of networks the order is another.");
  Claim claim{"circular.speed_by_size",
              {13},
              "for long kernels the Fourier product is faster than the dense matrix",
              "",
              "measured"};
  claim.numbers = {{"Fourier at the largest dense n, ms", fourier_at_2048},
                   {"dense there, ms", dense_at_2048}};
  claim.verdict = HoldsIf(fourier_at_2048 < dense_at_2048);
  return claim;
}

}  // namespace

absl::StatusOr<Report> RunCircular(const CircularPremises& premises) {
  Report report{"circular", "Question 5: circular convolution and shifts"};
  Section section;
  section.Text(
      absl::StrCat("The circulant matrix of a vector a holds it in its first column and, in every "
                   "column, the one before moved down by one. The shift is ",
                   InlineMath("S = C_{e_1}"), ", and ", InlineMath("C_a x"),
                   " is the circular convolution of a and x."));
  report.claims.push_back(ProductSymbolically(premises.perturbation));
  report.claims.push_back(CommutesSymbolically(premises.perturbation, section));
  using Step = std::function<absl::StatusOr<Claim>()>;
  for (const Step& step : {Step([&] { return CommutesMeasured(premises); }),
                           Step([&] { return EigenvalueClaim(premises.perturbation); }),
                           Step([&] { return DetectionClaim(premises.perturbation); }),
                           Step([&] { return ConverseClaim(premises.perturbation, section); }),
                           Step([&] { return FourierSpeedClaim(premises.large_size); }),
                           Step([&] { return SpeedBySize(premises.large_size, section); })}) {
    ASSIGN_OR_RETURN(const auto claim, step());
    report.claims.push_back(claim);
  }
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
