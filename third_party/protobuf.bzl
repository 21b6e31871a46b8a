"""Protocol Buffers (Debian: libprotobuf-dev, protobuf-compiler). proto.bzl compiles messages into libraries."""

load(":system_library.bzl", "system_library")

def protobuf(name):
    system_library(
        name = name,
        package = "libprotobuf-dev protobuf-compiler",
        header = "google/protobuf/message.h",
        pkg_config = {"protobuf": ["protobuf"]},
        minimum = "3.21",
        program = "protoc",
    )
