#include "layers/graph/graph.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

TensorId Graph::NewTensor(absl::string_view name, Shape shape, int node) {
  tensors_.push_back({std::string(name), std::move(shape), node});
  const TensorId id = num_tensors() - 1;
  nodes_[node].outputs.push_back(id);
  tensors_[id].storage = StorageOf(id);
  return id;
}

Storage Graph::StorageOf(TensorId id) const {
  const Node& node = producer(id);
  const auto output = std::find(node.outputs.begin(), node.outputs.end(), id);
  return node.op->StorageOf(*this, node, static_cast<int>(output - node.outputs.begin()));
}

void Graph::ReplaceNode(int index, Node node) {
  nodes_[index] = std::move(node);
  for (TensorId output : nodes_[index].outputs) tensors_[output].storage = StorageOf(output);
}

std::vector<TensorId> Graph::AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                                     Attributes attributes, const std::vector<Output>& outputs) {
  const std::optional<std::string> key = op->Key(attributes);
  TensorId* known = nullptr;
  if (key.has_value()) {
    std::string made = absl::StrCat(op->name(), ":", *key, ":", absl::StrJoin(inputs, ","));
    for (const Output& output : outputs) absl::StrAppend(&made, ":", output.shape.ToString());
    const auto [entry, is_new] = interned_.try_emplace(std::move(made), kNoTensor);
    if (!is_new) return producer(entry->second).outputs;
    known = &entry->second;
  }
  nodes_.push_back({op, std::string(name), std::move(inputs), {}, std::move(attributes)});
  const int node = static_cast<int>(nodes_.size()) - 1;
  for (const Output& output : outputs)
    NewTensor(absl::StrCat(name, output.suffix), output.shape, node);
  if (known != nullptr) *known = nodes_[node].outputs[0];
  return nodes_[node].outputs;
}

TensorId Graph::AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                        Attributes attributes, Shape shape) {
  const std::vector<Output> outputs = {{"", std::move(shape)}};
  return AddNode(op, name, std::move(inputs), std::move(attributes), outputs)[0];
}

TensorId Graph::InsertNode(int index, Op op, absl::string_view name, std::vector<TensorId> inputs,
                           Attributes attributes, Shape shape) {
  nodes_.insert(nodes_.begin() + index,
                {op, std::string(name), std::move(inputs), {}, std::move(attributes)});
  for (TensorInfo& tensor : tensors_) tensor.node += tensor.node >= index;
  return NewTensor(name, std::move(shape), index);
}

void Graph::InsertNodes(int index, std::vector<Insertion> insertions) {
  const int count = static_cast<int>(insertions.size());
  for (TensorInfo& tensor : tensors_) tensor.node += tensor.node >= index ? count : 0;
  std::vector<Node> nodes;
  for (Insertion& insertion : insertions) nodes.push_back(std::move(insertion.node));
  nodes_.insert(nodes_.begin() + index, std::make_move_iterator(nodes.begin()),
                std::make_move_iterator(nodes.end()));
  for (int k = 0; k < count; ++k) {
    const TensorInfo like = tensors_[insertions[k].like];
    NewTensor(like.name, like.shape, index + k);
  }
}

TensorId Graph::Input(absl::string_view name, Shape shape) {
  inputs_.push_back(AddNode(kInput, name, {}, {}, std::move(shape)));
  return inputs_.back();
}

TensorId Graph::Parameter(absl::string_view name, Shape shape) {
  parameters_.push_back(AddNode(kParameter, name, {}, {}, std::move(shape)));
  return parameters_.back();
}

TensorId Graph::State(absl::string_view name, Shape shape) {
  states_.push_back(AddNode(kState, name, {}, {}, std::move(shape)));
  return states_.back();
}

std::string Graph::ToString() const {
  std::string text;
  for (const Node& node : nodes_) {
    absl::StrAppend(
        &text,
        absl::StrJoin(node.outputs, ", ",
                      [this](std::string* out, TensorId t) {
                        absl::StrAppend(out, "%", t, " ", shape(t).ToString());
                      }),
        " = ", node.op->name(), "(",
        absl::StrJoin(node.inputs, ", ",
                      [](std::string* out, TensorId t) { absl::StrAppend(out, "%", t); }),
        ")  # ", node.name, "\n");
  }
  return text;
}

}  // namespace cotangent::layers
