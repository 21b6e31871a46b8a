"""FFTW 3 (Debian: libfftw3-dev)."""

load(":system_library.bzl", "system_library")

def fftw(name):
    system_library(name = name, package = "libfftw3-dev", header = "fftw3.h", pkg_config = {"fftw3": ["fftw3"]})
