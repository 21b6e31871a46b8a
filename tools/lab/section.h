#ifndef COTANGENT_TOOLS_LAB_SECTION_H_
#define COTANGENT_TOOLS_LAB_SECTION_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tools/lab/mathml.h"
#include "training/report/plot.h"

namespace cotangent::tools::lab {

using training::report::HeatMap;
using training::report::Mark;
using training::report::Plot;
using training::report::PngImage;
using training::report::Series;
using training::report::Short;
using training::report::ToSvg;

// Builds a section of the HTML page that shows all experiments (page.h). Text and table cells are
// HTML, so text from outside must be escaped (EscapeHtml).
class Section {
 public:
  void Heading(absl::string_view text) { absl::StrAppend(&html_, "<h3>", text, "</h3>\n"); }
  void Text(absl::string_view html) { absl::StrAppend(&html_, "<p>", html, "</p>\n"); }
  void Formula(absl::string_view notation) { absl::StrAppend(&html_, DisplayMath(notation)); }
  void MathMl(absl::string_view element) {
    absl::StrAppend(&html_, "<div class=\"formula\">", element, "</div>\n");
  }
  void Raw(absl::string_view html) { absl::StrAppend(&html_, html); }

  void Figure(absl::string_view picture, absl::string_view caption) {
    absl::StrAppend(&html_, "<figure>", picture, "<figcaption>", caption,
                    "</figcaption></figure>\n");
  }
  // Figures between BeginRow() and EndRow() stand side by side if there is room.
  void BeginRow() { absl::StrAppend(&html_, "<div class=\"row\">\n"); }
  void EndRow() { absl::StrAppend(&html_, "</div>\n"); }

  void Table(const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows) {
    absl::StrAppend(&html_, "<div class=\"scroll\"><table><thead><tr>");
    for (const std::string& cell : header) absl::StrAppend(&html_, "<th>", cell, "</th>");
    absl::StrAppend(&html_, "</tr></thead><tbody>\n");
    for (const auto& row : rows) {
      absl::StrAppend(&html_, "<tr>");
      for (const std::string& cell : row) absl::StrAppend(&html_, "<td>", cell, "</td>");
      absl::StrAppend(&html_, "</tr>\n");
    }
    absl::StrAppend(&html_, "</tbody></table></div>\n");
  }

  const std::string& html() const { return html_; }

 private:
  std::string html_;
};

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_SECTION_H_
