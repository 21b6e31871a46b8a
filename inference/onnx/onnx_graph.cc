#include "inference/onnx/onnx_graph.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cotangent::inference {

std::string OnnxGraph::Unique(absl::string_view name) {
  std::string unique(name);
  for (int i = 1; !names_.insert(unique).second; ++i) unique = absl::StrCat(name, "_", i);
  return unique;
}

std::string OnnxGraph::Add(absl::string_view op, std::vector<std::string> inputs,
                           const std::vector<Attribute>& attributes) {
  onnx::NodeProto& node = *graph_.add_node();
  std::string name = Unique(absl::StrCat(layer_, "/", op));
  node.set_op_type(std::string(op));
  node.set_name(name);
  for (std::string& input : inputs) node.add_input(std::move(input));
  node.add_output(name);
  for (const Attribute& given : attributes) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(given.name);
    if (given.is_list) {
      attribute.set_type(onnx::AttributeProto::INTS);
      for (int64_t value : given.ints) attribute.add_ints(value);
    } else {
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(given.ints[0]);
    }
  }
  return name;
}

void OnnxGraph::AddUnreadOutput() {
  onnx::NodeProto& node = *graph_.mutable_node(graph_.node_size() - 1);
  node.add_output(Unique(absl::StrCat(node.name(), ".unread")));
}

std::string OnnxGraph::AddSlice(const std::string& x, int64_t axis, int64_t begin, int64_t end) {
  return Add("Slice", {x, Integers({begin}), Integers({end}), Integers({axis})});
}

std::string OnnxGraph::AddPad(const std::string& x, const std::vector<int64_t>& pads,
                              bool reflect) {
  std::string name = Add("Pad", {x, Integers(pads)});
  onnx::AttributeProto& mode = *graph_.mutable_node(graph_.node_size() - 1)->add_attribute();
  mode.set_name("mode");
  mode.set_type(onnx::AttributeProto::STRING);
  mode.set_s(reflect ? "reflect" : "constant");
  return name;
}

std::string OnnxGraph::Tensor(absl::string_view name, const std::vector<int64_t>& shape,
                              absl::Span<const float> values) {
  return Typed(name, shape, onnx::TensorProto::FLOAT, values.data(), values.size() * sizeof(float));
}

std::string OnnxGraph::Typed(absl::string_view name, const std::vector<int64_t>& shape, int type,
                             const void* data, size_t bytes) {
  std::string& known = known_[absl::StrCat(name, " ", absl::StrJoin(shape, ","))];
  if (!known.empty()) return known;
  known = Unique(name);
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(known);
  tensor.set_data_type(type);
  for (int64_t extent : shape) tensor.add_dims(extent);
  tensor.set_raw_data(data, bytes);
  return known;
}

std::string OnnxGraph::Number(float value) {
  // Equal numbers (with equal bits) share one constant tensor.
  std::string& known = known_[absl::StrCat("number ", std::bit_cast<uint32_t>(value))];
  if (!known.empty()) return known;
  known = Unique(absl::StrCat("number ", value));
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(known);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.set_raw_data(&value, sizeof(value));
  return known;
}

std::string OnnxGraph::Integers(const std::vector<int64_t>& values) {
  const std::string text = absl::StrCat("integers ", absl::StrJoin(values, ","));
  std::string& known = known_[text];
  if (!known.empty()) return known;
  known = Unique(text);
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(known);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  tensor.set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return known;
}

}  // namespace cotangent::inference
