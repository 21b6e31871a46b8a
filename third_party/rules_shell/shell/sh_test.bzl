"""Stands in for rules_shell where Bazel has the rule built in."""

sh_test = native.sh_test
