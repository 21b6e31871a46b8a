"""JSON for Modern C++ (Debian: nlohmann-json3-dev)."""

load(":system_library.bzl", "system_library")

def nlohmann_json(name):
    system_library(name = name, package = "nlohmann-json3-dev", header = "nlohmann/json.hpp", linkopts = {"json": []})
