"""The version of Cotangent, for --version of the programs, for the files that //:install writes and for the Debian package."""

VERSION = "1.0"
