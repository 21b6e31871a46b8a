"""The rule sets that Bazel itself asks for, in WORKSPACE, from Debian's Bazel packages instead of the network."""

# Repository to its folder: absolute ones are of the packages that bazelw installs, the others of this folder's stand-ins.
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
      cotangent: where Cotangent is from a workspace that uses it, with a slash at its end.
    """

    # Debian's Bazels do not tell their version; native.module_name came with Bazel 6.
    modern = hasattr(native, "module_name")
    for name, folder in (_BAZEL_7 if modern else _BAZEL_4).items():
        if not folder.startswith("/"):
            folder = cotangent + "third_party/" + folder
        native.local_repository(name = name, path = folder)
