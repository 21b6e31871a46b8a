// Compares a network's derivatives in three ways; network_check.h explains the method and the
// tolerances. A "leaf" is a parameter tensor or the images.

#include "layers/network/network_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "layers/graph/reference.h"
#include "layers/network/initialize.h"

namespace cotangent::layers {
namespace {

using Values = std::vector<double>;
using Reference = ReferenceEvaluator<double>;

// Step sizes. If differences of the loss show a kink, the next shorter step is tried, which does
// not cross the kink if it is short enough, unless the point lies on the kink. Differences of
// gradients, which jump at kinks, use a short step from the start.
constexpr double kValueSteps[] = {1e-5, 1e-6, 1e-7}, kGradientStep = 1e-7;
// The rounding error of a loss in f64 is about this many times the machine epsilon, relative to the
// loss.
constexpr double kLossRounding = 32;
// To estimate rounding errors in f32, the point is moved kRoundingTries times, by kRounding
// relative to its values (two to four units in the last place). The tolerated error is
// kRoundingSlack times the largest change seen. If the changes were normally distributed, the
// largest of three would be less than a third of the standard deviation about once in 60 times.
constexpr int kRoundingTries = 3;
constexpr float kRounding = 0x1p-22f;
constexpr double kRoundingSlack = 8;
// The deviations of a leaf (the differences between its slopes computed in different ways) are
// divided by a scale: the root mean square of the entries of its gradient, but at least this share
// of the largest such root mean square of any leaf. Likewise, the deviation of its part of the
// Hessian product (a norm) is divided by the norm of that part, but at least by the norm at which
// the root mean square would be this share of the largest one of any leaf.
constexpr double kLeastShare = 0.01;
// How many gradients in f64 a check computes.
constexpr int kGradientsMade = 4;

// Returns a vector with random entries +-1 / sqrt(count).
std::vector<float> Signs(uint64_t seed, const std::string& name, int64_t count) {
  const RandomStream random(seed, name);
  const float size = static_cast<float>(1 / std::sqrt(static_cast<double>(count)));
  std::vector<float> signs;
  for (int64_t i = 0; i < count; ++i) signs.push_back(random.Uniform(i) < 0.5 ? -size : size);
  return signs;
}

double Dot(absl::Span<const float> a, absl::Span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double Norm(absl::Span<const float> a) { return std::sqrt(Dot(a, a)); }

double Norm(const Values& a) {
  double sum = 0;
  for (double x : a) sum += x * x;
  return std::sqrt(sum);
}

// A parameter tensor, or the images, and its offset in a NetworkVector.
struct Leaf {
  std::string name;
  Shape shape;
  TensorId tensor;
  int64_t offset = -1;  // offset in NetworkVector::parameters; -1: the images

  template <class Vector>
  auto Of(Vector& vector) const {
    return offset < 0 ? absl::MakeSpan(vector.images)
                      : absl::MakeSpan(vector.parameters).subspan(offset, shape.NumElements());
  }
};

std::vector<Leaf> LeavesOf(const NetworkFunction& function) {
  std::vector<Leaf> leaves;
  for (const NetworkFunction::Part& part : function.parameters())
    leaves.push_back({part.name, part.shape, function.leaves()[leaves.size()], part.offset});
  leaves.push_back({"images", function.network().graph.shape(function.network().images),
                    function.network().images});
  return leaves;
}

class Checker {
 public:
  Checker(NetworkFunction& function, const NetworkCheckOptions& options)
      : function_(function),
        options_(options),
        graph_(function.network().graph),
        leaves_(LeavesOf(function)),
        at_point_(graph_) {}

  absl::StatusOr<NetworkCheck> Run();

 private:
  absl::Status Slopes();
  absl::Status Numeric(const Leaf& leaf, absl::Span<const float> direction, double h,
                       NetworkCheckRow& row);
  absl::Status Hessian();
  // Measures how much the f32 results of the plan (the compiled graph) change if the function's
  // point is moved by about as much as rounding moves it. RoundingOf() measures this at one moved
  // point.
  absl::Status Rounding();
  absl::Status RoundingOf();
  std::vector<float> SlopeDirection(const Leaf& leaf) const {
    return Signs(options_.seed, absl::StrCat("slope ", leaf.name), leaf.shape.NumElements());
  }
  void Judge();
  void Tell(const char* what, size_t done, size_t total) const {
    if (options_.progress) options_.progress(absl::StrCat(what, " ", done, " of ", total));
  }

  void GiveLabels(Reference& reference) const;
  void GiveLeaves(const NetworkVector& direction, double step, Reference& reference) const;
  absl::StatusOr<double> LossAt(const Leaf& leaf, absl::Span<const float> direction,
                                double step) const;
  // GradientAt() returns the gradient at point + step * direction, in f64, by leaf.
  // GradientDifference() returns the central difference of two such gradients.
  absl::StatusOr<std::vector<Values>> GradientAt(const NetworkVector& direction, double step);
  absl::StatusOr<std::vector<Values>> GradientDifference(const NetworkVector& direction,
                                                         double step);
  NetworkVector Direction(const std::string& name) const;

  NetworkFunction& function_;
  const NetworkCheckOptions options_;
  const Graph& graph_;
  const std::vector<Leaf> leaves_;
  std::vector<std::pair<TensorId, std::vector<float>>> masks_;
  Reference at_point_;  // has the values of all tensors up to the loss, at the function's point
  NetworkVector gradient_, hessian_v_;
  double symmetry_bound_ = 0, symmetry_rounding_ = 0;
  int gradients_made_ = 0;  // calls of GradientAt()
  NetworkCheck check_;
};

absl::StatusOr<NetworkCheck> Checker::Run() {
  ASSIGN_OR_RETURN(NetworkOutput value, function_.Value());
  ASSIGN_OR_RETURN(masks_, function_.DropoutMasks());
  GiveLeaves(function_.Zero(), 0, at_point_);
  RETURN_IF_ERROR(at_point_.Compute({function_.network().loss}));
  check_.loss = value.loss, check_.reference_loss = at_point_.values(function_.network().loss)[0];
  if (!std::isfinite(check_.loss) || !std::isfinite(check_.reference_loss)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the loss is not finite at this point: ", check_.loss, " in f32, ",
                     check_.reference_loss, " in f64"));
  }
  RETURN_IF_ERROR(Slopes());
  RETURN_IF_ERROR(Hessian());
  RETURN_IF_ERROR(Rounding());
  Judge();
  return std::move(check_);
}

absl::Status Checker::Slopes() {
  ASSIGN_OR_RETURN(gradient_, function_.Gradient());
  for (const Leaf& leaf : leaves_) {
    Tell("slopes of parameter", check_.rows.size() + 1, leaves_.size());
    NetworkCheckRow row{.name = leaf.name, .shape = leaf.shape};
    NetworkVector tangent = function_.Zero();
    const std::vector<float> signs = SlopeDirection(leaf);
    std::copy(signs.begin(), signs.end(), leaf.Of(tangent).begin());
    ASSIGN_OR_RETURN(NetworkOutput along, function_.Jvp(tangent));
    row.gradient_norm = Norm(leaf.Of(gradient_));
    row.reverse = Dot(leaf.Of(gradient_), signs), row.forward = along.loss;
    for (double step : kValueSteps) {
      RETURN_IF_ERROR(Numeric(leaf, signs, step, row));
      if (!row.at_kink) break;
    }
    check_.rows.push_back(std::move(row));
  }
  return absl::OkStatus();
}

absl::Status Checker::Numeric(const Leaf& leaf, absl::Span<const float> direction, double h,
                              NetworkCheckRow& row) {
  double above[2], below[2];
  for (int k = 0; k < 2; ++k) {
    for (const double sign : {1.0, -1.0}) {
      ASSIGN_OR_RETURN(double loss, LossAt(leaf, direction, sign * (k + 1) * h));
      (sign > 0 ? above : below)[k] = loss;
    }
  }
  const double here = check_.reference_loss;
  const double slope = (above[0] - below[0]) / (2 * h),
               wide_slope = (above[1] - below[1]) / (4 * h);
  // The difference of the one-sided slopes has two parts: the jump at a kink, and a part that comes
  // from the curvature and is proportional to the step. Combining the steps h and 2h cancels the
  // second part.
  const double jump =
      2 * (above[0] - 2 * here + below[0]) / h - (above[1] - 2 * here + below[1]) / (2 * h);
  const double rounding =
      kLossRounding * std::numeric_limits<double>::epsilon() * std::abs(here) / h;
  row.numeric = slope + (slope - wide_slope) / 3;
  row.numeric_error = std::abs(slope - wide_slope) + std::abs(jump) / 2 + rounding;
  row.at_kink = std::abs(jump) / 2 > options_.tolerance / 10 * row.gradient_norm /
                                             std::sqrt(static_cast<double>(direction.size())) +
                                         10 * rounding;
  return absl::OkStatus();
}

void Checker::GiveLabels(Reference& reference) const {
  const TensorId labels = function_.network().labels;
  if (const std::vector<float> targets = function_.targets(); !targets.empty()) {
    reference.Give(labels, Values(targets.begin(), targets.end()));
  } else {
    reference.GiveLabels(labels, {function_.labels().begin(), function_.labels().end()});
  }
}

void Checker::GiveLeaves(const NetworkVector& direction, double step, Reference& reference) const {
  for (const Leaf& leaf : leaves_) {
    const auto from = leaf.Of(function_.point()), along = leaf.Of(direction);
    Values values;
    for (size_t i = 0; i < from.size(); ++i) values.push_back(from[i] + step * along[i]);
    reference.Give(leaf.tensor, std::move(values));
  }
  GiveLabels(reference);
  for (const StateSpec& state : function_.network().states)
    reference.Give(state.tensor, Values(state.shape.NumElements(), state.initial_value));
  for (const auto& [t, mask] : masks_) reference.Give(t, Values(mask.begin(), mask.end()));
}

// Returns the loss at point + step * direction, where `direction` moves only this leaf. Tensors
// that do not depend on the leaf keep the values that they have at the function's point.
absl::StatusOr<double> Checker::LossAt(const Leaf& leaf, absl::Span<const float> direction,
                                       double step) const {
  const TensorId loss = function_.network().loss;
  std::vector<bool> depends(graph_.num_tensors(), false);
  depends[leaf.tensor] = true;
  Reference reference(graph_);
  for (int i = 0; i <= graph_.tensor(loss).node; ++i) {
    const Node& node = graph_.node(i);
    bool reached = false;
    for (TensorId t : node.inputs) reached = reached || depends[t];
    if (!reached) continue;
    for (TensorId t : node.outputs) depends[t] = true;
    for (TensorId t : node.inputs) {
      if (!depends[t] && t != function_.network().labels) reference.Give(t, at_point_.values(t));
    }
  }
  Values moved = at_point_.values(leaf.tensor);
  for (size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
  reference.Give(leaf.tensor, std::move(moved));
  GiveLabels(reference);
  if (!depends[loss]) return check_.reference_loss;
  RETURN_IF_ERROR(reference.Compute({loss}));
  return reference.values(loss)[0];
}

absl::StatusOr<std::vector<Values>> Checker::GradientAt(const NetworkVector& direction,
                                                        double step) {
  Tell("gradients in f64,", ++gradients_made_, kGradientsMade);
  Reference reference(graph_);
  GiveLeaves(direction, step, reference);
  std::vector<TensorId> wanted;
  for (TensorId t : function_.gradients()) {
    if (t != kNoTensor) wanted.push_back(t);
  }
  RETURN_IF_ERROR(reference.Compute(wanted));
  std::vector<Values> gradient;
  for (size_t k = 0; k < leaves_.size(); ++k) {
    const TensorId t = function_.gradients()[k];
    gradient.push_back(t == kNoTensor ? Values(leaves_[k].shape.NumElements(), 0.0)
                                      : reference.values(t));
  }
  return gradient;
}

absl::StatusOr<std::vector<Values>> Checker::GradientDifference(const NetworkVector& direction,
                                                                double step) {
  ASSIGN_OR_RETURN(std::vector<Values> above, GradientAt(direction, step));
  ASSIGN_OR_RETURN(const std::vector<Values> below, GradientAt(direction, -step));
  for (size_t k = 0; k < above.size(); ++k) {
    for (size_t i = 0; i < above[k].size(); ++i)
      above[k][i] = (above[k][i] - below[k][i]) / (2 * step);
  }
  return above;
}

NetworkVector Checker::Direction(const std::string& name) const {
  NetworkVector direction = function_.Zero();
  for (const Leaf& leaf : leaves_) {
    const std::vector<float> signs =
        Signs(options_.seed, absl::StrCat(name, " ", leaf.name), leaf.shape.NumElements());
    std::copy(signs.begin(), signs.end(), leaf.Of(direction).begin());
  }
  return direction;
}

absl::Status Checker::Hessian() {
  const NetworkVector v = Direction("v"), u = Direction("u");
  ASSIGN_OR_RETURN(NetworkVector along_v, function_.Hvp(v));
  ASSIGN_OR_RETURN(NetworkVector along_u, function_.Hvp(u));
  ASSIGN_OR_RETURN(const std::vector<Values> near, GradientDifference(v, kGradientStep));
  ASSIGN_OR_RETURN(const std::vector<Values> wide, GradientDifference(v, 2 * kGradientStep));
  hessian_v_ = along_v;
  double largest = 0;
  for (size_t k = 0; k < leaves_.size(); ++k) {
    NetworkCheckRow& row = check_.rows[k];
    row.hessian_norm = Norm(near[k]);
    largest = std::max(largest, row.hessian_norm / std::sqrt(static_cast<double>(near[k].size())));
  }
  for (size_t k = 0; k < leaves_.size(); ++k) {
    NetworkCheckRow& row = check_.rows[k];
    const auto product = leaves_[k].Of(along_v);
    Values off, error;
    for (size_t i = 0; i < product.size(); ++i) {
      off.push_back(product[i] - near[k][i]);
      error.push_back(near[k][i] - wide[k][i]);
    }
    const double scale = std::max(
        row.hessian_norm, kLeastShare * largest * std::sqrt(static_cast<double>(product.size())));
    // A kink adds twice as much to the difference over h as to the difference over 2h, so the
    // distance between these differences is half of the error that the kink causes. The factor 4
    // instead of 2 leaves some room.
    row.hessian_scale = scale > 0 ? scale : 1;
    row.hessian_off = scale > 0 ? Norm(off) / scale : Norm(off),
    row.hessian_error = scale > 0 ? 4 * Norm(error) / scale : 0;
    check_.u_hessian_v += Dot(leaves_[k].Of(u), product),
        check_.v_hessian_u += Dot(leaves_[k].Of(v), leaves_[k].Of(along_u));
    symmetry_bound_ += std::max(Norm(product), Norm(leaves_[k].Of(along_u))) /
                       std::sqrt(static_cast<double>(product.size()));
  }
  const double difference = std::abs(check_.u_hessian_v - check_.v_hessian_u);
  check_.asymmetry = symmetry_bound_ > 0 ? difference / symmetry_bound_ : difference;
  return absl::OkStatus();
}

absl::Status Checker::Rounding() {
  const NetworkVector point = function_.point();
  const std::vector<int32_t> labels = function_.labels();
  absl::Status status;
  for (int i = 0; i < kRoundingTries && status.ok(); ++i) {
    Tell("f32 rounding,", i + 1, kRoundingTries);
    NetworkVector moved = point;
    for (const Leaf& leaf : leaves_) {
      const RandomStream random(options_.seed, absl::StrCat("rounding ", i, " ", leaf.name));
      const auto values = leaf.Of(moved);
      for (size_t k = 0; k < values.size(); ++k)
        values[k] *= random.Uniform(static_cast<int64_t>(k)) < 0.5 ? 1 - kRounding : 1 + kRounding;
    }
    status = function_.SetPoint(std::move(moved), labels);
    if (status.ok()) status = RoundingOf();
  }
  status.Update(function_.SetPoint(point, labels));
  return status;
}

absl::Status Checker::RoundingOf() {
  const NetworkVector v = Direction("v"), u = Direction("u");
  ASSIGN_OR_RETURN(NetworkVector gradient, function_.Gradient());
  ASSIGN_OR_RETURN(NetworkVector along_v, function_.Hvp(v));
  ASSIGN_OR_RETURN(NetworkVector along_u, function_.Hvp(u));
  double u_hessian_v = 0, v_hessian_u = 0;
  for (size_t k = 0; k < leaves_.size(); ++k) {
    const Leaf& leaf = leaves_[k];
    NetworkCheckRow& row = check_.rows[k];
    NetworkVector tangent = function_.Zero();
    const std::vector<float> signs = SlopeDirection(leaf);
    std::copy(signs.begin(), signs.end(), leaf.Of(tangent).begin());
    ASSIGN_OR_RETURN(NetworkOutput along, function_.Jvp(tangent));
    row.rounding = std::max({row.rounding, std::abs(Dot(leaf.Of(gradient), signs) - row.reverse),
                             std::abs(along.loss - row.forward)});
    const auto product = leaf.Of(along_v), before = leaf.Of(hessian_v_);
    Values change;
    for (size_t i = 0; i < product.size(); ++i)
      change.push_back(static_cast<double>(product[i]) - before[i]);
    row.hessian_rounding = std::max(row.hessian_rounding, Norm(change));
    u_hessian_v += Dot(leaf.Of(u), product), v_hessian_u += Dot(leaf.Of(v), leaf.Of(along_u));
  }
  symmetry_rounding_ = std::max({symmetry_rounding_, std::abs(u_hessian_v - check_.u_hessian_v),
                                 std::abs(v_hessian_u - check_.v_hessian_u)});
  return absl::OkStatus();
}

void Checker::Judge() {
  const auto average = [](const NetworkCheckRow& row) {
    return row.gradient_norm / std::sqrt(static_cast<double>(row.shape.NumElements()));
  };
  double largest = 0;
  for (const NetworkCheckRow& row : check_.rows) largest = std::max(largest, average(row));
  for (NetworkCheckRow& row : check_.rows) {
    double scale = std::max(average(row), kLeastShare * largest);
    if (!(scale > 0)) scale = 1;
    row.forward_off = std::abs(row.forward - row.reverse) / scale;
    row.numeric_off = std::abs(row.numeric - row.reverse) / scale;
    const double rounding = kRoundingSlack * row.rounding / scale;
    row.agrees = row.forward_off <= options_.tolerance + rounding &&
                 (row.at_kink ||
                  row.numeric_off <= options_.tolerance + row.numeric_error / scale + rounding) &&
                 row.hessian_off <= options_.tolerance + row.hessian_error +
                                        kRoundingSlack * row.hessian_rounding / row.hessian_scale;
    row.ill_conditioned = rounding > options_.tolerance;
    check_.agrees = check_.agrees && row.agrees;
  }
  const double rounding = kRoundingSlack * symmetry_rounding_;
  check_.symmetric = check_.asymmetry <=
                     options_.tolerance + (symmetry_bound_ > 0 ? rounding / symmetry_bound_ : 0);
  check_.agrees = check_.agrees && check_.symmetric;
}

}  // namespace

absl::StatusOr<NetworkCheck> CheckNetwork(NetworkFunction& function,
                                          const NetworkCheckOptions& options) {
  return Checker(function, options).Run();
}

}  // namespace cotangent::layers
