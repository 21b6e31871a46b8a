"""Defines the repositories of rules that Bazel itself needs in a WORKSPACE, from Debian's Bazel packages instead of the network."""

# Maps each repository to its folder. Absolute folders come from the Debian packages that bazelw installs; relative ones are
# stand-ins in third_party/.
_BAZEL_4 = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/platforms",
    "remote_coverage_tools": "coverage_tools",
    "rules_cc": "rules_cc",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
    "rules_shell": "rules_shell",
}

_BAZEL_7 = {
    "bazel_features": "/usr/share/bazel/tools/features",
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "remote_coverage_tools": "coverage_tools",
    "rules_cc": "/usr/share/bazel/rules/cc",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_license": "/usr/share/bazel/rules/license",
    "rules_proto": "/usr/share/bazel/rules/proto",
    "rules_python": "/usr/share/bazel/rules/python",
    "rules_shell": "rules_shell",
}

def bazel_rules(cotangent = ""):
    """Defines the repositories.

    Args:
      cotangent: the path from the calling workspace to Cotangent's folder, with a slash at its end; empty in Cotangent itself.
    """

    # Debian's builds of Bazel do not report their version, so the code tests for native.module_name, which came with Bazel 6.
    modern = hasattr(native, "module_name")
    for name, folder in (_BAZEL_7 if modern else _BAZEL_4).items():
        if not folder.startswith("/"):
            folder = cotangent + "third_party/" + folder
        native.local_repository(name = name, path = folder)
