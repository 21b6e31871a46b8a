"""Lists all libraries of the system that Cotangent is built on, for WORKSPACE and for extension.bzl."""

load(":abseil.bzl", "abseil")
load(":adolc.bzl", "adolc")
load(":ceres.bzl", "ceres")
load(":cpp_httplib.bzl", "cpp_httplib")
load(":fftw.bzl", "fftw")
load(":google_benchmark.bzl", "google_benchmark")
load(":googletest.bzl", "googletest")
load(":graphviz.bzl", "graphviz")
load(":images.bzl", "libjpeg", "libpng", "libwebp")
load(":isal.bzl", "isal")
load(":libzip.bzl", "libzip")
load(":mpi.bzl", "mpi")
load(":nlohmann_json.bzl", "nlohmann_json")
load(":onednn.bzl", "onednn")
load(":onnx.bzl", "onnx")
load(":openssl.bzl", "openssl")
load(":protobuf.bzl", "protobuf")
load(":xbyak.bzl", "xbyak")

# Maps each repository to the macro that makes it. MODULE.bazel must list the same repositories.
_LIBRARIES = {
    "abseil": abseil,
    "adolc": adolc,
    "ceres": ceres,
    "cpp_httplib": cpp_httplib,
    "fftw": fftw,
    "google_benchmark": google_benchmark,
    "googletest": googletest,
    "graphviz": graphviz,
    "isal": isal,
    "libjpeg": libjpeg,
    "libpng": libpng,
    "libwebp": libwebp,
    "libzip": libzip,
    "mpi": mpi,
    "nlohmann_json": nlohmann_json,
    "onednn": onednn,
    "onnx": onnx,
    "openssl": openssl,
    "protobuf": protobuf,
    "xbyak": xbyak,
}

def system_libraries():
    for name, library in _LIBRARIES.items():
        library(name = name)
