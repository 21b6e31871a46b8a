#include "training/run_state.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cpu.h"
#include "base/read_double.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "layers/network/network_text.h"
#include "layers/plan/finite.h"
#include "nlohmann/json.hpp"
#include "tensor/onednn.h"
#include "training/quantisation_text.h"

namespace cotangent::training {
namespace {

using layers::ParameterStore;
using nlohmann::json;

constexpr char kStep[] = "step", kEpoch[] = "epoch", kEpochs[] = "epochs", kSeed[] = "seed",
               kNetwork[] = "network", kDataset[] = "dataset", kClasses[] = "classes",
               kData[] = "data", kPrecision[] = "precision", kExact[] = "exact",
               kThreads[] = "threads", kChoices[] = "choices", kTrainSeconds[] = "train_seconds",
               kEpochLoss[] = "epoch_loss", kEpochLosses[] = "epoch_losses", kSkipped[] = "skipped",
               kLearningRate[] = "learning_rate", kBuild[] = "build", kOnednn[] = "onednn",
               kProcessor[] = "processor", kBest[] = "best", kBestStep[] = "best_step",
               kStale[] = "stale", kValidatedStep[] = "validated_step",
               kQuantisation[] = "quantisation";

constexpr char kOptimizerPrefix[] = "optimizer/";
constexpr char kAveragePrefix[] = "ema/";

constexpr double kAnyNumber = -std::numeric_limits<double>::infinity();

constexpr size_t kLongestQuote = 60;  // characters of a damaged entry in a message

constexpr char kAnotherNetwork[] =
    "; it is a checkpoint of another network: use that one's --network, or another --output_dir";

std::string ChoicesText(const absl::flat_hash_map<std::string, std::string>& choices) {
  json object = json::object();
  for (const auto& [operation, choice] : choices) object[operation] = choice;
  return object.dump();
}

absl::flat_hash_map<std::string, std::string> ParseChoices(const std::string& text) {
  absl::flat_hash_map<std::string, std::string> choices;
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return choices;
  for (const auto& [operation, choice] : object.items()) {
    if (choice.is_string()) choices[operation] = choice.get<std::string>();
  }
  return choices;
}

// Returns a damaged entry of the metadata as messages show it.
std::string Quoted(const std::string& text) {
  return absl::StrCat(text.substr(0, kLongestQuote), text.size() > kLongestQuote ? "..." : "");
}

// Returns the names as a JSON list. Bytes that are not valid UTF-8 are replaced.
std::string ClassesText(const std::vector<std::string>& classes) {
  return json(classes).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Parses the names that ClassesText() wrote. Returns an empty list if `text` is empty, as it is for
// old checkpoints, which do not store the classes. Returns an error that names the checkpoint's
// `path` if `text` is not a JSON list of strings.
absl::StatusOr<std::vector<std::string>> ParseClasses(const std::string& text,
                                                      const std::string& path) {
  std::vector<std::string> classes;
  if (text.empty()) return classes;
  const json list = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto is_name = [](const json& name) { return name.is_string(); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": its metadata's classes cannot be read: they are ", Quoted(text),
                     R"(; expected a list of names such as ["cat", "dog"], as train writes it)"));
  }
  for (const json& name : list) classes.push_back(name.get<std::string>());
  return classes;
}

std::string PrecisionName(ElementType type) { return type == ElementType::kBf16 ? "bf16" : "f32"; }

// Writes a double so that NumberReader restores the same bits.
std::string Exactly(double value) { return absl::StrFormat("%a", value); }

// Reads the numbers of a checkpoint's metadata and remembers the first error.
class NumberReader {
 public:
  // `path` names the checkpoint in error messages.
  NumberReader(const Checkpoint& checkpoint, const std::string& path)
      : checkpoint_(checkpoint), path_(path) {}

  // Each reads the number under `key` into `value`. A missing entry, as in checkpoints of earlier
  // versions, leaves `value` as it is. An entry that is no number, or one below `least`, is an
  // error. Only with kAnyNumber may a real number be infinite.
  void Read(const char* key, double least, double& value) {
    const std::string text = checkpoint_.Get(key);
    char* end = nullptr;
    const double found = ReadDouble(text.c_str(), &end);
    const bool is_right =
        *end == '\0' && found >= least && (std::isfinite(found) || least == kAnyNumber);
    Take(key, text, is_right, "a number", least, found, value);
  }
  template <class Integer>
  void Read(const char* key, std::type_identity_t<Integer> least, Integer& value) {
    const std::string text = checkpoint_.Get(key);
    Integer found = 0;
    const bool is_right = absl::SimpleAtoi(text, &found) && found >= least;
    Take(key, text, is_right, "an integer", static_cast<double>(least), found, value);
  }
  const absl::Status& status() const { return status_; }

 private:
  template <class Number>
  void Take(const char* key, const std::string& text, bool is_right, const char* what, double least,
            Number found, Number& value) {
    if (text.empty() || !status_.ok()) return;
    if (is_right) {
      value = found;
    } else {
      status_ = absl::InvalidArgumentError(absl::StrCat(
          path_, ": its metadata's ", key, " cannot be read: it is ", Quoted(text), "; expected ",
          what, least > kAnyNumber ? absl::StrCat(" of at least ", least) : ""));
    }
  }

  const Checkpoint& checkpoint_;
  const std::string& path_;
  absl::Status status_;
};

// Copies tensors of the checkpoint into the slots (ranges of `values`, which are parameters, or
// running means and variances of normalisation layers) of the same names. Unless `prefix` is empty,
// a tensor named `prefix` + name is preferred to the one named as the slot. Returns an error if a
// slot has no tensor, or one of another shape.
absl::Status CopyTensors(const Checkpoint& checkpoint, const std::string& path,
                         const std::vector<ParameterStore::Slot>& slots, const std::string& prefix,
                         float* values) {
  for (const ParameterStore::Slot& slot : slots) {
    const Checkpoint::Tensor* tensor =
        prefix.empty() ? nullptr : checkpoint.Find(absl::StrCat(prefix, slot.name));
    if (tensor == nullptr) tensor = checkpoint.Find(slot.name);
    if (tensor == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": holds no tensor ", slot.name, kAnotherNetwork));
    }
    const tensor::Shape shape{absl::Span<const int64_t>(tensor->shape)};
    if (!(shape == slot.shape)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor ", slot.name, " has the shape ", shape.ToString(),
                       ", expected ", slot.shape.ToString(), kAnotherNetwork));
    }
    checkpoint.CopyTo(*tensor, values + slot.offset);
  }
  return absl::OkStatus();
}

absl::Status CopyParametersAndStates(const Checkpoint& checkpoint, const std::string& path,
                                     const std::string& parameter_prefix, ParameterStore& store) {
  RETURN_IF_ERROR(
      CopyTensors(checkpoint, path, store.parameters(), parameter_prefix, store.values()));
  RETURN_IF_ERROR(CopyTensors(checkpoint, path, store.states(), "", store.state_values()));
  return layers::CheckFinite(store, path);
}

}  // namespace

void DescribeMachine(RunState& state) {
  // The program is identified by a checksum of its executable file.
  static const std::string* const build = new std::string([] {
    absl::StatusOr<std::string> program = data::ReadFile("/proc/self/exe");
    return program.ok() ? absl::StrFormat("%08x", Crc32c(*program)) : "unknown";
  }());
  state.build = *build;
  state.onednn = tensor::onednn::Version();
  state.processor = ProcessorName();
}

Metadata ToMetadata(const RunState& state) {
  Metadata metadata = {{kStep, absl::StrCat(state.step)},
                       {kEpoch, absl::StrCat(static_cast<int64_t>(state.epochs))},
                       {kEpochs, Exactly(state.epochs)},
                       {kSeed, absl::StrCat(state.seed)},
                       {kNetwork, state.network},
                       {kDataset, state.dataset},
                       {kClasses, ClassesText(state.classes)},
                       {kData, state.data_checksum},
                       {kPrecision, PrecisionName(state.precision)},
                       {kExact, state.exact ? "1" : "0"},
                       {kThreads, absl::StrCat(state.threads)},
                       {kChoices, ChoicesText(state.choices)},
                       {kTrainSeconds, Exactly(state.train_seconds)},
                       {kEpochLoss, Exactly(state.epoch_loss)},
                       {kEpochLosses, absl::StrCat(state.epoch_losses)},
                       {kSkipped, absl::StrCat(state.skipped)},
                       {kLearningRate, Exactly(state.learning_rate)},
                       {kBest, Exactly(state.best)},
                       {kBestStep, absl::StrCat(state.best_step)},
                       {kStale, absl::StrCat(state.stale)},
                       {kValidatedStep, absl::StrCat(state.validated_step)},
                       {kBuild, state.build},
                       {kOnednn, state.onednn},
                       {kProcessor, state.processor}};
  if (!state.quantisation.empty()) metadata[kQuantisation] = QuantisationText(state.quantisation);
  return metadata;
}

absl::StatusOr<RunState> ReadRunState(const Checkpoint& checkpoint, const std::string& path) {
  RunState state;
  if (!absl::SimpleAtoi(checkpoint.Get(kStep), &state.step) || state.step < 0)
    return absl::InvalidArgumentError(absl::StrCat(path, ": its metadata name no step"));
  NumberReader numbers(checkpoint, path);
  numbers.Read(kEpochs, 0.0, state.epochs);
  numbers.Read(kTrainSeconds, 0.0, state.train_seconds);
  numbers.Read(kEpochLoss, kAnyNumber, state.epoch_loss);
  numbers.Read(kEpochLosses, 0, state.epoch_losses);
  numbers.Read(kSkipped, 0, state.skipped);
  numbers.Read(kSeed, 0, state.seed);
  numbers.Read(kThreads, 0, state.threads);
  numbers.Read(kLearningRate, 0.0, state.learning_rate);
  numbers.Read(kBest, kAnyNumber, state.best);
  numbers.Read(kBestStep, -1, state.best_step);
  numbers.Read(kStale, 0, state.stale);
  numbers.Read(kValidatedStep, -1, state.validated_step);
  RETURN_IF_ERROR(numbers.status());
  state.network = checkpoint.Get(kNetwork);
  state.dataset = checkpoint.Get(kDataset);
  ASSIGN_OR_RETURN(state.classes, ParseClasses(checkpoint.Get(kClasses), path));
  state.data_checksum = checkpoint.Get(kData);
  const bool is_bf16 = checkpoint.Get(kPrecision) == PrecisionName(ElementType::kBf16);
  state.precision = is_bf16 ? ElementType::kBf16 : ElementType::kF32;
  state.exact = checkpoint.Get(kExact) == "1";
  state.choices = ParseChoices(checkpoint.Get(kChoices));
  state.build = checkpoint.Get(kBuild);
  state.onednn = checkpoint.Get(kOnednn);
  state.processor = checkpoint.Get(kProcessor);
  ASSIGN_OR_RETURN(state.quantisation, ParseQuantisation(checkpoint.Get(kQuantisation), path));
  return state;
}

std::vector<std::string> Differences(const RunState& before, const RunState& now) {
  std::vector<std::string> lines;
  const auto differ = [&](const std::string& was, const std::string& is, const char* what) {
    if (was == is) return;
    lines.push_back(absl::StrCat("the checkpoint was made with ", what, " ", was, ", this run has ",
                                 is, ": results will differ a little from an undisturbed run's"));
  };
  differ(absl::StrCat(before.threads), absl::StrCat(now.threads), "threads");
  differ(PrecisionName(before.precision), PrecisionName(now.precision), "precision");
  differ(before.onednn, now.onednn, "oneDNN");
  differ(before.processor, now.processor, "the processor");
  differ(before.build, now.build, "build");
  differ(before.data_checksum, now.data_checksum, "the training images");
  differ(before.exact ? "1" : "0", now.exact ? "1" : "0", "--exact");
  if (before.network != now.network) {
    lines.push_back("the network text differs from the checkpoint's; going on with the new one");
  }
  return lines;
}

std::vector<CheckpointTensor> TensorsOf(TrainingStep& step) {
  ParameterStore& store = step.store();
  optim::Optimizer& optimizer = step.optimizer();
  std::vector<CheckpointTensor> tensors;
  const auto dims = [](const tensor::Shape& shape) {
    return std::vector<int64_t>(shape.begin(), shape.end());
  };
  for (const ParameterStore::Slot& slot : store.parameters())
    tensors.push_back({slot.name, dims(slot.shape), store.values() + slot.offset});
  for (const ParameterStore::Slot& slot : store.states())
    tensors.push_back({slot.name, dims(slot.shape), store.state_values() + slot.offset});
  for (const optim::StateSlice& slice : optimizer.StateSlices()) {
    tensors.push_back({absl::StrCat(kOptimizerPrefix, slice.name),
                       step.slices()[slice.parameter].shape,
                       optimizer.State().data() + slice.offset});
  }
  const float* average = optimizer.EvaluationParameters(store.values());
  if (average == store.values()) return tensors;
  for (const ParameterStore::Slot& slot : store.parameters()) {
    tensors.push_back(
        {absl::StrCat(kAveragePrefix, slot.name), dims(slot.shape), average + slot.offset});
  }
  return tensors;
}

absl::Status Restore(const Checkpoint& checkpoint, const std::string& path, TrainingStep& step) {
  ParameterStore& store = step.store();
  RETURN_IF_ERROR(CopyParametersAndStates(checkpoint, path, "", store));
  optim::Optimizer& optimizer = step.optimizer();
  optimizer.Initialise(store.values());
  for (const optim::StateSlice& slice : optimizer.StateSlices()) {
    const Checkpoint::Tensor* tensor = checkpoint.Find(absl::StrCat(kOptimizerPrefix, slice.name));
    if (tensor == nullptr || tensor->size != slice.size) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": holds no optimizer state ", slice.name, " of ", slice.size,
                       " numbers; it was made with another optimizer: use the same one, or another "
                       "--output_dir"));
    }
    checkpoint.CopyTo(*tensor, optimizer.State().data() + slice.offset);
  }
  return absl::OkStatus();
}

absl::Status RestoreForInference(const Checkpoint& checkpoint, const std::string& path,
                                 ParameterStore& store) {
  return CopyParametersAndStates(checkpoint, path, kAveragePrefix, store);
}

std::string ChecksumOf(const data::Dataset& dataset) {
  const auto bytes = [](const std::vector<uint8_t>& values) {
    return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size());
  };
  // The checksum of labels and targets covers the lowest byte of each label, then the targets, then
  // the second byte of each label above 255. In this order a data set of at most 256 classes has
  // the checksum that old checkpoints store, which covers no second bytes.
  std::vector<uint8_t> labels(dataset.labels.begin(), dataset.labels.end());
  for (float target : dataset.targets) {
    const auto bits = std::bit_cast<uint32_t>(target);
    for (int shift = 0; shift < 32; shift += 8)
      labels.push_back(static_cast<uint8_t>(bits >> shift));
  }
  for (int32_t label : dataset.labels) {
    if (label > 255) labels.push_back(static_cast<uint8_t>(label >> 8));
  }
  if (!dataset.is_in_memory())
    return absl::StrFormat("%s%08x", dataset.fingerprint, Crc32c(bytes(labels)));
  return absl::StrFormat("%08x%08x", Crc32c(bytes(dataset.images)), Crc32c(bytes(labels)));
}

}  // namespace cotangent::training
