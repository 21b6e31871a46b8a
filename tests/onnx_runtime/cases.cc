// Writes the inputs of check.js: every network of inference/onnx/onnx_cases.h as ONNX, with random
// images and the answers that training::Evaluator computes for them:
//
//   cases DIR     writes NAME.onnx and NAME.bytes.onnx (exported with OnnxOptions::raw_bytes);
//                 the images as f32 [N, C, H, W] in NAME.images, and as bytes, pixel by pixel, in
//                 NAME.bytes; and NAME.answers
#include <stdio.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/file.h"
#include "inference/onnx/onnx_cases.h"
#include "inference/onnx/onnx_export.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"

namespace cotangent::inference {
namespace {

constexpr int64_t kImages = 3;

template <typename T>
absl::Status Write(const std::string& path, const std::vector<T>& values) {
  return data::WriteFileAtomically(
      path,
      absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

absl::Status WriteCase(const OnnxCase& network, const std::string& directory,
                       layers::Tuner& tuner) {
  const training::TrainedNetwork& trained = network.trained;
  const std::string path = data::JoinPath(directory, network.name);
  ASSIGN_OR_RETURN(const std::string model, ExportOnnx(trained));
  RETURN_IF_ERROR(data::WriteFileAtomically(absl::StrCat(path, ".onnx"), model));
  OnnxOptions raw;
  raw.raw_bytes = true;
  ASSIGN_OR_RETURN(const std::string raw_model, ExportOnnx(trained, raw));
  RETURN_IF_ERROR(data::WriteFileAtomically(absl::StrCat(path, ".bytes.onnx"), raw_model));

  const auto& input = trained.network.input();
  const int64_t channels = input.channels(), plane = input.height() * input.width();
  std::vector<uint8_t> bytes, planar(channels * plane);
  training::StepOptions options;
  options.threads = Threads();
  options.exact = true;
  ASSIGN_OR_RETURN(
      const auto evaluator,
      training::Evaluator::Create(trained.network, static_cast<int64_t>(trained.classes.size()),
                                  kImages, options, *trained.store, tuner));
  const data::ImageWriter writer(static_cast<int>(channels), static_cast<int>(input.height()),
                                 static_cast<int>(input.width()), trained.normalisation,
                                 data::BatchFormat::kF32Nchw);
  uint64_t random = 1;
  for (int64_t n = 0; n < kImages; ++n) {
    for (int64_t i = 0; i < plane; ++i) {
      for (int64_t c = 0; c < channels; ++c) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        bytes.push_back(static_cast<uint8_t>(random >> 56));
        planar[c * plane + i] = bytes.back();
      }
    }
    writer.Write(planar.data(), {}, evaluator->images() + n * channels * plane);
  }
  const std::vector<float> images(evaluator->images(),
                                  evaluator->images() + kImages * channels * plane);
  const float* const answers = evaluator->Run();
  RETURN_IF_ERROR(Write(absl::StrCat(path, ".bytes"), bytes));
  RETURN_IF_ERROR(Write(absl::StrCat(path, ".images"), images));
  return Write(absl::StrCat(path, ".answers"),
               std::vector<float>(answers, answers + kImages * evaluator->classes()));
}

absl::Status WriteAll(const std::string& directory) {
  SetThreads(UsefulThreads());
  training::CachedTuner tuner(Threads());
  for (const OnnxCase& network : OnnxCases())
    RETURN_IF_ERROR(WriteCase(network, directory, *tuner));
  tuner.Save();
  return absl::OkStatus();
}

}  // namespace
}  // namespace cotangent::inference

int main(int argc, char** argv) {
  if (argc != 2) return fprintf(stderr, "cases DIR\n"), 2;
  const absl::Status status = cotangent::inference::WriteAll(argv[1]);
  if (status.ok()) return 0;
  fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
