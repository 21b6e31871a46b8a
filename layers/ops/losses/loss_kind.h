// Losses. Each file in this folder defines one: its settings (a message of network.proto, which has
// the formula) and their checks, what it compares predictions with, its value and its derivatives.
// A line
//
//   const RegisterLoss hinge(Loss::kHinge, TargetKind::kClass, Hinge);
//
// registers the loss; no other code names it. A loss is either a formula that is applied to each
// element and averaged (read huber.cc first), or computed image by image (hinge.cc). N is the
// number of images and K the number of classes, labels or numbers.
//
// An image-by-image loss whose message has `repeated double class_weight` has weights of classes:
// they are read and checked here, and training may write them (train { class_weight: BALANCED }).
#ifndef COTANGENT_LAYERS_OPS_LOSSES_LOSS_KIND_H_
#define COTANGENT_LAYERS_OPS_LOSSES_LOSS_KIND_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "base/target_kind.h"
#include "layers/graph/operation.h"
#include "layers/network/network.pb.h"
#include "layers/ops/loss.h"
#include "layers/ops/loss_hessian.h"

namespace cotangent::layers {

// ---- What makes a loss ----

// An image of a batch, as the kernel of a loss sees it.
struct LossImage {
  const float* x;   // the predictions [K]
  int64_t classes;  // K
  // Loss and gradient are divided by it, so that the mean loss of a batch is the sum over its
  // images: the sum of the weights of the labels' classes over the batch or, with targets, the
  // number of images.
  double divisor;
  float* gradient;                           // [K], written by the loss
  const std::vector<double>& class_weights;  // empty: all 1

  double Weight(int64_t k) const { return WeightOf(class_weights, k); }
};

// The same for the reference implementation, in a scalar type T; neither loss nor gradient is
// divided by anything. `label` counts if `targets` is empty.
template <class T>
struct ReferenceImage {
  const std::vector<T>& x;
  const std::vector<double>& class_weights;
  int64_t label = 0;
  std::vector<T> targets = {};

  T loss = T(0.0);
  std::vector<T> gradient = std::vector<T>(x.size(), T(0.0));

  int64_t classes() const { return static_cast<int64_t>(x.size()); }
  double Weight(int64_t k) const { return WeightOf(class_weights, k); }
  double OneHot(int64_t k) const { return k == label ? 1.0 : 0.0; }
};

// A loss that is computed image by image, with its settings.
class ImageLoss {
 public:
  virtual ~ImageLoss() = default;

  // Returns the loss of an image whose class is `label`, times the weight of that class, and writes
  // its gradient by the predictions; both divided by `image.divisor`.
  virtual double OfLabel(const LossImage& image, int32_t label) const = 0;
  // The same for targets [K], which are shares of the classes. By default, the loss is the sum over
  // the classes of the share times OfLabel() of the class. `scratch` is
  // working memory.
  virtual double OfTargets(const LossImage& image, const float* targets,
                           std::vector<float>& scratch) const;
  // Returns whether OfTargets() weights the classes. If not, LossOf() (layers/ops/loss.h) refuses
  // class weights for targets.
  virtual bool weights_targets() const { return false; }

  // Returns the product with t [N, K] of the Hessian of the mean loss by the predictions, or
  // kNoTensor if the Hessian is zero.
  virtual TensorId HessianProduct(LossHessian& hessian, TensorId t) const = 0;

  // The reference implementation: computes `loss` and `gradient`. ImageLossOf has all three.
  virtual void Compute(ReferenceImage<double>& image) const = 0;
  virtual void Compute(ReferenceImage<Dual>& image) const = 0;
  virtual void Compute(ReferenceImage<Tape::Var>& image) const = 0;
};

// Implements the three Compute() functions by calling a template function of Derived:
//   template <class T> void ReferenceOfLabel(ReferenceImage<T>& image) const;
// A loss that differs from the sum over the classes that OfTargets() describes has
// ReferenceOfTargets(), too.
template <class Derived>
class ImageLossOf : public ImageLoss {
 public:
  void Compute(ReferenceImage<double>& image) const final { Choose(image); }
  void Compute(ReferenceImage<Dual>& image) const final { Choose(image); }
  void Compute(ReferenceImage<Tape::Var>& image) const final { Choose(image); }

  template <class T>
  void ReferenceOfTargets(ReferenceImage<T>& image) const {
    for (int64_t k = 0; k < image.classes(); ++k) {
      ReferenceImage<T> of_class{image.x, image.class_weights, k};
      derived().ReferenceOfLabel(of_class);
      image.loss = image.loss + image.targets[k] * of_class.loss;
      for (int64_t j = 0; j < image.classes(); ++j)
        image.gradient[j] = image.gradient[j] + image.targets[k] * of_class.gradient[j];
    }
  }

 private:
  const Derived& derived() const { return static_cast<const Derived&>(*this); }
  template <class T>
  void Choose(ReferenceImage<T>& image) const {
    if (image.targets.empty()) {
      derived().ReferenceOfLabel(image);
    } else {
      derived().ReferenceOfTargets(image);
    }
  }
};

// Each of them reads a loss from the network text and checks its settings. A formula is one of the
// prediction x and the target t (labels become one-hot vectors); the loss is its mean over all
// elements.
using MakeFormula = absl::StatusOr<Expr> (*)(const Loss& text, const Expr& x, const Expr& t);
using MakeImageLoss = absl::StatusOr<std::shared_ptr<const ImageLoss>> (*)(const Loss& text);

// A constant of this type at namespace scope registers a loss. A second one for the same kind ends
// the program.
class RegisterLoss {
 public:
  RegisterLoss(Loss::KindCase kind, TargetKind targets, MakeFormula formula);
  RegisterLoss(Loss::KindCase kind, TargetKind targets, MakeImageLoss image_loss);
};

// ---- What other code asks of the losses ----

// Returns whether a loss is registered for the kind.
bool HasLoss(Loss::KindCase kind);

// Returns with what the loss compares the prediction for an image.
TargetKind TargetKindOf(const Loss& text);

// Reads the loss and checks its settings; the class weights, if there are any, must be `classes`
// many. The formula, if the loss is one, is created in `pool`, in a0 (the prediction) and a1 (the
// target).
absl::StatusOr<LossAttributes> ParseLoss(const Loss& text, int64_t classes,
                                         autodiff::symbolic::Pool& pool);

// Returns whether the loss has weights of classes, and the names of all losses that have them.
bool HasClassWeights(const Loss& text);
std::vector<std::string> LossesWithClassWeights();
// Writes the weights of classes into the text. REQUIRES: HasClassWeights(text).
void SetClassWeights(absl::Span<const double> weights, Loss& text);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSSES_LOSS_KIND_H_
