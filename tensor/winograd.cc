#include "tensor/winograd.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {
namespace {

using winograd::kOutputs;

// The constants below, kLeastTilesByThread and kLeastTilesPerTask (winograd.h) and
// kMostSumsPerThread (winograd_weight_gradient.cc) divide the work, which is counted in tiles of
// 4x4 outputs, so that it stays in the caches. They were found by measuring and are not critical.
// On the 3x3 layers of the networks cifar94 and resnet18 (2 cores of a Sapphire Rapids, 2 MiB of
// second-level cache each, f32, batch 64), halving or doubling any of them changes the geometric
// mean of all layers' times by less than 10%, which is also the difference between two runs, and
// the times of single layers by up to a third. A wrong value costs speed. It also changes the last
// bits of weight gradients, since it decides how their sums are divided.

// A thread's tiles, with the sums of their products, should fit into 7/8 of its second-level cache;
// the rest is for the weights that are read meanwhile. If fewer than kLeastTilesByThread fit, the
// thread takes this many bytes of the third-level cache instead, or as many as kLeastTilesByThread
// tiles need.
constexpr int64_t kL3BytesPerThread = 3 << 20;
// The bytes of the third-level cache used if all threads work on the same tiles. Threads should
// share little data, because memory that another core has written is slow to read.
constexpr int64_t kL3BytesTogether = 8 << 20;
// The most tiles that a thread processes at a time. More would save nothing: with this many, the
// time for loading the weights is already small.
constexpr int64_t kMostTilesByThread = 192;
// The product kernel (product_kernels.cc) computes this many rows of a full panel at once, and each
// tile is a row (except in weight gradients, whose products sum over tiles). So the number of tiles
// that a thread processes at a time is a multiple of it.
constexpr int64_t kProductRows = 6;
// If all threads work on the same tiles, they process a multiple of this many at a time, or all
// tiles.
constexpr int64_t kTilesPerBlock = 48;

}  // namespace

WinogradConvolution::WinogradConvolution(const WinogradOptions& options)
    : kernels_(WinogradKernels()),
      products_(ProductKernels()),
      implementation_(options.implementation),
      direction_(options.direction),
      bf16_(options.type == ElementType::kBf16),
      pooled_(options.pooled),
      threads_(Threads()),
      source_{options.shape.in_channels, options.shape.in_height, options.shape.in_width},
      target_{options.shape.out_channels, options.shape.out_height(), options.shape.out_width()},
      panels_(products_, direction_ == Direction::kInputGradient ? options.shape.in_channels
                                                                 : options.shape.out_channels),
      pad_top_(options.shape.pad_top),
      pad_left_(options.shape.pad_left) {
  if (direction_ == Direction::kInputGradient) {
    std::swap(source_, target_);
    pad_top_ = 2 - pad_top_, pad_left_ = 2 - pad_left_;
  }
  tile_rows_ = DivideUp(target_.height, kOutputs);
  tile_columns_ = DivideUp(target_.width, kOutputs);
  tiles_ = options.shape.batch * tile_rows_ * tile_columns_;
}

int64_t WinogradConvolution::TilesByThread(int64_t tile_bytes, int64_t sums_bytes,
                                           int64_t shares) const {
  const int64_t near = (SecondCacheBytes() / 8 * 7 - sums_bytes) / tile_bytes,
                far = kL3BytesPerThread / tile_bytes;
  const int64_t most = near >= kLeastTilesByThread ? std::min(near, kMostTilesByThread)
                                                   : std::max(far, kLeastTilesByThread);
  const int64_t share = DivideUp(tiles_, shares);
  return RoundUp(DivideUp(share, DivideUp(share, most)), kProductRows);
}

int64_t WinogradConvolution::TilesTogether(int64_t tile_bytes, int64_t sums_bytes) const {
  // In a weight gradient, each chunk of tiles (those processed at a time) reads and writes all sums
  // once. A chunk should have at least half as many bytes as the sums, so that this costs little.
  // (In the other directions, sums_bytes is 0.)
  const int64_t blocks = std::max(kL3BytesTogether, sums_bytes / 2) / (tile_bytes * kTilesPerBlock);
  return std::min(std::max(blocks, int64_t{1}) * kTilesPerBlock, RoundUp(tiles_, 2));
}

int64_t WinogradConvolution::ZeroBytes() const {
  return RoundUp(std::max(source_.channels, target_.channels) * 4, 64) + 64;
}

WinogradConvolution::Tile WinogradConvolution::TileAt(int64_t index) const {
  const int64_t column = index % tile_columns_, rest = index / tile_columns_;
  return {rest / tile_rows_, rest % tile_rows_ * kOutputs, column * kOutputs};
}

// ---- The family of implementations (convolution_family.h) ------------------------------------

namespace {

ConvolutionChoice Choice(ElementType type, bool together) {
  return NhwcChoice(Algorithm::kWinograd, type,
                    (together ? "wino_4x3_together:" : "wino_4x3:") + OwnKernelsName(type));
}

bool IsAvailable(const ConvolutionShape& s, Direction, const SideTypes& types) {
  return types.in == types.out && HaveOwnKernels(types.in) && s.kernel_height == 3 &&
         s.kernel_width == 3 && s.stride_height == 1 && s.stride_width == 1 &&
         s.dilation_height == 1 && s.dilation_width == 1 && s.groups == 1 &&
         std::max(s.in_channels, s.out_channels) < (1 << 20);
}

std::vector<ConvolutionCandidate> WinogradCandidates(const ConvolutionShape& shape,
                                                     Direction direction, const SideTypes& types) {
  std::vector<ConvolutionCandidate> all = {{Choice(types.in, false), OwnKernelKind()}};
  if (direction == Direction::kWeightGradient &&
      WeightGradientLeavesCaches({.shape = shape, .direction = direction, .type = types.in})) {
    all.push_back({Choice(types.in, true), OwnKernelKind()});
  }
  return all;
}

absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> CreateWinograd(
    const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
    const Epilogue& epilogue) {
  const WinogradOptions options = {.shape = shape,
                                   .direction = direction,
                                   .type = choice.in_type,
                                   .implementation = choice.implementation,
                                   .together = choice == Choice(choice.in_type, true),
                                   .relu = epilogue.relu,
                                   .pooled = epilogue.pooled};
  return direction == Direction::kWeightGradient ? MakeWinogradWeightGradient(options)
                                                 : MakeWinogradForward(options);
}

}  // namespace

extern constexpr ConvolutionFamily kWinogradFamily = {
    .name = "Winograd",
    .algorithm = Algorithm::kWinograd,
    .available = IsAvailable,
    .candidates = WinogradCandidates,
    .has =
        [](const ConvolutionChoice& choice) {
          return choice == Choice(choice.in_type, false) || choice == Choice(choice.in_type, true);
        },
    // The input gradient (winograd_forward.cc) relies on a padding of 1: each tile of output
    // gradients that it reads then begins one row and one column before a pooling window.
    .can_pool =
        [](const ConvolutionShape& s) {
          return s.pad_top == 1 && s.pad_left == 1 && s.out_height() >= 2 && s.out_width() >= 2;
        },
    .create = CreateWinograd,
};

}  // namespace cotangent::tensor
