#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/sources/cifar.h"
#include "data/sources/source.h"
#include "layers/network/build.h"
#include "layers/network/initialize.h"
#include "layers/network/network_text.h"
#include "layers/ops/elementwise.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/zoo/zoo.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"
#include "tools/tuner_watch.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"
#include "training/recipe.h"
#include "training/step.h"

namespace cotangent::tools::lab {
namespace {

constexpr int64_t kSize = 32, kPixels = kSize * kSize, kShifts = kPixels, kBatch = 32;
// Errors below this, relative to the result's norm, count as rounding in single precision over the
// layers of a network.
constexpr double kRounding = 1e-5;

constexpr char kCircularText[] = R"(
name: "circular"
layer { name: "conv1" convolution { channels: 16 kernel: 3 padding: SAME padding_mode: CIRCULAR } }
layer { name: "relu1" activation { kind: RELU } }
layer { name: "conv2" convolution { channels: 16 kernel: 3 padding: SAME padding_mode: CIRCULAR } }
layer { name: "bn2" batch_norm {} }
layer { name: "softsign2" activation { kind: SOFTSIGN } }
layer { name: "conv3" convolution { channels: 32 kernel: 5 padding: SAME padding_mode: CIRCULAR } }
layer { name: "bn3" batch_norm {} }
layer { name: "relu3" activation { kind: RELU } }
layer { name: "pool" global_average_pool {} }
layer { name: "fc" linear {} }
train {
  optimizer { sgd { learning_rate: 0.05 momentum: 0.9 nesterov: true weight_decay: 5e-4 } schedule { cosine {} } }
})";

// All convolutions pad circularly, as in kCircularText, but pool1 and conv2 have stride 2, so the
// network does not commute with every shift.
constexpr char kStridedText[] = R"(
name: "circular with strides"
layer { name: "conv1" convolution { channels: 8 kernel: 3 padding: SAME padding_mode: CIRCULAR } }
layer { name: "relu1" activation { kind: RELU } }
layer { name: "pool1" max_pool { kernel: 2 } }
layer { name: "conv2" convolution { channels: 16 kernel: 3 pad: 1 stride: 2 padding_mode: CIRCULAR } }
layer { name: "relu2" activation { kind: RELU } }
layer { name: "pool" global_average_pool {} }
layer { name: "fc" linear {} }
)";

// Writes to `result` the image shifted circularly by `down` and `right` pixels: what leaves at one
// border returns at the opposite one.
void ShiftImage(const float* image, int64_t channels, int64_t height, int64_t width, int64_t down,
                int64_t right, float* result) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t y = 0; y < height; ++y) {
      const float* const from =
          image + (c * height + (y - down % height + height) % height) * width;
      float* const to = result + (c * height + y) * width;
      std::copy(from, from + width - right % width, to + right % width);
      std::copy(from + width - right % width, from + width, to);
    }
  }
}

// How one layer responds to shifts of the network's input. If F(x) is the layer's result for the
// input x, the error of a shift S is |F(S x) - S' F(x)| / |F(x)|. S' is the shift of the result
// that corresponds to S: S scaled to the result's size. If that is not a whole number of pixels, S'
// is the neighbouring whole shift that has the smallest error.
struct LayerErrors {
  std::string name, kind;
  tensor::Shape shape;
  layers::TensorId tensor = layers::kNoTensor;
  std::vector<double> by_shift =
      std::vector<double>(kShifts, 0.0);  // [down, right], mean over the images

  int64_t height() const { return shape.rank() == 4 ? shape[2] : 1; }
  int64_t width() const { return shape.rank() == 4 ? shape[3] : 1; }
  int64_t elements() const { return shape.NumElements() / shape[0]; }
  // Returns how many input pixels one pixel of the result stands for in each direction: 1, 2, 4,
  // ...; 0 if the result has only one pixel, is not square, or its size does not divide the
  // input's.
  int64_t step() const {
    return height() > 1 && kSize % height() == 0 && height() == width() ? kSize / height() : 0;
  }
  double Largest() const { return *std::max_element(by_shift.begin(), by_shift.end()); }
  double Mean() const {
    return std::accumulate(by_shift.begin(), by_shift.end(), 0.0) / (kShifts - 1);
  }
  // Returns the largest error over the shifts by multiples of step() in both directions (if
  // `aligned`), or over all other shifts; the shift by 0 is left out. If step() is 0, all shifts
  // count as aligned. Least() returns the least error.
  double Largest(bool aligned) const {
    return Extreme(aligned, 0, [](double a, double b) { return std::max(a, b); });
  }
  double Least(bool aligned) const {
    return Extreme(aligned, INFINITY, [](double a, double b) { return std::min(a, b); });
  }

 private:
  template <typename Pick>
  double Extreme(bool aligned, double start, Pick pick) const {
    const int64_t every = std::max<int64_t>(step(), 1);
    for (int64_t s = 1; s < kShifts; ++s) {
      const bool is_aligned = s / kSize % every == 0 && s % kSize % every == 0;
      if (is_aligned == aligned) start = pick(start, by_shift[s]);
    }
    return start;
  }
};

double SquaredDistance(const float* a, const float* b, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// Returns |S x - found|^2, where S shifts x circularly by `down` and `right` pixels, without making
// S x.
double SquaredDistanceShifted(const float* x, int64_t channels, int64_t height, int64_t width,
                              int64_t down, int64_t right, const float* found) {
  double sum = 0;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t y = 0; y < height; ++y) {
      const float* const from = x + (c * height + (y - down + height) % height) * width;
      const float* const to = found + (c * height + y) * width;
      sum += SquaredDistance(from, to + right, width - right) +
             SquaredDistance(from + width - right, to, right);
    }
  }
  return sum;
}

// Returns the whole shifts, in pixels of a result with `size` pixels, that are nearest to a shift
// of the input by `shift` of its kSize pixels.
std::vector<int64_t> NearestShifts(int64_t shift, int64_t size) {
  const int64_t scaled = shift * size, whole = scaled / kSize;
  if (scaled % kSize == 0) return {whole % size};
  return {whole % size, (whole + 1) % size};
}

double ErrorOf(const LayerErrors& layer, const float* reference, double norm, const float* found,
               int64_t down, int64_t right) {
  const int64_t channels = layer.elements() / (layer.height() * layer.width());
  double least = INFINITY;
  for (const int64_t y : NearestShifts(down, layer.height())) {
    for (const int64_t x : NearestShifts(right, layer.width())) {
      least = std::min(least, SquaredDistanceShifted(reference, channels, layer.height(),
                                                     layer.width(), y, x, found));
    }
  }
  return norm > 0 ? std::sqrt(least) / norm : 0;
}

// Returns the layers of the network, except those without operations. The tensor of each layer is
// the output of the last operation with the layer's name; the errors are 0.
std::vector<LayerErrors> LayersOf(const layers::BuiltNetwork& network) {
  std::vector<LayerErrors> result;
  for (const layers::LayerRow& row : network.layers) {
    LayerErrors layer{.name = row.name, .kind = row.kind, .shape = row.output};
    for (const layers::Node& node : network.graph.nodes()) {
      const bool computes = node.op != layers::kParameter && node.op != layers::kState &&
                            node.op != layers::kConstant;
      if (computes && node.name == row.name && !node.outputs.empty())
        layer.tensor = node.outputs[0];
    }
    if (layer.tensor == layers::kNoTensor) continue;
    layer.shape = network.graph.shape(layer.tensor);
    result.push_back(std::move(layer));
  }
  return result;
}

absl::StatusOr<std::vector<LayerErrors>> StudyNetwork(const layers::Network& text,
                                                      const std::vector<std::vector<float>>& images,
                                                      int threads, layers::Tuner& tuner) {
  ASSIGN_OR_RETURN(
      auto network,
      layers::Build(text, {.batch_size = kBatch, .training = false, .with_loss = false}));
  std::vector<LayerErrors> result = LayersOf(network);
  std::vector<layers::PlanResult> wanted;
  for (const LayerErrors& layer : result) wanted.push_back({layer.tensor});
  ASSIGN_OR_RETURN(const auto store, layers::ParameterStore::Create(network.graph));
  for (const layers::ParameterSpec& parameter : network.parameters) {
    const auto* const slot = store->FindParameter(parameter.name);
    layers::Initialize(parameter, 1, absl::MakeSpan(store->values() + slot->offset, slot->size));
  }
  for (const layers::StateSpec& state : network.states) {
    const auto* const slot = store->FindState(state.name);
    std::fill_n(store->state_values() + slot->offset, slot->size,
                static_cast<float>(state.initial_value));
  }
  ASSIGN_OR_RETURN(auto plan, layers::Plan::Compile(network.graph, wanted, *store, tuner,
                                                    {.exact = true,
                                                     .threads = threads,
                                                     .ranks = {},
                                                     .constant_parameters = true,
                                                     .choices = {}}));

  float* const input = static_cast<float*>(plan->input(network.images));
  for (const std::vector<float>& image : images) {
    std::vector<std::vector<float>> references(result.size());
    std::vector<double> norms(result.size());
    for (int64_t first = 0; first < kShifts; first += kBatch) {
      for (int64_t k = 0; k < kBatch; ++k) {
        ShiftImage(image.data(), 3, kSize, kSize, (first + k) / kSize, (first + k) % kSize,
                   input + k * 3 * kPixels);
      }
      plan->Run(0);
      for (size_t l = 0; l < result.size(); ++l) {
        const float* const values = plan->result(result[l].tensor);
        const int64_t n = result[l].elements();
        if (first == 0) {
          references[l].assign(values, values + n);
          norms[l] = std::sqrt(SquaredDistance(values, std::vector<float>(n).data(), n));
        }
        ParallelFor(kBatch, [&](int64_t k) {
          result[l].by_shift[first + k] +=
              ErrorOf(result[l], references[l].data(), norms[l], values + k * n,
                      (first + k) / kSize, (first + k) % kSize) /
              images.size();
        });
      }
    }
  }
  return result;
}

void ShowStudy(const std::string& name, const std::vector<LayerErrors>& study, Section& section) {
  section.Heading(absl::StrCat(EscapeHtml(name), ", layer by layer"));
  std::vector<std::vector<std::string>> rows;
  Plot plot{.title = absl::StrCat("Equivariance error by layer: ", name),
            .x_label = "layer",
            .y_label = "relative error",
            .width = 560};
  plot.series = {{.name = "mean over shifts", .mark = Mark::kLinePoints},
                 {.name = "largest at multiples of the step", .mark = Mark::kLinePoints}};
  for (size_t l = 0; l < study.size(); ++l) {
    const LayerErrors& layer = study[l];
    rows.push_back({EscapeHtml(layer.name), EscapeHtml(layer.kind),
                    layer.step() > 0      ? absl::StrCat(layer.step())
                    : layer.height() == 1 ? "invariance"
                                          : "none",
                    Short(layer.Mean()), Short(layer.Largest(true)), Short(layer.Largest())});
    plot.series[0].x.push_back(l + 1), plot.series[0].y.push_back(layer.Mean());
    plot.series[1].x.push_back(l + 1), plot.series[1].y.push_back(layer.Largest(true));
  }
  plot.y_low = 0;
  plot.y_high = std::max({1e-6, *std::max_element(plot.series[0].y.begin(), plot.series[0].y.end()),
                          *std::max_element(plot.series[1].y.begin(), plot.series[1].y.end())}) *
                1.05;
  section.BeginRow();
  section.Figure(ToSvg(plot), "Of the map from the image to each layer's result, in order.");
  const auto& last = study.back();
  section.Figure(ToSvg(HeatMap{.title = absl::StrCat(name, ": error of the result by shift"),
                               .x_label = "shift right",
                               .y_label = "shift down",
                               .rows = kSize,
                               .columns = kSize,
                               .values = last.by_shift,
                               .x_high = kSize - 1,
                               .y_high = kSize - 1,
                               .high = std::max(1e-6, last.Largest())}),
                 "The prediction's relative change for each shift of the image.");
  section.EndRow();
  const std::string table_note = study.size() > 24 ? "details" : "";
  if (!table_note.empty())
    section.Raw(absl::StrCat("<details><summary>The ", study.size(), " layers</summary>\n"));
  section.Table({"layer", "kind", "input pixels a step", "mean error",
                 "largest at multiples of the step", "largest"},
                rows);
  if (!table_note.empty()) section.Raw("</details>\n");
}

// ---- Images for the experiment, and training on them ----

struct Images {
  data::Dataset train = {}, test = {};
  data::Normalisation normalisation;
  std::string source;
};

absl::StatusOr<Images> ReadImages(const std::string& data_dir) {
  auto train = data::LoadDataset("cifar10", data_dir, data::Split::kTrain),
       test = data::LoadDataset("cifar10", data_dir, data::Split::kTest);
  Images images{.normalisation = data::kCifar10Normalisation, .source = "CIFAR-10"};
  if (!train.ok() || !test.ok()) {
    train = data::LoadDataset("sample", "", data::Split::kTrain);
    test = data::LoadDataset("sample", "", data::Split::kTest);
    images.source = "the sample of CIFAR-10";
  }
  ASSIGN_OR_RETURN(images.train, std::move(train));
  ASSIGN_OR_RETURN(images.test, std::move(test));
  return images;
}

void Normalise(const uint8_t* bytes, const data::Normalisation& n, float* image) {
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t i = 0; i < kPixels; ++i) {
      image[c * kPixels + i] =
          static_cast<float>((bytes[c * kPixels + i] / 255.0 - n.mean[c]) / n.deviation[c]);
    }
  }
}

// Returns the test accuracy at the shifts (d, d), d = 0 .. 31, of a network trained on the first
// images of the training set (at most 1600), on at most 500 test images.
absl::StatusOr<std::vector<double>> AccuracyUnderShifts(layers::Network text, const Images& images,
                                                        int64_t epochs, int threads,
                                                        layers::Tuner* tuner) {
  const int64_t batch = kBatch, used = std::min<int64_t>(images.train.size(), 1600) / batch * batch;
  text.mutable_train()->set_batch_size(batch);
  const training::StepOptions options{.exact = true, .threads = threads, .choices = {}};
  text.mutable_train()->set_epochs(static_cast<double>(epochs));
  ASSIGN_OR_RETURN(auto network, training::Resolve(text, {.images = used}));
  const optim::RunLength run = network.run;
  ASSIGN_OR_RETURN(auto step, training::TrainingStep::Create(std::move(network), options, tuner));
  RETURN_IF_ERROR(step->Initialise(nullptr, images.normalisation));
  std::vector<int64_t> order(used);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 generator(1);
  for (int64_t s = 0; s < run.total_steps; ++s) {
    RETURN_IF_ERROR(step->Prepare(s));
    if (s % run.steps_per_epoch == 0) std::shuffle(order.begin(), order.end(), generator);
    for (int64_t k = 0; k < batch; ++k) {
      const int64_t image = order[s % run.steps_per_epoch * batch + k];
      Normalise(images.train.image(image), images.normalisation, step->images() + k * 3 * kPixels);
      step->labels()[k] = images.train.labels[image];
    }
    if (!step->Run(s).finite)
      return absl::InternalError(absl::StrCat("training ", text.name(), " diverged at step ", s));
  }
  ASSIGN_OR_RETURN(auto evaluator,
                   training::Evaluator::Create(text, 10, batch, options, step->store(), *tuner));
  const int64_t tested = std::min<int64_t>(images.test.size(), 500) / batch * batch;
  std::vector<double> accuracy(kSize);
  std::vector<float> image(3 * kPixels);
  for (int64_t d = 0; d < kSize; ++d) {
    int64_t right = 0;
    for (int64_t first = 0; first < tested; first += batch) {
      for (int64_t k = 0; k < batch; ++k) {
        Normalise(images.test.image(first + k), images.normalisation, image.data());
        ShiftImage(image.data(), 3, kSize, kSize, d, d, evaluator->images() + k * 3 * kPixels);
      }
      const float* const scores = evaluator->Run();
      for (int64_t k = 0; k < batch; ++k) {
        const float* const row = scores + k * 10;
        right += std::max_element(row, row + 10) - row == images.test.labels[first + k];
      }
    }
    accuracy[d] = static_cast<double>(right) / tested;
  }
  return accuracy;
}

double Spread(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *high - *low;
}

absl::StatusOr<Claim> AccuracyClaim(const EquivariancePremises& premises,
                                    const layers::Network& circular, const Images& images,
                                    layers::Tuner* tuner, Section& section) {
  Claim claim{
      "equivariance.accuracy",
      {},
      "shifting the test images leaves a circular network's accuracy as it was, and changes "
      "convnet's",
      "",
      absl::StrCat("measured: both trained on images of ", images.source, ", tested at 32 shifts")};
  ASSIGN_OR_RETURN(auto convnet, layers::FindNetwork("convnet"));
  ASSIGN_OR_RETURN(
      const auto of_circular,
      AccuracyUnderShifts(circular, images, premises.training_epochs, premises.threads, tuner));
  ASSIGN_OR_RETURN(
      const auto of_convnet,
      AccuracyUnderShifts(convnet, images, premises.training_epochs, premises.threads, tuner));
  Plot plot{.title = "Test accuracy of shifted images",
            .x_label = "shift down and right, pixels",
            .y_label = "test accuracy",
            .width = 560};
  plot.series = {{.name = "circular", .y = of_circular, .mark = Mark::kLinePoints},
                 {.name = "convnet", .y = of_convnet, .mark = Mark::kLinePoints}};
  for (Series& series : plot.series) {
    for (int64_t d = 0; d < kSize; ++d) series.x.push_back(static_cast<double>(d));
  }
  section.Heading("Test accuracy under shifts");
  section.Figure(ToSvg(plot),
                 "Both networks were trained shortly on few images: what matters is how the lines "
                 "run, not how high.");
  section.Table({"", "before shifting", "mean after", "least", "most"}, [&] {
    std::vector<std::vector<std::string>> rows;
    for (const Series& s : plot.series) {
      rows.push_back({s.name, Short(s.y[0]),
                      Short(std::accumulate(s.y.begin() + 1, s.y.end(), 0.0) / (kSize - 1)),
                      Short(*std::min_element(s.y.begin(), s.y.end())),
                      Short(*std::max_element(s.y.begin(), s.y.end()))});
    }
    return rows;
  }());
  claim.numbers = {{"circular: accuracy unshifted", of_circular[0]},
                   {"circular: most minus least", Spread(of_circular)},
                   {"convnet: accuracy unshifted", of_convnet[0]},
                   {"convnet: most minus least", Spread(of_convnet)}};
  // Rounding may swap two nearly equal scores, so a small change of accuracy is allowed.
  claim.verdict = HoldsIf(Spread(of_circular) <= 0.01 && Spread(of_convnet) > 0.03);
  return claim;
}

const LayerErrors* Find(const std::vector<LayerErrors>& study, absl::string_view name) {
  for (const LayerErrors& layer : study) {
    if (layer.name == name) return &layer;
  }
  return nullptr;
}

Claim CircularClaim(const std::vector<LayerErrors>& study) {
  Claim claim{
      "equivariance.circular",
      {},
      "layers of circular stride-1 convolutions and pointwise operations commute with every shift",
      "F(S x) = S F(x)",
      "measured on a network of them, all 1024 shifts, in single precision"};
  double worst = 0;
  int exact = 0;
  for (const LayerErrors& layer : study) {
    worst = std::max(worst, layer.Largest());
    exact += layer.Largest() == 0;
  }
  claim.numbers = {{"largest relative error", worst},
                   {"layers", static_cast<double>(study.size())},
                   {"layers with an error of exactly 0", static_cast<double>(exact)}};
  claim.verdict = HoldsIf(worst < kRounding);
  return claim;
}

Claim AliasingClaim(const std::vector<LayerErrors>& study) {
  Claim claim{
      "equivariance.aliasing",
      {},
      "after steps of 2 and 2 * 2 pixels layers commute with shifts by multiples of 2 and of 4, "
      "and with no others",
      "",
      "measured on a circular network with a pool and a strided convolution, all 1024 shifts"};
  bool holds = true;
  for (const char* name : {"pool1", "conv2"}) {
    const LayerErrors* const layer = Find(study, name);
    if (layer == nullptr) continue;
    claim.numbers.push_back({absl::StrCat(name, ": largest error at multiples of ", layer->step()),
                             layer->Largest(true)});
    claim.numbers.push_back({absl::StrCat(name, ": least error elsewhere"), layer->Least(false)});
    holds = holds && layer->Largest(true) < kRounding && layer->Least(false) > 1e-2;
  }
  claim.verdict = HoldsIf(holds && claim.numbers.size() == 4);
  return claim;
}

Claim PaddingClaim(const std::vector<LayerErrors>& convnet) {
  Claim claim{"equivariance.padding",
              {},
              "zero padding breaks equivariance: convnet's first convolution is off for every "
              "shift, by what happens at the border",
              "",
              "measured, all 1024 shifts"};
  const LayerErrors* const layer = Find(convnet, "conv1");
  if (layer == nullptr) return claim;
  claim.numbers = {{"least relative error", layer->Least(true)},
                   {"mean relative error", layer->Mean()},
                   {"largest relative error", layer->Largest()}};
  claim.verdict = HoldsIf(layer->Least(true) > 1e-3);
  return claim;
}

}  // namespace

absl::StatusOr<Report> RunEquivariance(const EquivariancePremises& premises) {
  Report report{"equivariance", "Question 5 (c): what this says about architectures"};
  ASSIGN_OR_RETURN(const auto images, ReadImages(premises.data_dir));
  std::vector<std::vector<float>> chosen(premises.images, std::vector<float>(3 * kPixels));
  for (int64_t i = 0; i < premises.images; ++i)
    Normalise(images.test.image(i), images.normalisation, chosen[i].data());
  ASSIGN_OR_RETURN(
      const auto circular,
      layers::ParseNetwork(premises.circular_text.empty() ? kCircularText : premises.circular_text,
                           "circular"));
  ASSIGN_OR_RETURN(const auto strided, layers::ParseNetwork(kStridedText, "strided"));

  Section section;
  section.Text(absl::StrCat(
      "A layer F commutes with shifts if shifting the image shifts its result: ",
      InlineMath("F(S x) = S F(x)"), ". Below, images of ", images.source,
      " are moved, round the borders, by each of 32 x 32 shifts, and ",
      InlineMath("\\Vert F(S x) - S' F(x) \\Vert / \\Vert F(x) \\Vert"),
      " is taken for every layer F of networks at initialisation, where ", InlineMath("S'"),
      " is the shift at the layer's resolution. Circular convolutions of stride 1 and pointwise "
      "layers have no error, zero padding one at the border, "
      "steps of more than a pixel one at shifts that are no multiples."));
  training::CachedTuner tuner(premises.threads, TerminalWatch());
  std::vector<std::pair<std::string, layers::Network>> networks = {
      {"circular", circular}, {"circular with strides", strided}};
  for (const std::string& name : premises.networks) {
    ASSIGN_OR_RETURN(auto network, layers::FindNetwork(name));
    networks.push_back({name, std::move(network)});
  }
  Claim compared{
      "equivariance.networks",
      {},
      "of the networks compared, the circular one alone gives a shifted image the same result",
      "",
      "measured, all 1024 shifts"};
  bool alone = true;
  for (const auto& [name, network] : networks) {
    const auto study = StudyNetwork(network, chosen, premises.threads, *tuner.get());
    if (!study.ok())
      return absl::Status(study.status().code(),
                          absl::StrCat(name, ": ", study.status().message()));
    ShowStudy(name, *study, section);
    if (name == "circular") report.claims.push_back(CircularClaim(*study));
    if (name == "circular with strides") report.claims.push_back(AliasingClaim(*study));
    if (name == "convnet") report.claims.push_back(PaddingClaim(*study));
    compared.numbers.push_back(
        {absl::StrCat(name, ": mean relative error of the result"), study->back().Mean()});
    alone = alone && (study->back().Mean() < kRounding) == (name == "circular");
  }
  compared.verdict = HoldsIf(alone);
  report.claims.push_back(compared);
  if (premises.training_epochs > 0) {
    ASSIGN_OR_RETURN(const auto accuracy,
                     AccuracyClaim(premises, circular, images, tuner.get(), section));
    report.claims.push_back(accuracy);
  }
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
