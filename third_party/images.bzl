"""libpng, libjpeg and libwebp (Debian: libpng-dev, libjpeg-dev, libwebp-dev)."""

load(":system_library.bzl", "system_library")

def libpng(name):
    system_library(name = name, package = "libpng-dev", header = "png.h", linkopts = {"png": ["-lpng"]})

def libjpeg(name):
    system_library(name = name, package = "libjpeg-dev", header = "jpeglib.h", linkopts = {"jpeg": ["-ljpeg"]})

def libwebp(name):
    system_library(name = name, package = "libwebp-dev", header = "webp/decode.h", linkopts = {"webp": ["-lwebp"]})
