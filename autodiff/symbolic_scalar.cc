#include "autodiff/symbolic_scalar.h"

namespace cotangent::autodiff {

namespace tracing {

symbolic::Expr SymbolicScalar::In(SymbolicTrace& trace) const {
  if (expression_) return expression_;
  if (std::isfinite(value_)) return trace.pool.Constant(value_);
  // Formulas cannot express infinity or NaN.
  if (trace.unsupported.empty()) trace.unsupported = "a constant that is not finite";
  return trace.pool.Constant(0);
}

SymbolicScalar SymbolicScalar::WithValue(double value) const {
  SymbolicScalar other = *this;
  other.value_ = value;
  return other;
}

}  // namespace tracing

namespace symbolic_internal {

SymbolicScalar Named(const char* name, double value, const SymbolicScalar& x) {
  if (x.IsConstant()) return SymbolicScalar(value);
  const symbolic::NamedFunction* const function = symbolic::FindFunction(name);
  if (function == nullptr) return Unsupported(name, x);
  const symbolic::Expr argument = x.In(*x.trace());
  return SymbolicScalar(value, function->build({&argument, 1}), x.trace());
}

SymbolicScalar Unsupported(const char* name, const SymbolicScalar& x) {
  if (!x.IsConstant() && x.trace()->unsupported.empty()) x.trace()->unsupported = name;
  return SymbolicScalar(0);
}

}  // namespace symbolic_internal
}  // namespace cotangent::autodiff
