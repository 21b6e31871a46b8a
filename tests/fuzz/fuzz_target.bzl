"""A fuzz target, for libFuzzer and for replay."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

def fuzz_target(name, deps):
    """NAME_fuzz.cc with LLVMFuzzerTestOneInput, run over corpus/NAME.

    Args:
      name: of the parser.
      deps: what NAME_fuzz.cc needs.

    Makes NAME_replay_test, an ordinary test, and NAME_fuzzer, which needs clang and is built by the script `run`.
    """
    cc_library(
        name = name + "_fuzz",
        testonly = True,
        srcs = [name + "_fuzz.cc"],
        deps = deps + [":property"],
    )
    cc_test(
        name = name + "_replay_test",
        size = "small",
        srcs = ["replay_test.cc"],
        args = ["$(rootpath corpus/%s)" % name],
        data = ["corpus/" + name],
        deps = [
            name + "_fuzz",
            "@googletest//:gtest",
        ],
    )
    cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [name + "_fuzz"],
    )
