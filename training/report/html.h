// What all pages of ours have in common: one file that needs nothing but itself, readable on a
// telephone and on paper, light or dark as the reader has it.
#ifndef COTANGENT_TRAINING_REPORT_HTML_H_
#define COTANGENT_TRAINING_REPORT_HTML_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cotangent::training::report {

// & < > " ' as entities.
std::string EscapeHtml(absl::string_view text);

// From the document's type to the beginning of its body; `title` is plain text. `refresh_seconds`:
// a page that is opened while it is still being written reads itself anew that often; 0: never.
std::string BeginPage(absl::string_view title, int refresh_seconds = 0);
std::string EndPage();

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_HTML_H_
