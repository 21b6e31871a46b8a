#include "training/explain.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "layers/network/initialize.h"
#include "training/plan_report.h"

namespace cotangent::training {
namespace {

constexpr int kWarmUpSteps = 2, kTimedSteps = 9;

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

double SecondsOfConvolutionsAlone(layers::Plan& plan) {
  const std::vector<layers::Plan::Description> operations = plan.Describe();
  double total = 0;
  for (size_t i = 0; i < operations.size(); ++i) {
    if (!IsConvolution(operations[i])) continue;
    std::vector<double> seconds;
    for (int run = 0; run < kWarmUpSteps + kTimedSteps; ++run) {
      const auto start = std::chrono::steady_clock::now();
      plan.RunAlone(i);
      if (run >= kWarmUpSteps)
        seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    total += Median(std::move(seconds));
  }
  return total;
}

}  // namespace

void FillWithNoise(float* images, int64_t count) {
  // Drawing a normally distributed number takes a logarithm, so only a few thousand are drawn and
  // written again and again. Their number, 4099, is prime, so that successive rows or images do not
  // get the same numbers.
  constexpr int64_t kNumbers = 4099;
  const layers::RandomStream stream(0, "noise");
  std::vector<float> numbers(kNumbers);
  for (int64_t i = 0; i < kNumbers; ++i) numbers[i] = static_cast<float>(stream.Normal(i));
  for (int64_t i = 0; i < count; ++i) images[i] = numbers[i % kNumbers];
}

void FillWithNoise(int32_t* labels, int64_t count, int64_t classes) {
  for (int64_t i = 0; i < count; ++i) labels[i] = static_cast<int32_t>(i % classes);
}

absl::StatusOr<std::unique_ptr<TrainingStep>> StepOnNoise(const layers::Network& network,
                                                          int64_t classes, int64_t images,
                                                          const StepOptions& options,
                                                          layers::Tuner* tuner) {
  const auto& input = network.input();
  ASSIGN_OR_RETURN(ResolvedNetwork resolved, Resolve(network, {images, classes, input.channels(),
                                                               input.height(), input.width()}));
  return StepOnNoise(std::move(resolved), options, tuner);
}

absl::StatusOr<std::unique_ptr<TrainingStep>> StepOnNoise(ResolvedNetwork network,
                                                          const StepOptions& options,
                                                          layers::Tuner* tuner) {
  ASSIGN_OR_RETURN(std::unique_ptr<TrainingStep> made,
                   TrainingStep::Create(std::move(network), options, tuner));
  TrainingStep& step = *made;
  RETURN_IF_ERROR(step.Initialise(nullptr, {}));
  RETURN_IF_ERROR(step.Prepare(0));
  const layers::Graph& graph = step.network().graph;
  std::vector<float> noise(graph.shape(step.network().images).NumElements());
  FillWithNoise(noise.data(), static_cast<int64_t>(noise.size()));
  step.SetImages(noise.data(), data::BatchFormat::kF32Nchw);
  if (step.takes_values()) {
    const int64_t classes = step.network().classes;
    auto* const targets = static_cast<float*>(step.targets());
    for (int64_t i = 0; i < graph.shape(step.network().labels).NumElements(); ++i)
      targets[i] = i / classes % classes == i % classes ? 1 : 0;
  } else {
    FillWithNoise(step.labels(), graph.shape(step.network().labels).NumElements(),
                  step.network().classes);
  }
  return made;
}

MeasuredTimes MeasureTimes(layers::Plan& plan, const std::function<void(int64_t)>& run) {
  for (int i = 0; i < kWarmUpSteps; ++i) run(i);
  plan.EnableTiming();
  std::vector<std::vector<double>> seconds(plan.seconds().size());
  std::vector<double> update_seconds;
  for (int i = 0; i < kTimedSteps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run(kWarmUpSteps + i);
    double rest = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (size_t k = 0; k < seconds.size(); ++k) {
      seconds[k].push_back(plan.seconds()[k]);
      rest -= plan.seconds()[k];
    }
    update_seconds.push_back(std::max(rest, 0.0));
  }
  MeasuredTimes measured;
  for (const std::vector<double>& times : seconds) measured.operations.push_back(Median(times));
  measured.rest = Median(update_seconds);
  return measured;
}

TimedPlan TimePlan(layers::Plan& plan, const std::function<void(int64_t)>& run) {
  const MeasuredTimes times = MeasureTimes(plan, run);
  const double alone = SecondsOfConvolutionsAlone(plan);
  return {PlanTable(plan, times.operations, times.rest, alone), alone};
}

absl::StatusOr<std::string> Explain(ResolvedNetwork network, const StepOptions& options,
                                    layers::Tuner* tuner) {
  StepOptions as_trained = options;
  as_trained.images_as_read = true;
  ASSIGN_OR_RETURN(std::unique_ptr<TrainingStep> made,
                   StepOnNoise(std::move(network), as_trained, tuner));
  return TimePlan(made->plan(), [&](int64_t number) { made->Run(number); }).table;
}

}  // namespace cotangent::training
