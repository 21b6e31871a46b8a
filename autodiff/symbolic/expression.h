#ifndef COTANGENT_AUTODIFF_SYMBOLIC_EXPRESSION_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_EXPRESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/number.h"

// Formulas as data: a hash-consed, immutable, directed acyclic graph.
//
//   Pool pool;
//   Expr x = pool.Variable("x");
//   Expr softsign = x / (1 + Abs(x));
//
// Hash-consed means that building the same expression twice gives the same node. So `==` tests
// structural equality in one comparison, common subexpressions are shared by construction, and the
// cost of a derivative depends on the size of the graph, not on the length of its printed text. The
// id() of an argument is smaller than the id() of every node that uses it, so ascending ids are an
// order of evaluation. No function here recurses over the depth of a graph.
//
// Building an expression folds only what takes no search: constants (2/6 + 1 is 4/3), x + 0, 1 * x,
// 0 * x, x + x = 2 x, x * x = x^2, integer powers of integer powers, functions at 0 or 1, sines and
// cosines at multiples of pi/2. Folding never changes a value where the expression is defined.
// Everything else stays as written until Simplify() (simplify.h) is called, so that a trace of the
// computation (trace.h) shows what the user wrote.
//
// Lifetime: a Pool owns its nodes; an Expr is a pointer into the Pool and must not outlive it.
// Threads: building an expression changes its Pool, so only one thread may build at a time; any
// number of threads may read existing expressions while no thread builds. Expressions of two pools
// may be combined: the right operand is then copied into the left operand's pool.
namespace cotangent::autodiff::symbolic {

// The operations (kAdd, kSin, ...), one for each entry of operations.inc.
enum class Op : uint8_t {
#define OPERATION(op, ...) op,
#include "autodiff/symbolic/operations.inc"
#undef OPERATION
};
#define OPERATION(op, ...) +1
inline constexpr int kOpCount = 0
#include "autodiff/symbolic/operations.inc"
    ;
#undef OPERATION

class Pool;

// A handle to a node of a Pool, cheap to copy. A default-constructed Expr is null: it may only be
// assigned, compared by == and !=, and converted to bool.
class Expr {
 public:
  Expr() = default;

  Op op() const;
  absl::Span<const Expr> args() const;
  Expr arg(size_t i) const { return args()[i]; }
  const Number& number() const;     // only for a kConstant
  const std::string& name() const;  // only for a kVariable
  uint32_t id() const;              // position in the pool, from 0, in order of creation
  Pool& pool() const;

  explicit operator bool() const { return node_ != nullptr; }
  friend bool operator==(Expr a, Expr b) { return a.node_ == b.node_; }
  friend bool operator!=(Expr a, Expr b) { return a.node_ != b.node_; }
  friend bool operator<(Expr a, Expr b) { return a.id() < b.id(); }

  bool IsConstant() const { return op() == Op::kConstant; }
  bool IsVariable() const { return op() == Op::kVariable; }
  bool IsNumber(int64_t value) const { return IsConstant() && number().IsInteger(value); }
  bool IsZero() const { return IsConstant() && number().IsZero(); }
  bool IsOne() const { return IsNumber(1); }

  template <typename H>
  friend H AbslHashValue(H h, Expr e) {
    return H::combine(std::move(h), e.node_);
  }

 private:
  friend class Pool;
  struct Node;
  explicit Expr(const Node* node) : node_(node) {}
  const Node* node_ = nullptr;
};

// Owns the nodes and keeps them unique: equal expressions are one node. A Pool cannot be copied or
// moved.
class Pool {
 public:
  Pool();
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Expr Constant(const Number& value);
  Expr Constant(double value) { return Constant(Number::FromDouble(value)); }
  Expr Constant(int64_t value) { return Constant(Number(value)); }
  Expr Constant(int value) { return Constant(Number(value)); }
  Expr Variable(absl::string_view name);
  Expr Pi();
  Expr E();

  // Returns the node for `op` applied to `args` without folding anything. Two sums or two products
  // whose arguments differ only in their order are the same node.
  Expr Make(Op op, absl::Span<const Expr> args);
  // Returns e as a node of this pool, copied if e belongs to another pool.
  Expr Import(Expr e);

  size_t size() const { return nodes_.size(); }

 private:
  Expr Intern(Op op, absl::Span<const Expr> args, const Number& number, absl::string_view name);

  std::deque<Expr::Node> nodes_;
  absl::flat_hash_map<size_t, std::vector<const Expr::Node*>> unique_;
};

struct Expr::Node {
  Op op;
  uint32_t id;
  Pool* pool;
  Number number;
  std::string name;
  std::vector<Expr> args;
};

inline Op Expr::op() const { return node_->op; }
inline absl::Span<const Expr> Expr::args() const { return node_->args; }
inline const Number& Expr::number() const { return node_->number; }
inline const std::string& Expr::name() const { return node_->name; }
inline uint32_t Expr::id() const { return node_->id; }
inline Pool& Expr::pool() const { return *node_->pool; }

// Functions and operators that build expressions, with the folding that the head of this file
// describes.
Expr Add(absl::Span<const Expr> terms);    // REQUIRES: not empty
Expr Mul(absl::Span<const Expr> factors);  // REQUIRES: not empty
Expr Pow(Expr base, Expr exponent);
Expr Pow(Expr base, const Number& exponent);
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr a);

// Operators for a number and an expression: 1 + x, 0.5 * x.
inline Expr operator+(double a, Expr b) { return b.pool().Constant(a) + b; }
inline Expr operator+(Expr a, double b) { return a + a.pool().Constant(b); }
inline Expr operator-(double a, Expr b) { return b.pool().Constant(a) - b; }
inline Expr operator-(Expr a, double b) { return a - a.pool().Constant(b); }
inline Expr operator*(double a, Expr b) { return b.pool().Constant(a) * b; }
inline Expr operator*(Expr a, double b) { return a.pool().Constant(b) * a; }
inline Expr operator/(double a, Expr b) { return b.pool().Constant(a) / b; }
inline Expr operator/(Expr a, double b) { return a / a.pool().Constant(b); }

Expr Sqrt(Expr a);
Expr Square(Expr a);
Expr Exp(Expr a);
Expr Ln(Expr a);
Expr Sin(Expr a);
Expr Cos(Expr a);
Expr Tan(Expr a);
Expr Asin(Expr a);
Expr Acos(Expr a);
Expr Atan(Expr a);
Expr Sinh(Expr a);
Expr Cosh(Expr a);
Expr Tanh(Expr a);
Expr Sech(Expr a);  // 1 / cosh(a)
Expr Asinh(Expr a);
Expr Acosh(Expr a);
Expr Atanh(Expr a);
Expr Log1p(Expr a);
Expr Expm1(Expr a);
Expr Erf(Expr a);
Expr Erfc(Expr a);
Expr Sigmoid(Expr a);
Expr Softplus(Expr a);
Expr Abs(Expr a);
Expr Sign(Expr a);
Expr Step(Expr a);
Expr Floor(Expr a);
Expr Round(Expr a);              // rounds halves away from 0
Expr Hypot(Expr a, Expr b);      // sqrt(a^2 + b^2)
Expr StrongMul(Expr a, Expr b);  // a * b, but 0 where a or b is 0
Expr Polygamma(int n, Expr a);
Expr Min(Expr a, Expr b);
Expr Max(Expr a, Expr b);
// Builds the expression that equals `if_less` where a < b and `otherwise` elsewhere.
Expr Select(Expr a, Expr b, Expr if_less, Expr otherwise);
Expr Relu(Expr a);  // max(0, a)

// Builds the operation `op` of `args`, with the same folding as the function of that operation
// above. `op` must not be kConstant, kPi or kVariable, and `args` must have as many arguments as
// `op` takes.
Expr Apply(Op op, absl::Span<const Expr> args);

// Returns all nodes that the roots, which must be of one pool, consist of (roots included), each
// once, in ascending order of their ids: arguments before their users.
std::vector<Expr> TopologicalOrder(absl::Span<const Expr> roots);
std::vector<Expr> TopologicalOrder(Expr root);
// Returns the variables that occur in the roots, in the order in which they were created in the
// pool.
std::vector<Expr> Variables(absl::Span<const Expr> roots);
std::vector<Expr> Variables(Expr root);
// Returns whether `part` is a subexpression of `whole`.
bool Contains(Expr whole, Expr part);

// Returns `e` with every occurrence of a key of `replacements` replaced by the key's value. All
// replacements happen at once: keys that occur inside inserted values stay.
using Substitutions = absl::flat_hash_map<Expr, Expr>;
Expr Substitute(Expr e, const Substitutions& replacements);
Expr Substitute(Expr e, Expr from, Expr to);

// Splits a product into its constant factor and the rest: -2 * x * y gives (-2, x * y), x gives (1,
// x), and a constant c gives (c, 1).
std::pair<Number, Expr> SplitCoefficient(Expr e);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EXPRESSION_H_
