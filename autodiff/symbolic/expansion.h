#ifndef COTANGENT_AUTODIFF_SYMBOLIC_EXPANSION_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_EXPANSION_H_

#include <cstddef>
#include <optional>

#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/normal_form.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/series.h"

// Serves limits.cc: expands expressions into series in the small quantity w = exp(h), which tends
// to 0 as the limit's variable t grows. The coefficients of the series are expressions in t.
namespace cotangent::autodiff::symbolic {

// What an expansion asks about expressions in t. LimitContext has the sign that they eventually
// have, and the values of constants.
class ExpansionContext : public LimitContext {
 public:
  // Returns e simplified, given that t is positive.
  virtual Expr Simplified(Expr e) = 0;
  // Returns whether e is 0, or nothing if that can be neither proved nor refuted.
  virtual std::optional<bool> IsZero(Expr e) = 0;
  // Returns whether e, which is not 0, is known to stay away from 0 for all values of the bounded
  // quantities in it (variables from LimitContext::Bounded() and BoundedByOne()). Returns true if e
  // contains none.
  virtual bool StaysAwayFromZero(Expr e) = 0;
  // Counts `work` units of the algorithm's own work; returns whether too many units were spent.
  virtual bool Spend(int work) = 0;
};

// Returns the first terms, `terms` at most, of e as a series in w. The coefficient of the first is
// not 0. Returns nothing if e has no such series, if the sign or zero of a coefficient cannot be
// determined, or if too much work was spent.
std::optional<Series> Expand(Expr e, Expr w, Expr h, size_t terms, Budget* budget,
                             ExpansionContext& context);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EXPANSION_H_
