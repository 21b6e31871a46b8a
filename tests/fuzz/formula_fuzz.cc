// Parses the input as a formula, prints it as text, LaTeX and MathML, evaluates and differentiates
// it.
#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace symbolic = cotangent::autodiff::symbolic;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  symbolic::Pool pool;
  symbolic::ParseOptions options;
  options.variables = {"x", "y", "z"};
  const absl::StatusOr<symbolic::Expr> parsed = symbolic::Parse(text, pool, options);
  if (!parsed.ok()) {
    COTANGENT_PROPERTY(absl::StartsWith(parsed.status().message(), "formula:"));
    return 0;
  }
  symbolic::ToText(*parsed);
  symbolic::ToLatex(*parsed);
  symbolic::ToMathMl(*parsed);
  const symbolic::Expr derivative = symbolic::Differentiate(*parsed, pool.Variable("x"));
  symbolic::ToText(derivative);
  const symbolic::Bindings point = {{"x", 0.5}, {"y", -2}, {"z", 3}};
  symbolic::Evaluate(*parsed, point).status().IgnoreError();
  symbolic::Evaluate(derivative, point).status().IgnoreError();
  return 0;
}
