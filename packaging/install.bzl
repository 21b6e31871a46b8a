"""Collects the files that `bazel run //:install -- --prefix=DIR` copies: programs, libraries, headers, and link flags for CMake and pkg-config."""

load("@rules_cc//cc/common:cc_common.bzl", "cc_common")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

_Component = provider(fields = {
    "archive": "the library",
    "headers": "depset of headers",
    "link_flags": "of the system's libraries",
    "objects": "depset of all objects in this library and in those it requires",
    "requires": "name of the library that it is linked with, or an empty string",
})

def _own(file):
    return file.owner != None and not file.owner.workspace_name

def _installed_library_impl(ctx):
    linked, flags = [], []
    headers = depset(transitive = [dep[CcInfo].compilation_context.headers for dep in ctx.attr.deps])
    merged = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps])
    for linker_input in merged.linking_context.linker_inputs.to_list():
        for flag in linker_input.user_link_flags:
            if flag not in flags:
                flags.append(flag)
        for library in linker_input.libraries:
            linked += library.objects or library.pic_objects or []

    # No object is in two libraries, so that a program can be linked with any of them, in any order.
    required = ctx.attr.requires[_Component] if ctx.attr.requires else None
    elsewhere = {object: True for object in required.objects.to_list()} if required else {}
    objects = [object for object in linked if object not in elsewhere]

    # All objects are linked into one. So a linker cannot leave out an object to which nothing refers by name, such as an optimizer's
    # rule that registers itself.
    archive = ctx.actions.declare_file("lib%s.a" % ctx.label.name)
    whole = ctx.actions.declare_file(ctx.label.name + ".o")
    ctx.actions.run_shell(
        inputs = objects,
        outputs = [archive, whole],
        arguments = [ctx.actions.args().add(whole).add(archive).add_all(objects)],
        command = "whole=$1 archive=$2; shift 2; ld -r -o $whole $@ && ar rcsD $archive $whole",
        mnemonic = "ArchiveAll",
        use_default_shell_env = True,
    )
    return [
        DefaultInfo(files = depset([archive])),
        _Component(
            archive = archive,
            headers = headers,
            link_flags = flags,
            objects = depset(linked, transitive = [required.objects] if required else []),
            requires = ctx.attr.requires.label.name if required else "",
        ),
    ]

installed_library = rule(
    implementation = _installed_library_impl,
    doc = "A static library of all that its dependencies are made of within this repository, but for what the required library has.",
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "requires": attr.label(providers = [_Component], doc = "The library that programs link with in addition."),
    },
)

def _add(files, lines, file, destination):
    files.append(file)
    lines.append("%s\t%s" % (file.short_path, destination))

def _install_impl(ctx):
    files, lines = [], []
    for program, name in ctx.attr.programs.items():
        _add(files, lines, program[DefaultInfo].files_to_run.executable, "bin/" + name)
    seen = {}
    for library in ctx.attr.libraries:
        component = library[_Component]
        _add(files, lines, component.archive, "LIBDIR/" + component.archive.basename)
        for header in component.headers.to_list():
            if _own(header) and header.short_path not in seen:
                seen[header.short_path] = True
                _add(files, lines, header, "include/cotangent/" + header.short_path)

        # The file tells what a program must link with in addition to this library: the flags for the system's libraries and,
        # on a second line, the library of ours.
        description = ctx.actions.declare_file(library.label.name + ".links")
        ctx.actions.write(description, "%s\n%s\n" % (" ".join(component.link_flags), component.requires))
        files.append(description)
        lines.append("%s\tlinks:%s" % (description.short_path, library.label.name))
    _add(files, lines, ctx.file.shared_library, "LIBDIR/%s.%s" % (ctx.file.shared_library.basename, ctx.attr.version))
    manifest = ctx.actions.declare_file(ctx.label.name + ".manifest")
    ctx.actions.write(manifest, "\n".join(lines) + "\n")
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = ctx.file.script,
        output = script,
        substitutions = {"@MANIFEST@": manifest.short_path, "@VERSION@": ctx.attr.version},
        is_executable = True,
    )
    return [DefaultInfo(executable = script, runfiles = ctx.runfiles(files = files + [manifest]))]

install = rule(
    implementation = _install_impl,
    executable = True,
    attrs = {
        "libraries": attr.label_list(providers = [_Component]),
        "programs": attr.label_keyed_string_dict(doc = "Program to its installed name."),
        "script": attr.label(allow_single_file = True),
        "shared_library": attr.label(allow_single_file = True, doc = "Called libNAME.so; its soname is libNAME.so.1."),
        "version": attr.string(),
    },
)
