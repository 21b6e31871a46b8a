"""Xbyak, the run-time assembler on which oneDNN itself is built (Debian: libxbyak-dev; headers only)."""

load(":system_library.bzl", "system_library")

def xbyak(name):
    system_library(name = name, package = "libxbyak-dev", header = "xbyak/xbyak.h", linkopts = {"xbyak": []})
