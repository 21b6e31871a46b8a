#include "training/step.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/graph/vjp.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/loss.h"
#include "layers/plan/buffer.h"
#include "tensor/layout.h"
#include "training/memory.h"

namespace cotangent::training {
namespace {

using layers::TensorId;

// Multiply-adds per second that one thread computes in f32 matrix products: an estimate that is
// right within a factor of two on slow and fast processors. ShareOutMatrices() uses it to decide
// whether dividing the work among ranks is worthwhile.
constexpr double kMatrixMultiplyAdds = 4e10;

// FindNonFinite() computes a batch again and again, to find an infinite number or NaN; at most this
// many intermediate results are examined each time.
constexpr size_t kTensorsAtATime = 8;

bool AllFinite(const float* values, int64_t count) {
  return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

layers::Format FormatOf(data::BatchFormat format) {
  switch (format) {
    case data::BatchFormat::kF32Nchw:
      return {tensor::Layout::kNchw, ElementType::kF32};
    case data::BatchFormat::kF32Nhwc:
      return {tensor::Layout::kNhwc, ElementType::kF32};
    case data::BatchFormat::kBf16Nchw:
      return {tensor::Layout::kNchw, ElementType::kBf16};
    case data::BatchFormat::kBf16Nhwc:
      return {tensor::Layout::kNhwc, ElementType::kBf16};
  }
  return {};
}

bool IsComputed(const layers::Node& node) {
  return !node.op->is_leaf() && node.op != layers::kConstant;
}

// Returns the first output of each node that t is computed from, in the order in which the nodes
// are computed, without t's own node, leaves (inputs, parameters and states) and constants.
std::vector<TensorId> ComputedFrom(const layers::Graph& graph, TensorId t) {
  const int own = graph.tensor(t).node;
  std::vector<bool> needed(own + 1, false);
  needed[own] = true;
  for (int i = own; i >= 0; --i) {
    if (!needed[i]) continue;
    for (TensorId input : graph.node(i).inputs) needed[graph.tensor(input).node] = true;
  }
  std::vector<TensorId> all;
  for (int i = 0; i < own; ++i) {
    if (needed[i] && IsComputed(graph.node(i))) all.push_back(graph.node(i).outputs[0]);
  }
  return all;
}

// Returns an error if the input and output of the largest convolution (the one with most numbers in
// both together) do not fit in memory. The memory that the whole plan (the compiled step) takes is
// checked before it is allocated, but only after the plan's convolutions were measured:
// convolutions too large for memory must be found before they are measured.
absl::Status CheckMemoryForLargestConvolution(const layers::Graph& graph, ElementType precision) {
  int64_t most = 0;
  std::string layer;
  for (const layers::Node& node : graph.nodes()) {
    if (node.op != layers::kConvolution) continue;
    const int64_t elements = graph.tensor(node.inputs[0]).shape.NumElements() +
                             graph.tensor(node.outputs[0]).shape.NumElements();
    if (elements <= most) continue;
    most = elements;
    layer = node.name;
  }
  return CheckMemoryAvailable(
      most * Bytes(precision),
      absl::StrCat("layer '", layer, "' with its input and result of a whole batch"));
}

// Returns a text such as "0+640 640+128": the begin and size of each stretch (range of consecutive
// gradients), counted in floats.
std::string Text(const std::vector<distributed::Stretch>& stretches) {
  return absl::StrJoin(stretches, " ", [](std::string* text, const distributed::Stretch& stretch) {
    absl::StrAppend(text, stretch.begin, "+", stretch.size);
  });
}

// Computes a convolution's initial filters by whitening, from the first images of the data set (as
// many as the initialiser's field `images` says), and writes them to `filters`.
absl::Status WhitenFrom(const data::Dataset& dataset, const data::Normalisation& normalisation,
                        const layers::ParameterSpec& parameter, float* filters) {
  const auto& whiten = parameter.initialiser.whiten();
  const int64_t count = std::min<int64_t>(whiten.images(), dataset.size());
  const data::ImageWriter writer(dataset.channels, dataset.height, dataset.width, normalisation,
                                 data::BatchFormat::kF32Nchw);
  const int64_t floats = dataset.image_bytes();
  std::vector<float> images(count * floats);
  std::vector<uint8_t> read;
  for (int64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const uint8_t* pixels, dataset.Pixels(i, read));
    writer.Write(pixels, {}, images.data() + i * floats);
  }
  if (absl::Status status = layers::Whiten(
          images, {count, dataset.channels, dataset.height, dataset.width}, whiten.epsilon(),
          parameter.shape, absl::MakeSpan(filters, parameter.shape.NumElements()));
      !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(parameter.name, ": ", status.message()));
  }
  return absl::OkStatus();
}

}  // namespace

layers::PlanOptions TrainingStep::OptionsOfPlan() const {
  layers::PlanOptions options;
  options.precision = options_.precision;
  options.exact = options_.exact;
  options.threads = options_.threads;
  options.seed = text().train().seed();
  options.inputs_as_read = options_.images_as_read;
  distributed::Communicator& ranks = *options_.ranks;
  options.ranks = {ranks.ranks(), ranks.rank(),
                   [&ranks](absl::Span<double> values) { ranks.Sum(values); }};
  options.choices = options_.choices;
  return options;
}

int64_t TrainingStep::FixedBytes() const {
  const int64_t floats = 2 * store_->parameter_floats() + 2 * store_->state_floats() +
                         static_cast<int64_t>(optimizer_->State().size()) +
                         (parts() > 1 ? store_->parameter_floats() : 0);
  return floats * int64_t{sizeof(float)};
}

absl::StatusOr<std::unique_ptr<TrainingStep>> TrainingStep::Create(ResolvedNetwork network,
                                                                   const StepOptions& options,
                                                                   layers::Tuner* tuner) {
  auto step = std::unique_ptr<TrainingStep>(new TrainingStep(std::move(network), options, tuner));
  const layers::BuiltNetwork& built = step->network_.built;
  RETURN_IF_ERROR(CheckMemoryForLargestConvolution(built.graph, options.precision));
  ASSIGN_OR_RETURN(step->store_, layers::ParameterStore::Create(built.graph));
  absl::flat_hash_map<std::string, const layers::ParameterSpec*> specs;
  for (const layers::ParameterSpec& spec : built.parameters) specs[spec.name] = &spec;
  for (const layers::ParameterStore::Slot& slot : step->store_->parameters()) {
    step->slices_.push_back({slot.name,
                             {slot.shape.begin(), slot.shape.end()},
                             slot.offset,
                             slot.size,
                             specs.at(slot.name)->trainable});
  }
  absl::StatusOr<std::unique_ptr<optim::Optimizer>> optimizer = optim::Optimizer::Create(
      step->network_.text.train().optimizer(), step->slices_, step->network_.run,
      /*bf16=*/options.precision == ElementType::kBf16);
  if (!optimizer.ok())
    return absl::Status(optimizer.status().code(),
                        absl::StrCat("train.optimizer: ", optimizer.status().message()));
  step->optimizer_ = *std::move(optimizer);
  step->states_before_.resize(step->store_->state_floats());
  step->averaged_.resize(1 + step->store_->state_floats());
  return step;
}

// The choices are sent as text with a line "operation TAB choice" for each operation, where the
// choice is the name of the algorithm that computes the operation.
void ShareChoices(distributed::Communicator& ranks,
                  absl::flat_hash_map<std::string, std::string>& choices) {
  std::string text;
  for (const auto& [operation, choice] : choices)
    absl::StrAppend(&text, operation, "\t", choice, "\n");
  ranks.Broadcast(text);
  choices.clear();
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> entry =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    choices.insert(entry);
  }
}

void InitialiseStore(const layers::BuiltNetwork& network, uint64_t seed,
                     layers::ParameterStore& store) {
  for (const layers::ParameterSpec& parameter : network.parameters) {
    const layers::ParameterStore::Slot& slot = *store.FindParameter(parameter.name);
    layers::Initialize(parameter, seed, absl::MakeSpan(store.values() + slot.offset, slot.size));
  }
  for (const layers::StateSpec& state : network.states) {
    const layers::ParameterStore::Slot& slot = *store.FindState(state.name);
    std::fill_n(store.state_values() + slot.offset, slot.size,
                static_cast<float>(state.initial_value));
  }
}

absl::Status TrainingStep::Initialise(const data::Dataset* images,
                                      const data::Normalisation& normalisation) {
  InitialiseStore(network_.built, text().train().seed(), *store_);
  for (const layers::ParameterSpec& parameter : network_.built.parameters) {
    if (images == nullptr || !parameter.initialiser.has_whiten()) continue;
    float* const values = store_->values() + store_->FindParameter(parameter.name)->offset;
    RETURN_IF_ERROR(WhitenFrom(*images, normalisation, parameter, values));
  }
  optimizer_->Initialise(store_->values());
  return absl::OkStatus();
}

absl::Status TrainingStep::Prepare(int64_t step) {
  if (plan_ != nullptr && step >= prepared_from_ && step < prepared_until_) return absl::OkStatus();
  distributed::Communicator& ranks = *options_.ranks;
  RETURN_IF_ERROR(distributed::AtRankZero(ranks, [&] { return Compile(step); }));
  ShareChoices(ranks, options_.choices);
  const absl::Status agreed =
      distributed::Agree(ranks, ranks.rank() == 0 ? absl::OkStatus() : Compile(step));
  return agreed.ok() && ranks.ranks() > 1 ? PlanBuckets() : agreed;
}

std::vector<distributed::GradientPlace> TrainingStep::GradientPlaces() const {
  std::vector<distributed::GradientPlace> places;
  for (const auto& [gradient, slice] : gradients_) {
    const optim::ParameterSlice& place = slices_[slice];
    places.push_back({place.offset, place.size, plan_->LastOperationOf(gradient)});
  }
  return places;
}

// Every rank (process that takes part in the training) computes the buckets, the pieces in which
// gradients are sent, from its own plan (its compiled step) and from the speed of the link between
// ranks, which is measured at the first call only. Ranks whose gradients are computed in different
// orders would get different buckets; then an error is returned.
absl::Status TrainingStep::PlanBuckets() {
  distributed::Communicator& ranks = *options_.ranks;
  if (!link_.has_value()) {
    link_ = distributed::MeasureLink(ranks);
    ShareOutMatrices();
  }
  buckets_ = distributed::MakeBuckets(GradientPlaces(), distributed::BucketBytes(*link_),
                                      layers::kFloatAlignment - 1);
  std::vector<distributed::Stretch> stretches;
  for (const distributed::Bucket& bucket : buckets_) stretches.push_back(bucket.stretch);
  const distributed::Facts facts = {{"the order of the gradients", Text(stretches)}};
  RETURN_IF_ERROR(distributed::CheckSame(ranks, facts));
  means_.reset();
  means_ = ranks.MakeMeans(store_->gradients(), stretches, options_.sent_gradients);
  plan_->CallAfterOperations([this](size_t operation) { BeginBuckets(operation); });
  return absl::OkStatus();
}

// Some optimizers compute with whole matrices. For these, lets each rank compute only its share of
// the matrices and send the results to the others, if rank 0 finds that faster than computing all
// matrices on every rank.
void TrainingStep::ShareOutMatrices() {
  distributed::Communicator& ranks = *options_.ranks;
  const optim::Optimizer::MatrixWork work = optimizer_->WorkOnMatrices();
  const double saved =
      work.multiply_adds * (1 - 1.0 / ranks.ranks()) / (kMatrixMultiplyAdds * options_.threads);
  bool is_worthwhile =
      saved > link_->seconds + static_cast<double>(work.bytes) / link_->bytes_per_second;
  distributed::BroadcastValue(ranks, is_worthwhile);
  if (!is_worthwhile) return;
  optimizer_->ShareOut(
      {ranks.ranks(), ranks.rank(),
       [&ranks](absl::Span<float> numbers, int from) { ranks.BeginBroadcast(numbers, from); },
       [&ranks] { ranks.FinishBroadcasts(); }});
}

void TrainingStep::CompleteState() {
  optimizer_->GatherState();
  if (means_ != nullptr) means_->Forget();
}

void TrainingStep::BeginBuckets(size_t operation) {
  if (!is_last_part_) return;
  for (; next_bucket_ < buckets_.size() && buckets_[next_bucket_].operation <= operation;
       ++next_bucket_) {
    const auto [begin, size] = buckets_[next_bucket_].stretch;
    AddEarlierParts(begin, size);
    means_->Begin(next_bucket_);
  }
}

std::vector<TrainingStep::BucketTimes> TrainingStep::LastBuckets() const {
  std::vector<BucketTimes> times;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    times.push_back(
        {buckets_[i].stretch.size * Bytes(options_.sent_gradients), means_->records()[i]});
  }
  return times;
}

std::string TrainingStep::DescribeBuckets() const {
  if (means_ == nullptr) return "";
  int64_t floats = 0;
  for (const distributed::Bucket& bucket : buckets_) floats += bucket.stretch.size;
  const double megabytes = static_cast<double>(floats * Bytes(options_.sent_gradients)) * 1e-6;
  return absl::StrFormat(
      "%d ranks, %.0f us and %.2f GB/s between them: %.1f MB of gradients (%s) "
      "in %d buckets",
      options_.ranks->ranks(), link_->seconds * 1e6, link_->bytes_per_second * 1e-9, megabytes,
      Name(options_.sent_gradients), buckets_.size());
}

absl::Status TrainingStep::Compile(int64_t step) {
  plan_.reset();  // frees the memory, which the next plan may need
  gradients_.clear();
  compiled_ = std::make_unique<layers::BuiltNetwork>(network_.built);

  absl::flat_hash_map<std::string, TensorId> parameters;  // by name
  for (TensorId t : compiled_->graph.parameters()) parameters[compiled_->graph.tensor(t).name] = t;
  std::vector<TensorId> trained;
  std::vector<size_t> slices;  // for each of `trained`: its index in slices_
  int64_t until = optim::Optimizer::kNever;
  for (size_t i = 0; i < slices_.size(); ++i) {
    const int64_t freeze = optimizer_->FreezeStep(static_cast<int64_t>(i));
    if (freeze <= step) continue;
    until = std::min(until, freeze);
    trained.push_back(parameters.at(slices_[i].name));
    slices.push_back(i);
  }
  ASSIGN_OR_RETURN(std::vector<TensorId> gradients,
                   layers::Gradient(compiled_->graph, compiled_->loss, trained));
  std::vector<layers::PlanResult> results = {{compiled_->loss}};
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i] == layers::kNoTensor) continue;
    results.push_back({gradients[i], store_->gradients() + slices_[slices[i]].offset});
    gradients_.push_back({gradients[i], slices[i]});
  }
  ASSIGN_OR_RETURN(const int64_t left, MemoryLeft(text(), FixedBytes()));
  layers::PlanOptions options = OptionsOfPlan();
  options.recompute = !text().train().has_recompute() ? layers::Recompute::kIfCheap
                      : text().train().recompute()    ? layers::Recompute::kIfSmaller
                                                      : layers::Recompute::kNever;
  options.most_arena_bytes = left;
  absl::StatusOr<std::unique_ptr<layers::Plan>> plan =
      layers::Plan::Compile(compiled_->graph, results, *store_, *tuner_, options);
  if (absl::IsOutOfRange(plan.status())) return MemoryError(text(), FixedBytes(), plan.status());
  ASSIGN_OR_RETURN(plan_, std::move(plan));
  prepared_from_ = step, prepared_until_ = until;
  for (const auto& [operation, choice] : plan_->choices()) options_.choices[operation] = choice;
  return absl::OkStatus();
}

data::BatchFormat TrainingStep::image_format() const {
  const layers::Format format = plan_->input_format(compiled_->images);
  const bool is_nhwc = format.layout == tensor::Layout::kNhwc;
  if (format.type == ElementType::kBf16)
    return is_nhwc ? data::BatchFormat::kBf16Nhwc : data::BatchFormat::kBf16Nchw;
  return is_nhwc ? data::BatchFormat::kF32Nhwc : data::BatchFormat::kF32Nchw;
}

void TrainingStep::SetImages(const void* images, data::BatchFormat format) {
  const layers::Format from = FormatOf(format), to = plan_->input_format(compiled_->images);
  tensor::Reorder(compiled_->graph.shape(compiled_->images), images, from.layout, from.type,
                  this->images(), to.layout, to.type);
}

std::vector<float> TrainingStep::PlainImages() const {
  const layers::Shape& shape = compiled_->graph.shape(compiled_->images);
  const layers::Format format = plan_->input_format(compiled_->images);
  std::vector<float> plain(shape.NumElements());
  tensor::Reorder(shape, plan_->input(compiled_->images), format.layout, format.type, plain.data(),
                  tensor::Layout::kNchw, ElementType::kF32);
  return plain;
}

TrainingStep::Outcome TrainingStep::Run(int64_t step) {
  RunPart(step, 0);
  return Update(step);
}

void TrainingStep::RunPart(int64_t step, int64_t part) {
  const ParallelSection section;
  if (part == 0) {
    std::copy_n(store_->state_values(), states_before_.size(), states_before_.data());
    loss_sum_ = weight_sum_ = 0;
  }
  is_last_part_ = part == parts() - 1;
  last_weight_ = WeightOfBatch();
  weight_sum_ += last_weight_;
  if (distributed::Communicator& ranks = *options_.ranks;
      is_last_part_ && ranks.ranks() > 1 && WeightsClasses()) {
    ranks.Sum({&weight_sum_, 1});
    weight_sum_ /= ranks.ranks();
  }
  next_bucket_ = 0;
  plan_->Run(step * parts() + part);
  loss_sum_ += last_weight_ * *plan_->result(compiled_->loss);
  if (is_last_part_) {
    if (means_ == nullptr) AddEarlierParts(0, store_->parameter_floats());
    return;
  }
  const float* const gradients = store_->gradients();
  const int64_t count = store_->parameter_floats();
  const auto weight = static_cast<float>(last_weight_);
  if (part == 0) gradient_sum_.assign(count, 0.0f);
  for (int64_t i = 0; i < count; ++i) gradient_sum_[i] += weight * gradients[i];
}

bool TrainingStep::WeightsClasses() const {
  const auto& loss = compiled_->graph.producer(compiled_->loss).as<layers::LossAttributes>();
  return !loss.class_weights.empty() && !takes_values();
}

double TrainingStep::WeightOfBatch() {
  if (!WeightsClasses()) return 1;
  const auto images = static_cast<size_t>(compiled_->graph.shape(compiled_->labels)[0]);
  return layers::SumOfWeights(
      compiled_->graph.producer(compiled_->loss).as<layers::LossAttributes>(), {labels(), images});
}

void TrainingStep::RunParts(int64_t step, const data::Batch& batch, data::BatchFormat format) {
  const layers::Graph& graph = compiled_->graph;
  const int64_t image_bytes =
      graph.shape(compiled_->images).NumElements() * data::BytesPerElement(format);
  // Class numbers are as wide as values: 4 bytes.
  const int64_t target_bytes =
      graph.shape(compiled_->labels).NumElements() * int64_t{sizeof(float)};
  for (int64_t part = 0; part < parts(); ++part) {
    SetImages(static_cast<const char*>(batch.images) + part * image_bytes, format);
    std::memcpy(targets(), static_cast<const char*>(batch.targets) + part * target_bytes,
                target_bytes);
    RunPart(step, part);
  }
}

TrainingStep::Outcome TrainingStep::Update(int64_t step) {
  const ParallelSection section;
  Outcome outcome;
  averaged_[0] = weight_sum_ > 0 ? loss_sum_ / weight_sum_ : 0;
  AverageOverRanks();
  outcome.loss = static_cast<float>(averaged_[0]);
  outcome.finite =
      std::isfinite(outcome.loss) && optimizer_->Step(store_->values(), store_->gradients(), step);
  if (!outcome.finite) {
    if (means_ != nullptr) means_->Forget();
    std::copy(states_before_.begin(), states_before_.end(), store_->state_values());
  }
  return outcome;
}

void TrainingStep::AddEarlierParts(int64_t begin, int64_t size) {
  if (parts() == 1 && last_weight_ == weight_sum_) return;
  const float share = weight_sum_ > 0 ? 1.0f / static_cast<float>(weight_sum_) : 0.0f,
              weight = static_cast<float>(last_weight_);
  float* const gradients = store_->gradients();
  for (int64_t i = begin; i < begin + size; ++i) {
    const float earlier = parts() == 1 ? 0.0f : gradient_sum_[i];
    gradients[i] = share * (earlier + weight * gradients[i]);
  }
}

void TrainingStep::AverageOverRanks() {
  distributed::Communicator& ranks = *options_.ranks;
  if (ranks.ranks() == 1) return;
  std::copy_n(store_->state_values(), store_->state_floats(), averaged_.data() + 1);
  ranks.Sum(absl::MakeSpan(averaged_));
  for (double& value : averaged_) value /= ranks.ranks();
  std::transform(averaged_.begin() + 1, averaged_.end(), store_->state_values(),
                 [](double value) { return static_cast<float>(value); });
  means_->Finish();
  seconds_under_way_ += distributed::SecondsUnderWay(means_->records());
}

std::string TrainingStep::FindNonFinite(int64_t step) {
  for (const optim::ParameterSlice& slice : slices_) {
    if (!AllFinite(store_->values() + slice.offset, slice.size))
      return absl::StrCat("parameter ", slice.name);
  }
  const layers::ParameterStore& store = *store_;
  for (const layers::ParameterStore::Slot& slot : store.states()) {
    if (!AllFinite(store.state_values() + slot.offset, slot.size))
      return absl::StrCat("statistics ", slot.name);
  }
  std::string tensor = FindNonFiniteTensor(step);
  if (!tensor.empty()) return tensor;
  const std::optional<std::string> gradient = optimizer_->FindNonFinite(store_->gradients());
  return gradient.has_value() ? absl::StrCat("the gradient of ", *gradient) : "the loss";
}

// FindNonFiniteTensor() searches by division, since computing every intermediate result in one plan
// would take too much memory, and one plan per result too much time in a network of thousands of
// layers. FirstNonFinite() looks for a result that is not finite although the one before it is. For
// this it divides the sequence of results into at most kTensorsAtATime parts of nearly equal
// length; the first part whose last result is not finite contains a wanted result, and is divided
// again. If all results that the found one is computed from are finite, the search ends: the
// operation that computes the found result made the first number that is not finite. Otherwise the
// search continues among the results that the found one is computed from.
std::string TrainingStep::FindNonFiniteTensor(int64_t step) {
  const layers::Graph& graph = compiled_->graph;
  const std::vector<float> images = PlainImages();
  if (!AllFinite(images.data(), static_cast<int64_t>(images.size()))) return "the batch of images";
  std::vector<TensorId> among;
  for (const layers::Node& node : graph.nodes()) {
    if (IsComputed(node)) among.push_back(node.outputs[0]);
  }
  TensorId found = layers::kNoTensor;
  while (!among.empty()) {
    const absl::StatusOr<TensorId> at = FirstNonFinite(among, step);
    if (!at.ok()) return "";  // there is no memory to compute the operations again
    if (*at == layers::kNoTensor) break;
    found = *at;
    among = ComputedFrom(graph, found);
  }
  if (found == layers::kNoTensor) return "";
  if (found == compiled_->loss) return "the loss";
  const layers::Node& node = graph.producer(found);
  const bool forward = graph.tensor(found).node <= graph.tensor(compiled_->loss).node;
  return absl::StrCat(forward ? "the result of layer " : "the gradient at layer ", node.name, " (",
                      node.op->name(), ")");
}

absl::StatusOr<TensorId> TrainingStep::FirstNonFinite(absl::Span<const TensorId> among,
                                                      int64_t step) {
  TensorId found = layers::kNoTensor;
  while (!among.empty()) {
    const size_t parts = std::min(among.size(), kTensorsAtATime);
    // The last tensor of each part; the parts are of nearly equal length.
    std::vector<TensorId> lasts;
    for (size_t i = 1; i <= parts; ++i) lasts.push_back(among[among.size() * i / parts - 1]);
    ASSIGN_OR_RETURN(const std::vector<bool> finite, AreFinite(lasts, step));
    const size_t part = std::find(finite.begin(), finite.end(), false) - finite.begin();
    if (part == parts) break;
    found = lasts[part];
    const size_t begin = among.size() * part / parts, end = among.size() * (part + 1) / parts - 1;
    among = among.subspan(begin, end - begin);
  }
  return found;
}

absl::StatusOr<std::vector<bool>> TrainingStep::AreFinite(absl::Span<const TensorId> tensors,
                                                          int64_t step) {
  const layers::Graph& graph = compiled_->graph;
  std::vector<layers::PlanResult> results = {{compiled_->loss}};
  for (TensorId t : tensors) {
    if (t != compiled_->loss) results.push_back({t});
  }
  layers::PlanOptions options = OptionsOfPlan();
  // Other ranks do not take part in this recomputation.
  options.ranks = {1, options.ranks.rank, nullptr};
  options.inputs_as_read = false;
  ASSIGN_OR_RETURN(std::unique_ptr<layers::Plan> plan,
                   layers::Plan::Compile(graph, results, *store_, *tuner_, options));
  const std::vector<float> images = PlainImages();
  std::copy(images.begin(), images.end(), static_cast<float*>(plan->input(compiled_->images)));
  std::copy_n(labels(), graph.shape(compiled_->labels).NumElements(),
              static_cast<int32_t*>(plan->input(compiled_->labels)));
  plan->Run(step * parts() + parts() - 1);  // the step's last batch, which is still in memory
  std::copy(states_before_.begin(), states_before_.end(), store_->state_values());
  std::vector<bool> finite;
  for (TensorId t : tensors)
    finite.push_back(AllFinite(plan->result(t), graph.shape(t).NumElements()));
  return finite;
}

}  // namespace cotangent::training
