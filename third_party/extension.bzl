"""Defines the libraries of the system by a module extension (Bazel 7 and later)."""

load(":libraries.bzl", libraries = "system_libraries")

def _system_libraries_impl(_ctx):
    libraries()

system_libraries = module_extension(implementation = _system_libraries_impl)
