"""Graphviz as a library (Debian: libgraphviz-dev)."""

load(":system_library.bzl", "system_library")

def graphviz(name):
    system_library(name = name, package = "libgraphviz-dev", header = "graphviz/gvc.h", linkopts = {"gvc": ["-lgvc", "-lcgraph"]})
