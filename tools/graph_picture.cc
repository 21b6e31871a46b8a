#include "tools/graph_picture.h"

#include <graphviz/gvc.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/file.h"

namespace cotangent::tools {
namespace {

// Returns one context for the whole process, which is never freed: Graphviz 2.42 keeps a pointer to
// the font that it used last, even after the context is freed, and reads it in the next context.
GVC_t* Context() {
  static GVC_t* const context = gvContext();
  return context;
}

struct CloseGraph {
  void operator()(Agraph_t* graph) const {
    gvFreeLayout(Context(), graph);
    agclose(graph);
  }
};

// The type in which Graphviz returns a length: unsigned int before version 13, size_t since then.
template <class Length>
Length TypeOfLength(int (*)(GVC_t*, Agraph_t*, const char*, char**, Length*));

}  // namespace

absl::StatusOr<std::string> DrawGraph(const std::string& dot, const std::string& format) {
  const std::unique_ptr<Agraph_t, CloseGraph> graph(agmemread(dot.c_str()));
  if (graph == nullptr) return absl::InvalidArgumentError("Graphviz cannot read the graph");
  if (gvLayout(Context(), graph.get(), "dot") != 0) {
    return absl::InternalError(
        "Graphviz cannot lay the graph out: is its plugin package (libgvc6) complete?");
  }
  char* data = nullptr;
  decltype(TypeOfLength(&gvRenderData)) length = 0;
  if (gvRenderData(Context(), graph.get(), format.c_str(), &data, &length) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("Graphviz cannot write ", format));
  }
  std::string picture(data, length);
  gvFreeRenderData(data);
  return picture;
}

namespace {

absl::Status WritePicture(const std::string& path, const std::string& picture) {
  absl::Status status = data::WriteFileAtomically(path, picture);
  if (status.ok()) return status;
  return absl::Status(
      status.code(),
      absl::StrCat(status.message(),
                   "; name a file in a directory that is there and may be written to"));
}

}  // namespace

absl::Status WriteGraph(const std::string& dot, const std::string& path) {
  for (const char* format : {"svg", "png", "dot"}) {
    if (!absl::EndsWith(path, absl::StrCat(".", format))) continue;
    if (std::string(format) == "dot") return WritePicture(path, dot);
    const absl::StatusOr<std::string> picture = DrawGraph(dot, format);
    return picture.ok() ? WritePicture(path, *picture) : picture.status();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot tell the format of '", path, "': expected a name ending in .svg, .dot or .png"));
}

}  // namespace cotangent::tools
