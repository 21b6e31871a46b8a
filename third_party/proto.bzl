"""Compiles Protocol Buffer messages into a C++ library with the system's protoc, using only rules that every Bazel since 4.2 has."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def cc_messages(name, src, imports = [], deps = [], visibility = None):
    """Defines a library with the messages of a .proto file. Its header is included as "path/of/the/file.pb.h".

    Args:
      name: the name of the library.
      src: a .proto file of this package.
      imports: labels of all .proto files that src imports, directly or through other files.
      deps: the C++ libraries of the files that src imports.
      visibility: the visibility of the library; by default that of the package.
    """
    stem = src[:-len(".proto")]
    folder = native.package_name() + "/"
    native.genrule(
        name = name + "_sources",
        srcs = [src, "@protobuf//:version"] + imports,
        outs = [stem + ".pb.h", stem + ".pb.cc"],
        # Import paths begin at the root of this module, which is a folder below external/ if another module uses this one.
        cmd = ("in=$(location {src}); out=$(location {stem}.pb.h); root=$${{in%{folder}{src}}}; " +
               "protoc --proto_path=$${{root:-.}} --cpp_out=$${{out%{folder}{stem}.pb.h}} $$in").format(
            src = src,
            stem = stem,
            folder = folder,
        ),
        visibility = ["//visibility:private"],
    )
    cc_library(
        name = name,
        srcs = [stem + ".pb.cc"],
        hdrs = [stem + ".pb.h"],
        copts = ["-w"],  # of protoc's code
        visibility = visibility,
        deps = deps + ["@protobuf"],
    )
