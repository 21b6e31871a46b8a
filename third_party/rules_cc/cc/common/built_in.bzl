"""What Bazel has built in, under names that may be given away again."""

built_in = struct(cc_common = cc_common, CcInfo = CcInfo)
