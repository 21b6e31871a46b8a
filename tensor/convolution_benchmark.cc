// Times every candidate (a way to compute a convolution that Candidates() or Int8Candidates() of
// convolution.h lists) of every direction on the convolutions of well-known networks, and prints a
// table:
//
//   convolution_benchmark [batch = 128] [f32|bf16|u8] [shape] [choice]
//
// The second argument is the precision, f32 if it is not given; u8 stands for forward convolutions
// of 8-bit integers, to u8. `shape` limits the table to shapes whose name contains this text;
// `choice` limits it to candidates whose direction and name, such as "weight_gradient direct
// nhwc/bf16 nhwc/bf16 outer_product:amx", contain this text.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/convolution.h"
#include "tensor/onednn.h"

namespace cotangent::tensor {
namespace {

struct NamedShape {
  std::string name;
  ConvolutionShape shape;
};

ConvolutionShape Square(int64_t in, int64_t out, int64_t image, int64_t kernel, int64_t pad,
                        int64_t stride = 1, int64_t groups = 1) {
  return {.in_channels = in,
          .out_channels = out,
          .groups = groups,
          .in_height = image,
          .in_width = image,
          .kernel_height = kernel,
          .kernel_width = kernel,
          .stride_height = stride,
          .stride_width = stride,
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad};
}

std::vector<NamedShape> Shapes() {
  return {
      {"cifar94 stem", Square(3, 24, 32, 2, 0)},
      {"cifar94 conv1", Square(24, 64, 31, 3, 1)},
      {"cifar94 conv2", Square(64, 64, 15, 3, 1)},
      {"cifar94 conv3", Square(64, 256, 15, 3, 1)},
      {"cifar94 conv4,5", Square(256, 256, 7, 3, 1)},
      {"cifar94 conv6", Square(256, 256, 3, 3, 1)},
      {"convnet conv", Square(3, 32, 32, 7, 3)},
      {"resnet20 stem", Square(3, 16, 32, 3, 1)},
      {"resnet20 16@32", Square(16, 16, 32, 3, 1)},
      {"resnet20 32@16", Square(32, 32, 16, 3, 1)},
      {"resnet20 64@8", Square(64, 64, 8, 3, 1)},
      {"resnet20 16->32 s2", Square(16, 32, 32, 3, 1, 2)},
      {"resnet18 64@32", Square(64, 64, 32, 3, 1)},
      {"resnet18 128@16", Square(128, 128, 16, 3, 1)},
      {"resnet18 256@8", Square(256, 256, 8, 3, 1)},
      {"resnet18 512@4", Square(512, 512, 4, 3, 1)},
      {"resnet18 64->128 s2", Square(64, 128, 32, 3, 1, 2)},
      {"resnet18 64->128 1x1 s2", Square(64, 128, 32, 1, 0, 2)},
      {"resnet50 64->256@56", Square(64, 256, 56, 1, 0)},
      {"resnet50 256->64@56", Square(256, 64, 56, 1, 0)},
      {"resnet50 512->128@28", Square(512, 128, 28, 1, 0)},
      {"resnet50 256@14", Square(256, 256, 14, 3, 1)},
      {"resnet50 256->1024@14", Square(256, 1024, 14, 1, 0)},
      {"resnet50 256@28 s2", Square(256, 256, 28, 3, 1, 2)},
      {"resnet50 512->1024@28 1x1 s2", Square(512, 1024, 28, 1, 0, 2)},
      {"resnet50 512@7", Square(512, 512, 7, 3, 1)},
      {"resnet50 2048->512@7", Square(2048, 512, 7, 1, 0)},
      {"resnet50 stem 7x7 s2", Square(3, 64, 224, 7, 3, 2)},
      {"resnet50 64@56", Square(64, 64, 56, 3, 1)},
      {"resnet50 1024->256@14", Square(1024, 256, 14, 1, 0)},
      {"resnet50 512->2048@7", Square(512, 2048, 7, 1, 0)},
      {"wide_resnet 16->64@32", Square(16, 64, 32, 3, 1)},
      {"densenet 28->12@32", Square(28, 12, 32, 3, 1)},
      {"densenet 148->12@32", Square(148, 12, 32, 3, 1)},
      {"densenet 292->12@16", Square(292, 12, 16, 3, 1)},
      {"densenet 436->12@8", Square(436, 12, 8, 3, 1)},
      {"densenet 160@32 1x1", Square(160, 160, 32, 1, 0)},
      {"densenet 304@16 1x1", Square(304, 304, 16, 1, 0)},
      {"mobilenet 16->72@32", Square(16, 72, 32, 1, 0)},
      {"mobilenet 72->24@16", Square(72, 24, 16, 1, 0)},
      {"mobilenet 40->240@8", Square(40, 240, 8, 1, 0)},
      {"mobilenet 240->40@8", Square(240, 40, 8, 1, 0)},
      {"mobilenet 96->576@4", Square(96, 576, 4, 1, 0)},
      {"mobilenet 576->96@4", Square(576, 96, 4, 1, 0)},
      {"efficientnet 16->96@32", Square(16, 96, 32, 1, 0)},
      {"efficientnet 96->24@32", Square(96, 24, 32, 1, 0)},
      {"efficientnet 24->144@32", Square(24, 144, 32, 1, 0)},
      {"efficientnet 240->40@16", Square(240, 40, 16, 1, 0)},
      {"efficientnet 112->672@8", Square(112, 672, 8, 1, 0)},
      {"efficientnet 1152->192@4", Square(1152, 192, 4, 1, 0)},
      {"convnext 3->40@32 2x2 s2", Square(3, 40, 32, 2, 0, 2)},
      {"convnext 40->160@16", Square(40, 160, 16, 1, 0)},
      {"convnext 160->40@16", Square(160, 40, 16, 1, 0)},
      {"convnext 160->640@4", Square(160, 640, 4, 1, 0)},
      {"convnext 80->160@8 2x2 s2", Square(80, 160, 8, 2, 0, 2)},
      {"resnext 128@16 g32", Square(128, 128, 16, 3, 1, 1, 32)},
      {"resnext 256@8 g32", Square(256, 256, 8, 3, 1, 1, 32)},
      {"regnet 120@16 g24", Square(120, 120, 16, 3, 1, 1, 5)},
      {"depthwise 40@16 7x7", Square(40, 40, 16, 7, 3, 1, 40)},
      {"depthwise 320@2 7x7", Square(320, 320, 2, 7, 3, 1, 320)},
      {"depthwise 64@32 5x5", Square(64, 64, 32, 5, 2, 1, 64)},
      {"depthwise 144@32", Square(144, 144, 32, 3, 1, 1, 144)},
      {"depthwise 240@16 5x5", Square(240, 240, 16, 5, 2, 1, 240)},
      {"depthwise 576@8 5x5", Square(576, 576, 8, 5, 2, 1, 576)},
      {"depthwise 64@32", Square(64, 64, 32, 3, 1, 1, 64)},
      {"depthwise 64@32 s2", Square(64, 64, 32, 3, 1, 2, 64)},
      {"depthwise 96@32 5x5", Square(96, 96, 32, 5, 2, 1, 96)},
      {"depthwise 96@16 7x7", Square(96, 96, 16, 7, 3, 1, 96)},
      {"depthwise 240@16", Square(240, 240, 16, 3, 1, 1, 240)},
      {"depthwise 240@8 5x5", Square(240, 240, 8, 5, 2, 1, 240)},
      {"depthwise 576@8", Square(576, 576, 8, 3, 1, 1, 576)},
      {"depthwise 960@4", Square(960, 960, 4, 3, 1, 1, 960)},
      {"depthwise 960@4 5x5", Square(960, 960, 4, 5, 2, 1, 960)},
      {"linear 8192->100", Square(32, 100, 16, 16, 0)},
      {"linear 4096->512", Square(256, 512, 4, 4, 0)},
      {"linear 3072->512", Square(3, 512, 32, 32, 0)},
      {"linear 512->10", Square(512, 10, 1, 1, 0)},
      {"linear 256->10", Square(256, 10, 1, 1, 0)},
      {"linear 576->144", Square(576, 144, 1, 1, 0)},
      {"linear 144->576", Square(144, 576, 1, 1, 0)},
      {"linear 576->1024", Square(576, 1024, 1, 1, 0)},
  };
}

AlignedBuffer Filled(int64_t bytes, ElementType type) {
  absl::StatusOr<AlignedBuffer> buffer = AlignedBuffer::Create(bytes);
  if (!buffer.ok()) {
    std::fprintf(stderr, "%s\n", buffer.status().ToString().c_str());
    std::exit(1);
  }
  const int64_t count = bytes / Bytes(type);
  for (int64_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(i * 2654435761u % 1024) / 1024 - 0.5f;
    if (type == ElementType::kBf16) {
      buffer->as<Bf16>()[i] = Bf16(value);
    } else if (Bytes(type) == 1) {
      buffer->as<uint8_t>()[i] = static_cast<uint8_t>(i * 2654435761u % 251);
    } else {
      buffer->as<float>()[i] = value;
    }
  }
  return *std::move(buffer);
}

void MeasureAll(const ConvolutionShape& shape, Direction direction, ElementType precision,
                const std::string& filter) {
  const bool is_int8 = precision == ElementType::kU8;
  const Int8Convolution int8 = {.out_type = ElementType::kU8,
                                .weight_scales = std::vector<float>(shape.out_channels, 0.01f)};
  for (const ConvolutionChoice& choice :
       is_int8 ? Int8Candidates(shape, precision, precision)
               : Candidates(shape, direction, precision, /*exact=*/false)) {
    const std::string name = std::string(Name(direction)) + " " + choice.ToString();
    if (name.find(filter) == std::string::npos) continue;
    absl::StatusOr<std::unique_ptr<Convolution>> convolution =
        Convolution::Create(shape, direction, choice, {.int8 = is_int8 ? &int8 : nullptr});
    if (!convolution.ok()) {
      std::printf("    %s: %s\n", choice.ToString().c_str(),
                  convolution.status().ToString().c_str());
      continue;
    }
    AlignedBuffer in =
        Filled(StorageBytes(shape.in(), choice.in_layout, choice.in_type), choice.in_type);
    AlignedBuffer out =
        Filled(StorageBytes(shape.out(), choice.out_layout, choice.out_type), choice.out_type);
    AlignedBuffer packed = Filled((*convolution)->packed_weight_bytes(), ElementType::kF32);
    AlignedBuffer plain = Filled(shape.weights().NumElements() * 4, ElementType::kF32);
    AlignedBuffer scratch = Filled((*convolution)->scratch_bytes(), ElementType::kF32);
    const ConvolutionArguments arguments = {in.data(), packed.data(), nullptr, out.data(),
                                            scratch.data()};
    const ConvolutionTime time =
        Measure(**convolution, arguments, plain.as<float>(), {.repetitions = 7});
    // The bytes that must at least be read or written: both sides and the packed weights, once
    // each.
    const double bytes = static_cast<double>(in.size() + out.size() + packed.size());
    std::printf("    %9.3f ms  %7.0f GFLOP/s  %6.1f GB/s  pack %6.3f ms  scratch %6.1f MiB  %s\n",
                time.run_seconds * 1e3,
                2e-9 * static_cast<double>(shape.MultiplyAdds()) / time.run_seconds,
                1e-9 * bytes / time.run_seconds, time.pack_seconds * 1e3,
                static_cast<double>((*convolution)->scratch_bytes()) / (1 << 20),
                choice.ToString().c_str());
    std::fflush(stdout);
  }
}

// Returns the bytes that all threads together copy in a second, read and written ones, between
// arrays that no cache holds.
double CopySpeed() {
  constexpr int64_t kBytes = 256 << 20;
  AlignedBuffer from = Filled(kBytes, ElementType::kF32), to = Filled(kBytes, ElementType::kF32);
  double fastest = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    ParallelRanges(kBytes, 1, [&](int64_t first, int64_t end) {
      std::memcpy(to.as<char>() + first, from.as<char>() + first, end - first);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    fastest = std::min(fastest, seconds.count());
  }
  return 2.0 * kBytes / fastest;
}

int Main(int argc, char** argv) {
  const int64_t batch = argc > 1 ? std::atoll(argv[1]) : 128;
  const std::string type = argc > 2 ? argv[2] : "f32";
  const ElementType precision = type == "bf16" ? ElementType::kBf16
                                : type == "u8" ? ElementType::kU8
                                               : ElementType::kF32;
  const std::string shape_filter = argc > 3 ? argv[3] : "", choice_filter = argc > 4 ? argv[4] : "";
  std::printf("%s, %d threads, oneDNN %s, batch %d, %s, copies %.1f GB/s (read and written)\n",
              ProcessorName().c_str(), Threads(), onednn::Version().c_str(),
              static_cast<int>(batch), std::string(Name(precision)).c_str(), 1e-9 * CopySpeed());
  for (NamedShape& named : Shapes()) {
    if (named.name.find(shape_filter) == std::string::npos) continue;
    named.shape.batch = batch;
    std::printf("\n%s: %s\n", named.name.c_str(), named.shape.ToString().c_str());
    for (Direction direction :
         {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
      if (precision == ElementType::kU8 && direction != Direction::kForward) continue;
      std::printf("  %s\n", std::string(Name(direction)).c_str());
      MeasureAll(named.shape, direction, precision, choice_filter);
    }
  }
  return 0;
}

}  // namespace
}  // namespace cotangent::tensor

int main(int argc, char** argv) { return cotangent::tensor::Main(argc, argv); }
