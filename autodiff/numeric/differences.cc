#include "autodiff/numeric/differences.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace cotangent::autodiff::numeric {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Estimate kUnknown = {kNaN, kInfinity};

// The difference quotients of all outputs for one step, and for each quotient a bound on the error
// from rounding.
struct Quotients {
  std::vector<double> value;
  std::vector<double> rounding;
};
using QuotientsOfStep = std::function<Quotients(double step)>;

bool AllFinite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

// Richardson's table for one output (differences.h has the formula): keeps its last row and its
// best entry.
class Tableau {
 public:
  // The error of the quotients is a series in powers of step^log2(base): 4 for central differences,
  // 2 for differences to one side.
  explicit Tableau(double base = 4) : base_(base) {}

  // Adds the row for a step from its difference quotient and a bound on the quotient's error from
  // rounding. Each step must be half the one before.
  void AddRow(double quotient, double rounding) {
    std::vector<double> row = {quotient};
    double power = base_;
    for (std::size_t j = 0; j < last_.size() && j < kColumns; ++j, power *= base_) {
      row.push_back(row[j] + (row[j] - last_[j]) / (power - 1));
      const double difference =
          std::max(std::abs(row[j + 1] - row[j]), std::abs(row[j + 1] - last_[j]));
      // Neighbouring entries may agree by chance, but no entry is more precise than the rounding of
      // f allows.
      const double error = difference + 2 * rounding;
      if (error < best_.error) best_ = {row[j + 1], error};
    }
    last_ = std::move(row);
    rounding_ = rounding;
  }

  // Returns whether the result need not or cannot be improved by a shorter step: its error is
  // within the tolerance (relative to the result), or at most twice the last quotient's rounding
  // error.
  bool Done(double tolerance) const {
    const Estimate result = Result();
    return result.error <= tolerance * std::abs(result.value) || 2 * rounding_ >= result.error;
  }

  // Returns the best entry. Its error is at least twice the distance to the last row's first
  // extrapolation, because quotients of long steps may agree with each other and be wrong: they may
  // straddle a kink, or span many periods.
  Estimate Result() const {
    if (last_.size() < 2) return kUnknown;  // a single quotient tells nothing about its error
    return {best_.value, std::max(best_.error, 2 * std::abs(best_.value - last_[1]))};
  }

 private:
  static constexpr std::size_t kColumns = 8;
  double base_;
  std::vector<double> last_;
  double rounding_ = 0;
  Estimate best_ = kUnknown;
};

// Extrapolates to step 0 the quotients of all outputs (Tableau explains `base`). Begins with `step`
// and halves it until all results are done (see Tableau), but adds at least kLeastRows and at most
// kMostRows rows.
std::vector<Estimate> Extrapolate(const QuotientsOfStep& quotients, double step, double tolerance,
                                  double base = 4) {
  constexpr int kLeastRows = 7, kMostRows = 48, kMostHalvings = 1000;
  std::vector<Tableau> tableaus;
  for (int halvings = 0, rows = 0; halvings < kMostHalvings && rows < kMostRows;
       ++halvings, step /= 2) {
    const Quotients row = quotients(step);
    if (rows == 0) tableaus.assign(row.value.size(), Tableau(base));
    if (!AllFinite(row.value)) {  // a pole or the domain's edge: begin anew with shorter steps
      rows = 0;
      continue;
    }
    ++rows;
    bool done = rows >= kLeastRows;
    for (std::size_t i = 0; i < tableaus.size(); ++i) {
      tableaus[i].AddRow(row.value[i], row.rounding[i]);
      done = done && tableaus[i].Done(tolerance);
    }
    if (done) break;
  }
  std::vector<Estimate> result;
  for (const Tableau& tableau : tableaus) result.push_back(tableau.Result());
  return result;
}

// Returns the quotients of all outputs for one step, without extrapolation. The error of a quotient
// is estimated as its whole difference from the quotient for the step twice as long, plus the bound
// on its rounding error. (If the true error is of order p in the step, it is about that difference
// divided by 2^p - 1.) If the quotient for the longer step is not finite, the error is infinite.
std::vector<Estimate> Single(const QuotientsOfStep& quotients, double step) {
  const Quotients fine = quotients(step), coarse = quotients(2 * step);
  std::vector<Estimate> result;
  for (std::size_t i = 0; i < fine.value.size(); ++i) {
    const double truncation = std::abs(fine.value[i] - coarse.value[i]);
    if (!std::isfinite(fine.value[i])) {
      result.push_back(kUnknown);
    } else {
      result.push_back(
          {fine.value[i], std::isfinite(truncation) ? truncation + fine.rounding[i] : kInfinity});
    }
  }
  return result;
}

double Magnitude(std::span<const double> x) {
  double largest = 0;
  for (double xi : x) largest = std::max(largest, std::abs(xi));
  return largest;
}

// Rounds the step h to a power of two, so that x + h is exact more often.
double RoundToPowerOfTwo(double h) { return std::exp2(std::round(std::log2(h))); }

// Returns the step that the options give. If they give none, chooses one that suits the scheme, for
// coordinates whose absolute value is at most `magnitude`. For kRichardson the step is long enough
// for f to change, because extrapolation begins with it and halves it several times. For kForward
// and kCentral the step balances the errors of truncation and of rounding, on the assumption that f
// and its derivative in the truncation error (the second for kForward, the third for kCentral) are
// about 1 when lengths are measured in units of max(1, magnitude).
double ChooseStep(const Options& options, double magnitude) {
  if (options.step != 0) return options.step;
  const double scale = std::max(1.0, magnitude);
  switch (options.scheme) {
    case Scheme::kForward:
      return RoundToPowerOfTwo(std::sqrt(options.precision) * scale);
    case Scheme::kCentral:
      return RoundToPowerOfTwo(std::cbrt(options.precision) * scale);
    case Scheme::kRichardson:
      // From 2^46 on, the square root would come ever closer to the rounding of x.
      return RoundToPowerOfTwo(std::max(0.125 * std::sqrt(scale), std::exp2(-26) * scale));
  }
  return kNaN;
}

std::vector<double> Moved(std::span<const double> x, std::span<const double> direction,
                          double step) {
  std::vector<double> moved(x.begin(), x.end());
  for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
  return moved;
}

// Estimates, for each output, how far rounding moves f near x; `here` is f(x). Returns at least
// precision * |f(x)|, and more where f itself cancels: over seven points this close together the
// fourth differences of a smooth function vanish, while those of noise with standard deviation s
// have the deviation sqrt(70) s (Hamming; More and Wild, SIAM J. Sci. Comput. 33(3), 2011). The
// estimate is three times the s that the largest fourth difference suggests.
std::vector<double> Noise(const VectorFunction& f, std::span<const double> x,
                          std::span<const double> direction, const std::vector<double>& here,
                          double precision) {
  constexpr int kPoints = 7, kMiddle = kPoints / 2;
  constexpr double kDeviations = 3, kFourthDifferenceOfNoise = 8.366600265340756;  // sqrt(70)
  const double spacing = std::exp2(-36) * std::max(1.0, Magnitude(x)) / Magnitude(direction);
  std::vector<std::vector<double>> samples;
  for (int k = 0; k < kPoints; ++k)
    samples.push_back(f(Moved(x, direction, (k - kMiddle) * spacing)));
  std::vector<double> noise;
  for (std::size_t i = 0; i < here.size(); ++i) {
    double largest = 0;
    for (int k = 0; k + 4 < kPoints; ++k) {
      const double difference = samples[k][i] - 4 * samples[k + 1][i] + 6 * samples[k + 2][i] -
                                4 * samples[k + 3][i] + samples[k + 4][i];
      if (std::isfinite(difference)) largest = std::max(largest, std::abs(difference));
    }
    noise.push_back(
        std::max(precision * std::abs(here[i]), kDeviations * largest / kFourthDifferenceOfNoise));
  }
  return noise;
}

}  // namespace

std::vector<Estimate> DirectionalDerivative(const VectorFunction& f, std::span<const double> x,
                                            std::span<const double> direction,
                                            const Options& options) {
  const std::vector<double> here = f(x);
  if (!AllFinite(here)) return std::vector<Estimate>(here.size(), kUnknown);
  const double length = Magnitude(direction);
  if (length == 0) return std::vector<Estimate>(here.size(), Estimate{0, 0});

  const double x_magnitude = Magnitude(x);
  const std::vector<double> noise = Noise(f, x, direction, here, options.precision);
  // Rounding of x + h moves the argument by up to eps |x|, so the quotient has a relative error of
  // about eps |x| / h.
  const auto quotients_of = [&](bool one_sided, double step) {
    const std::vector<double> to = Moved(x, direction, step);
    if (std::equal(x.begin(), x.end(), to.begin())) {  // too short to move x
      const std::vector<double> unknown(here.size(), kNaN);
      return Quotients{unknown, unknown};
    }
    const std::vector<double> ahead = f(to);
    const std::vector<double> behind = one_sided ? here : f(Moved(x, direction, -step));
    const double width = one_sided ? step : 2 * step;
    Quotients result;
    for (std::size_t i = 0; i < here.size(); ++i) {
      const double quotient = (ahead[i] - behind[i]) / width;
      const double largest = std::max({std::abs(ahead[i]), std::abs(behind[i]), std::abs(here[i])});
      result.value.push_back(quotient);
      result.rounding.push_back(2 * std::max(noise[i], options.precision * largest) /
                                    std::abs(width) +
                                std::abs(quotient) * std::numeric_limits<double>::epsilon() *
                                    (2 + x_magnitude / (std::abs(step) * length)));
    }
    return result;
  };
  const double step = ChooseStep(options, x_magnitude) / (options.step != 0 ? 1 : length);
  if (options.scheme != Scheme::kRichardson) {
    const bool one_sided = options.scheme == Scheme::kForward;
    return Single([&](double h) { return quotients_of(one_sided, h); }, step);
  }
  const auto known = [](const Estimate& e) { return std::isfinite(e.error); };
  const double tolerance = 1e3 * options.precision;
  std::vector<Estimate> result =
      Extrapolate([&](double h) { return quotients_of(false, h); }, step, tolerance);
  // At the edge of its domain f has values on one side only.
  for (const double side : {1.0, -1.0}) {
    if (std::all_of(result.begin(), result.end(), known)) break;
    const std::vector<Estimate> there = Extrapolate([&](double h) { return quotients_of(true, h); },
                                                    side * step, tolerance, /*base=*/2);
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (!known(result[i])) result[i] = there[i];
    }
  }
  return result;
}

std::vector<Estimate> Jacobian(const VectorFunction& f, std::span<const double> x,
                               const Options& options) {
  const std::size_t n = x.size();
  std::vector<Estimate> jacobian;
  std::vector<double> direction(n, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    // Chooses the step by the size of this coordinate, not by that of the largest coordinate.
    Options column_options = options;
    if (options.step == 0) column_options.step = ChooseStep(options, std::abs(x[j]));
    direction[j] = 1;
    const std::vector<Estimate> column = DirectionalDerivative(f, x, direction, column_options);
    direction[j] = 0;
    if (j == 0) jacobian.resize(column.size() * n, kUnknown);
    for (std::size_t i = 0; i < column.size(); ++i) jacobian[i * n + j] = column[i];
  }
  return jacobian;
}

std::vector<Estimate> Gradient(const ScalarFunction& f, std::span<const double> x,
                               const Options& options) {
  return Jacobian([&](std::span<const double> at) { return std::vector<double>{f(at)}; }, x,
                  options);
}

Estimate Derivative(const std::function<double(double)>& f, double x, const Options& options) {
  return Gradient([&](std::span<const double> at) { return f(at[0]); }, std::span(&x, 1),
                  options)[0];
}

std::vector<Estimate> Hessian(const ScalarFunction& f, std::span<const double> x,
                              const Options& options) {
  const std::size_t n = x.size();
  std::vector<Estimate> hessian(n * n, kUnknown);
  const double here = f(x);
  if (!std::isfinite(here)) return hessian;
  std::vector<double> at(x.begin(), x.end());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const auto value_at = [&](double hi, double hj) {
        at[i] += hi;
        at[j] += hj;
        const double value = f(at);
        at[i] = x[i];
        at[j] = x[j];
        return value;
      };
      const auto quotients = [&](double step) {
        double numerator, largest, area;
        if (i == j) {
          const double ahead = value_at(step, 0), behind = value_at(-step, 0);
          numerator = (ahead - here) - (here - behind);
          largest = std::max({std::abs(ahead), std::abs(here), std::abs(behind)});
          area = step * step;
        } else {
          const double pp = value_at(step, step), pm = value_at(step, -step);
          const double mp = value_at(-step, step), mm = value_at(-step, -step);
          numerator = (pp - pm) - (mp - mm);
          largest = std::max({std::abs(pp), std::abs(pm), std::abs(mp), std::abs(mm)});
          area = 4 * step * step;
        }
        return Quotients{{numerator / area}, {4 * options.precision * largest / area}};
      };
      // The quotient divides rounding by the step squared, so a plain second difference needs a
      // longer step: the fourth root of the precision.
      const double scale = std::max(1.0, std::max(std::abs(x[i]), std::abs(x[j])));
      const double plain = options.step != 0
                               ? options.step
                               : RoundToPowerOfTwo(std::pow(options.precision, 0.25) * scale);
      const Estimate entry =
          options.scheme == Scheme::kRichardson
              ? Extrapolate(quotients, ChooseStep(options, scale), 1e5 * options.precision)[0]
              : Single(quotients, plain)[0];
      hessian[i * n + j] = hessian[j * n + i] = entry;
    }
  }
  return hessian;
}

}  // namespace cotangent::autodiff::numeric
