"""Google Benchmark (Debian: libbenchmark-dev)."""

load(":system_library.bzl", "system_library")

def google_benchmark(name):
    system_library(
        name = name,
        package = "libbenchmark-dev",
        header = "benchmark/benchmark.h",
        linkopts = {
            "benchmark": ["-lbenchmark", "-lpthread"],
            "benchmark_main": ["-lbenchmark_main", "-lbenchmark", "-lpthread"],
        },
    )
