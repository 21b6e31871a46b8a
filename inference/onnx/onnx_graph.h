// Builds a graph in the ONNX project's own protocol buffers (onnx.proto), operator set 17.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_GRAPH_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_GRAPH_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::inference {

// The operator set, and the version of the file format that belongs to it (ONNX 1.12).
inline constexpr int kOnnxOperatorSet = 17, kOnnxFormatVersion = 8;

// An ONNX graph being built. An operator and its output have one name, which programs that draw
// ONNX graphs show: the layer, "/" and the kind of operator, followed by a number if that name is
// taken.
class OnnxGraph {
 public:
  explicit OnnxGraph(onnx::GraphProto& graph) : graph_(graph) {}

  // Sets the layer, such as "layer1.0.conv1", to which operators added from now on belong.
  void SetLayer(absl::string_view layer) { layer_ = std::string(layer); }

  // A named attribute of an operator: a list of integers, or a single one.
  struct Attribute {
    std::string name;
    std::vector<int64_t> ints;
    bool is_list = true;  // false: a single number
  };
  // Adds an operator with one output; returns the name of that output.
  std::string Add(absl::string_view op, std::vector<std::string> inputs,
                  const std::vector<Attribute>& attributes = {});
  // Gives the operator that was added last one more output, which nothing reads.
  void AddUnreadOutput();
  // Makes an attribute that is a single number.
  static Attribute Int(absl::string_view name, int64_t value) {
    return {std::string(name), {value}, false};
  }

  // Adds an operator that takes the elements from `begin` up to, but without, `end` of an axis.
  std::string AddSlice(const std::string& x, int64_t axis, int64_t begin, int64_t end);

  // Adds an operator that pads with zeros or, if `reflect`, mirrors. `pads` lists the padding
  // before each axis, then that after each axis. Returns the name of the output.
  std::string AddPad(const std::string& x, const std::vector<int64_t>& pads, bool reflect);

  // The functions from here to Integers() add constant tensors and return their names. Tensor() and
  // Typed() add nothing if a tensor of the same name and shape was added before; its values must be
  // the same. Number() and Integers() add equal values only once.
  std::string Tensor(absl::string_view name, const std::vector<int64_t>& shape,
                     absl::Span<const float> values);
  // Adds a constant tensor of any type of onnx::TensorProto, with the `bytes` bytes at `data`.
  std::string Typed(absl::string_view name, const std::vector<int64_t>& shape, int type,
                    const void* data, size_t bytes);
  std::string Number(float value);
  std::string Integers(const std::vector<int64_t>& values);

  // Returns a name that is not in use: `name` itself or, if it is taken, `name` followed by a
  // number.
  std::string Unique(absl::string_view name);
  onnx::GraphProto& proto() { return graph_; }

 private:
  onnx::GraphProto& graph_;
  std::string layer_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_map<std::string, std::string> known_;  // description of a tensor -> its name
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_GRAPH_H_
