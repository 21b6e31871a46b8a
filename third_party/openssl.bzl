"""OpenSSL's libcrypto, for MD5 (Debian: libssl-dev)."""

load(":system_library.bzl", "system_library")

def openssl(name):
    system_library(name = name, package = "libssl-dev", header = "openssl/evp.h", linkopts = {"crypto": ["-lcrypto"]})
