// Implements ToCpp() of print.h: prints formulas as C++ functions.

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/print.h"

namespace cotangent::autodiff::symbolic {
namespace {

using Operands = absl::flat_hash_map<Expr, std::string>;

std::string CppConstant(const Number& n) {
  char buffer[32];
  char* const end =
      std::to_chars(buffer, std::end(buffer), n.ToDouble(), std::chars_format::general, 17).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return n.sign() < 0 ? absl::StrCat("(", text, ")") : text;
}

// Returns whether the product divides by `factor`: whether `factor` is a power with a negative
// constant exponent. The C++ text then reads the power's base instead of the power.
bool IsDivisor(Expr product, Expr factor) {
  return product.op() == Op::kMul && factor.op() == Op::kPow && factor.arg(1).IsConstant() &&
         factor.arg(1).number().sign() < 0;
}

// Returns the C++ text of base^exponent, for a base that is a name or number.
std::string CppPower(const std::string& base, const Number& exponent) {
  if (exponent.IsOne()) return base;
  if (exponent.IsInteger(2)) return absl::StrCat(base, " * ", base);
  if (exponent == Number::Ratio(1, 2)) return absl::StrCat("std::sqrt(", base, ")");
  return absl::StrCat("std::pow(", base, ", ", CppConstant(exponent), ")");
}

// Returns the C++ text of a product, written as one quotient: x times the constant 1/49 becomes x /
// 49, which has the same bits as a person's x / 49.
std::string CppProduct(Expr e, const Operands& operand) {
  std::vector<std::string> above, below;
  for (Expr factor : e.args()) {
    if (IsDivisor(e, factor)) {
      below.push_back(CppPower(operand.at(factor.arg(0)), -factor.arg(1).number()));
    } else if (factor.IsConstant() && factor.number().exact()) {
      const Number& n = factor.number();
      if (!n.IsInteger(n.denominator())) above.push_back(CppConstant(Number(n.numerator())));
      if (n.denominator() != 1) below.push_back(CppConstant(Number(n.denominator())));
    } else {
      above.push_back(operand.at(factor));
    }
  }
  if (above.empty()) above.push_back("1.0");
  std::string top = absl::StrJoin(above, " * ");
  if (below.empty()) return top;
  const std::string bottom = absl::StrJoin(below, " * ");
  const bool plain = bottom.find(" * ") == std::string::npos;
  return absl::StrCat(top, " / ", plain ? bottom : absl::StrCat("(", bottom, ")"));
}

// Returns the C++ expression of the operation at the root of e. `operand` holds the C++ text of
// each argument that the operation reads.
std::string CppOperation(Expr e, const Operands& operand) {
  if (e.op() == Op::kMul) return CppProduct(e, operand);
  std::vector<std::string> a;
  for (Expr arg : e.args()) a.push_back(operand.at(arg));
  switch (e.op()) {
    case Op::kAdd:
      return absl::StrJoin(a, " + ");
    case Op::kPow:
      if (e.arg(1).IsNumber(-1)) return absl::StrCat("1.0 / ", a[0]);
      if (e.arg(1).IsConstant()) return CppPower(a[0], e.arg(1).number());
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

// Words that cannot be the name of a variable: C++ keywords, macros that <cmath> or the compiler
// defines, and names that the generated code uses.
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
  // C++ reserves names that begin with an underscore or contain two in a row. Names such as M_PI
  // and FP_NAN are macros.
  return name[0] == '_' || absl::StrContains(name, "__") || absl::StartsWith(name, "M_") ||
         absl::StartsWith(name, "FP_") || absl::StartsWith(name, "MATH_");
}

// Gives each variable a name in C++: its own name, changed only if C++ does not allow it.
// Temporary() returns a new name for an intermediate value.
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
    std::string other = name + "_";
    if (Reserved(other)) {
      // No reserved name begins with x_; dropping repeated underscores avoids two in a row.
      other = "x_";
      for (const char c : name) {
        if (c != '_' || other.back() != '_') other += c;
      }
    }
    while (!taken_.insert(other).second) other += "x";
    return other;
  }

  absl::flat_hash_set<std::string> taken_;
  absl::flat_hash_map<Expr, std::string> names_;
  int temporaries_ = 0;
};

// The C++ source of the polygamma function psi_n(x), which <cmath> does not have. It uses the
// recurrence and the asymptotic series of Abramowitz and Stegun (6.4.6, 6.4.11) and, left of -20,
// the reflection formula (6.4.7), in which the n-th derivative of cot(pi x) is a polynomial of
// cot(pi x).
constexpr char kPolygamma[] = R"(double Polygamma(double n, double x) {
  if (x <= 0.0 && x == std::floor(x)) return std::nan("");
  if (x < -20.0) {
    const double pi = 3.141592653589793, cot = 1.0 / std::tan(pi * (x - std::round(x)));
    double p[180] = {0.0, 1.0}, sum = 0.0;
    if (n > 170.0) return std::nan("");
    for (int k = 0; k < n; ++k) {
      double next[180] = {};
      for (int i = 1; i <= k + 1; ++i) {
        next[i - 1] -= i * p[i];
        next[i + 1] -= i * p[i];
      }
      for (int i = 0; i <= k + 2; ++i) p[i] = next[i];
    }
    for (int i = static_cast<int>(n) + 1; i >= 0; --i) sum = sum * cot + p[i];
    const double mirrored = Polygamma(n, 1.0 - x);
    return (std::fmod(n, 2.0) == 0.0 ? mirrored : -mirrored) - std::pow(pi, n + 1.0) * sum;
  }
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

// Returns the nodes whose values the outputs need, in the order of evaluation.
std::vector<Expr> NodesRead(absl::Span<const Expr> outputs) {
  absl::flat_hash_set<Expr> read(outputs.begin(), outputs.end());
  std::vector<Expr> order = TopologicalOrder(outputs);
  for (size_t i = order.size(); i-- > 0;) {
    if (!read.contains(order[i])) continue;
    for (Expr arg : order[i].args()) read.insert(IsDivisor(order[i], arg) ? arg.arg(0) : arg);
  }
  order.erase(std::remove_if(order.begin(), order.end(), [&](Expr e) { return !read.contains(e); }),
              order.end());
  return order;
}

}  // namespace

std::string ToCpp(absl::string_view name, absl::Span<const Expr> outputs,
                  absl::Span<const Expr> variables) {
  std::vector<std::string> parameters;
  Operands operand;
  CppNames names(variables);
  const std::vector<Expr> read = NodesRead(outputs);
  const absl::flat_hash_set<Expr> is_read(read.begin(), read.end());
  for (Expr variable : variables) {
    operand[variable] = names.Of(variable);
    parameters.push_back(absl::StrCat(
        is_read.contains(variable) ? "double " : "[[maybe_unused]] double ", names.Of(variable)));
  }
  std::string before, body;
  for (Expr e : read) {
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
