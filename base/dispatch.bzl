"""How code is compiled for several instruction sets, to be picked when the program runs."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

# Sources with loops of dispatch.h. Without contraction to fused multiply-adds every instruction set computes the same bits.
LOOP_COPTS = [
    "-O3",
    "-ffp-contract=off",
    "-fopenmp-simd",
]

# Sources whose loops GCC is to vectorise although it does not know how often they run. (clang does, and has no such flag.)
VECTORIZE_COPTS = ["-ftree-vectorize"] + select({
    "//base:clang": [],
    "//conditions:default": ["-fvect-cost-model=dynamic"],
})

# The instruction sets that tests of code that picks one run with: as the processor has it, and what others have at most.
_ENVIRONMENTS = {
    "": {},
    "_avx2": {"COTANGENT_ISA": "avx2"},
    "_portable": {"COTANGENT_ISA": "portable"},
}

_FLAGS = {
    "avx2": [
        "-mavx2",
        "-mfma",
    ],
    "avx512": [
        "-mavx512f",
        "-mavx512bw",
        "-mavx512dq",
        "-mavx512vl",
        "-mavx512bf16",
        "-mfma",
        "-Wno-maybe-uninitialized",  # both: the intrinsics of GCC 12
        "-Wno-uninitialized",
    ],
}

def instruction_set_libraries(name, srcs, hdrs):
    """Sources in intrinsics, compiled once for each instruction set of x86 that they have code for.

    Makes the libraries avx2_NAME and avx512_NAME, which are empty where the processor is another. The sources tell by __AVX512F__ which of the two they are compiled as, give what
    they define a namespace or a table of that name, and are called only where base/cpu.h says that the processor has it. They share
    no inline function with other sources (no header of the standard library that has any): the linker keeps one copy of each, and it
    might be the one in instructions that the processor lacks.

    Args:
      name: of the kernels
      srcs: the sources, and headers that they alone include
      hdrs: the headers through which they are called
    """
    for instruction_set, flags in _FLAGS.items():
        cc_library(
            name = instruction_set + "_" + name,
            srcs = select({
                "@platforms//cpu:x86_64": srcs,
                "//conditions:default": [],
            }),
            hdrs = hdrs,
            copts = ["-O3"] + select({
                "@platforms//cpu:x86_64": flags,
                "//conditions:default": [],
            }),
            visibility = ["//visibility:private"],
        )

def instruction_set_tests(name, **attributes):
    """A test of code that picks by instruction set, once for each that the code may have to pick.

    Makes the tests NAME_test, NAME_avx2_test and NAME_portable_test.

    Args:
      name: of what is tested
      **attributes: those of cc_test
    """
    for suffix, environment in _ENVIRONMENTS.items():
        cc_test(
            name = name + suffix + "_test",
            env = environment,
            **attributes
        )
