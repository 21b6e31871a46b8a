#ifndef COTANGENT_TOOLS_LAB_EXPERIMENTS_H_
#define COTANGENT_TOOLS_LAB_EXPERIMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/lab/claim.h"

// The ten experiments of the laboratory, which examines the claims of a problem set
// (tools/lab/README.md). Each takes `premises`, which hold the assumptions of its claims, if it has
// any, and its settings (sizes, directories, threads), and returns a report. A test or a reader can
// replace an assumption by a wrong one and see the claim fail. A claim that fails is a result; an
// error (absl::Status) means that the experiment could not be run. Equations and questions named
// below are those of the problem set; "see 2" means experiment 2.
namespace cotangent::tools::lab {

// 1. Studies an activation function and seven well-known ones: symmetry, derivatives, limits, and
// how they change gradients in deep networks.
struct ActivationPremises {
  std::string formula = "x/(1 + abs(x))";  // in x
  // g'(x) for x != 0, derived by hand; empty if nobody has derived it by hand. If it is given, the
  // claim about limits includes that g has finite limits and g' tends to 0.
  std::string derivative = "1/(1 + abs(x))^2";
};
// Returns an error if the formula does not parse, has other variables than x or has no variable.
// The message of an error with a place in the formula begins with the flag that gave the formula,
// the line and the column, such as "--activation:1:5: ".
absl::StatusOr<Report> RunActivation(const ActivationPremises& premises = {});

// 2. Studies the linear model of a function f at a point w_t, f(w_t) + <w - w_t, grad f(w_t)>: its
// error, and that it is a lower bound of f at every w_t exactly if f is convex.
struct LinearPremises {
  double gradient_factor = 1;  // factor on the gradient in the model; 1 is right
  int64_t functions = 300;
  std::string counterexample = "w^4/4 - w^2/2";  // a formula in w that is not convex
};
// Returns an error if the counterexample does not parse.
absl::StatusOr<Report> RunLinear(const LinearPremises& premises = {});

// 3. Checks that a step of gradient descent goes to the minimum of the linear model of f (see 2)
// plus lambda/2 times the squared distance from w_t.
struct ProximalPremises {
  std::string step = "1/lambda";  // the step size eta, as a formula in lambda
  int64_t functions = 300;
};
absl::StatusOr<Report> RunProximal(const ProximalPremises& premises = {});

// 4. Checks the lemma that bounds the sum over t of <w_t - w*, v_t> for steps w_(t+1) = w_t - eta
// v_t from w_1 = 0 and any point w*.
struct LemmaPremises {
  double distance_factor =
      0.5;  // bound: distance_factor |w*|^2 / eta + step_factor eta sum |v_t|^2
  double step_factor = 0.5;
  int64_t sequences = 4000;
};
absl::StatusOr<Report> RunLemma(const LemmaPremises& premises = {});

// 5. Measures the rate of gradient descent: after T steps the error, f(mean of the w_t) - f(w*), is
// at most B rho / sqrt(T), where |w*| <= B for the minimiser w*, and no gradient is longer than
// rho.
struct RatePremises {
  double bound_factor = 1;  // factor on the bound B rho / sqrt(T); 1 is right
  double inner_factor = 1;  // factor on the mean of <w_t - w*, grad f(w_t)>; 1 is right
  int64_t most_steps = 1'000'000;
  std::string data_dir;  // directory of CIFAR-10; without the data, a sample is used
};
absl::StatusOr<Report> RunRate(const RatePremises& premises = {});

// 6. Differentiates two functions by four methods.
struct AutodiffPremises {
  // df/dx and df/dy of f = (x + y)(y + 1), derived by hand.
  std::vector<std::string> product_gradient = {"y + 1", "x + 2*y + 1"};
  // The Jacobian of the functions of question 4, cos(w1) cos(w2) + sigmoid(w2) and ln(w1 + w2) +
  // w1^2 w2, derived by hand, row after row.
  std::vector<std::string> question_jacobian = {"-sin(w1)*cos(w2)",
                                                "-cos(w1)*sin(w2) + exp(-w2)/(1 + exp(-w2))^2",
                                                "1/(w1 + w2) + 2*w1*w2", "1/(w1 + w2) + w1^2"};
  std::string second_sum = "y + 1";  // equation (9), in the computation graph of (x + y)(y + 1)
  double step = 0.01;                // step of the differences; the claim is about 0.01
  int64_t largest_size = 512;  // largest number of inputs or outputs in the measurement of cost
};
absl::StatusOr<Report> RunAutodiff(const AutodiffPremises& premises = {});

// 7. Checks that circulant matrices are exactly the linear maps that commute with shifts.
struct CircularPremises {
  double perturbation = 0;          // added to one entry of each matrix that should be circulant
  int64_t large_size = 1 << 20;     // length at which the product by Fourier transform is timed
  int64_t measured_size = 1 << 12;  // length at which commuting is measured
};
absl::StatusOr<Report> RunCircular(const CircularPremises& premises = {});

// 8. Measures, layer by layer, whether the results of networks shift with their input.
struct EquivariancePremises {
  std::vector<std::string> networks = {"convnet",
                                       "resnet20"};  // names in the zoo (layers/zoo), or files
  // The network text (.textproto) of a network whose convolutions are all circular and have stride
  // 1; empty for the laboratory's own.
  std::string circular_text;
  int64_t images = 1;           // images per network, each shifted by every shift
  int64_t training_epochs = 5;  // for the networks whose accuracy on shifted images is measured
  std::string data_dir;
  int threads = 2;
};
absl::StatusOr<Report> RunEquivariance(const EquivariancePremises& premises = {});

// 9. Studies when a step of stochastic gradient descent on one term of a sum increases the sum.
struct SgdPremises {
  // The sum is f(w) = (w - 2)^2/2 + (w + 1)^2/2. A step of size eta on the first term increases f
  // if and only if eta is above first_threshold (unless w = 2, where the term's slope is 0); a step
  // on the second term, if and only if eta is above second_threshold (unless w = -1).
  std::string first_threshold = "(2*w - 1)/(w - 2)";
  std::string second_threshold = "(2*w - 1)/(w + 1)";
  std::string variance =
      "9*eta/(4*(2 - eta))";  // variance of the stationary distribution, for step size eta
  int64_t steps = 1'000'000;
};
absl::StatusOr<Report> RunSgd(const SgdPremises& premises = {});

// 10. Compares three classifiers of CIFAR-10.
struct CifarPremises {
  // A directory that holds the output directories of `train` for softmax_classifier, two_layer_net
  // and convnet.
  std::string runs_dir;
  std::string data_dir;
  bool train = false;  // whether to train the networks whose runs are missing
  int threads = 2;
};
absl::StatusOr<Report> RunCifar(const CifarPremises& premises);

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_EXPERIMENTS_H_
