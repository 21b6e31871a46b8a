// The common parts of the HTML pages: each page is one file that needs no other files, readable on
// a telephone and in print, and light or dark as the reader's browser asks for.
#ifndef COTANGENT_TRAINING_REPORT_HTML_H_
#define COTANGENT_TRAINING_REPORT_HTML_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cotangent::training::report {

// Returns the text with the characters & < > " ' replaced by HTML entities.
std::string EscapeHtml(absl::string_view text);

// Returns a name from outside, such as that of a class, as HTML that leaves the text around it as
// it is: letters that are written from right to left do not move the numbers beside them.
std::string NameHtml(absl::string_view name);

// Returns the page from <!DOCTYPE html> to the beginning of its body. `title` is plain text. If
// `refresh_seconds` is not 0, a browser reloads the page every so many seconds, for a page that is
// rewritten while a run goes on.
std::string BeginPage(absl::string_view title, int refresh_seconds = 0);
std::string EndPage();

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_HTML_H_
