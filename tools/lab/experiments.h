#ifndef COTANGENT_TOOLS_LAB_EXPERIMENTS_H_
#define COTANGENT_TOOLS_LAB_EXPERIMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/lab/claim.h"

// The ten experiments. Each takes as its premises what its claims rest on, so that a test (or a
// reader) can put something wrong in their place and see the claim fail, and brings back a report.
// A claim that fails is a result; an error (absl::Status) means that the experiment could not be
// done.
namespace cotangent::tools::lab {

// 1. An activation, its symmetry, derivative and limits, beside eight known ones; and what follows
//    for the depth of networks.
struct ActivationPremises {
  std::string formula = "x/(1 + abs(x))";  // in x
  // g'(x) for x != 0, as derived by hand; empty for a formula nobody has derived by hand.
  std::string derivative = "1/(1 + abs(x))^2";
};
// Errors: a formula that does not parse, or has other variables ("--activation:1:5: ...").
absl::StatusOr<Report> RunActivation(const ActivationPremises& premises = {});

// 2. The linear model of a function: its error, and that it bounds from below exactly the convex
//    functions.
struct LinearPremises {
  double gradient_factor = 1;  // of the slope of the model
  int64_t functions = 300;
  std::string counterexample = "w^4/4 - w^2/2";  // in w, not convex
};
// Errors: a counterexample that does not parse.
absl::StatusOr<Report> RunLinear(const LinearPremises& premises = {});

// 3. A step of gradient descent minimises the linear model plus lambda/2 times the squared
//    distance.
struct ProximalPremises {
  std::string step = "1/lambda";  // eta, in lambda
  int64_t functions = 300;
};
absl::StatusOr<Report> RunProximal(const ProximalPremises& premises = {});

// 4. The lemma on sums of <w_t - w*, v_t>.
struct LemmaPremises {
  double distance_factor = 0.5;  // |w*|^2 distance_factor / eta + step_factor eta sum |v_t|^2
  double step_factor = 0.5;
  int64_t sequences = 4000;
};
absl::StatusOr<Report> RunLemma(const LemmaPremises& premises = {});

// 5. The rate B rho / sqrt(T).
struct RatePremises {
  double bound_factor = 1;  // times B rho / sqrt(T)
  double inner_factor = 1;  // times the mean of <w_t - w*, grad f(w_t)>
  int64_t most_steps = 1'000'000;
  std::string data_dir;  // of CIFAR-10; where it has none, the sample is used
};
absl::StatusOr<Report> RunRate(const RatePremises& premises = {});

// 6. Two functions, four derivatives.
struct AutodiffPremises {
  // d f / d x and d f / d y of f = (x + y)(y + 1), by hand.
  std::vector<std::string> product_gradient = {"y + 1", "x + 2*y + 1"};
  // The Jacobian of question 4, by hand, row after row.
  std::vector<std::string> question_jacobian = {"-sin(w1)*cos(w2)",
                                                "-cos(w1)*sin(w2) + exp(-w2)/(1 + exp(-w2))^2",
                                                "1/(w1 + w2) + 2*w1*w2", "1/(w1 + w2) + w1^2"};
  std::string second_sum = "y + 1";  // (9), of the computation graph of (x + y)(y + 1)
  double step = 0.01;                // of the differences, whose error is stated for 0.01
  int64_t largest_size = 512;        // of the functions whose cost is measured
};
absl::StatusOr<Report> RunAutodiff(const AutodiffPremises& premises = {});

// 7. Circulant matrices are the maps that commute with shifts.
struct CircularPremises {
  double perturbation = 0;          // added to one entry of the matrices that should be circulant
  int64_t large_size = 1 << 20;     // where the Fourier product is timed
  int64_t measured_size = 1 << 12;  // where commuting is measured
};
absl::StatusOr<Report> RunCircular(const CircularPremises& premises = {});

// 8. Shift equivariance of networks, layer by layer.
struct EquivariancePremises {
  std::vector<std::string> networks = {"convnet", "resnet20"};  // of the zoo, or files
  // The text of a network whose convolutions are all circular and of stride 1; empty: one of the
  // laboratory's own.
  std::string circular_text;
  int64_t images = 1;           // per network, for every shift
  int64_t training_epochs = 5;  // of the networks whose accuracy under shifts is measured
  std::string data_dir;
  int threads = 2;
};
absl::StatusOr<Report> RunEquivariance(const EquivariancePremises& premises = {});

// 9. A step of stochastic gradient descent on one term can increase the whole.
struct SgdPremises {
  // A step on the term increases f if and only if eta is above this (and the term has a slope).
  std::string first_threshold = "(2*w - 1)/(w - 2)";
  std::string second_threshold = "(2*w - 1)/(w + 1)";
  std::string variance = "9*eta/(4*(2 - eta))";  // of the stationary distribution
  int64_t steps = 1'000'000;
};
absl::StatusOr<Report> RunSgd(const SgdPremises& premises = {});

// 10. Three classifiers of CIFAR-10.
struct CifarPremises {
  // Holds a directory for each of softmax_classifier, two_layer_net and convnet, as `train` writes
  // it.
  std::string runs_dir;
  std::string data_dir;
  bool train = false;  // makes the runs that are missing
  int threads = 2;
};
absl::StatusOr<Report> RunCifar(const CifarPremises& premises);

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_EXPERIMENTS_H_
