"""Makes a Debian package of the files that //:install installs."""

def _deb_impl(ctx):
    package = ctx.actions.declare_file("cotangent_%s_%s.deb" % (ctx.attr.version, ctx.attr.architecture))
    ctx.actions.run(
        outputs = [package],
        inputs = [ctx.file.copyright, ctx.file.readme],
        tools = [ctx.attr.install[DefaultInfo].files_to_run, ctx.executable.script, ctx.executable.man],
        executable = ctx.executable.script,
        arguments = [
            ctx.executable.install.path,
            ctx.attr.version,
            ctx.file.copyright.path,
            ctx.file.readme.path,
            ctx.executable.man.path,
            package.path,
        ],
        mnemonic = "Deb",
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([package]))]

deb = rule(
    implementation = _deb_impl,
    attrs = {
        "architecture": attr.string(doc = "As dpkg names it."),
        "copyright": attr.label(allow_single_file = True),
        "install": attr.label(executable = True, cfg = "target"),
        "man": attr.label(allow_single_file = True, executable = True, cfg = "exec"),
        "readme": attr.label(allow_single_file = True),
        "script": attr.label(allow_single_file = True, executable = True, cfg = "exec"),
        "version": attr.string(),
    },
)
