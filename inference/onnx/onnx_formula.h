// Formulas as ONNX operators.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_FORMULA_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_FORMULA_H_

#include <functional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "autodiff/symbolic/expression.h"
#include "inference/onnx/onnx_graph.h"

namespace cotangent::inference {

// What a formula is made of.
struct FormulaOperands {
  // Variables whose values are computed, by name.
  absl::flat_hash_map<autodiff::symbolic::Expr, std::string> computed;
  // Adds an expression without such variables as a tensor; returns its name.
  std::function<absl::StatusOr<std::string>(const autodiff::symbolic::Expr&)> constant;
};

// Adds the operators that compute a formula elementwise; returns the name of its value.
// InvalidArgument, naming the function, for one that is no ONNX operator and not made of some.
absl::StatusOr<std::string> AddFormula(const autodiff::symbolic::Expr& formula,
                                       const FormulaOperands& operands, OnnxGraph& graph);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_FORMULA_H_
