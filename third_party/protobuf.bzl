"""Protocol Buffers (Debian: libprotobuf-dev, protobuf-compiler). Messages become libraries by proto.bzl."""

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
