#ifndef COTANGENT_TOOLS_LAB_MATHML_H_
#define COTANGENT_TOOLS_LAB_MATHML_H_

#include <string>

#include "absl/strings/string_view.h"
#include "training/report/html.h"

namespace cotangent::tools::lab {

using training::report::EscapeHtml;

// Returns the content of a MathML <math> element for a formula in a small part of LaTeX's notation:
//
//   \frac{a}{b}  \sqrt{a}  \hat{w}  \bar{w}  \text{for all}  x_1^{2}  {group}  \quad
//   \sum_{t=1}^T \prod \lim_{x \to 0} \max_i \min \argmin \sup   limits stand below and above
//   \alpha \beta \eta \lambda \rho \sigma \chi \varepsilon \omega \pi \sin \cos \ln \exp \mod
//   \le \ge \ne \in \to \iff \approx \cdot \times \pm \dots \infty \nabla \partial \prime
//   \langle \rangle \Vert \vert \{ \}
//
// Any other command is shown as its name.
std::string MathRow(absl::string_view notation);

// InlineMath() returns a formula within a line of text, DisplayMath() one on a line of its own.
std::string InlineMath(absl::string_view notation);
std::string DisplayMath(absl::string_view notation);

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_MATHML_H_
