"""The version of derivgen, which headers of emitted files and saved models name."""

VERSION = "0.1.0"
