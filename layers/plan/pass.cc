// Compiles and runs fused passes (see pass.h): loops over memory that compute several operations.
// The domain of a pass is the shape over whose elements it loops. It does so in rows: a row is the
// channels of one pixel, or a block of these channels. A line is all pixels of one height of an
// image. If the pass contains a pooling, the domain is the pooled shape, and "fine" tensors have
// the resolution before the pooling. The domain is divided into shares (ranges of elements, of
// pixels, or of pairs of an image and a block of channels), which threads run in parallel; each
// share sums into its own memory. "Moments" are the mean and variance of each channel.

#include "layers/plan/pass.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/codegen/vector_kernel.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/plan/pass_emitter.h"

namespace cotangent::layers {
namespace {

namespace codegen = autodiff::codegen;
using codegen::VectorKernel;
using tensor::Layout;

// About how many bytes RunRange() lets one call of the kernel touch at most. If rows have more
// channels than the kernel can hold in registers, the kernel goes through the rows once for each
// group of channels; meanwhile these bytes should stay in the second-level cache.
constexpr int64_t kBlockBytes = 128 << 10;
// The number of rows ahead that the kernel prefetches. A pass with pooling windows prefetches one
// line of windows ahead instead.
constexpr int64_t kRowsAhead = 16;
// Passes over fewer elements than this run on one thread. With several threads, a pass with sums is
// divided into kSummingSharesPerThread shares per thread; one thread adds up their partial sums in
// the end.
constexpr int64_t kFewestElements = 16384;
constexpr int64_t kSummingSharesPerThread = 6;
// Before moments are summed, one pixel in each of up to this many images is sampled, to find a
// value near each channel's mean (see ChooseShifts()).
constexpr int64_t kImagesSampled = 4;

// Returns whether all operands are row-major and none is broadcast from one pixel. Weights are 4-D
// but row-major, so a pass over weights treats them as one long row.
bool AllPlain(const std::vector<Operand>& operands) {
  return std::all_of(operands.begin(), operands.end(), [](const Operand& o) {
    return o.format.layout == Layout::kNchw && o.access != Access::kImage;
  });
}

int64_t BlockOf(const std::vector<Operand>& operands) {
  for (const Operand& operand : operands) {
    if (operand.format.layout == Layout::kBlocked16) return 16;
    if (operand.format.layout == Layout::kBlocked8) return 8;
  }
  return 0;
}

// A compiled program with the region over which it runs: the whole domain (with a pooling: all
// windows), or the remainder (the pixels before pooling that no window covers).
class Region {
 public:
  static absl::StatusOr<std::unique_ptr<Region>> Compile(Emitter emitter, const Graph& graph,
                                                         const Pass& pass, bool remainder) {
    auto region = std::unique_ptr<Region>(new Region(std::move(emitter), graph, pass, remainder));
    const auto compile = [&](int64_t columns) {
      return VectorKernel::Compile(region->e_.program, {.columns = static_cast<int>(columns)});
    };
    ASSIGN_OR_RETURN(region->kernel_, compile(region->columns_));
    if (region->tail_ == 0) return region;
    ASSIGN_OR_RETURN(region->tail_kernel_, compile(region->tail_));
    return region;
  }

  // Sets all addresses. For each node of the pass that computes moments, `shifts` holds `stride`
  // floats: the values, one per channel, that are subtracted before summing.
  void Bind(const std::function<Buffer(TensorId, int)>& buffer_of, const float* shifts,
            int64_t stride) {
    for (Operand& operand : e_.loads)
      BindOperand(buffer_of(operand.tensor, operand.version), operand);
    for (Operand& operand : e_.stores)
      BindOperand(buffer_of(operand.tensor, operand.version), operand);
    channel_data_.clear(), scalar_data_.clear();
    for (const Emitter::ChannelOperand& c : e_.channels)
      channel_data_.push_back(c.shift >= 0 ? shifts + c.shift * stride
                                           : buffer_of(c.tensor, 0).as<const float>());
    for (TensorId t : e_.scalars) scalar_data_.push_back(buffer_of(t, 0).as<const float>());
  }

  // Runs share number `share` (from 0) of the `shares` shares into which the region is divided.
  // Adds sum number k, one value per channel, to the floats from sums + k * sum_stride on.
  void Run(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const;
  // Adds to the sums, as Run() does, only one pixel of the domain in the middle of each of a few
  // images from all over the batch. Returns the number of these pixels.
  int64_t RunSample(float* sums, int64_t sum_stride) const;

  const std::vector<Emitter::SumOutput>& sums() const { return e_.sums; }
  std::string Describe() const { return kernel_->Describe(); }

 private:
  Region(Emitter emitter, const Graph& graph, const Pass& pass, bool remainder)
      : e_(std::move(emitter)), pass_(pass), remainder_(remainder) {
    const Shape& domain = remainder ? pass.fine : pass.domain;
    flat_ = domain.rank() < 2 || (domain.rank() == 4 && !pass.HasWindow() && e_.channels.empty() &&
                                  e_.sums.empty() && AllPlain(e_.loads) && AllPlain(e_.stores));
    if (flat_) {
      elements_ = domain.NumElements();
      return;
    }
    batch_ = domain[0], channels_ = domain[1];
    height_ = domain.rank() == 4 ? domain[2] : 1, width_ = domain.rank() == 4 ? domain[3] : 1;
    int64_t block = std::max(BlockOf(e_.loads), BlockOf(e_.stores));
    columns_ = block > 0 ? block : channels_;
    blocks_ = (channels_ + columns_ - 1) / columns_;
    tail_ = channels_ % columns_;
    bool image_access = false;
    for (const Operand& operand : e_.loads)
      image_access = image_access || operand.access == Access::kImage;
    by_line_ = pass.HasWindow();
    one_range_ = !by_line_ && !image_access && blocks_ == 1;
  }

  void BindOperand(const Buffer& buffer, Operand& operand);
  void RunFlat(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const;
  void RunRange(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const;
  void RunTiles(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const;
  void RunRemainder(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const;
  // Calls the kernel on `rows` consecutive rows, of which the first is number `row` of the given
  // line, channel block and image, all counted from 0. (RunFlat() and RunRange() count rows through
  // the whole region, with line, block and image 0.)
  void Call(int64_t image, int64_t block, int64_t line, int64_t row, int64_t rows, float* sums,
            int64_t sum_stride) const;
  // Calls the kernel on the rows in [begin, end), counted from the first line, in pieces of at most
  // RowsACall() rows.
  void CallInPieces(int64_t image, int64_t block, int64_t begin, int64_t end, float* sums,
                    int64_t sum_stride) const {
    const int64_t step = RowsACall();
    for (int64_t row = begin; row < end; row += step)
      Call(image, block, 0, row, std::min(step, end - row), sums, sum_stride);
  }
  // Returns the most rows that one call of the kernel computes, if it is called in pieces.
  int64_t RowsACall() const;
  // Returns the distance in bytes from an operand's current element to the element to be
  // prefetched.
  int64_t Ahead(const Operand& o) const { return by_line_ ? o.step_line : kRowsAhead * o.step_row; }

  Emitter e_;
  const Pass& pass_;
  bool remainder_, flat_ = false, by_line_ = false, one_range_ = false;
  int64_t batch_ = 1, channels_ = 1, height_ = 1, width_ = 1;
  int64_t columns_ = 0, blocks_ = 1, elements_ = 0;
  int64_t tail_ = 0;  // channels in the last block if it is not full, otherwise 0
  std::unique_ptr<VectorKernel> kernel_, tail_kernel_;
  std::vector<const float*> channel_data_, scalar_data_;
};

void Region::BindOperand(const Buffer& buffer, Operand& operand) {
  const int64_t size = Bytes(operand.format.type);
  operand.base = buffer.data;
  operand.is_blocked =
      operand.format.layout == Layout::kBlocked16 || operand.format.layout == Layout::kBlocked8;
  if (flat_) {
    operand.step_row = size;
    return;
  }
  // A tensor that is not 4-D is treated as images of one pixel, for which row-major and NHWC are
  // the same.
  const bool is_image = buffer.shape.rank() == 4;
  Shape shape = is_image
                    ? buffer.shape
                    : Shape({buffer.shape[0], buffer.shape.NumElements() / buffer.shape[0], 1, 1});
  if (buffer.of_channels > 0) shape[1] = buffer.of_channels;
  const tensor::Strides strides = tensor::StridesOf(
      shape,
      is_image && operand.format.layout != Layout::kNchw ? operand.format.layout : Layout::kNhwc);
  operand.step_image = strides.n * size;
  // A block has `columns_` channels. In NHWC a block is some of the channels of a pixel, so
  // consecutive blocks are columns_ elements apart.
  operand.step_block = (operand.is_blocked ? strides.c_block : columns_) * size;
  operand.step_line = strides.h * size;
  operand.step_row = strides.w * size;
  if (operand.access == Access::kImage) operand.step_line = operand.step_row = 0;
  if (operand.access == Access::kFine && !remainder_) {
    operand.base += (operand.cell / pass_.window_width) * operand.step_line +
                    (operand.cell % pass_.window_width) * operand.step_row;
    operand.step_line *= pass_.window_height;
    operand.step_row *= pass_.window_width;
  }
}

int64_t Region::RowsACall() const {
  int64_t bytes = 0;  // of a row
  for (const Operand& operand : e_.loads) bytes += columns_ * Bytes(operand.format.type);
  for (const Operand& operand : e_.stores) bytes += columns_ * Bytes(operand.format.type);
  return std::max<int64_t>(8, kBlockBytes / std::max<int64_t>(bytes, 1));
}

void Region::Call(int64_t image, int64_t block, int64_t line, int64_t row, int64_t rows,
                  float* sums, int64_t sum_stride) const {
  std::array<const void*, kMaxOperands> loads;
  std::array<void*, kMaxOperands> stores;
  std::array<int64_t, kMaxOperands> load_strides, store_strides, load_aheads, store_aheads;
  std::array<const float*, kMaxOperands> channels;
  std::array<float, kMaxOperands> scalars;
  std::array<float*, kMaxOperands> sum_data;
  const auto address = [&](const Operand& o) {
    return o.base + image * o.step_image + block * o.step_block + line * o.step_line +
           row * o.step_row;
  };
  for (size_t i = 0; i < e_.loads.size(); ++i)
    loads[i] = address(e_.loads[i]), load_strides[i] = e_.loads[i].step_row,
    load_aheads[i] = Ahead(e_.loads[i]);
  for (size_t i = 0; i < e_.stores.size(); ++i)
    stores[i] = address(e_.stores[i]), store_strides[i] = e_.stores[i].step_row,
    store_aheads[i] = Ahead(e_.stores[i]);
  for (size_t i = 0; i < channel_data_.size(); ++i)
    channels[i] = channel_data_[i] + block * columns_;
  for (size_t i = 0; i < scalar_data_.size(); ++i) scalars[i] = *scalar_data_[i];
  for (size_t i = 0; i < e_.sums.size(); ++i)
    sum_data[i] = sums + i * sum_stride + block * columns_;
  const bool is_tail = tail_ != 0 && block == blocks_ - 1;
  (is_tail ? *tail_kernel_ : *kernel_)({.rows = rows,
                                        .loads = loads.data(),
                                        .load_strides = load_strides.data(),
                                        .channels = channels.data(),
                                        .scalars = scalars.data(),
                                        .stores = stores.data(),
                                        .store_strides = store_strides.data(),
                                        .sums = sum_data.data(),
                                        .load_aheads = load_aheads.data(),
                                        .store_aheads = store_aheads.data()});
  if (!is_tail) return;
  // Blocked layouts pad the last block with channels, which must be zero.
  for (size_t i = 0; i < e_.stores.size(); ++i) {
    if (!e_.stores[i].is_blocked) continue;
    const int64_t size = Bytes(e_.stores[i].format.type);
    for (int64_t r = 0; r < rows; ++r)
      std::memset(static_cast<char*>(stores[i]) + r * store_strides[i] + tail_ * size, 0,
                  (columns_ - tail_) * size);
  }
}

void Region::RunFlat(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const {
  const auto [begin, end] = PartOf(elements_, share, shares);
  if (begin < end) Call(0, 0, 0, begin, end - begin, sums, sum_stride);
}

// Treats the pixels of all images as one sequence of rows.
void Region::RunRange(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const {
  const auto [begin, end] = PartOf(batch_ * height_ * width_, share, shares);
  CallInPieces(0, 0, begin, end, sums, sum_stride);
}

// Calls the kernel for each image and each block of channels. With windows it calls the kernel for
// each line, too, because the step from the last window of a line to the first window of the next
// line differs from the step between windows.
void Region::RunTiles(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const {
  const int64_t tasks = batch_ * blocks_;
  const auto [begin, end] = PartOf(tasks, share, shares);
  for (int64_t task = begin; task < end; ++task) {
    const int64_t image = task / blocks_, block = task % blocks_;
    if (!by_line_) CallInPieces(image, block, 0, height_ * width_, sums, sum_stride);
    for (int64_t line = 0; by_line_ && line < height_; ++line)
      Call(image, block, line, 0, width_, sums, sum_stride);
  }
}

// Runs the kernel on the pixels before pooling that no window covers, in the images of this share:
// all pixels of the lines below the last row of windows, and in the other lines the pixels to the
// right of the last window.
void Region::RunRemainder(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const {
  const int64_t covered_height = pass_.domain[2] * pass_.window_height,
                covered_width = pass_.domain[3] * pass_.window_width;
  const int64_t tasks = batch_ * blocks_;
  const auto [begin, end] = PartOf(tasks, share, shares);
  for (int64_t task = begin; task < end; ++task) {
    for (int64_t line = 0; line < height_; ++line) {
      const int64_t first = line < covered_height ? covered_width : 0;
      if (first < width_)
        Call(task / blocks_, task % blocks_, line, first, width_ - first, sums, sum_stride);
    }
  }
}

void Region::Run(int64_t share, int64_t shares, float* sums, int64_t sum_stride) const {
  if (flat_) return RunFlat(share, shares, sums, sum_stride);
  if (remainder_) return RunRemainder(share, shares, sums, sum_stride);
  if (one_range_) return RunRange(share, shares, sums, sum_stride);
  RunTiles(share, shares, sums, sum_stride);
}

int64_t Region::RunSample(float* sums, int64_t sum_stride) const {
  const int64_t images = std::min(batch_, kImagesSampled);
  for (int64_t i = 0; i < images; ++i) {
    for (int64_t block = 0; block < blocks_; ++block)
      Call(i * batch_ / images, block, height_ / 2, width_ / 2, 1, sums, sum_stride);
  }
  return images;
}

class CompiledPass : public PassKernel {
 public:
  CompiledPass(const Graph& graph, const Pass& pass, int threads)
      : graph_(graph), pass_(pass), threads_(threads) {}

  absl::Status Prepare(const Schedule& schedule, const FormatOf& format_of,
                       const StoreFormatsOf& store_formats_of) {
    RETURN_IF_ERROR(AddRegion(schedule, format_of, store_formats_of, false));
    const bool has_rest =
        pass_.HasWindow() && (pass_.domain[2] * pass_.window_height < pass_.fine[2] ||
                              pass_.domain[3] * pass_.window_width < pass_.fine[3]);
    if (has_rest && TouchesFine()) {
      RETURN_IF_ERROR(AddRegion(schedule, format_of, store_formats_of, true));
    }
    const int64_t channels = pass_.domain.rank() >= 2 ? pass_.domain[1] : 1;
    sum_stride_ = AlignFloats(channels);
    for (const auto& region : regions_)
      most_sums_ = std::max<int64_t>(most_sums_, region->sums().size());
    if (threads_ > 1 && pass_.domain.NumElements() >= kFewestElements)
      shares_ = threads_ * (most_sums_ > 0 ? kSummingSharesPerThread : kSharesPerThread);
    ASSIGN_OR_RETURN(partial_, AlignedBuffer::Create(std::max<int64_t>(
                                   64, 4 * shares_ * regions_.size() * most_sums_ * sum_stride_)));
    shifts_.assign(ShiftOf(graph_, pass_, -1) * sum_stride_, 0.0f);
    return absl::OkStatus();
  }

  void Bind(const std::function<Buffer(TensorId, int)>& buffer_of) override {
    for (const auto& region : regions_) region->Bind(buffer_of, shifts_.data(), sum_stride_);
    sum_outputs_.clear();
    for (const Emitter::SumOutput& sum : regions_[0]->sums()) {
      if (sum.squares) continue;
      const Node& node = graph_.node(sum.node);
      const Shape& x = graph_.shape(node.inputs[0]);
      SumOutput out{.channels = x[1],
                    .count = static_cast<double>(x.NumElements() / x[1]),
                    .first = buffer_of(node.outputs[0], 0).as<float>()};
      if (IsMoments(graph_, node))
        out.variance = buffer_of(node.outputs[1], 0).as<float>(),
        out.shift = &shifts_[sum.shift * sum_stride_];
      sum_outputs_.push_back(out);
    }
  }

  void Run() override {
    ChooseShifts();
    ParallelFor(shares_, [this](int64_t share) { RunShare(share); });
    Combine();
  }

  std::string Describe() const override { return regions_[0]->Describe(); }

 private:
  struct SumOutput {
    int64_t channels;
    double count;
    float* first;               // where to write the sum; for moments, the mean
    float* variance = nullptr;  // where to write the variance; only for moments
    const float* shift = nullptr;
  };

  absl::Status AddRegion(const Schedule& schedule, const FormatOf& format_of,
                         const StoreFormatsOf& store_formats_of, bool remainder) {
    std::optional<Emitter> emitter;
    for (const codegen::Accuracy accuracy : {codegen::Accuracy::kF32, codegen::Accuracy::kBf16}) {
      // The first attempt computes in f32 accuracy, the second one in bf16 accuracy. The second
      // attempt is made if the first has shown that the pass touches bf16 tensors, which is known
      // only when everything has been emitted.
      if (accuracy == codegen::Accuracy::kBf16 && !emitter->TouchesBf16()) break;
      emitter.emplace(graph_, pass_, schedule, format_of, remainder, accuracy);
      RETURN_IF_ERROR(emitter->Emit(store_formats_of));
    }
    ASSIGN_OR_RETURN(std::unique_ptr<Region> region,
                     Region::Compile(*std::move(emitter), graph_, pass_, remainder));
    regions_.push_back(std::move(region));
    return absl::OkStatus();
  }

  bool TouchesFine() const {
    for (TensorId t : pass_.stores) {
      if (pass_.IsFine(graph_.shape(t))) return true;
    }
    for (int node : pass_.sums) {
      if (pass_.IsFine(graph_.shape(graph_.node(node).inputs[0]))) return true;
    }
    return false;
  }

  float* Partial(int64_t share, size_t region) {
    return partial_.as<float>() + (share * regions_.size() + region) * most_sums_ * sum_stride_;
  }

  // Chooses for each channel a value m near its mean; moments are summed over x - m. With M the
  // mean over a channel, the variance is M((x - m)^2) - M(x - m)^2; if m is near the mean, the two
  // terms hardly cancel. With m = 0 and a mean of 10,000 standard deviations, no digit of the
  // variance would be left in f32. By Chebyshev's inequality, at most 1 / k^2 of a channel's values
  // are more than k standard deviations from the mean, so the mean of a small sample is near
  // enough.
  void ChooseShifts() {
    if (shifts_.empty()) return;
    std::fill(shifts_.begin(), shifts_.end(), 0.0f);
    float* sums = Partial(0, 0);
    std::fill(sums, sums + most_sums_ * sum_stride_, 0.0f);
    const int64_t rows = regions_[0]->RunSample(sums, sum_stride_);
    const auto& all = regions_[0]->sums();
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].shift < 0 || all[i].squares) continue;
      for (int64_t c = 0; c < pass_.domain[1]; ++c)
        shifts_[all[i].shift * sum_stride_ + c] =
            sums[i * sum_stride_ + c] / static_cast<float>(rows * all[i].cells);
    }
  }

  void RunShare(int64_t share) {
    for (size_t i = 0; i < regions_.size(); ++i) {
      float* sums = Partial(share, i);
      std::fill(sums, sums + most_sums_ * sum_stride_, 0.0f);
      regions_[i]->Run(share, shares_, sums, sum_stride_);
    }
  }

  // Returns the total of sum number `sum` for one channel, over all shares and regions. The region
  // of the remainder has only the sums over tensors before pooling, so each of its sums is
  // identified by its node, not by its number.
  double Total(size_t sum, int64_t channel) {
    double total = 0;
    for (size_t region = 0; region < regions_.size(); ++region) {
      const auto& all = regions_[0]->sums();
      const auto& own = regions_[region]->sums();
      for (size_t i = 0; i < own.size(); ++i) {
        if (own[i].node != all[sum].node || own[i].squares != all[sum].squares) continue;
        for (int64_t share = 0; share < shares_; ++share)
          total += Partial(share, region)[i * sum_stride_ + channel];
      }
    }
    return total;
  }

  void Combine() {
    size_t sum = 0;
    for (const SumOutput& out : sum_outputs_) {
      for (int64_t channel = 0; channel < out.channels; ++channel) {
        const double total = Total(sum, channel);
        if (out.variance == nullptr) {
          out.first[channel] = static_cast<float>(total);
          continue;
        }
        // The mean and the mean square of the values minus the shift.
        const double mean = total / out.count, mean_square = Total(sum + 1, channel) / out.count;
        out.first[channel] = static_cast<float>(out.shift[channel] + mean);
        // std::max(0, variance) would turn NaN into 0, but NaN must stay NaN.
        const double variance = mean_square - mean * mean;
        out.variance[channel] = static_cast<float>(variance < 0 ? 0 : variance);
      }
      sum += out.variance == nullptr ? 1 : 2;
    }
  }

  const Graph& graph_;
  const Pass pass_;
  const int threads_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::vector<SumOutput> sum_outputs_;
  AlignedBuffer partial_;
  std::vector<float> shifts_;  // for each node that computes moments: one value per channel
  int64_t sum_stride_ = 0, most_sums_ = 0;
  int64_t shares_ = 1;  // parts into which the domain is divided; each has its own sums
};

}  // namespace

absl::StatusOr<std::unique_ptr<PassKernel>> PassKernel::Compile(
    const Graph& graph, const Pass& pass, const Schedule& schedule, const FormatOf& format_of,
    const StoreFormatsOf& store_formats_of, int threads) {
  auto compiled = std::make_unique<CompiledPass>(graph, pass, threads);
  RETURN_IF_ERROR(compiled->Prepare(schedule, format_of, store_formats_of));
  return compiled;
}

}  // namespace cotangent::layers
