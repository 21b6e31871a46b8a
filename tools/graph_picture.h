#ifndef COTANGENT_TOOLS_GRAPH_PICTURE_H_
#define COTANGENT_TOOLS_GRAPH_PICTURE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent::tools {

// Draws a graph that is written in the DOT language, with Graphviz. `format` is "svg", "png", or
// "dot" (the text itself with positions added). Errors: the text is no graph, Graphviz cannot lay
// it out, or it has no plugin for the format.
absl::StatusOr<std::string> DrawGraph(const std::string& dot, const std::string& format);

// Draws the graph into a file whose name ends in .svg or .png; for a name that ends in .dot, writes
// the text `dot` itself. Any other ending is an error. The file is written completely or not at
// all.
absl::Status WriteGraph(const std::string& dot, const std::string& path);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_GRAPH_PICTURE_H_
