"""Stands in for rules_cc where Bazel has cc_common built in."""

load(":built_in.bzl", "built_in")

cc_common = built_in.cc_common
