#ifndef COTANGENT_AUTODIFF_SYMBOLIC_CONTINUITY_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_CONTINUITY_H_

#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/limits.h"

// Serves limits.cc: computes the limits that follow from the limits of the arguments alone.
namespace cotangent::autodiff::symbolic {

// Returns the limit of e as t tends to +infinity if each operation in e is continuous at the limits
// of its arguments, infinite ones included: tanh(asinh(t)) tends to 1, because asinh(t) tends to
// infinity. Takes work in proportion to the size of e, however deep it is nested. The limit is
// kUnknown for all else: for infinity - infinity, 0 times infinity, division by 0, and for
// functions that are not defined everywhere.
LimitValue LimitByContinuity(Expr e, Expr t);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_CONTINUITY_H_
