"""Protocol Buffer messages as a C++ library, by the system's protoc, from what every Bazel since 4.2 has."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def cc_messages(name, src, imports = [], deps = [], visibility = None):
    """A library with the messages of a .proto file, to be included as "its/path.pb.h".

    Args:
      name: the library.
      src: a .proto file of this package.
      imports: labels of the .proto files it imports, and of those they import.
      deps: the libraries of the files it imports.
      visibility: of the library; the package's by default.
    """
    stem = src[:-len(".proto")]
    folder = native.package_name() + "/"
    native.genrule(
        name = name + "_sources",
        srcs = [src, "@protobuf//:version"] + imports,
        outs = [stem + ".pb.h", stem + ".pb.cc"],
        # Imports begin at the root of the module, which is below external/ where another uses it.
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
