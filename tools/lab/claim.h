#ifndef COTANGENT_TOOLS_LAB_CLAIM_H_
#define COTANGENT_TOOLS_LAB_CLAIM_H_

#include <string>
#include <utility>
#include <vector>

// Defines what an experiment of the laboratory (tools/lab/README.md) returns: claims with their
// verdicts, and a section of the HTML page that shows all experiments.
namespace cotangent::tools::lab {

enum class Verdict { kHolds, kFails, kSkipped };

inline Verdict HoldsIf(bool condition) { return condition ? Verdict::kHolds : Verdict::kFails; }

struct Number {
  std::string name;
  double value;
};

struct Claim {
  std::string id;                    // "activation.odd": the experiment, then the claim
  std::vector<int> equations;        // their numbers in tools/lab/README.md; may be empty
  std::string statement;             // one line of plain text
  std::string formula;               // the statement in the notation of mathml.h; may be empty
  std::string how;                   // "proved symbolically", "measured on 3000 sequences", ...
  std::vector<Number> numbers = {};  // the measurements on which the verdict is based
  Verdict verdict = Verdict::kFails;
};

struct Report {
  std::string name;  // "activation"
  std::string title;
  std::vector<Claim> claims = {};
  std::string body = {};  // HTML of the section
  double seconds = 0;     // that the experiment took
};

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_CLAIM_H_
