#ifndef COTANGENT_TOOLS_LAB_MATHML_H_
#define COTANGENT_TOOLS_LAB_MATHML_H_

#include <string>

#include "absl/strings/string_view.h"
#include "training/report/html.h"

namespace cotangent::tools::lab {

using training::report::EscapeHtml;

// Returns the content of a MathML <math> element for a formula in a small part of LaTeX's notation:
//
//   \frac{a}{b}  \sqrt{a}  \hat{w}  \text{for all}  \mathbb{R}  x_1^{2}  {group}
//   \sum_{t=1}^T \lim_{x \to 0} \max_i          limits stand below and above the sign
//   \lambda \eta ... (Greek letters), \le \ge \ne \in \to \cdot \times \pm \infty \nabla \partial
//   \langle \rangle \Vert \vert \quad
//
// An unknown command is shown as its name.
std::string MathRow(absl::string_view notation);

// InlineMath() returns a formula within a line of text, DisplayMath() one on a line of its own.
std::string InlineMath(absl::string_view notation);
std::string DisplayMath(absl::string_view notation);

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_MATHML_H_
