#ifndef COTANGENT_AUTODIFF_SYMBOLIC_OPERATION_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_OPERATION_H_

#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "autodiff/codegen/vector_program.h"
#include "autodiff/symbolic/expression.h"

// Describes each operation of formulas to the rest of the library. operations.inc has one entry (an
// Operation) for each operation; the code that evaluates, differentiates, prints, compiles,
// simplifies and computes limits of expressions reads the entries.
namespace cotangent::autodiff::symbolic {

using Arguments = absl::Span<const Expr>;

enum class Symmetry { kNone, kEven, kOdd };
// The range of an operation's values, wherever it is defined.
enum class Range { kAny, kNotNegative, kPositive };

// Says where an operation has a kink or a jump. trace.h uses this to tell which derivative is taken
// at such a point (the values are those of autodiff/math.h); differentiability.h uses it to find
// such points.
enum class Kink {
  kNone,
  kCornerAtZero,
  kCornerAtOrigin,  // where both arguments are 0
  kJumpAtZero,
  kJumpAtIntegers,
  kJumpAtHalves,
  kJumpAtMultiples,  // at multiples of the second argument
  kTie,              // where the arguments of min or max are equal
  kBranch,           // where the condition of a select changes
};

// Says where a function f(u) of one argument may be 0: nowhere, where u is 0, or where u is 1.
enum class Zeros { kUnknown, kNowhere, kWhereArgumentIs, kWhereArgumentIsOne };

// The limits of a function of one argument at minus and at plus infinity, which may be infinite;
// NaN if it has none there, as sin.
struct Ends {
  double low, high;
};

// The questions that a rule for limits may ask. The limit's variable grows without bound.
class LimitContext {
 public:
  virtual ~LimitContext() = default;
  // Returns the sign (-1, 0 or 1) that e has for all sufficiently large values of the limit's
  // variable, or nothing if it cannot be determined.
  virtual std::optional<int> EventualSign(Expr e) = 0;
  // Returns -1 or 1 if e tends to -infinity or +infinity. Returns 0 if e has a finite limit; *value
  // is then the simplified limit. Returns nothing if the limit cannot be determined.
  virtual std::optional<int> Limit(Expr e, Expr* value) = 0;
  // Returns the value of an expression without variables, or nothing if it is not defined.
  virtual std::optional<double> ValueOf(Expr constant) = 0;
  // Return a new symbol for an unknown quantity that stays bounded, by 1 in size (BoundedByOne) or
  // by an unknown number.
  virtual Expr Bounded() = 0;
  virtual Expr BoundedByOne() = 0;
};

struct Operation {
  const char* name;  // the name in printed formula text; functions.h has those that may be parsed
  int arguments;     // how many; -1: two or more

  // Returns a constant or simpler expression to which the operation folds when it is built, or null
  // if it does not fold for these arguments. A null pointer means that it never folds.
  Expr (*fold)(Arguments) = nullptr;

  // Returns the derivative of e by its argument i (from 0), in a form that neither overflows nor
  // loses digits to cancellation where the derivative itself does not overflow. Null for constants
  // and variables.
  Expr (*derivative)(Expr e, size_t i) = nullptr;
  // Whether the derivative by an argument may be 0 where the argument's own derivative is not
  // defined: by the branch of a min, max or select that is not taken, or by one factor of a strong
  // product (kStrongMul in operations.inc) whose other factor is 0.
  bool chooses = false;

  // Templates for printing; "{0}" stands for the first argument. If `mathml` is null, MathML has
  // the name and the arguments in parentheses.
  const char* latex = nullptr;
  const char* mathml = nullptr;
  const char* cpp = nullptr;

  Symmetry symmetry = Symmetry::kNone;  // for functions of one argument
  Range range = Range::kAny;
  // Returns whether an infinite value at these finite arguments is a pole; if it is not, the value
  // overflowed. A null pointer means that the operation has no poles.
  bool (*pole)(absl::Span<const double> arguments) = nullptr;

  // Appends the operation to a vector program. A null pointer means that compiled code
  // (autodiff/codegen) has no such function.
  codegen::Value (*lower)(codegen::VectorProgram& program,
                          absl::Span<const codegen::Value> arguments) = nullptr;

  // Returns the operation written in fewer kinds of functions (tanh in exp, for example), for
  // deciding equality (normal_form.h) and, for some operations, for Plain() (differentiate.h). A
  // null pointer means that the operation stays as it is.
  Expr (*normal)(Arguments) = nullptr;
  // Returns the operation for large values of the limit's variable, written in sums, products,
  // constant powers, exp, ln, and functions that are analytic at a finite limit of their argument.
  // Returns nothing if the operation is undefined there or that cannot be determined. A null
  // pointer means that no such form is known, or that limits.cc treats the operation itself.
  std::optional<Expr> (*limit)(LimitContext& context, Arguments) = nullptr;
  // Given for functions of one argument that are continuous everywhere: where the argument has a
  // finite limit, the limit of the function is its value there; where the argument tends to minus
  // or plus infinity, it is `low` or `high`.
  std::optional<Ends> ends = std::nullopt;

  Zeros zeros = Zeros::kUnknown;  // for functions of one argument
  // Returns expressions one of which is 0 wherever the function may fail to be smooth, apart from
  // the jumps that `kink` states. A null pointer means that there are no such points.
  std::vector<Expr> (*suspects)(Arguments) = nullptr;
  Kink kink = Kink::kNone;
};

// Returns the entry of `op`.
const Operation& Info(Op op);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_OPERATION_H_
