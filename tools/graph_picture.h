#ifndef COTANGENT_TOOLS_GRAPH_PICTURE_H_
#define COTANGENT_TOOLS_GRAPH_PICTURE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent::tools {

// A graph in the DOT language drawn by Graphviz. `format`: "svg", "png", or "dot" (the text itself,
// laid out). Errors: text that is no graph; a format Graphviz has no plugin for.
absl::StatusOr<std::string> DrawGraph(const std::string& dot, const std::string& format);

// Writes the picture to a file whose name ends in .svg, .dot or .png: whole or not at all.
absl::Status WriteGraph(const std::string& dot, const std::string& path);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_GRAPH_PICTURE_H_
