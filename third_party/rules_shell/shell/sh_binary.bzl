"""Stands in for rules_shell where Bazel has the rule built in."""

sh_binary = native.sh_binary
