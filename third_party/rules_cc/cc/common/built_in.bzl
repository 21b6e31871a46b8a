"""Gives symbols that are built into Bazel other names, which cc_common.bzl and cc_info.bzl can load and export."""

built_in = struct(cc_common = cc_common, CcInfo = CcInfo)
