"""The version: of the programs (--version), of what //:install writes and of the package."""

VERSION = "1.0"
