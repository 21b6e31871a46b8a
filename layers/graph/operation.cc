#include "layers/graph/operation.h"

#include <algorithm>
#include <cstring>

namespace cotangent::layers {
namespace {

std::vector<Op>& Registered() {
  static std::vector<Op>& operations = *new std::vector<Op>();
  return operations;
}

class Input : public Leaf {
 public:
  const char* name() const override { return "input"; }
  Storage StorageOf(const Graph& graph, const Node& node, int) const override {
    return graph.shape(node.outputs[0]).rank() == 1 ? Storage::kLabels : Storage::kActivations;
  }
};

class Parameter : public Leaf {
 public:
  const char* name() const override { return "parameter"; }
  Storage StorageOf(const Graph&, const Node&, int) const override { return Storage::kPlain; }
};

class State : public Leaf {
 public:
  const char* name() const override { return "state"; }
  Storage StorageOf(const Graph&, const Node&, int) const override { return Storage::kPlain; }
};

const Input input;
const Parameter parameter;
const State state;

}  // namespace

const Op kInput = &input, kParameter = &parameter, kState = &state;

Operation::Operation() { Registered().push_back(this); }

std::vector<Op> AllOperations() {
  std::vector<Op> all = Registered();
  std::sort(all.begin(), all.end(),
            [](Op a, Op b) { return std::strcmp(a->name(), b->name()) < 0; });
  return all;
}

}  // namespace cotangent::layers
