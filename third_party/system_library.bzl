"""Wraps a library of the system as a Bazel repository. If the library is missing, the build fails and names its Debian package."""

def _fail_missing(ctx, what):
    fail(("\n\n{name}: {what} was not found.\n" +
          "Install the Debian package that brings it:\n\n    sudo apt-get install {package}\n\n" +
          "or run ./bazelw instead of bazel, which installs all that is missing.\n").format(
        name = ctx.name,
        what = what,
        package = ctx.attr.package,
    ))

# The numbers of a version such as "3.21.12", which Starlark compares as lists.
def _numbers(version):
    return [int(part) for part in version.strip().split(".") if part.isdigit()]

# The version that pkg-config tells, or else the header, by its "#define ..._VERSION_MAJOR 2" and ..._MINOR.
def _installed_version(ctx):
    if ctx.attr.pkg_config:
        module = ctx.attr.pkg_config.values()[0][0]
        return ctx.execute(["pkg-config", "--modversion", module]).stdout.strip()
    header = ctx.attr.version_header
    version = {}
    for line in ctx.read(_include_path(ctx, header) + "/" + header).splitlines():
        for part in ["MAJOR", "MINOR"]:
            if line.startswith("#define") and "_VERSION_%s " % part in line:
                version[part] = line.split(" ")[-1]
    return "{MAJOR}.{MINOR}".format(**version)

def _check_version(ctx):
    installed = _installed_version(ctx)
    if _numbers(installed) >= _numbers(ctx.attr.minimum):
        return
    fail(("\n\n{name}: version {installed} was found, at least {minimum} is needed.\n" +
          "Install a newer one, such as Debian 12's and later releases':\n\n    sudo apt-get install {package}\n").format(
        name = ctx.name,
        installed = installed,
        minimum = ctx.attr.minimum,
        package = ctx.attr.package,
    ))

def _include_path(ctx, header):
    machine = ctx.execute(["uname", "-m"]).stdout.strip()
    for folder in ["/usr/include", "/usr/include/%s-linux-gnu" % machine, "/usr/local/include"]:
        if ctx.path(folder + "/" + header).exists:
            return folder
    return None

def _pkg_config_linkopts(ctx, modules):
    tool = ctx.which("pkg-config")
    if not tool:
        fail("pkg-config was not found. Install it: sudo apt-get install pkg-config")
    result = ctx.execute([tool, "--libs"] + modules)
    if result.return_code != 0:
        _fail_missing(ctx, "pkg-config module " + " ".join(modules))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

def _system_library_impl(ctx):
    if not _include_path(ctx, ctx.attr.header):
        _fail_missing(ctx, "header " + ctx.attr.header)
    targets = ['package(default_visibility = ["//visibility:public"])']
    for target in sorted(ctx.attr.linkopts.keys() + ctx.attr.pkg_config.keys()):
        linkopts = list(ctx.attr.linkopts.get(target, []))
        if target in ctx.attr.pkg_config:
            linkopts += _pkg_config_linkopts(ctx, ctx.attr.pkg_config[target])
        targets.append("cc_library(name = {}, linkopts = {}, deps = {})".format(
            repr(target),
            repr(linkopts),
            repr(ctx.attr.target_deps.get(target, [])),
        ))
    if ctx.attr.minimum:
        _check_version(ctx)
    if ctx.attr.program:
        program = ctx.which(ctx.attr.program)
        if not program:
            _fail_missing(ctx, "program " + ctx.attr.program)

        # Rules that run the program have this file among their inputs, so that they run again after the program was updated.
        ctx.file("version.txt", ctx.execute([program, "--version"]).stdout)
        targets.append('filegroup(name = "version", srcs = ["version.txt"])')
    ctx.file("WORKSPACE", "workspace(name = {})\n".format(repr(ctx.name)))
    ctx.file("BUILD", "\n\n".join(targets) + "\n")

system_library = repository_rule(
    implementation = _system_library_impl,
    local = True,
    attrs = {
        "package": attr.string(mandatory = True, doc = "The Debian package that brings the library."),
        "header": attr.string(mandatory = True, doc = "A header that proves the library is there."),
        "linkopts": attr.string_list_dict(doc = "Target name to its link flags."),
        "pkg_config": attr.string_list_dict(doc = "Target name to the pkg-config modules that give its link flags."),
        "target_deps": attr.string_list_dict(doc = "Target name to further dependencies."),
        "minimum": attr.string(doc = "The oldest version that will do."),
        "version_header": attr.string(doc = "Without pkg_config, the header that defines the version."),
        "program": attr.string(doc = "A program that comes with the library; its version is target `version`."),
    },
)
