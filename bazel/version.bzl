"""What the programs say of themselves. tests/bazel/drift.py holds the version against CMakeLists.txt."""

VERSION = "0.1.0"

VERSION_DEFINES = ['MUSTER_VERSION=\\"%s\\"' % VERSION]

# For targets with toolchains = ["//bazel:revision"].
REVISION_DEFINES = ['MUSTER_REVISION=\\"$(MUSTER_REVISION)\\"']
