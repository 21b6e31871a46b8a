"""cpp-httplib, an HTTP server (Debian: libcpp-httplib-dev, and libbrotli-dev, libssl-dev and zlib1g-dev, whose headers it includes;
Debian 13's headers also call libcrypto)."""

load(":system_library.bzl", "system_library")

def cpp_httplib(name):
    system_library(
        name = name,
        package = "libcpp-httplib-dev libbrotli-dev libssl-dev zlib1g-dev",
        header = "httplib.h",
        linkopts = {"cpp_httplib": ["-lcpp-httplib", "-lcrypto"]},
    )
