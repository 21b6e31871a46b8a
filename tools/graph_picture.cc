#include "tools/graph_picture.h"

#include <fcntl.h>
#include <graphviz/gvc.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cotangent::tools {
namespace {

struct FreeContext {
  void operator()(GVC_t* context) const { gvFreeContext(context); }
};

struct CloseGraph {
  GVC_t* context;
  void operator()(Agraph_t* graph) const {
    gvFreeLayout(context, graph);
    agclose(graph);
  }
};

absl::Status FileError(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat("cannot write ", path, ": ", strerror(errno)));
}

// Writes to a neighbour, then renames.
absl::Status WriteWhole(const std::string& path, const std::string& contents) {
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".tmp");
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return FileError(path);
  size_t written = 0;
  while (written < contents.size()) {
    const ssize_t count = write(file, contents.data() + written, contents.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    written += count;
  }
  const bool good = written == contents.size() && fsync(file) == 0;
  if (close(file) != 0 || !good || rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status error = FileError(path);
    unlink(temporary.c_str());
    return error;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> DrawGraph(const std::string& dot, const std::string& format) {
  const std::unique_ptr<GVC_t, FreeContext> context(gvContext());
  const std::unique_ptr<Agraph_t, CloseGraph> graph(agmemread(dot.c_str()), {context.get()});
  if (graph == nullptr) return absl::InvalidArgumentError("Graphviz cannot read the graph");
  if (gvLayout(context.get(), graph.get(), "dot") != 0) {
    return absl::InternalError("Graphviz cannot lay the graph out: is its plugin package (libgvc6) complete?");
  }
  char* data = nullptr;
  unsigned int length = 0;
  if (gvRenderData(context.get(), graph.get(), format.c_str(), &data, &length) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("Graphviz cannot write ", format));
  }
  std::string picture(data, length);
  gvFreeRenderData(data);
  return picture;
}

absl::Status WriteGraph(const std::string& dot, const std::string& path) {
  for (const char* format : {"svg", "png", "dot"}) {
    if (!absl::EndsWith(path, absl::StrCat(".", format))) continue;
    if (std::string(format) == "dot") return WriteWhole(path, dot);
    const absl::StatusOr<std::string> picture = DrawGraph(dot, format);
    return picture.ok() ? WriteWhole(path, *picture) : picture.status();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("cannot tell the format of '", path, "': expected a name ending in .svg, .dot or .png"));
}

}  // namespace cotangent::tools
