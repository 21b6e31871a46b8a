#ifndef COTANGENT_TOOLS_LAB_PAGE_H_
#define COTANGENT_TOOLS_LAB_PAGE_H_

#include <string>
#include <vector>

#include "tools/lab/claim.h"

namespace cotangent::tools::lab {

// The fourteen equations of README.md, in words and notation; number k is at [k - 1].
struct Equation {
  std::string title, notation;
};
const std::vector<Equation>& Equations();

// "holds", "fails", "skipped".
const char* VerdictName(Verdict verdict);

// What becomes of an equation: fails if a claim on it fails, else skipped if none of its claims was
// examined, else holds.
Verdict EquationVerdict(const std::vector<Report>& reports, int equation);

// One HTML page that needs nothing but itself.
std::string ToHtml(const std::vector<Report>& reports);

// {"claims": [{"id", "experiment", "equations", "statement", "verdict", "how", "numbers": {...}},
// ...],
//  "equations": {"1": {"title", "verdict", "claims": [ids]}, ...}, "experiments": [{"name", "title", "seconds"}, ...]}
// Numbers that are not finite are null.
std::string ToJson(const std::vector<Report>& reports);

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_PAGE_H_
