// Building a graph of the ONNX project's own messages (onnx.proto), operator set 17.
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

// The operator set, and the version of the file format that came with it (ONNX 1.12).
inline constexpr int kOnnxOperatorSet = 17, kOnnxFormatVersion = 8;

// Values are named as viewers show them: by layer, "/" and the operator, made unique by a number.
class OnnxGraph {
 public:
  explicit OnnxGraph(onnx::GraphProto& graph) : graph_(graph) {}

  // What new nodes belong to: "layer1.0.conv1".
  void SetLayer(absl::string_view layer) { layer_ = std::string(layer); }

  // An operator with one output; returns the name of that.
  struct Attribute {
    std::string name;
    std::vector<int64_t> ints;
    bool is_list = true;  // else one number
  };
  std::string Add(absl::string_view op, std::vector<std::string> inputs,
                  const std::vector<Attribute>& attributes = {});
  // The number of an attribute that is no list.
  static Attribute Int(absl::string_view name, int64_t value) {
    return {std::string(name), {value}, false};
  }

  // Pads with zeros, or mirrored; `pads` are those before each axis, then those after.
  std::string AddPad(const std::string& x, const std::vector<int64_t>& pads, bool reflect);

  // Tensors that are known: equal numbers, lists and names are added once.
  std::string Tensor(absl::string_view name, const std::vector<int64_t>& shape,
                     absl::Span<const float> values);
  // The same of any type of onnx::TensorProto.
  std::string Typed(absl::string_view name, const std::vector<int64_t>& shape, int type,
                    const void* data, size_t bytes);
  std::string Number(float value);
  std::string Integers(const std::vector<int64_t>& values);

  // A name that is not yet in use: this, or this and a number.
  std::string Unique(absl::string_view name);
  onnx::GraphProto& proto() { return graph_; }

 private:
  onnx::GraphProto& graph_;
  std::string layer_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_map<std::string, std::string> known_;  // what a tensor is -> its name
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_GRAPH_H_
