"""Abseil (Debian: libabsl-dev)."""

load(":system_library.bzl", "system_library")

_MODULES = {
    "any_invocable": ["absl_any_invocable"],
    "cleanup": ["absl_cleanup"],
    "flags": ["absl_flags", "absl_flags_parse", "absl_flags_usage", "absl_flags_reflection"],
    "flat_hash_map": ["absl_flat_hash_map", "absl_flat_hash_set", "absl_hash"],
    "inlined_vector": ["absl_inlined_vector"],
    "random": ["absl_random_random", "absl_random_distributions"],
    "span": ["absl_span"],
    "status": ["absl_status", "absl_statusor"],
    "strings": ["absl_strings", "absl_str_format", "absl_cord"],
    "synchronization": ["absl_synchronization"],
    "time": ["absl_time"],
}

def abseil(name):
    system_library(
        name = name,
        package = "libabsl-dev",
        header = "absl/status/status.h",
        minimum = "20220623",
        pkg_config = _MODULES,
    )
