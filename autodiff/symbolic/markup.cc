#include "autodiff/symbolic/markup.h"

#include <algorithm>
#include <tuple>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

bool IsRoot(const Number& exponent) {
  return exponent == Number::Ratio(1, 2) || exponent == Number::Ratio(-1, 2);
}

bool HasNegativeExponent(Expr e) {
  return e.op() == Op::kPow && e.arg(1).IsConstant() && e.arg(1).number().sign() < 0;
}

// Returns the constant factor of a product (1 if it has none). A constant is its own constant
// factor.
Number LeadingCoefficient(Expr e) {
  if (e.IsConstant()) return e.number();
  return e.op() == Op::kMul && e.arg(0).IsConstant() ? e.arg(0).number() : Number(1);
}

}  // namespace

bool DecimalText(const Number& n) { return n.ToText().find('/') == std::string::npos; }

namespace {

// Returns how tightly the text that Write() produces for an expression binds.
Precedence PrecedenceOf(Expr e) {
  switch (e.op()) {
    case Op::kConstant:
      if (e.number().sign() < 0) return kSum;
      return DecimalText(e.number()) ? kAtom : kProduct;
    case Op::kAdd:
      return kSum;
    case Op::kMul:
      return LeadingCoefficient(e).sign() < 0 ? kSum : kProduct;
    case Op::kStrongMul:
      return kProduct;
    case Op::kPow:
      if (HasNegativeExponent(e)) return kProduct;
      return e.arg(1).IsConstant() && IsRoot(e.arg(1).number()) ? kAtom : kPower;
    default:
      return kAtom;
  }
}

}  // namespace

void Append(Pieces* to, Pieces more) { to->insert(to->end(), more.begin(), more.end()); }

namespace {

// Returns base^exponent for a positive constant exponent. `place` is the precedence that the text
// around the power asks for; it matters only for exponent 1, where the base stands alone.
Pieces WritePower(const Markup& markup, Expr base, const Number& exponent, Precedence place) {
  if (exponent.IsOne()) return {Piece(base, place)};
  if (IsRoot(exponent)) return markup.Root(base);
  return markup.Power(base, &exponent, Expr());
}

// Where a factor stands in a product. Groups, in order: 0 numbers (pi, e, sqrt(2)), 1 variables, by
// name, 2 sums, 3 exponentials (e^x, x^y), 4 other functions.
struct Place {
  int group = 4;
  std::string letters, subscript;
  auto Key() const { return std::make_tuple(group, letters, subscript.size(), subscript); }
};

Place PlaceOf(Expr factor) {
  // A product stands where its first factor would stand.
  while (factor.op() == Op::kMul) factor = factor.arg(factor.arg(0).IsConstant() ? 1 : 0);
  const Expr base = factor.op() == Op::kPow ? factor.arg(0) : factor;
  Place place;
  if (factor.op() == Op::kPow && !factor.arg(1).IsConstant()) {
    place.group = 3;
    return place;
  }
  if (base.IsConstant() || base.op() == Op::kPi || (base.op() == Op::kExp && base.arg(0).IsOne())) {
    place.group = 0;
  } else if (base.IsVariable()) {
    place.group = 1;
    std::tie(place.letters, place.subscript) = SplitSubscript(base.name());
  } else if (base.op() == Op::kAdd) {
    place.group = 2;
  } else if (base.op() == Op::kExp) {
    place.group = 3;
  }
  return place;
}

using Names = absl::flat_hash_map<Expr, std::string>;

// Returns the factors, except constants, in the order in which people write them. A factor that is
// itself a product and has no name is replaced by its factors.
std::vector<Expr> InOrder(absl::Span<const Expr> factors, const Names& named) {
  std::vector<std::pair<Place, Expr>> placed;
  std::vector<Expr> open(factors.rbegin(), factors.rend());
  while (!open.empty()) {
    const Expr factor = open.back();
    open.pop_back();
    if (factor.op() == Op::kMul && !factor.arg(0).IsConstant() && !named.contains(factor)) {
      open.insert(open.end(), factor.args().rbegin(), factor.args().rend());
    } else if (!factor.IsConstant()) {
      placed.emplace_back(PlaceOf(factor), factor);
    }
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& a, const auto& b) { return a.first.Key() < b.first.Key(); });
  std::vector<Expr> in_order;
  for (const auto& [place, factor] : placed) in_order.push_back(factor);
  return in_order;
}

// Returns a product, or an expression that counts as a product of one factor, without its sign,
// which the caller writes. Powers with negative exponents become the denominator of a fraction.
Pieces WriteProduct(const Markup& markup, const Names& named, Expr e) {
  const Number coefficient = Abs(LeadingCoefficient(e));
  Pieces above, below;
  const auto times = [&](Pieces* side, Pieces factor) {
    if (!side->empty()) side->push_back(markup.Operator('*'));
    Append(side, std::move(factor));
  };
  const bool decimal = DecimalText(coefficient);
  size_t factors_below = decimal || coefficient.denominator() == 1 ? 0 : 1;
  const bool product = e.op() == Op::kMul || e.op() == Op::kStrongMul;
  const absl::Span<const Expr> args = product ? e.args() : absl::MakeConstSpan(&e, 1);
  const std::vector<Expr> factors = InOrder(args, named);
  for (Expr factor : factors) factors_below += HasNegativeExponent(factor);
  if (!coefficient.IsOne()) {
    const Number top = decimal ? coefficient : Number(coefficient.numerator());
    if (!top.IsOne()) times(&above, {markup.Constant(top)});
    if (!decimal) times(&below, {markup.Constant(Number(coefficient.denominator()))});
  }
  for (Expr arg : factors) {
    if (!HasNegativeExponent(arg)) {
      times(&above, {Piece(arg, kProduct)});
      continue;
    }
    const bool alone = factors_below == 1;
    const Precedence place = alone ? (markup.Stacked() ? kSum : kPower) : kProduct;
    times(&below, WritePower(markup, arg.arg(0), -arg.arg(1).number(), place));
  }
  if (below.empty()) return above;
  if (above.empty()) above = {markup.Constant(Number(1))};
  if (!markup.Stacked() && factors_below > 1) {
    below.insert(below.begin(), markup.Open());
    below.push_back(markup.Close());
  }
  return markup.Fraction(std::move(above), std::move(below));
}

Pieces WriteConstant(const Markup& markup, const Number& n) {
  if (n.sign() < 0) {
    Pieces pieces = {markup.Operator('n')};
    Append(&pieces, WriteConstant(markup, -n));
    return pieces;
  }
  if (DecimalText(n)) return {markup.Constant(n)};
  return markup.Fraction({markup.Constant(Number(n.numerator()))},
                         {markup.Constant(Number(n.denominator()))});
}

Pieces WriteSum(const Markup& markup, const Names& named, Expr e) {
  Pieces pieces;
  for (Expr term : e.args()) {
    const bool negative = LeadingCoefficient(term).sign() < 0;
    if (!pieces.empty()) pieces.push_back(markup.Operator(negative ? '-' : '+'));
    if (!negative) {
      // The first term needs no parentheses even if it is a sum: Parse() (parse.h) reads a + b + c
      // as (a + b) + c. A list of cases needs them: what follows would seem to be part of it.
      const bool open_end = markup.Stacked() && term.op() == Op::kSelect;
      pieces.push_back(Piece(term, pieces.empty() && !open_end ? kSum : kProduct));
    } else {
      if (pieces.empty()) pieces.push_back(markup.Operator('n'));
      Append(&pieces, term.IsConstant() ? WriteConstant(markup, -term.number())
                                        : WriteProduct(markup, named, term));
    }
  }
  return pieces;
}

Pieces Write(const Markup& markup, const Names& named, Expr e) {
  switch (e.op()) {
    case Op::kConstant:
      return WriteConstant(markup, e.number());
    case Op::kPi:
      return {markup.Pi()};
    case Op::kVariable:
      return {markup.Name(e.name())};
    case Op::kAdd:
      return WriteSum(markup, named, e);
    case Op::kMul: {
      Pieces pieces;
      if (LeadingCoefficient(e).sign() < 0) pieces.push_back(markup.Operator('n'));
      Append(&pieces, WriteProduct(markup, named, e));
      return pieces;
    }
    case Op::kStrongMul:
      return WriteProduct(markup, named, e);
    case Op::kPow:
      if (HasNegativeExponent(e)) return WriteProduct(markup, named, e);
      if (e.arg(1).IsConstant()) return WritePower(markup, e.arg(0), e.arg(1).number(), kPower);
      return markup.Power(e.arg(0), nullptr, e.arg(1));
    case Op::kExp:
      if (e.arg(0).IsOne()) return {markup.E()};
      return markup.Call(e);
    default:
      return markup.Call(e);
  }
}

}  // namespace

// Print() keeps the parts still to be printed in a vector instead of recursing, so that a deep
// expression does not overflow the call stack.
std::string Print(const Markup& markup, Expr root,
                  const absl::flat_hash_map<Expr, std::string>& named) {
  std::string text;
  std::vector<Piece> open = {Piece(root, kSum)};
  while (!open.empty()) {
    const Piece piece = std::move(open.back());
    open.pop_back();
    if (!piece.expr) {
      text += piece.text;
      continue;
    }
    const auto name = named.find(piece.expr);
    if (name != named.end() && piece.expr != root) {
      text += name->second;
      continue;
    }
    Pieces parts = Write(markup, named, piece.expr);
    const bool cases = markup.Stacked() && piece.expr.op() == Op::kSelect && piece.place > kSum;
    if (cases || PrecedenceOf(piece.expr) < piece.place) {
      parts.insert(parts.begin(), markup.Open());
      parts.push_back(markup.Close());
    }
    open.insert(open.end(), std::make_move_iterator(parts.rbegin()),
                std::make_move_iterator(parts.rend()));
  }
  return text;
}

Pieces PlainCall(const std::string& name, Expr e, const Markup& markup, const char* comma) {
  Pieces pieces = {name, markup.Open()};
  for (size_t i = 0; i < e.args().size(); ++i) {
    if (i > 0) pieces.push_back(comma);
    pieces.push_back(Piece(e.arg(i), kSum));
  }
  pieces.push_back(markup.Close());
  return pieces;
}

Pieces FilledIn(const char* form, Expr e, const Markup& markup) {
  Pieces pieces;
  std::string text;
  for (const char* c = form; *c != 0; ++c) {
    if (c[0] == '{' && absl::ascii_isdigit(c[1]) && c[2] == '}' &&
        static_cast<size_t>(c[1] - '0') < e.args().size()) {
      const bool is_base = c[3] == '^' || absl::EndsWith(text, "<msup><mrow>");
      const Precedence place = absl::EndsWith(text, "\\bmod ") || absl::StartsWith(c + 3, " \\bmod")
                                   ? kPower
                               : absl::EndsWith(text, "+ ") ? kProduct
                                                            : kSum;
      pieces.push_back(std::move(text));
      text.clear();
      const Expr arg = e.arg(c[1] - '0');
      Append(&pieces, is_base ? markup.Base(arg) : Pieces{Piece(arg, place)});
      c += 2;
    } else {
      text += *c;
    }
  }
  pieces.push_back(std::move(text));
  return pieces;
}

std::pair<std::string, std::string> SplitSubscript(const std::string& name) {
  size_t end = name.find('_');
  if (end != std::string::npos && end > 0) return {name.substr(0, end), name.substr(end + 1)};
  end = name.size();
  while (end > 1 && absl::ascii_isdigit(name[end - 1])) --end;
  return {name.substr(0, end), name.substr(end)};
}

namespace {

// Returns the number of nodes if the roots are written out as trees, so that a shared node counts
// as often as it is written, or `limit` if that is smaller.
size_t TreeSize(absl::Span<const Expr> order, absl::Span<const Expr> roots, size_t limit) {
  absl::flat_hash_map<Expr, size_t> size;
  for (Expr e : order) {
    size_t sum = 1;
    for (Expr arg : e.args()) sum = std::min(limit, sum + size[arg]);
    size[e] = sum;
  }
  size_t sum = 0;
  for (Expr root : roots) sum = std::min(limit, sum + size[root]);
  return sum;
}

// Returns the expression whose text appears where `e` is used. For a power with a negative
// exponent, which is written as a denominator, that is the base.
Expr Written(Expr e) { return HasNegativeExponent(e) ? e.arg(0) : e; }

// Returns the subexpressions that get names: those with arguments that would be written several
// times, and in a deep chain one at every 200th level, because the parser limits nesting.
std::vector<Expr> WorthNaming(absl::Span<const Expr> order, absl::Span<const Expr> roots) {
  absl::flat_hash_map<Expr, int> users;
  for (Expr e : order) {
    if (HasNegativeExponent(e)) continue;
    for (Expr arg : e.args()) ++users[Written(arg)];
  }
  for (Expr root : roots) ++users[Written(root)];
  const absl::flat_hash_set<Expr> is_root(roots.begin(), roots.end());
  absl::flat_hash_map<Expr, int> depth;
  std::vector<Expr> named;
  for (Expr e : order) {
    int below = 0;
    for (Expr arg : e.args()) below = std::max(below, depth[arg]);
    depth[e] = below + 1;
    if (e.args().empty() || HasNegativeExponent(e) || (is_root.contains(e) && users[e] == 1)) {
      continue;
    }
    if (users[e] > 1 || depth[e] >= 200) {
      named.push_back(e);
      depth[e] = 0;
    }
  }
  return named;
}

}  // namespace

SharedText PrintShared(const Markup& markup, absl::Span<const Expr> roots, size_t least) {
  SharedText shared;
  const std::vector<Expr> order = TopologicalOrder(roots);
  absl::flat_hash_map<Expr, std::string> names;
  const size_t tree = TreeSize(order, roots, 1000000);
  if (tree > std::max(least, 2 * order.size()) || order.size() >= std::max<size_t>(2000, least)) {
    absl::flat_hash_set<std::string> taken;
    for (Expr variable : Variables(roots)) taken.insert(markup.Name(variable.name()));
    int number = 0;
    for (Expr part : WorthNaming(order, roots)) {
      std::string name;
      do {
        name = markup.Name(absl::StrCat("u", ++number));
      } while (taken.contains(name));
      shared.definitions.emplace_back(name, Print(markup, part, names));
      names[part] = name;
    }
  }
  for (Expr root : roots) shared.texts.push_back(Print(markup, root, names));
  return shared;
}

}  // namespace cotangent::autodiff::symbolic
