#ifndef COTANGENT_TOOLS_LAB_PAGE_H_
#define COTANGENT_TOOLS_LAB_PAGE_H_

#include <string>
#include <vector>

#include "tools/lab/claim.h"

namespace cotangent::tools::lab {

// The fourteen equations of the problem set (tools/lab/README.md), each with a title and in the
// notation of mathml.h. Equation k is at index k - 1.
struct Equation {
  std::string title, notation;
};
const std::vector<Equation>& Equations();

// Returns "holds", "fails" or "skipped".
const char* VerdictName(Verdict verdict);

// Returns the verdict on an equation: it fails if a claim about it fails; otherwise it is skipped
// if no claim about it was examined; otherwise it holds.
Verdict EquationVerdict(const std::vector<Report>& reports, int equation);

// Returns the reports as one HTML page that needs no other files.
std::string ToHtml(const std::vector<Report>& reports);

// Returns the reports as JSON; numbers that are not finite are null:
//   {"claims": [{"id", "experiment", "equations", "statement", "verdict", "how", "numbers": {...}},
//    ...], "equations": {"1": {"title", "verdict", "claims": [ids]}, ...},
//    "experiments": [{"name", "title", "seconds"}, ...]}
std::string ToJson(const std::vector<Report>& reports);

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_PAGE_H_
