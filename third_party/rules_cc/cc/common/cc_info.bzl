"""Stands in for rules_cc where Bazel has CcInfo built in."""

load(":built_in.bzl", "built_in")

CcInfo = built_in.CcInfo
