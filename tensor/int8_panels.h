// Our own forward convolutions of 8-bit integers in NHWC, as products of 16-bit integers: the base
// of those by Winograd's algorithm (int8_winograd.cc) and of the direct ones (int8_product.cc).
//
// The convolution is cut into items: tiles of pixels, or single pixels, of the output. An item has
// a row of numbers at each of some "points", made from its inputs. At each point the rows are
// multiplied by panels of weights (a panel: the weights of int8_kernels::kColumns adjacent output
// channels); from an item's products at all points its outputs follow. A chunk is the items that
// are processed at a time.
//
// Sums of products are exact in s32. AVX2 multiplies pairs of 16-bit integers as fast as it
// multiplies 8-bit ones whose sums must not saturate at 16 bits: 16 products an instruction, twice
// as many as in f32.
#ifndef COTANGENT_TENSOR_INT8_PANELS_H_
#define COTANGENT_TENSOR_INT8_PANELS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "tensor/convolution_family.h"
#include "tensor/int8_convolution.h"
#include "tensor/int8_kernels.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {

class Int8PanelConvolution : public ConvolutionImplementation {
 public:
  std::string implementation() const final { return choice_.implementation; }
  int64_t packed_weight_bytes() const final;
  int64_t scratch_bytes() const final;
  void Run(const ConvolutionArguments& arguments) const final;

 protected:
  // How a derived class cuts up the convolution. Numbers of rows are s16; packed weights are s8 if
  // byte_weights, else s16.
  struct Parts {
    int64_t items;
    int64_t points;
    int64_t row;         // numbers in the row of an item at a point; even
    int64_t row_stride;  // numbers from an item's row to the next item's
    bool byte_weights;
  };
  // REQUIRES: CheckInt8Choice() is ok, and there are no groups.
  Int8PanelConvolution(const ConvolutionShape& shape, const ConvolutionChoice& choice,
                       const Epilogue& epilogue, const Parts& parts);

  // Writes the rows of items [first, first + count) at all points. The row of item `first` at point
  // p goes to rows + p * PointStride(), the next item's `row_stride` numbers later. `zeros` are as
  // many zero bytes as an input pixel has channels.
  virtual void MakeRows(const ConvolutionArguments& arguments, const char* zeros, int64_t first,
                        int64_t count, int16_t* rows) const = 0;
  // Computes the outputs of items [first, first + count) for `channels` channels from `channel` on.
  // The products of item `first` at point p begin at products + p * ProductPointStride(), those of
  // the next item ProductRow() later.
  virtual void MakeOutputs(const ConvolutionArguments& arguments, int64_t first, int64_t count,
                           int64_t channel, int64_t channels, const int32_t* products,
                           const int8_kernels::Finish& finish) const = 0;

  int64_t PointStride() const;  // numbers from one point's rows to the next point's
  int64_t ProductRow() const { return group_panels_ * int8_kernels::kColumns; }
  int64_t ProductPointStride() const;  // numbers from one point to the next
  int64_t panels() const;
  int64_t weight_bytes() const { return parts_.byte_weights ? 1 : 2; }
  int64_t PanelPointBytes() const;  // of a panel's weights at one point
  // Returns the index of a weight among a panel's weights at one point: the weight for column
  // number `column` by which number k of a row is multiplied.
  static int64_t PlaceOf(int64_t k, int64_t column) {
    return (k / 2 * int8_kernels::kColumns + column) * 2 + k % 2;
  }
  // Returns the weight at (output channel, input channel, tap), in units of its channel's scale,
  // rounded to an integer. Taps (cells of the kernel) are counted row by row.
  int Weight(const float* oihw, int64_t out, int64_t in, int64_t tap) const;
  bool is_signed() const { return choice_.in_type == ElementType::kS8; }
  int64_t out_bytes() const { return Bytes(choice_.out_type); }

  const int8_kernels::Kernels& kernels_;
  const ConvolutionShape shape_;

 private:
  void Multiply(const char* weights, int64_t panel, int64_t group, int64_t count,
                const int16_t* rows, int32_t* products) const;
  void ComputeGroup(const ConvolutionArguments& arguments, const int8_kernels::Finish& finish,
                    int64_t group, int64_t first, int64_t count, const int16_t* rows,
                    int32_t* products) const;
  int8_kernels::Finish FinishFor(const ConvolutionArguments& arguments,
                                 float* channel_numbers) const;
  int64_t groups() const;
  int64_t ZeroBytes() const;
  int64_t ChannelBytes() const;  // of the factors or the shifts of all channels
  int64_t RowsBytes() const;
  int64_t ProductsBytes() const;

  const ConvolutionChoice choice_;
  const Int8Convolution int8_;
  const bool bias_, addend_, relu_;
  const Parts parts_;
  const int threads_;
  bool by_thread_;        // each thread has chunks of its own
  int64_t group_panels_;  // panels of which the products are computed before outputs are made
  int64_t chunk_;         // items processed at a time
};

// Returns the family of convolutions of class T, which is derived from Int8PanelConvolution and has
//   static constexpr Algorithm kAlgorithm;
//   static bool IsAvailable(const ConvolutionShape&);  // asked for forward convolutions with one
//                                // group whose results are not bf16, if HaveOwnInt8Kernels()
//   static std::string Implementation();
//   T(const ConvolutionShape&, const ConvolutionChoice&, const Epilogue&);
template <class T>
constexpr ConvolutionFamily Int8PanelFamily(std::string_view name) {
  return {
      .name = name,
      .algorithm = T::kAlgorithm,
      .available =
          [](const ConvolutionShape& shape, Direction direction, const SideTypes& types) {
            return direction == Direction::kForward && HaveOwnInt8Kernels() &&
                   types.out != ElementType::kBf16 && shape.groups == 1 && T::IsAvailable(shape);
          },
      .candidates =
          [](const ConvolutionShape&, Direction, const SideTypes& types) {
            return std::vector<ConvolutionCandidate>{{{T::kAlgorithm, Layout::kNhwc, Layout::kNhwc,
                                                       types.in, types.out, T::Implementation()},
                                                      KernelKind::kAvx2}};
          },
      .has =
          [](const ConvolutionChoice& choice) {
            return choice.implementation == T::Implementation();
          },
      .int8 = true,
      .create = [](const ConvolutionShape& shape, Direction, const ConvolutionChoice& choice,
                   const Epilogue& epilogue)
          -> absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> {
        RETURN_IF_ERROR(CheckInt8Choice(shape, choice, epilogue));
        return std::make_unique<T>(shape, choice, epilogue);
      },
  };
}

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_INT8_PANELS_H_
