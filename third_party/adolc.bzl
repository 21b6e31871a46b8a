"""ADOL-C (Debian: libadolc-dev), which only //autodiff/reverse:adolc_benchmark needs."""

load(":system_library.bzl", "system_library")

def adolc(name):
    system_library(name = name, package = "libadolc-dev", header = "adolc/adolc.h", linkopts = {"adolc": ["-ladolc"]})
