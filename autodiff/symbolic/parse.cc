#include "autodiff/symbolic/parse.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/functions.h"
#include "base/edit_distance.h"
#include "base/editor_text.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::symbolic {
namespace {

enum class TokenKind { kNumber, kName, kSymbol, kEnd, kBad };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  int line = 1;
  int column = 1;
};

bool IsNameStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsNamePart(char c) { return absl::ascii_isalnum(c) || c == '_'; }

class Lexer {
 public:
  explicit Lexer(absl::string_view text) : text_(text) {}

  Token Next() {
    SkipSpace();
    Token token{TokenKind::kEnd, "", line_, column_};
    if (at_ == text_.size()) return token;
    const char c = text_[at_];
    if (absl::ascii_isdigit(c) || (c == '.' && absl::ascii_isdigit(Peek(1)))) {
      token.kind = TokenKind::kNumber;
      token.text = Take(NumberLength());
    } else if (IsNameStart(c)) {
      size_t length = 1;
      while (IsNamePart(Peek(length))) ++length;
      token.kind = TokenKind::kName;
      token.text = Take(length);
    } else if (StartsWith("<=") || StartsWith(">=") || StartsWith("**")) {
      token.kind = TokenKind::kSymbol;
      token.text = Take(2);
    } else if (absl::string_view("+-*/^(),;=<>").find(c) != absl::string_view::npos) {
      token.kind = TokenKind::kSymbol;
      token.text = Take(1);
    } else {
      token.kind = TokenKind::kBad;
      token.text = Take(CharacterLength());
    }
    return token;
  }

 private:
  char Peek(size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool StartsWith(absl::string_view s) const { return text_.substr(at_, s.size()) == s; }

  // Returns the length in bytes of the UTF-8 character at the current position, so that an error
  // message shows the whole character.
  size_t CharacterLength() const {
    return absl::ascii_isascii(text_[at_]) ? 1 : ForeignCharacterAt(text_.substr(at_)).bytes;
  }

  size_t NumberLength() const {
    size_t length = 0;
    while (absl::ascii_isdigit(Peek(length))) ++length;
    if (Peek(length) == '.') ++length;
    while (absl::ascii_isdigit(Peek(length))) ++length;
    if (Peek(length) == 'e' || Peek(length) == 'E') {
      size_t digits = length + 1;
      if (Peek(digits) == '+' || Peek(digits) == '-') ++digits;
      if (absl::ascii_isdigit(Peek(digits))) {
        length = digits;
        while (absl::ascii_isdigit(Peek(length))) ++length;
      }
    }
    return length;
  }

  std::string Take(size_t length) {
    std::string text(text_.substr(at_, length));
    at_ += length;
    ++column_;
    for (size_t i = 1; i < length; ++i) {
      column_ += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    }
    return text;
  }

  void SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) {
      ++column_;
      if (text_[at_] == '\n') {
        ++line_;
        column_ = 1;
      }
      ++at_;
    }
  }

  absl::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
};

// Returns "; did you mean ...?", or an empty string if no candidate is similar to `word`.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  std::string lower = absl::AsciiStrToLower(word);
  const std::string* best = nullptr;
  size_t best_distance = 2 * std::min<size_t>(3, word.size());
  for (const std::string& candidate : candidates) {
    // Among equally similar words, prefers the one with the same first letter.
    const size_t distance = 2 * EditDistance(lower, candidate) + (candidate[0] != lower[0]);
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : absl::StrCat("; did you mean ", *best, "?");
}

class Parser {
 public:
  Parser(std::string text, Pool& pool, const ParseOptions& options)
      : text_(std::move(text)), lexer_(text_), pool_(pool), options_(options) {
    Advance();
    Advance();
  }

  absl::StatusOr<Expr> Formula() {
    while (true) {
      const bool let =
          token_.kind == TokenKind::kName && token_.text == "let" && next_.kind == TokenKind::kName;
      if (let) Advance();
      if (token_.kind == TokenKind::kName && IsSymbol(next_, "=")) {
        RETURN_IF_ERROR(Definition());
        continue;
      }
      if (let) return Unexpected("'=' after the name that 'let' defines", next_);
      ASSIGN_OR_RETURN(Expr value, Sum());
      if (IsSymbol(token_, ";") && next_.kind == TokenKind::kEnd) Advance();
      if (IsSymbol(token_, ";")) {
        return Error(token_,
                     "found ';' after an expression without a name; expected the end of "
                     "the formula (name what comes before: u = ...; ...)");
      }
      if (token_.kind != TokenKind::kEnd) {
        return Unexpected("an operator or the end of the formula", token_);
      }
      return value;
    }
  }

 private:
  // Increases the nesting depth by one for as long as the object lives.
  class Depth {
   public:
    explicit Depth(int* depth) : depth_(depth) { ++*depth_; }
    ~Depth() { --*depth_; }

   private:
    int* depth_;
  };

  void Advance() {
    token_ = next_;
    next_ = lexer_.Next();
  }

  static bool IsSymbol(const Token& token, absl::string_view symbol) {
    return token.kind == TokenKind::kSymbol && token.text == symbol;
  }

  absl::Status Error(const Token& at, const std::string& message) const {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.source, ":", at.line, ":", at.column, ": ", message));
  }

  absl::Status Unexpected(const std::string& expected, const Token& at) const {
    if (at.kind == TokenKind::kBad && !absl::ascii_isascii(at.text[0]))
      return Error(at, FoundForeignCharacter(at.text));
    std::string found = absl::StrCat("'", at.text, "'");
    if (at.kind == TokenKind::kEnd) found = "the end of the formula";
    std::string mend;
    const bool juxtaposed = expected[0] == 'a' && expected[1] == 'n' && expected[2] == ' ';
    if (juxtaposed &&
        (at.kind == TokenKind::kName || at.kind == TokenKind::kNumber || IsSymbol(at, "("))) {
      mend = "; write * for a product";
    }
    return Error(at, absl::StrCat("found ", found, ", expected ", expected, mend));
  }

  absl::Status Expect(absl::string_view symbol, const std::string& why) {
    if (!IsSymbol(token_, symbol)) {
      return Unexpected(absl::StrCat("'", symbol, "'", why), token_);
    }
    Advance();
    return absl::OkStatus();
  }

  // Returns whether the constant factor of every term of e is finite. The constants were folded, so
  // they may have overflowed.
  static bool Representable(Expr e) {
    const absl::Span<const Expr> terms = e.op() == Op::kAdd ? e.args() : absl::MakeConstSpan(&e, 1);
    return absl::c_all_of(
        terms, [](Expr term) { return std::isfinite(SplitCoefficient(term).first.ToDouble()); });
  }

  absl::Status BeyondNumbers(const Token& at, const std::string& what) const {
    return Error(at, absl::StrCat(what, " is beyond the range of numbers (4.9e-324 to 1.8e308)"));
  }

  // Parses a definition: name = sum ;
  absl::Status Definition() {
    const Token name = token_;
    Advance();
    Advance();
    if (FindFunction(name.text.c_str()) != nullptr || name.text == "pi" || name.text == "e" ||
        name.text == "if") {
      return Error(name,
                   absl::StrCat("'", name.text, "' already has a meaning; choose another name"));
    }
    if (options_.variables.has_value() && absl::c_linear_search(*options_.variables, name.text)) {
      return Error(name, absl::StrCat("'", name.text,
                                      "' is a variable with a value of its own; choose another "
                                      "name, or leave out the value"));
    }
    if (named_.count(name.text) > 0) {
      return Error(name, absl::StrCat("'", name.text, "' is defined twice; choose another name"));
    }
    if (used_.count(name.text) > 0) {
      return Error(
          name, absl::StrCat("'", name.text,
                             "' was used as a variable before this definition; define it first"));
    }
    ASSIGN_OR_RETURN(named_[name.text], Sum());
    if (token_.kind == TokenKind::kEnd) {
      return Error(token_, absl::StrCat("found the end of the formula, expected ';' and the "
                                        "expression that uses '",
                                        name.text, "'"));
    }
    return Expect(";", " after a definition");
  }

  absl::StatusOr<Expr> Sum() {
    absl::StatusOr<Expr> left = Product();
    while (left.ok() && (IsSymbol(token_, "+") || IsSymbol(token_, "-"))) {
      const Token op = token_;
      Advance();
      ASSIGN_OR_RETURN(Expr right, Product());
      left = op.text == "-" ? *left - right : *left + right;
      if (!Representable(*left)) return BeyondNumbers(op, "the sum of the constants");
    }
    return left;
  }

  absl::StatusOr<Expr> Product() {
    absl::StatusOr<Expr> left = Unary();
    // A factor that *left lacks, since its constant would be beyond the range of doubles with it,
    // and the operator before that factor. Further factors may bring the constant back.
    long double lacks = 1;
    Token lacks_at;
    while (left.ok() && (IsSymbol(token_, "*") || IsSymbol(token_, "/"))) {
      const Token op = token_;
      Advance();
      ASSIGN_OR_RETURN(Expr right, Unary());
      const bool divides = op.text == "/";
      if (divides && right.IsZero()) return Error(op, "division by zero");
      const Number first = SplitCoefficient(*left).first;
      const auto [second, rest] = SplitCoefficient(right);
      const bool vanishes = left->IsZero() || right.IsZero();
      const bool constants = !divides || right.IsConstant();
      if (vanishes || !constants ||
          InRange((divides ? first / second : first * second).ToDouble())) {
        left = divides ? *left / right : *left * right;
      } else {
        if (lacks == 1) lacks_at = op;
        lacks = divides ? lacks / second.ToDouble() : lacks * second.ToDouble();
        left = *left * rest;
      }
      if (!Representable(*left)) return BeyondNumbers(op, "the product of the constants");
      if (lacks != 1) left = WithFactor(*left, &lacks);
    }
    if (left.ok() && lacks != 1) return BeyondNumbers(lacks_at, "the product of the constants");
    return left;
  }

  // Returns whether `value` is finite and not 0 as a double.
  static bool InRange(long double value) {
    const auto rounded = static_cast<double>(value);
    return rounded != 0 && std::isfinite(rounded);
  }

  // Multiplies e by *factor and sets *factor to 1 if the constant of the product is in the range of
  // doubles. Otherwise returns e.
  static Expr WithFactor(Expr e, long double* factor) {
    const auto [constant, rest] = SplitCoefficient(e);
    const long double product = *factor * constant.ToDouble();
    if (!InRange(product) && !constant.IsZero()) return e;
    *factor = 1;
    return e.pool().Constant(static_cast<double>(product)) * rest;
  }

  absl::StatusOr<Expr> Unary() {
    bool negative = false;
    while (IsSymbol(token_, "-") || IsSymbol(token_, "+")) {
      negative ^= token_.text == "-";
      Advance();
    }
    absl::StatusOr<Expr> value = Power();
    if (value.ok() && negative) return -*value;
    return value;
  }

  absl::StatusOr<Expr> Power() {
    absl::StatusOr<Expr> base = Primary();
    if (!base.ok() || !(IsSymbol(token_, "^") || IsSymbol(token_, "**"))) return base;
    const Token op = token_;
    Advance();
    const Depth depth(&depth_);
    if (depth_ > options_.max_depth) return TooDeep(op);
    ASSIGN_OR_RETURN(Expr exponent, Unary());
    if (base->IsZero() && exponent.IsConstant() && exponent.number().sign() < 0) {
      return Error(op, "division by zero");
    }
    return Pow(*base, exponent);
  }

  absl::Status TooDeep(const Token& at) const {
    return Error(at, absl::StrCat("nested more than ", options_.max_depth,
                                  " deep; name inner parts (u = ...; ...)"));
  }

  absl::StatusOr<Expr> Primary() {
    const Depth depth(&depth_);
    if (depth_ > options_.max_depth) return TooDeep(token_);
    const Token token = token_;
    if (token.kind == TokenKind::kNumber) {
      Advance();
      const std::optional<Number> number = Number::FromText(token.text);
      if (!number.has_value()) return Error(token, absl::StrCat("'", token.text, "' is no number"));
      const std::string digits = token.text.substr(0, token.text.find_first_of("eE"));
      const bool vanished =
          number->IsZero() && digits.find_first_of("123456789") != std::string::npos;
      if (vanished || !std::isfinite(number->ToDouble())) {
        return BeyondNumbers(token, absl::StrCat("'", token.text, "'"));
      }
      return pool_.Constant(*number);
    }
    if (IsSymbol(token, "(")) {
      Advance();
      ASSIGN_OR_RETURN(Expr inside, Sum());
      RETURN_IF_ERROR(
          Expect(")", absl::StrCat(" to close the '(' at ", token.line, ":", token.column)));
      return inside;
    }
    if (token.kind == TokenKind::kName) {
      Advance();
      return IsSymbol(token_, "(") ? Call(token) : Name(token);
    }
    return Unexpected("a number, a name, '(' or '-'", token);
  }

  absl::StatusOr<Expr> Name(const Token& token) {
    const std::string& name = token.text;
    if (const auto found = named_.find(name); found != named_.end()) return found->second;
    if (options_.variables.has_value()) {
      const std::vector<std::string>& allowed = *options_.variables;
      if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return Variable(name);
    }
    if (name == "pi") return pool_.Pi();
    if (name == "e") return pool_.E();
    if (FindFunction(name.c_str()) != nullptr || name == "if") {
      return Error(token, absl::StrCat("'", name, "' is a function; expected '(' after it"));
    }
    if (!options_.variables.has_value()) return Variable(name);
    const std::vector<std::string>& allowed = *options_.variables;
    return Error(token, absl::StrCat("unknown variable '", name, "'; expected ",
                                     allowed.empty() ? "no variables at all"
                                                     : absl::StrJoin(allowed, ", ")));
  }

  Expr Variable(const std::string& name) {
    used_[name] = true;
    return pool_.Variable(name);
  }

  absl::StatusOr<Expr> Call(const Token& name) {
    if (name.text == "if") return If();
    const NamedFunction* function = FindFunction(name.text.c_str());
    if (function == nullptr) {
      const bool variable =
          named_.count(name.text) > 0 || used_.count(name.text) > 0 ||
          (options_.variables.has_value() && absl::c_linear_search(*options_.variables, name.text));
      return Error(name, absl::StrCat("unknown function '", name.text, "'",
                                      variable ? "; it is a variable: write * for a product"
                                               : DidYouMean(name.text, FunctionNames())));
    }
    Advance();
    std::vector<Expr> args;
    while (!IsSymbol(token_, ")") || !args.empty()) {
      ASSIGN_OR_RETURN(Expr arg, Sum());
      args.push_back(arg);
      if (IsSymbol(token_, ")")) break;
      RETURN_IF_ERROR(Expect(",", absl::StrCat(" or ')' in the arguments of ", name.text)));
    }
    Advance();
    const int count = static_cast<int>(args.size());
    if (count < function->min_arguments ||
        (function->max_arguments >= 0 && count > function->max_arguments)) {
      return Error(name,
                   absl::StrCat(name.text, " takes ", Arguments(*function), ", found ", count));
    }
    const Expr value = function->build(args);
    if (!value) {
      return Error(name, absl::StrCat("the first argument of ", name.text,
                                      " must be a whole number from 0 to 100"));
    }
    return value;
  }

  static std::string Arguments(const NamedFunction& f) {
    if (f.max_arguments < 0) return absl::StrCat(f.min_arguments, " or more arguments");
    if (f.max_arguments > f.min_arguments) {
      return absl::StrCat(f.min_arguments, " or ", f.max_arguments, " arguments");
    }
    return absl::StrCat(f.min_arguments, f.min_arguments == 1 ? " argument" : " arguments");
  }

  // Parses a conditional after the word `if`: if(a < b, x, y)
  absl::StatusOr<Expr> If() {
    Advance();
    ASSIGN_OR_RETURN(Expr a, Sum());
    const std::string comparison = token_.text;
    if (token_.kind != TokenKind::kSymbol ||
        (comparison != "<" && comparison != ">" && comparison != "<=" && comparison != ">=")) {
      return Unexpected("'<', '<=', '>' or '>=' in the condition of if(a < b, x, y)", token_);
    }
    Advance();
    std::vector<Expr> parts;
    for (const char* after : {",", ",", ")"}) {
      ASSIGN_OR_RETURN(Expr part, Sum());
      parts.push_back(part);
      RETURN_IF_ERROR(Expect(after, " in if(a < b, x, y)"));
    }
    if (comparison == "<") return Select(a, parts[0], parts[1], parts[2]);
    if (comparison == ">") return Select(parts[0], a, parts[1], parts[2]);
    if (comparison == "<=") return Select(parts[0], a, parts[2], parts[1]);
    return Select(a, parts[0], parts[2], parts[1]);
  }

  const std::string text_;
  Lexer lexer_;
  Pool& pool_;
  const ParseOptions& options_;
  Token token_;
  Token next_;
  int depth_ = 0;
  std::map<std::string, Expr> named_;
  std::map<std::string, bool> used_;
};

}  // namespace

absl::StatusOr<Expr> Parse(absl::string_view text, Pool& pool, const ParseOptions& options) {
  if (const absl::string_view encoding = WideEncodingOf(text); !encoding.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.source, ":1:1: the text is in ", encoding, "; save it as UTF-8"));
  }
  return Parser(WithoutEditorMarks(text), pool, options).Formula();
}

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names;
  for (const NamedFunction& function : NamedFunctions()) names.push_back(function.name);
  return names;
}

}  // namespace cotangent::autodiff::symbolic
