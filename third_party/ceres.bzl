"""Ceres Solver's jet.h (Debian: libceres-dev), the dual numbers that autodiff/forward is timed against.

Only the benchmark asks for it, and only when it is built by name: the rest of the repository builds without.
"""

load(":system_library.bzl", "system_library")

def ceres(name):
    system_library(
        name = name,
        package = "libceres-dev",
        header = "ceres/jet.h",
        linkopts = {"jet": []},
    )
