#include "tests/faults/training_run.h"

#include <stdlib.h>

#include "gtest/gtest.h"
#include "training/checkpoint.h"

namespace cotangent::tests {
namespace {

constexpr char kNetwork[] = R"(
layer { name: "conv" convolution { channels: 4 kernel: 3 stride: 2 padding: SAME bias: false } }
layer { name: "norm" batch_norm {} }
layer { name: "relu" activation { kind: RELU } }
layer { name: "pool" max_pool { kernel: 4 } }
layer { name: "drop" dropout { rate: 0.2 } }
layer { name: "fc" linear {} }
train {
  batch_size: 16
  epochs: 1000
  augmentation { flip: RANDOM crop: 2 }
  optimizer {
    sgd { learning_rate: 0.05 momentum: 0.9 weight_decay: 5e-4 }
    schedule { cosine {} }
    ema { decay: 0.9 }
  }
  evaluation { every_epochs: 1000000 }
}
)";
constexpr int kStepsPerEpoch = 25;  // 400 images

}  // namespace

TrainingRun::TrainingRun(int64_t steps, const TrainingRun* like)
    : steps_(steps),
      directory_(MakeTestDirectory("run")),
      cache_(like == nullptr ? directory_ : like->cache_) {
  WriteFile(directory_ + "/net.textproto", kNetwork);
}

std::vector<std::string> TrainingRun::Arguments(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {
      "--network=net.textproto",
      "--dataset=sample",
      "--output_dir=out",
      "--threads=1",
      "--keep=3",
      "--log_every=1",
      "--epochs=" + std::to_string(static_cast<double>(steps_) / kStepsPerEpoch),
      "--checkpoint_every=" + std::to_string(kCheckpointEvery)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> TrainingRun::Checkpoints() const {
  std::vector<std::string> names;
  for (const std::string& name : FilesIn(output())) {
    if (name.rfind("checkpoint-", 0) == 0 && name.find(".tmp-") == std::string::npos)
      names.push_back(name);
  }
  return names;
}

int64_t TrainingRun::NewestStep() const {
  const std::vector<std::string> names = Checkpoints();
  return names.empty() ? -1 : atoll(names.back().c_str() + std::string("checkpoint-").size());
}

std::vector<int64_t> TrainingRun::LoggedSteps() const {
  const std::string text = ReadFileOrEmpty(output() + "/metrics.jsonl");
  std::vector<int64_t> steps;
  for (size_t line = 0; line < text.size(); line = text.find('\n', line) + 1) {
    const size_t step = text.find("\"step\":", line);
    if (text.substr(line, text.find('\n', line) - line).find("learning_rate") == std::string::npos)
      continue;
    steps.push_back(atoll(text.c_str() + step + 7));
  }
  return steps;
}

std::map<std::string, std::string> TensorsOf(const std::string& path) {
  const absl::StatusOr<training::Checkpoint> checkpoint = training::ReadCheckpoint(path);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  std::map<std::string, std::string> tensors;
  if (!checkpoint.ok()) return tensors;
  for (const auto& [name, tensor] : checkpoint->tensors()) {
    std::string& bytes = tensors[name];
    bytes.resize(tensor.size * sizeof(float));
    checkpoint->CopyTo(tensor, reinterpret_cast<float*>(bytes.data()));
  }
  return tensors;
}

}  // namespace cotangent::tests
