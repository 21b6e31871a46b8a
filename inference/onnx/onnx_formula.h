// Writes formulas as ONNX operators, and evaluates formulas of constants.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_FORMULA_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_FORMULA_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "autodiff/symbolic/expression.h"
#include "inference/onnx/onnx_graph.h"

namespace cotangent::inference {

// The operands of a formula.
struct FormulaOperands {
  // Variables whose values the ONNX graph computes, with the names of these values.
  absl::flat_hash_map<autodiff::symbolic::Expr, std::string> computed;
  // Adds a constant tensor for an expression without variables of `computed`; returns its name.
  std::function<absl::StatusOr<std::string>(const autodiff::symbolic::Expr&)> constant;
};

// Adds operators that compute `formula` elementwise; returns the name of the result. Error
// (InvalidArgument): the formula has a function that is not an ONNX operator and cannot be composed
// of ONNX operators; the message names the function.
absl::StatusOr<std::string> AddFormula(const autodiff::symbolic::Expr& formula,
                                       const FormulaOperands& operands, OnnxGraph& graph);

// Evaluates an elementwise operation on constants, channel by channel: `operands` has for each
// variable one number per channel, or one for all channels; an empty vector says that the operand
// is not constant. Returns one number per channel, or a single one; an empty vector if an operand
// is not constant.
std::vector<float> EvaluateByChannel(const autodiff::symbolic::Expr& formula,
                                     const std::vector<autodiff::symbolic::Expr>& variables,
                                     const std::vector<std::vector<float>>& operands);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_FORMULA_H_
