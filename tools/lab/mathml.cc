#include "tools/lab/mathml.h"

#include <cctype>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace cotangent::tools::lab {
namespace {

struct Symbol {
  const char* element;  // "mi" or "mo"
  const char* text;
  bool stacks_limits = false;
};

const absl::flat_hash_map<std::string, Symbol>& Symbols() {
  static const auto* const symbols = new absl::flat_hash_map<std::string, Symbol>{
      {"alpha", {"mi", "α"}},       {"beta", {"mi", "β"}},
      {"eta", {"mi", "η"}},         {"lambda", {"mi", "λ"}},
      {"rho", {"mi", "ρ"}},         {"sigma", {"mi", "σ"}},
      {"chi", {"mi", "χ"}},         {"varepsilon", {"mi", "ε"}},
      {"omega", {"mi", "ω"}},       {"pi", {"mi", "π"}},
      {"infty", {"mi", "∞"}},       {"nabla", {"mo", "∇"}},
      {"partial", {"mi", "∂"}},     {"le", {"mo", "≤"}},
      {"ge", {"mo", "≥"}},          {"ne", {"mo", "≠"}},
      {"in", {"mo", "∈"}},          {"to", {"mo", "→"}},
      {"cdot", {"mo", "⋅"}},        {"times", {"mo", "×"}},
      {"pm", {"mo", "±"}},          {"langle", {"mo", "⟨"}},
      {"rangle", {"mo", "⟩"}},      {"Vert", {"mo", "‖"}},
      {"vert", {"mo", "|"}},        {"iff", {"mo", "⟺"}},
      {"approx", {"mo", "≈"}},      {"dots", {"mo", "…"}},
      {"sum", {"mo", "∑", true}},   {"prod", {"mo", "∏", true}},
      {"lim", {"mo", "lim", true}}, {"max", {"mo", "max", true}},
      {"min", {"mo", "min", true}}, {"argmin", {"mo", "arg min", true}},
      {"sup", {"mo", "sup", true}}, {"cos", {"mi", "cos"}},
      {"sin", {"mi", "sin"}},       {"ln", {"mi", "ln"}},
      {"exp", {"mi", "exp"}},       {"mod", {"mo", "mod"}},
      {"prime", {"mo", "′"}},
  };
  return *symbols;
}

class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  // Reads to the end, or to the brace that closes the group, and returns the MathML elements.
  std::string Row() {
    std::string row;
    while (SkipSpace(), at_ < text_.size() && text_[at_] != '}') absl::StrAppend(&row, Scripted());
    return row;
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool Consume(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Reads an atom (a character, a number, a command or a group in braces) with its subscript and
  // superscript. Sums, limits and the like have these below and above the sign.
  std::string Scripted() {
    bool stacked = false;
    std::string atom = Atom(&stacked), below, above;
    for (;;) {
      if (Consume('_')) {
        below = Argument();
      } else if (Consume('^')) {
        above = Argument();
      } else {
        break;
      }
    }
    const char* const both = stacked ? "munderover" : "msubsup";
    const char* const low = stacked ? "munder" : "msub";
    const char* const high = stacked ? "mover" : "msup";
    if (!below.empty() && !above.empty()) return Element(both, absl::StrCat(atom, below, above));
    if (!below.empty()) return Element(low, absl::StrCat(atom, below));
    if (!above.empty()) return Element(high, absl::StrCat(atom, above));
    return atom;
  }

  std::string Argument() {
    SkipSpace();
    bool stacked = false;
    return Atom(&stacked);
  }

  std::string Atom(bool* stacked) {
    SkipSpace();
    if (at_ >= text_.size()) return "<mrow></mrow>";
    const char c = text_[at_];
    if (c == '{') {
      ++at_;
      std::string row = Row();
      Consume('}');
      return Element("mrow", row);
    }
    if (c == '\\') return Command(stacked);
    if (std::isdigit(static_cast<unsigned char>(c))) {
      const size_t begin = at_;
      while (at_ < text_.size() &&
             (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.'))
        ++at_;
      return Element("mn", text_.substr(begin, at_ - begin));
    }
    // Reads one character, which may take several bytes (UTF-8).
    const size_t begin = at_++;
    while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xC0) == 0x80) ++at_;
    const absl::string_view character = text_.substr(begin, at_ - begin);
    if (std::isalpha(static_cast<unsigned char>(c))) return Element("mi", character);
    if (c == '-') return Element("mo", "−");
    if (c == '\'') return "<mo stretchy=\"false\" lspace=\"0\" rspace=\"0\">′</mo>";
    // Brackets and bars keep the size of the text: fonts without large brackets would stretch small
    // ones, which looks ugly.
    return absl::StrCat("<mo stretchy=\"false\">", EscapeHtml(character), "</mo>");
  }

  std::string Command(bool* stacked) {
    const size_t begin = ++at_;
    if (at_ < text_.size() && (text_[at_] == '{' || text_[at_] == '}'))
      return absl::StrCat("<mo stretchy=\"false\">", text_.substr(at_++, 1), "</mo>");
    while (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_]))) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    if (name == "frac") {
      const std::string above = Argument();
      return Element("mfrac", absl::StrCat(above, Argument()));
    }
    if (name == "sqrt") return Element("msqrt", Argument());
    if (name == "hat") return Element("mover", absl::StrCat(Argument(), "<mo>^</mo>"));
    if (name == "bar") return Element("mover", absl::StrCat(Argument(), "<mo>¯</mo>"));
    if (name == "text") return Element("mtext", EscapeHtml(Braced()));
    if (name == "quad") return "<mspace width=\"1em\"></mspace>";
    const auto found = Symbols().find(name);
    if (found == Symbols().end()) return Element("mi", EscapeHtml(name));
    *stacked = found->second.stacks_limits;
    if (name == "vert" || name == "Vert" || name == "langle" || name == "rangle") {
      return absl::StrCat("<mo stretchy=\"false\">", found->second.text, "</mo>");
    }
    return Element(found->second.element, found->second.text);
  }

  // Reads a group in braces and returns its raw text.
  absl::string_view Braced() {
    if (!Consume('{')) return "";
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '}') ++at_;
    const absl::string_view inside = text_.substr(begin, at_ - begin);
    Consume('}');
    return inside;
  }

  static std::string Element(absl::string_view name, absl::string_view inside) {
    return absl::StrCat("<", name, ">", inside, "</", name, ">");
  }

  absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string MathRow(absl::string_view notation) { return Reader(notation).Row(); }

std::string InlineMath(absl::string_view notation) {
  return absl::StrCat("<math>", MathRow(notation), "</math>");
}

std::string DisplayMath(absl::string_view notation) {
  return absl::StrCat("<div class=\"formula\"><math display=\"block\">", MathRow(notation),
                      "</math></div>\n");
}

}  // namespace cotangent::tools::lab
