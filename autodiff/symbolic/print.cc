#include "autodiff/symbolic/print.h"

#include <algorithm>
#include <array>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

// What binds how tightly: a piece in a place that asks for more than it has is put in parentheses.
enum Precedence { kSum = 1, kProduct = 2, kPower = 3, kAtom = 4 };

// What is left to print: a finished string, or an expression with the precedence its place asks
// for.
struct Piece {
  Piece(std::string t) : text(std::move(t)) {}  // NOLINT
  Piece(const char* t) : text(t) {}             // NOLINT
  Piece(Expr e, Precedence p) : expr(e), place(p) {}
  std::string text;
  Expr expr;
  Precedence place = kSum;
};
using Pieces = std::vector<Piece>;

// How one output language writes things. The traversal below is the same for all of them.
class Markup {
 public:
  virtual ~Markup() = default;
  virtual std::string Constant(const Number& n) const = 0;
  virtual std::string Name(const std::string& name) const = 0;
  virtual std::string Pi() const = 0;
  virtual std::string E() const = 0;
  virtual std::string Operator(char op) const = 0;  // '+', '-', 'n' (negation), '*'
  virtual std::string Open() const = 0;
  virtual std::string Close() const = 0;
  // Factors of the numerator and the denominator.
  virtual Pieces Fraction(Pieces above, Pieces below) const = 0;
  virtual Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const = 0;
  virtual Pieces Root(Expr a) const = 0;
  virtual Pieces Call(Expr e) const = 0;
  // Whether a fraction needs no parentheses around its parts.
  virtual bool Stacked() const = 0;
};

bool IsRoot(const Number& exponent) {
  return exponent == Number::Ratio(1, 2) || exponent == Number::Ratio(-1, 2);
}

bool HasNegativeExponent(Expr e) {
  return e.op() == Op::kPow && e.arg(1).IsConstant() && e.arg(1).number().sign() < 0;
}

// The constant factor of a product.
Number LeadingCoefficient(Expr e) {
  if (e.IsConstant()) return e.number();
  return e.op() == Op::kMul && e.arg(0).IsConstant() ? e.arg(0).number() : Number(1);
}

bool DecimalText(const Number& n) { return n.ToText().find('/') == std::string::npos; }

// Precedence of what Write() makes of an expression.
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

void Append(Pieces* to, Pieces more) { to->insert(to->end(), more.begin(), more.end()); }

// base^exponent for a positive constant exponent, as a piece.
Pieces WritePower(const Markup& markup, Expr base, const Number& exponent, Precedence place) {
  if (exponent.IsOne()) return {Piece(base, place)};
  if (IsRoot(exponent)) return markup.Root(base);
  return markup.Power(base, &exponent, Expr());
}

// A product, its sign left out.
Pieces WriteProduct(const Markup& markup, Expr e) {
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
  for (Expr arg : args) factors_below += HasNegativeExponent(arg);
  if (!coefficient.IsOne()) {
    const Number top = decimal ? coefficient : Number(coefficient.numerator());
    if (!top.IsOne()) times(&above, {markup.Constant(top)});
    if (!decimal) times(&below, {markup.Constant(Number(coefficient.denominator()))});
  }
  for (Expr arg : args) {
    if (arg.IsConstant()) continue;
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

Pieces WriteSum(const Markup& markup, Expr e) {
  Pieces pieces;
  for (Expr term : e.args()) {
    const bool negative = LeadingCoefficient(term).sign() < 0;
    if (!pieces.empty()) pieces.push_back(markup.Operator(negative ? '-' : '+'));
    if (!negative) {
      // A sum that starts with a sum is how text without parentheses parses.
      pieces.push_back(Piece(term, pieces.empty() ? kSum : kProduct));
    } else {
      if (pieces.empty()) pieces.push_back(markup.Operator('n'));
      Append(&pieces, term.IsConstant() ? WriteConstant(markup, -term.number())
                                        : WriteProduct(markup, term));
    }
  }
  return pieces;
}

Pieces Write(const Markup& markup, Expr e) {
  switch (e.op()) {
    case Op::kConstant:
      return WriteConstant(markup, e.number());
    case Op::kPi:
      return {markup.Pi()};
    case Op::kVariable:
      return {markup.Name(e.name())};
    case Op::kAdd:
      return WriteSum(markup, e);
    case Op::kMul: {
      Pieces pieces;
      if (LeadingCoefficient(e).sign() < 0) pieces.push_back(markup.Operator('n'));
      Append(&pieces, WriteProduct(markup, e));
      return pieces;
    }
    case Op::kStrongMul:
      return WriteProduct(markup, e);
    case Op::kPow:
      if (HasNegativeExponent(e)) return WriteProduct(markup, e);
      if (e.arg(1).IsConstant()) return WritePower(markup, e.arg(0), e.arg(1).number(), kPower);
      return markup.Power(e.arg(0), nullptr, e.arg(1));
    case Op::kExp:
      if (e.arg(0).IsOne()) return {markup.E()};
      return markup.Call(e);
    default:
      return markup.Call(e);
  }
}

// Prints without recursion, so that depth costs memory and not stack.
std::string Print(const Markup& markup, Expr root,
                  const absl::flat_hash_map<Expr, std::string>& named = {}) {
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
      text += markup.Name(name->second);
      continue;
    }
    Pieces parts = Write(markup, piece.expr);
    if (PrecedenceOf(piece.expr) < piece.place) {
      parts.insert(parts.begin(), markup.Open());
      parts.push_back(markup.Close());
    }
    open.insert(open.end(), std::make_move_iterator(parts.rbegin()),
                std::make_move_iterator(parts.rend()));
  }
  return text;
}

// f(a, b), select as if(a < b, x, y).
Pieces PlainCall(const std::string& name, Expr e, const Markup& markup, const char* comma) {
  Pieces pieces = {name, markup.Open()};
  for (size_t i = 0; i < e.args().size(); ++i) {
    if (i > 0) pieces.push_back(comma);
    pieces.push_back(Piece(e.arg(i), kSum));
  }
  pieces.push_back(markup.Close());
  return pieces;
}

// A table's "...{0}...{1}..." with the arguments for the numbers.
Pieces FilledIn(const char* form, Expr e) {
  Pieces pieces;
  std::string text;
  for (const char* c = form; *c != 0; ++c) {
    if (c[0] == '{' && absl::ascii_isdigit(c[1]) && c[2] == '}' &&
        static_cast<size_t>(c[1] - '0') < e.args().size()) {
      pieces.push_back(std::move(text));
      text.clear();
      pieces.push_back(Piece(e.arg(c[1] - '0'), kSum));
      c += 2;
    } else {
      text += *c;
    }
  }
  pieces.push_back(std::move(text));
  return pieces;
}

class TextMarkup : public Markup {
 public:
  std::string Constant(const Number& n) const override { return n.ToText(); }
  std::string Name(const std::string& name) const override { return name; }
  std::string Pi() const override { return "pi"; }
  std::string E() const override { return "e"; }
  std::string Operator(char op) const override {
    return op == '*' ? "*" : op == 'n' ? "-" : op == '+' ? " + " : " - ";
  }
  std::string Open() const override { return "("; }
  std::string Close() const override { return ")"; }
  Pieces Fraction(Pieces above, Pieces below) const override {
    above.push_back("/");
    Append(&above, std::move(below));
    return above;
  }
  Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const override {
    if (exponent == nullptr) return {Piece(base, kAtom), "^", Piece(exponent_expr, kAtom)};
    const std::string text = exponent->ToText();
    return {Piece(base, kAtom), "^", DecimalText(*exponent) ? text : absl::StrCat("(", text, ")")};
  }
  Pieces Root(Expr a) const override { return {"sqrt(", Piece(a, kSum), ")"}; }
  Pieces Call(Expr e) const override {
    if (e.op() != Op::kSelect) return PlainCall(Info(e.op()).name, e, *this, ", ");
    return {"if(", Piece(e.arg(0), kSum), " < ", Piece(e.arg(1), kSum), ", ", Piece(e.arg(2), kSum),
            ", ",  Piece(e.arg(3), kSum), ")"};
  }
  bool Stacked() const override { return false; }
};

constexpr std::array<const char*, 24> kGreek = {
    "alpha", "beta",  "gamma",   "delta", "epsilon", "zeta", "eta",     "theta",
    "iota",  "kappa", "lambda",  "mu",    "nu",      "xi",   "omicron", "rho",
    "sigma", "tau",   "upsilon", "phi",   "chi",     "psi",  "omega",   "varepsilon"};
constexpr std::array<const char*, 24> kGreekEntities = {
    "&#x3B1;", "&#x3B2;", "&#x3B3;", "&#x3B4;", "&#x3B5;", "&#x3B6;", "&#x3B7;", "&#x3B8;",
    "&#x3B9;", "&#x3BA;", "&#x3BB;", "&#x3BC;", "&#x3BD;", "&#x3BE;", "&#x3BF;", "&#x3C1;",
    "&#x3C3;", "&#x3C4;", "&#x3C5;", "&#x3C6;", "&#x3C7;", "&#x3C8;", "&#x3C9;", "&#x3B5;"};

// Position in the lists above, or -1.
int GreekLetter(const std::string& name) {
  const auto found = std::find(kGreek.begin(), kGreek.end(), name);
  return found == kGreek.end() ? -1 : static_cast<int>(found - kGreek.begin());
}

// w1 and w_1 are w with subscript 1.
std::pair<std::string, std::string> SplitSubscript(const std::string& name) {
  size_t end = name.find('_');
  if (end != std::string::npos && end > 0) return {name.substr(0, end), name.substr(end + 1)};
  end = name.size();
  while (end > 1 && absl::ascii_isdigit(name[end - 1])) --end;
  return {name.substr(0, end), name.substr(end)};
}

// Underscores that are no subscripts.
std::string Escaped(const std::string& name) { return absl::StrReplaceAll(name, {{"_", "\\_"}}); }

class LatexMarkup : public Markup {
 public:
  std::string Constant(const Number& n) const override {
    std::string text = n.ToText();
    const size_t e = text.find('e');
    if (e == std::string::npos) return text;
    return absl::StrCat(text.substr(0, e), " \\cdot 10^{", text.substr(e + 1), "}");
  }
  std::string Name(const std::string& name) const override {
    const auto [base, subscript] = SplitSubscript(name);
    std::string text = GreekLetter(base) >= 0 ? absl::StrCat("\\", base)
                       : base.size() == 1     ? base
                                              : absl::StrCat("\\mathit{", Escaped(base), "}");
    if (!subscript.empty()) absl::StrAppend(&text, "_{", Escaped(subscript), "}");
    return text;
  }
  std::string Pi() const override { return "\\pi"; }
  std::string E() const override { return "e"; }
  std::string Operator(char op) const override {
    return op == '*' ? " \\cdot " : op == 'n' ? "-" : op == '+' ? " + " : " - ";
  }
  std::string Open() const override { return "\\left("; }
  std::string Close() const override { return "\\right)"; }
  Pieces Fraction(Pieces above, Pieces below) const override {
    Pieces pieces = {"\\frac{"};
    Append(&pieces, std::move(above));
    pieces.push_back("}{");
    Append(&pieces, std::move(below));
    pieces.push_back("}");
    return pieces;
  }
  Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const override {
    // e^x and 10^{-20} as a base would read e^{x}^{2}.
    const bool raised =
        (base.op() == Op::kExp && !base.arg(0).IsOne()) ||
        (base.IsConstant() && Constant(base.number()).find('^') != std::string::npos);
    const bool bare = !raised;
    Pieces pieces =
        bare ? Pieces{Piece(base, kAtom), "^{"} : Pieces{Open(), Piece(base, kSum), Close(), "^{"};
    pieces.push_back(exponent == nullptr ? Piece(exponent_expr, kSum) : Piece(exponent->ToText()));
    pieces.push_back("}");
    return pieces;
  }
  Pieces Root(Expr a) const override { return {"\\sqrt{", Piece(a, kSum), "}"}; }
  Pieces Call(Expr e) const override { return FilledIn(Info(e.op()).latex, e); }
  bool Stacked() const override { return true; }
};

class MathMlMarkup : public Markup {
 public:
  std::string Constant(const Number& n) const override {
    return absl::StrCat("<mn>", n.ToText(), "</mn>");
  }
  std::string Name(const std::string& name) const override {
    const auto [base, subscript] = SplitSubscript(name);
    const int greek = GreekLetter(base);
    const std::string letter =
        absl::StrCat("<mi>", greek >= 0 ? kGreekEntities[greek] : base.c_str(), "</mi>");
    if (subscript.empty()) return letter;
    return absl::StrCat("<msub>", letter, "<mi>", subscript, "</mi></msub>");
  }
  std::string Pi() const override { return "<mi>&#x3C0;</mi>"; }
  std::string E() const override { return "<mi>e</mi>"; }
  std::string Operator(char op) const override {
    return op == '*'   ? "<mo>&#x22C5;</mo>"
           : op == 'n' ? "<mo form=\"prefix\">&#x2212;</mo>"
           : op == '+' ? "<mo>+</mo>"
                       : "<mo>&#x2212;</mo>";
  }
  std::string Open() const override { return "<mrow><mo>(</mo>"; }
  std::string Close() const override { return "<mo>)</mo></mrow>"; }
  Pieces Fraction(Pieces above, Pieces below) const override {
    Pieces pieces = {"<mfrac><mrow>"};
    Append(&pieces, std::move(above));
    pieces.push_back("</mrow><mrow>");
    Append(&pieces, std::move(below));
    pieces.push_back("</mrow></mfrac>");
    return pieces;
  }
  Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const override {
    const bool bare = base.op() != Op::kExp || base.arg(0).IsOne();
    Pieces pieces = {"<msup><mrow>"};
    Append(&pieces, bare ? Pieces{Piece(base, kAtom)} : Pieces{Open(), Piece(base, kSum), Close()});
    pieces.push_back("</mrow><mrow>");
    pieces.push_back(exponent == nullptr ? Piece(exponent_expr, kSum) : Piece(Constant(*exponent)));
    pieces.push_back("</mrow></msup>");
    return pieces;
  }
  Pieces Root(Expr a) const override { return {"<msqrt>", Piece(a, kSum), "</msqrt>"}; }
  Pieces Call(Expr e) const override {
    const Operation& operation = Info(e.op());
    if (operation.mathml != nullptr) return FilledIn(operation.mathml, e);
    return PlainCall(absl::StrCat("<mi>", operation.name, "</mi>"), e, *this, "<mo>,</mo>");
  }
  bool Stacked() const override { return true; }
};

// Nodes written out as trees, as far as `limit`.
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

// What is written where `e` is read: a denominator is written as its base.
Expr Written(Expr e) { return HasNegativeExponent(e) ? e.arg(0) : e; }

// Compound nodes that are written several times, and every 200th level of a deep chain so that its
// text stays parseable.
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

// u1, u2, ... for what is worth it.
SharedText PrintShared(const Markup& markup, absl::Span<const Expr> roots, size_t least) {
  SharedText shared;
  const std::vector<Expr> order = TopologicalOrder(roots);
  absl::flat_hash_map<Expr, std::string> names;
  const size_t tree = TreeSize(order, roots, 1000000);
  if (tree > std::max(least, 2 * order.size()) || order.size() >= std::max<size_t>(2000, least)) {
    absl::flat_hash_set<std::string> taken;
    for (Expr variable : Variables(roots)) taken.insert(variable.name());
    int number = 0;
    for (Expr part : WorthNaming(order, roots)) {
      std::string name;
      do {
        name = absl::StrCat("u", ++number);
      } while (taken.contains(name));
      name = markup.Name(name);
      shared.definitions.emplace_back(name, Print(markup, part, names));
      names[part] = name;
    }
  }
  for (Expr root : roots) shared.texts.push_back(Print(markup, root, names));
  return shared;
}

// The C++ expression of one operation over already computed operands.
std::string CppOperation(Expr e, const absl::flat_hash_map<Expr, std::string>& operand) {
  std::vector<std::string> a;
  for (Expr arg : e.args()) a.push_back(operand.at(arg));
  switch (e.op()) {
    case Op::kAdd:
      return absl::StrJoin(a, " + ");
    case Op::kMul:
      return absl::StrJoin(a, " * ");
    case Op::kPow:
      if (e.arg(1).IsNumber(-1)) return absl::StrCat("1.0 / ", a[0]);
      if (e.arg(1).IsNumber(2)) return absl::StrCat(a[0], " * ", a[0]);
      if (e.arg(1).IsConstant() && e.arg(1).number() == Number::Ratio(1, 2)) {
        return absl::StrCat("std::sqrt(", a[0], ")");
      }
      return absl::StrCat("std::pow(", a[0], ", ", a[1], ")");
    case Op::kStrongMul:
      return absl::StrFormat("(%s == 0.0 || %s == 0.0 ? 0.0 : %s * %s)", a[0], a[1], a[0], a[1]);
    default: {
      std::string text = Info(e.op()).cpp;
      for (size_t i = 0; i < a.size(); ++i) {
        absl::StrReplaceAll({{absl::StrCat("{", i, "}"), a[i]}}, &text);
      }
      return text;
    }
  }
}

std::string CppConstant(const Number& n) {
  std::string text = absl::StrFormat("%.17g", n.ToDouble());
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return n.sign() < 0 ? absl::StrCat("(", text, ")") : text;
}

}  // namespace

std::string ToText(Expr e) {
  const SharedText shared = PrintShared(TextMarkup(), absl::MakeConstSpan(&e, 1), 500);
  std::string text;
  for (const auto& [name, formula] : shared.definitions) {
    absl::StrAppend(&text, name, " = ", formula, "; ");
  }
  return text + shared.texts[0];
}

// A list may be longer than a formula.
constexpr size_t kLongList = 20000;

SharedText ToText(absl::Span<const Expr> expressions) {
  return PrintShared(TextMarkup(), expressions, kLongList);
}

SharedText ToLatex(absl::Span<const Expr> expressions) {
  return PrintShared(LatexMarkup(), expressions, kLongList);
}

std::string ToLatex(Expr e) { return Print(LatexMarkup(), e); }
std::string ToMathMlRow(Expr e) {
  return absl::StrCat("<mrow>", Print(MathMlMarkup(), e), "</mrow>");
}

std::string ToMathMl(Expr e) {
  return absl::StrCat("<math xmlns=\"http://www.w3.org/1998/Math/MathML\">", ToMathMlRow(e),
                      "</math>");
}

namespace {

// Words that are no names in C++, and macros that <cmath> brings.
constexpr const char* kReserved[] = {"alignas",
                                     "alignof",
                                     "and",
                                     "and_eq",
                                     "asm",
                                     "auto",
                                     "bitand",
                                     "bitor",
                                     "bool",
                                     "break",
                                     "case",
                                     "catch",
                                     "char",
                                     "char16_t",
                                     "char32_t",
                                     "char8_t",
                                     "class",
                                     "co_await",
                                     "co_return",
                                     "co_yield",
                                     "compl",
                                     "concept",
                                     "const",
                                     "const_cast",
                                     "consteval",
                                     "constexpr",
                                     "constinit",
                                     "continue",
                                     "decltype",
                                     "default",
                                     "delete",
                                     "do",
                                     "double",
                                     "dynamic_cast",
                                     "else",
                                     "enum",
                                     "explicit",
                                     "export",
                                     "extern",
                                     "false",
                                     "float",
                                     "for",
                                     "friend",
                                     "goto",
                                     "if",
                                     "inline",
                                     "int",
                                     "long",
                                     "mutable",
                                     "namespace",
                                     "new",
                                     "noexcept",
                                     "not",
                                     "not_eq",
                                     "nullptr",
                                     "operator",
                                     "or",
                                     "or_eq",
                                     "private",
                                     "protected",
                                     "public",
                                     "register",
                                     "reinterpret_cast",
                                     "requires",
                                     "return",
                                     "short",
                                     "signed",
                                     "sizeof",
                                     "static",
                                     "static_assert",
                                     "static_cast",
                                     "struct",
                                     "switch",
                                     "template",
                                     "this",
                                     "thread_local",
                                     "throw",
                                     "true",
                                     "try",
                                     "typedef",
                                     "typeid",
                                     "typename",
                                     "union",
                                     "unsigned",
                                     "using",
                                     "virtual",
                                     "void",
                                     "volatile",
                                     "wchar_t",
                                     "while",
                                     "xor",
                                     "xor_eq",
                                     "assert",
                                     "errno",
                                     "linux",
                                     "unix",
                                     "math_errhandling",
                                     "DOMAIN",
                                     "EOF",
                                     "HUGE",
                                     "HUGE_VAL",
                                     "HUGE_VALF",
                                     "HUGE_VALL",
                                     "INFINITY",
                                     "MAXFLOAT",
                                     "NAN",
                                     "NULL",
                                     "OVERFLOW",
                                     "PLOSS",
                                     "SING",
                                     "TLOSS",
                                     "UNDERFLOW",
                                     "Polygamma",
                                     "std"};

bool Reserved(absl::string_view name) {
  for (const char* word : kReserved) {
    if (name == word) return true;
  }
  // Names with a leading underscore or two of them belong to the compiler; M_PI and FP_NAN, and
  // their like, are macros.
  return name[0] == '_' || absl::StrContains(name, "__") || absl::StartsWith(name, "M_") ||
         absl::StartsWith(name, "FP_") || absl::StartsWith(name, "MATH_");
}

// Names for C++: a variable's own where that is one, else with something added.
class CppNames {
 public:
  explicit CppNames(absl::Span<const Expr> variables) {
    for (Expr variable : variables) taken_.insert(variable.name());
    for (Expr variable : variables) names_[variable] = NameFor(variable.name());
  }

  const std::string& Of(Expr variable) const { return names_.at(variable); }

  std::string Temporary() {
    std::string name;
    do {
      name = absl::StrCat("v", ++temporaries_);
    } while (!taken_.insert(name).second);
    return name;
  }

 private:
  std::string NameFor(const std::string& name) {
    if (!Reserved(name)) return name;
    std::string other =
        absl::StrCat("x_", absl::StrReplaceAll(absl::StripPrefix(name, "_"), {{"__", "_"}}));
    if (!absl::StartsWith(name, "_") && !absl::StrContains(name, "__")) other = name + "_";
    while (Reserved(other) || !taken_.insert(other).second) other += "x";
    return other;
  }

  absl::flat_hash_set<std::string> taken_;
  absl::flat_hash_map<Expr, std::string> names_;
  int temporaries_ = 0;
};

// psi_n(x) by its recurrence and its asymptotic series (Abramowitz and Stegun 6.4.6, 6.4.11), which
// <cmath> has not.
constexpr char kPolygamma[] = R"(double Polygamma(double n, double x) {
  if (x <= 0.0 && x == std::floor(x)) return std::nan("");
  const double bernoulli[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730,
                              7.0 / 6, -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};
  const double sign = std::fmod(n, 2.0) == 0.0 ? -1.0 : 1.0, factorial = std::tgamma(n + 1.0);
  double recurrence = 0.0;
  for (; x < 12.0 + 2.0 * n; x += 1.0) recurrence += factorial / std::pow(x, n + 1.0);
  double sum = n == 0.0 ? 0.5 / x - std::log(x)
                        : std::tgamma(n) / std::pow(x, n) + factorial / (2.0 * std::pow(x, n + 1.0));
  double ratio = std::tgamma(n + 2.0) / (2.0 * std::pow(x, n + 2.0));
  for (int k = 1; k <= 10; ++k) {
    sum += bernoulli[k - 1] * ratio;
    ratio *= (2.0 * k + n) * (2.0 * k + n + 1.0) / ((2.0 * k + 1.0) * (2.0 * k + 2.0) * x * x);
  }
  return sign * (sum + recurrence);
}

)";

}  // namespace

std::string ToCpp(absl::string_view name, absl::Span<const Expr> outputs,
                  absl::Span<const Expr> variables) {
  std::vector<std::string> parameters;
  absl::flat_hash_map<Expr, std::string> operand;
  CppNames names(variables);
  for (Expr variable : variables) {
    operand[variable] = names.Of(variable);
    parameters.push_back(absl::StrCat("double ", names.Of(variable)));
  }
  std::string before, body;
  for (Expr e : TopologicalOrder(outputs)) {
    if (e.op() == Op::kPolygamma) before = kPolygamma;
    if (e.IsConstant()) {
      operand[e] = CppConstant(e.number());
    } else if (e.op() == Op::kPi) {
      operand[e] = "3.141592653589793";
    } else if (!e.IsVariable()) {
      const std::string temporary = names.Temporary();
      absl::StrAppend(&body, "  const double ", temporary, " = ", CppOperation(e, operand), ";\n");
      operand[e] = temporary;
    }
  }
  std::vector<std::string> results;
  for (Expr e : outputs) results.push_back(operand[e]);
  const bool single = outputs.size() == 1;
  const std::string type =
      single ? "double" : absl::StrCat("std::array<double, ", outputs.size(), ">");
  return absl::StrCat(
      before, type, " ", name, "(", absl::StrJoin(parameters, ", "), ") {\n", body, "  return ",
      single ? results[0] : absl::StrCat("{", absl::StrJoin(results, ", "), "}"), ";\n}\n");
}

}  // namespace cotangent::autodiff::symbolic
