"""Open MPI (Debian: libopenmpi-dev), which only training on several machines needs."""

load(":system_library.bzl", "system_library")

def mpi(name):
    system_library(name = name, package = "libopenmpi-dev", header = "mpi/mpi.h", linkopts = {"mpi": ["-lmpi"]})
