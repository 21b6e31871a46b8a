#include "training/report/run_record.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "data/file.h"
#include "data/image_file.h"
#include "layers/network/network_text.h"
#include "training/metrics.h"
#include "training/report/batch_picture.h"

namespace cotangent::training::report {
namespace {

// The least time from one writing of the page to the next, except at evaluations and at the end.
constexpr std::chrono::seconds kWritePageEvery(5);

// Returns the TensorBoard tag for a key of metrics.jsonl: "KIND/NAME" if the key is NAME_KIND and
// KIND is the loss or a score ("loss/train" for "train_loss"), so that all losses are in one group;
// for other keys "run/KEY".
std::string TagOf(const std::string& key) {
  for (const char* kind : {"loss", "accuracy", "mean_average_precision", "r2"}) {
    const std::string ending = absl::StrCat("_", kind);
    if (absl::EndsWith(key, ending)) return absl::StrCat(kind, "/", absl::StripSuffix(key, ending));
  }
  return absl::StrCat("run/", key);
}

std::string DurationText(double seconds) {
  const int64_t whole = std::isfinite(seconds) ? std::llround(std::max(0.0, seconds)) : 0;
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string StateText(const RunNumbers& numbers) {
  return absl::StrFormat("step %d, epoch %.3g of %.3g, %s left", numbers.step, numbers.epoch,
                         numbers.epochs, DurationText(numbers.seconds_left));
}

absl::Span<const float> Values(const layers::ParameterStore::Slot& slot, const float* values) {
  return {values + slot.offset, static_cast<size_t>(slot.size)};
}

// Draws the kernels of the first parameter with four dimensions, a convolution's weight, as PNG.
// Returns "" if there is none or it cannot be drawn.
std::string DrawFirstFilters(const layers::ParameterStore& store, const float* values) {
  for (const layers::ParameterStore::Slot& slot : store.parameters()) {
    if (slot.shape.rank() != 4) continue;
    const Tiles tiles = DrawFilters(Values(slot, values), slot.shape[0], slot.shape[1],
                                    slot.shape[2], slot.shape[3]);
    return data::EncodePng({tiles.width, tiles.height, tiles.rgb}).value_or("");
  }
  return "";
}

}  // namespace

std::vector<LayerLine> LayersOf(const layers::BuiltNetwork& network) {
  std::vector<LayerLine> lines;
  std::map<std::string, std::set<std::string>> feeds;
  std::set<std::string> known = {"input"};
  for (const layers::LayerRow& row : network.layers) known.insert(row.name);
  const layers::Graph& graph = network.graph;
  // Returns the name of the layer that computes tensor t: "input" for the images, "" if the page
  // does not show that layer.
  const auto owner = [&](layers::TensorId t) -> std::string {
    if (t == network.images) return "input";
    const std::string& name = graph.producer(t).name;
    return known.count(name) > 0 ? name : "";
  };
  for (const layers::Node& node : graph.nodes()) {
    if (node.outputs.empty()) continue;
    const std::string to = owner(node.outputs[0]);
    for (const layers::TensorId input : node.inputs) {
      const std::string from = owner(input);
      if (!from.empty() && !to.empty() && from != to) feeds[to].insert(from);
    }
  }
  const layers::Shape& images = graph.shape(network.images);
  lines.push_back(
      {"input", "images", layers::Shape(images.dims().subspan(1)).ToString(), 0, 0, {}});
  for (const layers::LayerRow& row : network.layers) {
    const std::set<std::string>& inputs = feeds[row.name];
    lines.push_back({row.name,
                     row.kind,
                     layers::Shape(row.output.dims().subspan(1)).ToString(),
                     row.parameters,
                     row.multiply_adds,
                     {inputs.begin(), inputs.end()}});
  }
  return lines;
}

void RunRecord::Note(const absl::Status& status) {
  if (!status.ok() && !failed_)
    options_.say(absl::StrCat("the run's record: ", status.message(), "; training goes on"));
  failed_ = !status.ok();
}

void RunRecord::Begins(const RunBeginning& beginning) {
  run_ = beginning;
  metrics_ = data::ReadFile(options_.metrics).value_or("");
  page_.network = run_.network->name();
  page_.state = "the first steps are being made";
  page_.recipe = layers::NetworkText(*run_.network);
  page_.layers = LayersOf(run_.step->network());
  if (!options_.event_directory.empty()) {
    absl::StatusOr<std::unique_ptr<EventFile>> events = EventFile::Create(options_.event_directory);
    Note(events.status());
    if (events.ok()) events_ = *std::move(events);
  }
  if (events_ != nullptr) {
    std::vector<PictureNode> nodes;
    const auto boxed = [](std::string name) {
      std::replace(name.begin(), name.end(), '.', '/');
      return name;
    };
    for (const LayerLine& layer : page_.layers) {
      nodes.push_back({boxed(layer.name), layer.kind, {}});
      for (const std::string& input : layer.inputs) nodes.back().inputs.push_back(boxed(input));
    }
    Note(events_->Graph(nodes));
  }
  WritePage();
}

void RunRecord::RecordGradients(int64_t step) {
  const layers::ParameterStore& store = run_.step->store();
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < page_.gradient_norms.size(); ++i) place[page_.gradient_norms[i].first] = i;
  for (const layers::ParameterStore::Slot& slot : store.parameters()) {
    double squares = 0;
    for (const float g : Values(slot, run_.step->store().gradients())) squares += double{g} * g;
    if (place.count(slot.name) == 0) {
      place[slot.name] = page_.gradient_norms.size();
      page_.gradient_norms.push_back({slot.name, {}});
    }
    Curve& curve = page_.gradient_norms[place[slot.name]].second;
    curve.steps.push_back(static_cast<double>(step));
    curve.values.push_back(std::sqrt(squares));
  }
}

void RunRecord::WriteEvents(int64_t step, const std::string& line, bool is_evaluation) {
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [key, value] : ParseMetricsLine(line).value_or(MetricsLine())) {
    if (key != "step") scalars.push_back({TagOf(key), value});
  }
  if (!is_evaluation) {
    for (const auto& [name, curve] : page_.gradient_norms)
      scalars.push_back({absl::StrCat("gradient_norm/", name), curve.values.back()});
  }
  Note(events_->Scalars(step, scalars));
  layers::ParameterStore& store = run_.step->store();
  if (!is_evaluation && !has_batch_) {
    has_batch_ = true;
    const layers::Shape& shape = run_.step->network().graph.shape(run_.step->network().images);
    const data::Image picture = DrawBatch(run_.step->PlainImages().data(), shape[0], shape[1],
                                          shape[2], shape[3], run_.normalisation);
    const absl::StatusOr<std::string> png = data::EncodePng(picture);
    Note(png.ok() ? events_->Image(step, "batch", picture.width, picture.height, *png)
                  : png.status());
  }
  if (is_evaluation) {
    std::vector<std::pair<std::string, Histogram>> histograms;
    for (const layers::ParameterStore::Slot& slot : store.parameters()) {
      histograms.push_back(
          {absl::StrCat("weights/", slot.name), HistogramOf(Values(slot, store.values()))});
      histograms.push_back(
          {absl::StrCat("gradients/", slot.name), HistogramOf(Values(slot, store.gradients()))});
    }
    Note(events_->Histograms(step, histograms));
  }
}

void RunRecord::WritePage() {
  if (options_.page.empty()) return;
  page_.curves = ParseMetrics(metrics_);
  // After the end of the run the network no longer exists; the page keeps the filters drawn last.
  if (!page_.finished)
    page_.filters_png = DrawFirstFilters(run_.step->store(), run_.step->store().values());
  Note(data::WriteFileAtomically(options_.page, ToHtml(page_)));
  page_written_ = std::chrono::steady_clock::now();
}

void RunRecord::AtMetrics(const RunNumbers& numbers, const std::string& line, bool is_evaluation) {
  absl::StrAppend(&metrics_, line, "\n");
  if (!is_evaluation) RecordGradients(numbers.step);
  if (events_ != nullptr) WriteEvents(numbers.step, line, is_evaluation);
  page_.state = StateText(numbers);
  if (is_evaluation || std::chrono::steady_clock::now() - page_written_ >= kWritePageEvery)
    WritePage();
}

void RunRecord::Ended(const std::string& how) {
  if (run_.step == nullptr) return;
  page_.state = how;
  page_.finished = true;
  WritePage();
}

}  // namespace cotangent::training::report
