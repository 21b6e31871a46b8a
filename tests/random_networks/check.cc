#include "tests/random_networks/check.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"
#include "layers/graph/reference.h"
#include "layers/plan/fold.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::tests {
namespace {

// Limits for one network, in seconds: kSecondsOfWork of processor time, far more than any network
// takes, and kSecondsAllowed of wall time.
constexpr unsigned kSecondsOfWork = 60, kSecondsAllowed = 600;

layers::AgreementOptions AgreementOf(const CheckOptions& options) {
  if (options.precision == ElementType::kBf16) {
    layers::AgreementOptions bf16 = layers::InBf16();
    bf16.seed = options.seed;
    bf16.shake = 1.0 / 256;
    return bf16;
  }
  return {.exact = options.seed % 2 == 0,
          .threads = options.seed % 4 == 1 ? 2 : 1,
          .seed = options.seed,
          .forward_tolerance = 1e-4,
          .gradient_tolerance = 1e-3,
          .hessian_tolerance = 1e-2,
          .rule_tolerance = 1e-8,
          .second_derivatives = options.seed % 3 == 0,
          .shake = 4e-6};
}

}  // namespace

namespace {

using Values = std::vector<double>;

// Computes the network's prediction for the given parameters and images, in double. Every parameter
// and state is first multiplied by 1 + shake or 1 - shake, at random.
Values Predict(const layers::Graph& graph, const layers::BuiltNetwork& network,
               const layers::ParameterStore& store, const Values& images, double shake,
               uint64_t seed) {
  layers::SplitMix random(seed);
  layers::ReferenceEvaluator<double> reference(graph);
  const auto give = [&](const layers::ParameterStore::Slot& slot, layers::TensorId t,
                        const float* from) {
    Values values(from, from + slot.size);
    for (double& value : values) value *= 1 + (random.Uniform() < 0 ? -shake : shake);
    reference.Give(t, std::move(values));
  };
  for (layers::TensorId t : graph.parameters()) {
    const layers::ParameterStore::Slot& slot = *store.FindParameter(graph.tensor(t).name);
    give(slot, t, store.values() + slot.offset);
  }
  for (layers::TensorId t : graph.states()) {
    const layers::ParameterStore::Slot& slot = *store.FindState(graph.tensor(t).name);
    give(slot, t, store.state_values() + slot.offset);
  }
  reference.Give(network.images, images);
  const absl::Status status = reference.Compute({network.prediction});
  EXPECT_TRUE(status.ok()) << status;
  return status.ok() ? reference.values(network.prediction) : Values();
}

double Distance(const Values& a, const Values& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// Checks the graph for inference after folding, which merges batch normalisations into the weights
// before them. The folded graph, computed by the reference (plain loops in double) and by a plan
// (the graph compiled for this machine), must give the same prediction as the unfolded graph.
void ExpectInferenceAgrees(const RandomNetwork& network, const CheckOptions& options) {
  const absl::StatusOr<layers::BuiltNetwork> built = BuildText(network, /*training=*/false);
  ASSERT_TRUE(built.ok()) << built.status();
  const auto store = layers::ParameterStore::Create(built->graph);
  ASSERT_TRUE(store.ok()) << store.status();
  layers::SplitMix random(options.seed);
  for (int64_t i = 0; i < (*store)->parameter_floats(); ++i)
    (*store)->values()[i] = static_cast<float>(random.Uniform());
  for (const layers::ParameterStore::Slot& slot : (*store)->states()) {
    for (int64_t i = 0; i < slot.size; ++i)
      (*store)->state_values()[slot.offset + i] = static_cast<float>(1.5 + 0.5 * random.Uniform());
  }
  Values images(built->graph.shape(built->images).NumElements());
  for (double& pixel : images) pixel = random.Uniform();
  auto folded = layers::FoldedGraph::Create(built->graph, built->prediction, **store);
  ASSERT_TRUE(folded.ok()) << folded.status();
  (*folded)->Update();
  const Values expected = Predict(built->graph, *built, **store, images, 0, 0),
               found = Predict((*folded)->graph(), *built, (*folded)->store(), images, 0, 0);
  // Folded weights are rounded to f32. So the allowed error includes the effect of a relative
  // change of kRounding in every parameter and state.
  constexpr double kRounding = 1e-7;
  double allowed = 1e-5 * std::max(Distance(expected, Values(expected.size(), 0.0)), 1e-3);
  for (uint64_t k = 1; k <= 8; ++k)
    allowed += 2 * Distance(expected, Predict(built->graph, *built, **store, images, kRounding, k));
  const double error = Distance(found, expected);
  EXPECT_TRUE(error <= allowed) << "folded for inference: error " << error << ", allowed "
                                << allowed;
  layers::Graph plain = (*folded)->graph();
  layers::AgreementOptions agreement = AgreementOf(options);
  agreement.derivatives = false;
  layers::ExpectPlanAgrees(plain, built->prediction, agreement);
}

}  // namespace

std::string Disagreements(const RandomNetwork& network, const CheckOptions& options) {
  // Rounding to bf16 can move a score across a kink of the hinge loss, so a smooth loss takes its
  // place.
  RandomNetwork smooth = network;
  if (options.precision == ElementType::kBf16 && smooth.loss == "hinge {}")
    smooth.loss = "softmax_cross_entropy {}";
  absl::StatusOr<layers::BuiltNetwork> built = BuildText(smooth);
  if (!built.ok()) return absl::StrCat("does not build: ", built.status().message());
  testing::TestPartResultArray results;
  {
    testing::ScopedFakeTestPartResultReporter capture(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &results);
    layers::ExpectPlanAgrees(built->graph, built->loss, AgreementOf(options));
    ExpectInferenceAgrees(smooth, options);
  }
  std::string all;
  for (int i = 0; i < results.size(); ++i) {
    if (!results.GetTestPartResult(i).failed()) continue;
    // Leaves out the lines that only say that `true` was expected.
    const std::string end_of_expected = "Expected: true\n";
    const std::string message = results.GetTestPartResult(i).message();
    const size_t end = message.rfind(end_of_expected);
    absl::StrAppend(
        &all, message.substr(end == std::string::npos ? 0 : end + end_of_expected.size()), "\n");
  }
  return all;
}

std::string DisagreementsOfChild(const RandomNetwork& network, const CheckOptions& options) {
  int channel[2];
  if (pipe(channel) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const rlimit work = {.rlim_cur = kSecondsOfWork, .rlim_max = kSecondsOfWork};
    setrlimit(RLIMIT_CPU, &work);
    alarm(kSecondsAllowed);
    const std::string found = Disagreements(network, options).substr(0, 4000);
    const bool written =
        write(channel[1], found.data(), found.size()) == static_cast<ssize_t>(found.size());
    std::exit(written ? 0 : 1);  // frees all memory, which reveals a corrupted heap
  }
  close(channel[1]);
  std::string found;
  char buffer[4096];
  for (ssize_t count; (count = read(channel[0], buffer, sizeof buffer)) > 0;)
    found.append(buffer, count);
  close(channel[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) absl::StrAppend(&found, strsignal(WTERMSIG(status)), "\n");
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    absl::StrAppend(&found, "exit code ", WEXITSTATUS(status), "\n");
  return found;
}

RandomNetwork Shrink(RandomNetwork network, const CheckOptions& options) {
  const auto fails = [&](const RandomNetwork& smaller) {
    return BuildText(smaller).ok() && !DisagreementsOfChild(smaller, options).empty();
  };
  const auto try_with = [&](auto change) {
    RandomNetwork smaller = network;
    change(smaller);
    if (smaller.Text() == network.Text() || !fails(smaller)) return false;
    network = std::move(smaller);
    return true;
  };
  for (bool shrunk = true; shrunk;) {
    shrunk = false;
    for (size_t i = 0; i < network.layers.size(); ++i) {
      while (i < network.layers.size() && try_with([&](RandomNetwork& n) {
               n.layers.erase(n.layers.begin() + static_cast<int64_t>(i));
             }))
        shrunk = true;
    }
    shrunk |= try_with([](RandomNetwork& n) { n.batch = 1; });
    shrunk |= try_with([](RandomNetwork& n) { n.channels = 1; });
    shrunk |= try_with([](RandomNetwork& n) { n.height = n.width = 1; });
    shrunk |= try_with([](RandomNetwork& n) { n.classes = 2; });
    shrunk |= try_with([](RandomNetwork& n) { n.loss = "softmax_cross_entropy {}"; });
  }
  return network;
}

}  // namespace cotangent::tests
