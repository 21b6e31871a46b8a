"""Ceres Solver's jet.h (Debian: libceres-dev), the dual numbers that autodiff/forward is timed against.

Only //autodiff:forward_benchmark needs it. That target is built only if it is named, so all other targets build without the package.
"""

load(":system_library.bzl", "system_library")

def ceres(name):
    system_library(
        name = name,
        package = "libceres-dev",
        header = "ceres/jet.h",
        linkopts = {"jet": []},
    )
