"""libpng and libjpeg (Debian: libpng-dev, libjpeg-dev)."""

load(":system_library.bzl", "system_library")

def libpng(name):
    system_library(name = name, package = "libpng-dev", header = "png.h", linkopts = {"png": ["-lpng"]})

def libjpeg(name):
    system_library(name = name, package = "libjpeg-dev", header = "jpeglib.h", linkopts = {"jpeg": ["-ljpeg"]})
