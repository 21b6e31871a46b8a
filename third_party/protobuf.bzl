"""Protocol Buffers (Debian: libprotobuf-dev, protobuf-compiler), as proto_library and cc_proto_library expect it."""

load(":system_library.bzl", "system_library")

_PROTOC = """
sh_binary(name = "protoc", srcs = ["protoc.sh"])

proto_lang_toolchain(
    name = "cc_toolchain",
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)

genrule(
    name = "protoc_script",
    outs = ["protoc.sh"],
    cmd = "echo '#!/bin/sh' > $@; echo 'exec /usr/bin/protoc \\"$$@\\"' >> $@",
)
"""

def protobuf(name):
    system_library(
        name = name,
        package = "libprotobuf-dev protobuf-compiler",
        header = "google/protobuf/message.h",
        linkopts = {"protobuf": ["-lprotobuf", "-lpthread"]},
        extra_build = _PROTOC,
    )
