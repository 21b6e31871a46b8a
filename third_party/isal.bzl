"""ISA-L, for CRC-32C (Debian: libisal-dev)."""

load(":system_library.bzl", "system_library")

def isal(name):
    system_library(name = name, package = "libisal-dev", header = "isa-l.h", linkopts = {"isal": ["-lisal"]})
