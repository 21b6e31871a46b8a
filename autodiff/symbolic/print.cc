#include "autodiff/symbolic/print.h"

#include <algorithm>
#include <array>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "autodiff/symbolic/markup.h"
#include "autodiff/symbolic/operation.h"

namespace cotangent::autodiff::symbolic {
namespace {

class TextMarkup : public Markup {
 public:
  // A variable may have the name of a constant (pi or e). The constant is then written as acos(-1)
  // or exp(1).
  explicit TextMarkup(absl::Span<const Expr> expressions) {
    for (Expr variable : Variables(expressions)) {
      if (variable.name() == "pi") pi_ = "acos(-1)";
      if (variable.name() == "e") e_ = "exp(1)";
    }
  }

  std::string Constant(const Number& n) const override { return n.ToText(); }
  std::string Name(const std::string& name) const override { return name; }
  std::string Pi() const override { return pi_; }
  std::string E() const override { return e_; }
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

 private:
  std::string pi_ = "pi", e_ = "e";
};

// The Greek letters that LaTeX has commands for (it has none for omicron).
constexpr std::array<const char*, 23> kGreek = {
    "alpha", "beta",    "gamma",  "delta", "epsilon", "zeta",  "eta",       "theta",
    "iota",  "kappa",   "lambda", "mu",    "nu",      "xi",    "rho",       "sigma",
    "tau",   "upsilon", "phi",    "chi",   "psi",     "omega", "varepsilon"};
constexpr std::array<const char*, 23> kGreekEntities = {
    "&#x3B1;", "&#x3B2;", "&#x3B3;", "&#x3B4;", "&#x3F5;", "&#x3B6;", "&#x3B7;", "&#x3B8;",
    "&#x3B9;", "&#x3BA;", "&#x3BB;", "&#x3BC;", "&#x3BD;", "&#x3BE;", "&#x3C1;", "&#x3C3;",
    "&#x3C4;", "&#x3C5;", "&#x3C6;", "&#x3C7;", "&#x3C8;", "&#x3C9;", "&#x3B5;"};

// Returns the index of the letter in the two arrays above, or -1 if the name is not a Greek
// letter's.
int GreekLetter(const std::string& name) {
  const auto found = std::find(kGreek.begin(), kGreek.end(), name);
  return found == kGreek.end() ? -1 : static_cast<int>(found - kGreek.begin());
}

// Escapes underscores, because LaTeX reads a plain one as the start of a subscript.
std::string Escaped(const std::string& name) { return absl::StrReplaceAll(name, {{"_", "\\_"}}); }

// The markup of a language that sets names in styles (w1 with a subscript, alpha as the letter). If
// a name would look like that of an earlier variable (w_1 like w1) or a constant, it is written as
// it is, in another font.
class StyledMarkup : public Markup {
 public:
  // Finds the names of the variables. Must be called before the markup is used.
  void SetVariables(absl::Span<const Expr> variables) {
    absl::flat_hash_set<std::string> taken = {Pi(), E()};
    for (Expr variable : variables) {
      std::string styled = Styled(variable.name());
      const bool clear = taken.insert(styled).second;
      names_[variable.name()] = clear ? std::move(styled) : Verbatim(variable.name());
    }
  }
  std::string Name(const std::string& name) const override {
    const auto found = names_.find(name);
    return found == names_.end() ? Styled(name) : found->second;
  }

 private:
  virtual std::string Styled(const std::string& name) const = 0;
  virtual std::string Verbatim(const std::string& name) const = 0;
  absl::flat_hash_map<std::string, std::string> names_;
};

class LatexMarkup : public StyledMarkup {
 public:
  explicit LatexMarkup(absl::Span<const Expr> roots) { SetVariables(Variables(roots)); }
  std::string Constant(const Number& n) const override {
    std::string text = n.ToText();
    const size_t e = text.find('e');
    if (e == std::string::npos) return text;
    return absl::StrCat(text.substr(0, e), " \\cdot 10^{",
                        absl::StripPrefix(text.substr(e + 1), "+"), "}");
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
  // Puts bases that have a superscript already, such as e^x and 10^{-20}, in parentheses: LaTeX
  // rejects e^{x}^{2}.
  Pieces Base(Expr base) const override {
    const bool raised =
        (base.op() == Op::kExp && !base.arg(0).IsOne()) || base.op() == Op::kLgamma ||
        (base.IsConstant() && Constant(base.number()).find('^') != std::string::npos);
    return raised ? Pieces{Open(), Piece(base, kSum), Close()} : Pieces{Piece(base, kAtom)};
  }
  Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const override {
    Pieces pieces = Base(base);
    pieces.push_back("^{");
    pieces.push_back(exponent == nullptr ? Piece(exponent_expr, kSum) : Piece(Constant(*exponent)));
    pieces.push_back("}");
    return pieces;
  }
  Pieces Root(Expr a) const override { return {"\\sqrt{", Piece(a, kSum), "}"}; }
  Pieces Call(Expr e) const override { return FilledIn(Info(e.op()).latex, e, *this); }
  bool Stacked() const override { return true; }

 private:
  std::string Styled(const std::string& name) const override {
    const auto [base, subscript] = SplitSubscript(name);
    std::string text = GreekLetter(base) >= 0 ? absl::StrCat("\\", base)
                       : base.size() == 1     ? base
                                              : absl::StrCat("\\mathit{", Escaped(base), "}");
    if (!subscript.empty()) absl::StrAppend(&text, "_{", Escaped(subscript), "}");
    return text;
  }
  std::string Verbatim(const std::string& name) const override {
    return absl::StrCat("\\mathtt{", Escaped(name), "}");
  }
};

class MathMlMarkup : public StyledMarkup {
 public:
  explicit MathMlMarkup(absl::Span<const Expr> roots) { SetVariables(Variables(roots)); }
  std::string Constant(const Number& n) const override {
    const std::string text = n.ToText();
    const size_t e = text.find('e');
    if (e == std::string::npos) return absl::StrCat("<mn>", text, "</mn>");
    return absl::StrCat(
        "<mn>", text.substr(0, e), "</mn><mo>&#x22C5;</mo><msup><mn>10</mn><mn>",
        absl::StrReplaceAll(absl::StripPrefix(text.substr(e + 1), "+"), {{"-", "&#x2212;"}}),
        "</mn></msup>");
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
  Pieces Base(Expr base) const override {
    const bool raised =
        (base.op() == Op::kExp && !base.arg(0).IsOne()) ||
        (base.IsConstant() && Constant(base.number()).find("<msup>") != std::string::npos);
    return raised ? Pieces{Open(), Piece(base, kSum), Close()} : Pieces{Piece(base, kAtom)};
  }
  Pieces Power(Expr base, const Number* exponent, Expr exponent_expr) const override {
    Pieces pieces = {"<msup><mrow>"};
    Append(&pieces, Base(base));
    pieces.push_back("</mrow><mrow>");
    pieces.push_back(exponent == nullptr ? Piece(exponent_expr, kSum) : Piece(Constant(*exponent)));
    pieces.push_back("</mrow></msup>");
    return pieces;
  }
  Pieces Root(Expr a) const override { return {"<msqrt>", Piece(a, kSum), "</msqrt>"}; }
  Pieces Call(Expr e) const override {
    const Operation& operation = Info(e.op());
    if (operation.mathml != nullptr) return FilledIn(operation.mathml, e, *this);
    return PlainCall(absl::StrCat("<mi>", operation.name, "</mi>"), e, *this, "<mo>,</mo>");
  }
  bool Stacked() const override { return true; }

 private:
  std::string Styled(const std::string& name) const override {
    const auto [base, subscript] = SplitSubscript(name);
    const int greek = GreekLetter(base);
    std::string letter =
        absl::StrCat("<mi>", greek >= 0 ? kGreekEntities[greek] : base.c_str(), "</mi>");
    if (subscript.empty()) return letter;
    return absl::StrCat("<msub>", letter, "<mi>", subscript, "</mi></msub>");
  }
  std::string Verbatim(const std::string& name) const override {
    return absl::StrCat("<mtext>", name, "</mtext>");
  }
};

// Returns the text of e. If it would be long (PrintShared() in markup.h explains `least`), it begins
// with definitions of shared subexpressions: u1 = ...; u1^2. `is` stands between a name and its
// formula, and `end` after each definition. Without definitions, the text of an expression whose
// parts each use the next part twice would be exponentially long.
std::string WithDefinitions(const Markup& markup, Expr e, size_t least, absl::string_view is,
                            absl::string_view end) {
  const SharedText shared = PrintShared(markup, absl::MakeConstSpan(&e, 1), least);
  std::string text;
  for (const auto& [name, formula] : shared.definitions) {
    absl::StrAppend(&text, name, is, formula, end);
  }
  return text + shared.texts[0];
}

}  // namespace

std::string ToText(Expr e) { return WithDefinitions(TextMarkup({e}), e, 500, " = ", "; "); }

// The `least` of PrintShared() (markup.h) for lists of expressions: a list names shared
// subexpressions only if its text has at least this many nodes. For a single formula, ToText()
// above sets it to 500.
constexpr size_t kLongList = 20000;

SharedText ToText(absl::Span<const Expr> expressions) {
  return PrintShared(TextMarkup(expressions), expressions, kLongList);
}

SharedText ToLatex(absl::Span<const Expr> expressions) {
  return PrintShared(LatexMarkup(expressions), expressions, kLongList);
}

std::vector<std::string> LatexOfEach(absl::Span<const Expr> expressions) {
  const LatexMarkup markup(expressions);
  std::vector<std::string> texts;
  for (Expr e : expressions) texts.push_back(WithDefinitions(markup, e, kLongList, " = ", ";\\; "));
  return texts;
}

std::string ToLatex(Expr e) { return LatexOfEach({e})[0]; }

std::vector<std::string> MathMlRowOfEach(absl::Span<const Expr> expressions) {
  const MathMlMarkup markup(expressions);
  std::vector<std::string> rows;
  for (Expr e : expressions) {
    rows.push_back(absl::StrCat(
        "<mrow>", WithDefinitions(markup, e, kLongList, "<mo>=</mo>", "<mo>;</mo>"), "</mrow>"));
  }
  return rows;
}

std::string ToMathMlRow(Expr e) { return MathMlRowOfEach({e})[0]; }

std::string ToMathMl(Expr e) {
  return absl::StrCat("<math xmlns=\"http://www.w3.org/1998/Math/MathML\">", ToMathMlRow(e),
                      "</math>");
}

}  // namespace cotangent::autodiff::symbolic
