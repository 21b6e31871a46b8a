"""The rule sets that Bazel itself asks for, from Debian's Bazel packages instead of the network."""

_FOLDERS = {
    "rules_java": ("/usr/share/bazel/rules/java", "bazel-rules-java"),
    "rules_proto": ("/usr/share/bazel/rules/proto", "bazel-rules-proto"),
    "bazel_skylib": ("/usr/share/bazel/tools/skylib", "bazel-skylib"),
    "platforms": ("/usr/share/bazel/platforms", "bazel-platforms"),
}

def bazel_rules():
    for name, (path, _package) in _FOLDERS.items():
        native.local_repository(name = name, path = path)
