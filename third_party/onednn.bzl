"""oneDNN (Debian: libdnnl-dev)."""

load(":system_library.bzl", "system_library")

def onednn(name):
    system_library(
        name = name,
        package = "libdnnl-dev",
        header = "dnnl.hpp",
        linkopts = {"onednn": ["-ldnnl"]},
        minimum = "2.6",
        version_header = "oneapi/dnnl/dnnl_version.h",
    )
