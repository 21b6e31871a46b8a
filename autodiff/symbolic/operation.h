#ifndef COTANGENT_AUTODIFF_SYMBOLIC_OPERATION_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_OPERATION_H_

#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "autodiff/codegen/vector_program.h"
#include "autodiff/symbolic/expression.h"

// What there is to know about an operation. operations.inc has an entry for each; who parses,
// evaluates, differentiates, prints, compiles, simplifies or takes limits reads it there.
namespace cotangent::autodiff::symbolic {

using Arguments = absl::Span<const Expr>;

enum class Symmetry { kNone, kEven, kOdd };
// Of the values, wherever there are any.
enum class Range { kAny, kNotNegative, kPositive };

// What the derivative taken at a kink or jump is (autodiff/math.h), as trace.h tells it.
enum class Kink {
  kNone,
  kCornerAtZero,
  kJumpAtZero,
  kJumpAtIntegers,
  kJumpAtHalves,
  kJumpAtMultiples,  // of the second argument
  kTie,
  kBranch,
};

// Where f(u) may be 0.
enum class Zeros { kUnknown, kNowhere, kWhereArgumentIs, kWhereArgumentIsOne };

// What a rule for limits may ask, as the limit's variable grows without bound.
class LimitContext {
 public:
  virtual ~LimitContext() = default;
  // The sign for all values of the variable that are large enough; nothing when it cannot be told.
  virtual std::optional<int> EventualSign(Expr e) = 0;
  // -1 and 1: infinite; 0: finite, with the limit, simplified, in *value; nothing when it cannot be told.
  virtual std::optional<int> Limit(Expr e, Expr* value) = 0;
  // The value of an expression without variables.
  virtual std::optional<double> ValueOf(Expr constant) = 0;
  // An unknown quantity that stays bounded.
  virtual Expr Bounded() = 0;
};

struct Operation {
  const char* name;  // In formula text.
  int arguments;     // -1: two or more.

  // The value where it is known or simpler than the node, else null. Null where nothing folds.
  Expr (*fold)(Arguments) = nullptr;

  // The derivative by argument i, in a form that neither overflows nor cancels where the
  // derivative itself does not.
  Expr (*derivative)(Expr e, size_t i) = nullptr;
  // Whether that derivative is 0 or 1, by which argument is passed on: what is behind the 0 may be
  // undefined.
  bool chooses = false;

  // "{0}" is the first argument. MathML null: the name and the arguments in parentheses.
  const char* latex = nullptr;
  const char* mathml = nullptr;
  const char* cpp = nullptr;

  Symmetry symmetry = Symmetry::kNone;  // Of one argument.
  Range range = Range::kAny;
  // An infinite value of finite arguments is a pole and no overflow.
  bool (*pole)(absl::Span<const double> arguments) = nullptr;

  // Null where compiled code (autodiff/codegen) has no such function.
  codegen::Value (*lower)(codegen::VectorProgram& program,
                          absl::Span<const codegen::Value> arguments) = nullptr;

  // The same by fewer kinds of functions, for deciding equality (normal_form.h); null where it is
  // one of those.
  Expr (*normal)(Arguments) = nullptr;
  // The same by sums, products, constant powers, exp, ln, and functions analytic at a finite limit
  // of their argument, wherever the variable is large enough; nothing where it is undefined there
  // or that cannot be told. Null where none is known.
  std::optional<Expr> (*limit)(LimitContext& context, Arguments) = nullptr;

  Zeros zeros = Zeros::kUnknown;  // Of one argument.
  // Where one of these is 0 the function may fail to be smooth. Null: it is smooth everywhere.
  std::vector<Expr> (*suspects)(Arguments) = nullptr;
  Kink kink = Kink::kNone;
};

const Operation& Info(Op op);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_OPERATION_H_
