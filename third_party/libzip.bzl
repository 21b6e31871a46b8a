"""libzip, for the archives of torch.save() (Debian: libzip-dev)."""

load(":system_library.bzl", "system_library")

def libzip(name):
    system_library(name = name, package = "libzip-dev", header = "zip.h", linkopts = {"libzip": ["-lzip"]})
