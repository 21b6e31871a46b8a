// Translates a fused pass into a vector program (VectorProgram of autodiff/codegen): what the pass
// loads, computes, stores and sums for one element. A fused pass is a loop over the elements of its
// domain that computes several operations (fusion.h); if it contains a pooling, the domain is the
// pooled image. "Moments" are the mean and variance of each channel. They are computed from sums of
// values minus a "shift", one number per channel that is near the channel's mean, because that
// loses less precision.
#ifndef COTANGENT_LAYERS_PLAN_PASS_EMITTER_H_
#define COTANGENT_LAYERS_PLAN_PASS_EMITTER_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "layers/graph/operation.h"
#include "layers/plan/buffer.h"
#include "layers/plan/fusion.h"
#include "layers/plan/pass.h"
#include "layers/plan/pass_context.h"

namespace cotangent::layers {

// The largest number of operands of each kind (loads, stores, channels, ...) in a program.
inline constexpr int kMaxOperands = 64;

// Says how an operand's position in its tensor follows the pass's position in its domain.
enum class Access {
  kCoarse,  // the tensor has the shape of the domain
  kFine,    // before pooling: cell `cell` of the element's window; remainder: the pixel itself
  kImage,   // one value per image and channel, used at every pixel
};

struct Operand {
  TensorId tensor = kNoTensor;
  int version = 0;  // index among the stored versions (copies in different formats) of the tensor
  Access access = Access::kCoarse;
  int cell = -1;
  Format format;
  bool is_blocked = false;
  // Set when the pass is bound to buffers: the address of the operand, and the distances in bytes
  // from one image, block of channels, line of pixels, and pixel to the next. (The compiled kernel
  // calls the channels of one pixel a row.)
  char* base = nullptr;
  int64_t step_image = 0, step_block = 0, step_line = 0, step_row = 0;
};

bool IsMoments(const Graph& graph, const Node& node);
// Numbers the shifts of a pass: each node of the pass that computes moments has one. Returns the
// number, counted from 0, of the shift of the node with this index in `graph`. With index -1,
// returns how many shifts the pass has.
int ShiftOf(const Graph& graph, const Pass& pass, int index);

// Translates the operations of a pass into a program. If `remainder` is true, the program is for
// those elements before pooling that no window covers.
class Emitter : public PassContext {
 public:
  Emitter(const Graph& graph, const Pass& pass, const Schedule& schedule,
          const PassKernel::FormatOf& format_of, bool remainder,
          autodiff::codegen::Accuracy accuracy)
      : PassContext(accuracy),
        graph_(graph),
        pass_(pass),
        schedule_(schedule),
        format_of_(format_of),
        remainder_(remainder),
        flat_(pass.domain.rank() < 2) {}

  absl::Status Emit(const PassKernel::StoreFormatsOf& store_formats_of);

  absl::StatusOr<autodiff::codegen::Value> ValueOf(TensorId t, int cell) override;
  autodiff::codegen::Value LoadSpread(TensorId t) override {
    return LoadTensor(t, Access::kImage, -1);
  }
  bool IsFine(TensorId t) const override { return pass_.IsFine(graph_.shape(t)); }
  int cells() const override {
    return remainder_ ? 1 : static_cast<int>(pass_.window_height * pass_.window_width);
  }
  bool is_remainder() const override { return remainder_; }

  bool TouchesBf16() const {
    const auto is_bf16 = [](const Operand& operand) {
      return operand.format.type == ElementType::kBf16;
    };
    return std::any_of(loads.begin(), loads.end(), is_bf16) ||
           std::any_of(stores.begin(), stores.end(), is_bf16);
  }

  std::vector<Operand> loads, stores;
  // An operand with one value per channel: a tensor, or, if `shift` is not -1, the shift of the
  // moments with that number (see ShiftOf()).
  struct ChannelOperand {
    TensorId tensor;
    int shift = -1;
  };
  std::vector<ChannelOperand> channels;
  std::vector<TensorId> scalars;
  struct SumOutput {
    int node;
    bool squares;  // for moments; true: the sum of the squares of value minus shift
    // Only for moments: their number (see ShiftOf()), which selects the shift that is subtracted
    // before summing; otherwise -1.
    int shift = -1;
    int cells = 1;  // how many elements of a channel one element of the domain adds
  };
  std::vector<SumOutput> sums;

 private:
  bool IsStoredHere(TensorId t) const {
    return std::find(pass_.stores.begin(), pass_.stores.end(), t) != pass_.stores.end();
  }
  absl::StatusOr<autodiff::codegen::Value> Compute(TensorId t, int cell);
  autodiff::codegen::Value LoadTensor(TensorId t, Access access, int cell);
  absl::Status EmitSum(const Node& node, int index);

  const Graph& graph_;
  const Pass& pass_;
  const Schedule& schedule_;
  const PassKernel::FormatOf& format_of_;
  const bool remainder_;
  const bool flat_;
  std::map<std::pair<TensorId, int>, autodiff::codegen::Value> values_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PASS_EMITTER_H_
