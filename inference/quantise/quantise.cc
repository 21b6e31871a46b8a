#include "inference/quantise/quantise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/glob.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "inference/quantise/histogram.h"
#include "layers/network/build.h"
#include "layers/plan/fold.h"
#include "layers/plan/plan.h"
#include "tensor/convolution.h"
#include "training/source.h"

namespace cotangent::inference {
namespace {

using layers::QuantisableConvolution;
using layers::TensorId;

constexpr int64_t kBatch = 16;

// The network after folding (layers/plan/fold.h), compiled for a batch of pictures. Has a histogram
// for every tensor that a quantisable convolution reads, writes, or adds to its result.
class Watched {
 public:
  static absl::StatusOr<std::unique_ptr<Watched>> Create(const training::TrainedNetwork& trained,
                                                         int64_t batch, int threads,
                                                         layers::Tuner& tuner) {
    auto watched = std::unique_ptr<Watched>(new Watched);
    layers::BuildOptions build;
    build.batch_size = batch;
    build.training = false;
    build.classes = static_cast<int64_t>(trained.classes.size());
    ASSIGN_OR_RETURN(layers::BuiltNetwork built, layers::Build(trained.network, build));
    watched->built_ = std::make_unique<layers::BuiltNetwork>(std::move(built));
    const layers::BuiltNetwork& made = *watched->built_;
    ASSIGN_OR_RETURN(watched->folded_,
                     layers::FoldedGraph::Create(made.graph, made.prediction, *trained.store));
    watched->folded_->Update();
    watched->convolutions_ =
        layers::QuantisableConvolutions(watched->folded_->graph(), made.prediction);
    std::vector<layers::PlanResult> results = {{made.prediction}};
    for (const QuantisableConvolution& c : watched->convolutions_) {
      for (const TensorId t : {c.in, c.out, c.addend}) {
        if (t != layers::kNoTensor && watched->histograms_.try_emplace(t).second &&
            t != made.prediction)
          results.push_back({t});
      }
    }
    layers::PlanOptions plan;
    plan.threads = threads;
    plan.constant_parameters = true;
    ASSIGN_OR_RETURN(watched->plan_, layers::Plan::Compile(watched->folded_->graph(), results,
                                                           watched->folded_->store(), tuner, plan));
    return watched;
  }

  float* images() { return static_cast<float*>(plan_->input(built_->images)); }
  // Runs the network on the pictures in images(), then calls look(histogram, numbers, count) for
  // every tensor with a histogram: `numbers` points to its `count` numbers.
  template <typename Look>
  void Run(Look look) {
    plan_->Run(0);
    for (auto& [t, histogram] : histograms_)
      look(histogram, plan_->result(t), folded_->graph().shape(t).NumElements());
  }

  const std::vector<QuantisableConvolution>& convolutions() const { return convolutions_; }
  const layers::Graph& graph() const { return folded_->graph(); }
  const layers::ParameterStore& store() const { return folded_->store(); }
  const Histogram& histogram(TensorId t) const { return histograms_.at(t); }
  TensorId prediction() const { return built_->prediction; }

 private:
  Watched() = default;
  std::unique_ptr<layers::BuiltNetwork> built_;
  std::unique_ptr<layers::FoldedGraph> folded_;
  std::vector<QuantisableConvolution> convolutions_;
  std::map<TensorId, Histogram> histograms_;
  std::unique_ptr<layers::Plan> plan_;
};

// Runs the network on `count` pictures (a multiple of `batch`), evenly spaced over the data set,
// one batch at a time; look() is called as in Watched::Run().
template <typename Look>
absl::Status ShowPictures(const training::TrainedNetwork& trained, const data::Dataset& dataset,
                          int64_t count, int64_t batch, Watched& watched, Look look) {
  const data::ImageWriter writer(dataset.channels, dataset.height, dataset.width,
                                 trained.normalisation, data::BatchFormat::kF32Nchw);
  std::vector<uint8_t> scratch;
  for (int64_t begin = 0; begin + batch <= count; begin += batch) {
    for (int64_t i = 0; i < batch; ++i) {
      const int64_t index = (begin + i) * dataset.size() / count;
      ASSIGN_OR_RETURN(const uint8_t* pixels, dataset.Pixels(index, scratch));
      writer.Write(pixels, {}, watched.images() + i * dataset.image_bytes());
    }
    watched.Run(look);
  }
  return absl::OkStatus();
}

// Returns the root mean square of the weights' rounding errors / that of the weights.
double WeightError(const float* weights, int64_t rows, int64_t columns) {
  const std::vector<float> scales = layers::WeightScales(weights, rows, columns);
  double error = 0, squares = 0;
  for (int64_t i = 0; i < rows * columns; ++i) {
    const float scale = scales[i / columns];
    const double off = weights[i] - double{scale} * tensor::RoundedWeight(weights[i], scale);
    error += off * off;
    squares += double{weights[i]} * weights[i];
  }
  return squares > 0 ? std::sqrt(error / squares) : 0;
}

std::string LayerOf(const std::string& weight) { return weight.substr(0, weight.rfind('.')); }

// Returns NotFound if one of the globs `keep` fits no layer with parameters.
absl::Status CheckKept(const std::vector<std::string>& keep, const Watched& watched) {
  for (const std::string& glob : keep) {
    const auto& slots = watched.store().parameters();
    const auto fits = [&](const auto& slot) { return FitsPattern(LayerOf(slot.name), glob); };
    if (std::any_of(slots.begin(), slots.end(), fits)) continue;
    std::vector<std::string> layers;
    for (const QuantisableConvolution& c : watched.convolutions())
      layers.push_back(LayerOf(c.weight));
    return absl::NotFoundError(absl::StrCat("no layer has the name \"", glob,
                                            "\"; those that can be quantised are ",
                                            absl::StrJoin(layers, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace

double QuantisedLayerReport::error() const { return std::hypot(in_error, weight_error); }

absl::StatusOr<Calibration> Calibrate(const training::TrainedNetwork& trained,
                                      const data::Dataset& dataset,
                                      const CalibrationOptions& options, layers::Tuner& tuner) {
  if (dataset.size() == 0) {
    return absl::InvalidArgumentError(
        "the calibration set has no pictures; expected some hundreds");
  }
  const data::ImageShape shape = {dataset.channels, dataset.height, dataset.width};
  RETURN_IF_ERROR(
      training::CheckShape(trained.network, shape, "calibrate with pictures as the network takes"));
  const int64_t wanted = std::min(options.images, dataset.size()), batch = std::min(kBatch, wanted);
  const int64_t count = wanted / batch * batch;
  ASSIGN_OR_RETURN(const std::unique_ptr<Watched> watched,
                   Watched::Create(trained, batch, options.threads, tuner));
  if (watched->convolutions().empty())
    return absl::InvalidArgumentError(
        "the network has no convolution or linear layer that could be quantised: those that read "
        "the images themselves, or share their weights, are left as they are; expected a network "
        "with others");
  RETURN_IF_ERROR(CheckKept(options.keep, *watched));
  RETURN_IF_ERROR(
      ShowPictures(trained, dataset, count, batch, *watched,
                   [](Histogram& h, const float* numbers, int64_t n) { h.Measure(numbers, n); }));
  RETURN_IF_ERROR(
      ShowPictures(trained, dataset, count, batch, *watched,
                   [](Histogram& h, const float* numbers, int64_t n) { h.Count(numbers, n); }));

  Calibration calibration;
  std::map<TensorId, Histogram::Choice> choices;
  const auto choice = [&](TensorId t) {
    auto [found, is_new] = choices.try_emplace(t);
    if (is_new) found->second = watched->histogram(t).Choose(options.percentile);
    return found->second;
  };
  for (const QuantisableConvolution& c : watched->convolutions()) {
    const layers::ParameterStore::Slot& slot = *watched->store().FindParameter(c.weight);
    QuantisedLayerReport report = {
        .layer = LayerOf(c.weight),
        .in_error = choice(c.in).error,
        .weight_error = WeightError(watched->store().values() + slot.offset, slot.shape[0],
                                    slot.size / slot.shape[0]),
        .out_error = choice(c.out).error,
        .kept = ""};
    const auto is_kept = [&](const std::string& glob) { return FitsPattern(report.layer, glob); };
    if (std::any_of(options.keep.begin(), options.keep.end(), is_kept)) {
      report.kept = "asked for";
    } else if (!(report.error() <= options.most_error)) {
      report.kept = "its error";
    } else {
      layers::QuantisedLayer& layer = calibration.quantisation[c.weight];
      layer.in = choice(c.in).scale;
      const bool out = c.out != watched->prediction() && report.out_error <= options.most_error;
      if (out) layer.out = choice(c.out).scale;
      if (out && c.addend != layers::kNoTensor) layer.addend = choice(c.addend).scale;
    }
    calibration.layers.push_back(std::move(report));
  }
  return calibration;
}

bool KeepMore(Calibration& calibration) {
  std::vector<QuantisedLayerReport*> left;
  for (QuantisedLayerReport& layer : calibration.layers) {
    if (layer.kept.empty()) left.push_back(&layer);
  }
  std::stable_sort(left.begin(), left.end(),
                   [](const auto* a, const auto* b) { return a->error() > b->error(); });
  const size_t count = std::min(left.size(), std::max<size_t>(1, left.size() / 4));
  for (size_t i = 0; i < count; ++i) {
    left[i]->kept = "accuracy";
    calibration.quantisation.erase(absl::StrCat(left[i]->layer, ".weight"));
  }
  return !calibration.quantisation.empty();
}

}  // namespace cotangent::inference
