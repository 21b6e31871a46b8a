"""Networks linked into programs."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def cc_network(name, network, **kwargs):
    """A trained network as an object file: the program that depends on it reads no file to have it.

    With `cc_network(name = "pets", network = "pets.safetensors")` a program includes "pets.h" of this package and calls

        absl::StatusOr<std::unique_ptr<Classifier>> classifier =
            Classifier::LoadBytes(std::string(pets()), "pets");

    Args:
      name: of the library, of its header and of the function that gives the bytes: a C identifier.
      network: the file that `export --format=safetensors` wrote, with the network's text in it.
      **kwargs: visibility and the like.
    """
    native.genrule(
        name = name + "_sources",
        srcs = [network],
        outs = [name + ".S", name + ".h"],
        cmd = """
            symbol=cotangent_network_{name}
            {{
                echo '    .section .rodata'
                echo "    .global $$symbol, $${{symbol}}_end"
                echo '    .balign 64'
                echo "$$symbol: .incbin \\"$<\\""
                echo "$${{symbol}}_end: .byte 0"
                echo '    .section .note.GNU-stack, "", %progbits'
            }} > $(location {name}.S)
            {{
                echo '#pragma once'
                echo '#include "absl/strings/string_view.h"'
                echo "extern \\"C\\" const char $$symbol[], $${{symbol}}_end[];"
                echo '// The bytes of the network.'
                echo "inline absl::string_view {name}() {{ return {{$$symbol, static_cast<size_t>($${{symbol}}_end - $$symbol)}}; }}"
            }} > $(location {name}.h)
        """.format(name = name),
    )
    cc_library(
        name = name,
        srcs = [name + ".S"],
        hdrs = [name + ".h"],
        # The assembler includes it.
        textual_hdrs = [network],
        deps = ["@abseil//:strings"],
        **kwargs
    )
