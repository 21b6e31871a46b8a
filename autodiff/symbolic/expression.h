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
// Hash-consed: building the same expression twice gives the same node, so `==` is structural
// equality in one comparison, common subexpressions are shared by construction, and a derivative
// costs as much as the graph is large, not as its printed text is long. An argument's id() is
// smaller than the id() of whatever uses it: ascending ids are an evaluation order, and nothing
// here recurses over the depth of a graph.
//
// Building folds what is free to fold and never changes a value: exact constants (2/6 + 1 is 4/3),
// x + 0, 1 * x, 0 * x, x * x = x^2, integer powers of powers. Everything else stays as written (so
// a trace shows what the user wrote) until Simplify() is asked for (simplify.h).
//
// Lifetime: a Pool owns its nodes; an Expr is a pointer into it and lives no longer than its Pool.
// Threads: building changes the Pool, so one thread at a time; reading expressions that exist is
// safe from any number of threads while none builds. Expressions of two pools may be mixed: the
// right one is copied into the left one's pool.
namespace cotangent::autodiff::symbolic {

// The operations: an entry each in operations.inc.
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

// A handle to a node: copy freely. A default-made Expr is null: it may only be assigned, compared
// and tested.
class Expr {
 public:
  Expr() = default;

  Op op() const;
  absl::Span<const Expr> args() const;
  Expr arg(size_t i) const { return args()[i]; }
  const Number& number() const;     // Of a kConstant.
  const std::string& name() const;  // Of a kVariable.
  uint32_t id() const;              // Position in the pool; arguments come before their users.
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

// Owns nodes and makes them unique. Neither copied nor moved.
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

  // The node itself, nothing folded. Sums and products are the same node in any order of their
  // arguments.
  Expr Make(Op op, absl::Span<const Expr> args);
  // The same expression as a node of this pool.
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

// Builders. They fold as described above.
Expr Add(absl::Span<const Expr> terms);    // At least one.
Expr Mul(absl::Span<const Expr> factors);  // At least one.
Expr Pow(Expr base, Expr exponent);
Expr Pow(Expr base, const Number& exponent);
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr a);

// Numbers beside expressions: 1 + x, 0.5 * x.
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
Expr Round(Expr a);              // Halves away from 0.
Expr Hypot(Expr a, Expr b);      // sqrt(a^2 + b^2)
Expr StrongMul(Expr a, Expr b);  // a * b, but 0 where a or b is.
Expr Polygamma(int n, Expr a);
Expr Min(Expr a, Expr b);
Expr Max(Expr a, Expr b);
// if_less where a < b, otherwise `otherwise`.
Expr Select(Expr a, Expr b, Expr if_less, Expr otherwise);
Expr Relu(Expr a);  // max(0, a)

// Any operation by its Op, folding as its builder does. `args` as the operation takes them,
// kConstant, kPi and kVariable excepted.
Expr Apply(Op op, absl::Span<const Expr> args);

// All nodes the roots are made of, each once, arguments before their users (roots included).
std::vector<Expr> TopologicalOrder(absl::Span<const Expr> roots);
std::vector<Expr> TopologicalOrder(Expr root);
// The variables in it, in order of first appearance in the pool.
std::vector<Expr> Variables(absl::Span<const Expr> roots);
std::vector<Expr> Variables(Expr root);
// Whether `part` occurs in `whole`.
bool Contains(Expr whole, Expr part);

// `e` with every occurrence of a key replaced by its value, all at once; replaced values are not
// searched again.
using Substitutions = absl::flat_hash_map<Expr, Expr>;
Expr Substitute(Expr e, const Substitutions& replacements);
Expr Substitute(Expr e, Expr from, Expr to);

// Product split into its constant factor and the rest: -2 * x * y is (-2, x * y); the rest of a
// constant is 1.
std::pair<Number, Expr> SplitCoefficient(Expr e);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EXPRESSION_H_
