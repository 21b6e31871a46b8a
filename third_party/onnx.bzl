"""The Open Neural Network Exchange's messages and checker (Debian: libonnx-dev)."""

load(":system_library.bzl", "system_library")

def onnx(name):
    system_library(
        name = name,
        package = "libonnx-dev",
        header = "onnx/onnx_pb.h",
        linkopts = {"onnx": ["-lonnx", "-lonnx_proto"]},
        target_deps = {"onnx": ["@protobuf"]},
    )
