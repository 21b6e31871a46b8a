"""GoogleTest and GoogleMock (Debian: libgtest-dev, libgmock-dev)."""

load(":system_library.bzl", "system_library")

def googletest(name):
    system_library(
        name = name,
        package = "libgmock-dev libgtest-dev",
        header = "gmock/gmock.h",
        linkopts = {
            "gtest": ["-lgmock", "-lgtest", "-lpthread"],
            "gtest_main": ["-lgmock_main", "-lgmock", "-lgtest", "-lpthread"],
        },
    )
