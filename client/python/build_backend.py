"""The build of the package: setuptools', after the stubs have been generated from the project's proto files.

An sdist carries the proto files in its folder `proto`, so that a wheel can be built from it alone. In the project's
tree they are taken from where they are.

    python build_backend.py FOLDER      # puts an importable copy of the package, stubs included, into FOLDER
"""

import os
import shutil
import sys

from setuptools import build_meta as _setuptools
from setuptools.build_meta import *  # noqa: F403  what is not said below is setuptools' own

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = [f"muster/v1/{name}.proto" for name in ("error", "future", "future_service")]


def _proto():
    """Where the proto files are."""
    for folder in (os.path.join(HERE, "proto"), os.path.join(HERE, "..", "..", "proto")):
        if os.path.exists(os.path.join(folder, FILES[0])):
            return folder
    raise SystemExit("the proto files are missing: build from the project's tree, or from an sdist")


def generate(out):
    """muster/v1/*_pb2.py and their types, below `out`."""
    import grpc_tools
    from grpc_tools import protoc

    own = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    arguments = ["protoc", f"-I{_proto()}", f"-I{own}", f"--python_out={out}", f"--pyi_out={out}", *FILES]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed, see above")
    with open(os.path.join(out, "muster", "v1", "__init__.py"), "w", encoding="utf-8") as file:
        file.write('"""The messages of the wire, generated from proto/muster/v1."""\n')


def _with_stubs(build, *arguments):
    source = os.path.join(HERE, "src")
    generate(source)
    try:
        return build(*arguments)
    finally:
        shutil.rmtree(os.path.join(source, "muster", "v1"))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _with_stubs(_setuptools.build_wheel, wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    copied = os.path.join(HERE, "proto")
    here = os.path.exists(copied)
    if not here:
        for file in FILES:
            os.makedirs(os.path.dirname(os.path.join(copied, file)), exist_ok=True)
            shutil.copy(os.path.join(_proto() if file is FILES[0] else os.path.join(HERE, "..", "..", "proto"), file),
                        os.path.join(copied, file))
    try:
        return _setuptools.build_sdist(sdist_directory, config_settings)
    finally:
        if not here:
            shutil.rmtree(copied)


def copy_to(out):
    """An importable copy, for tests and checkers."""
    shutil.rmtree(os.path.join(out, "muster"), ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "src", "muster"), os.path.join(out, "muster"),
                    ignore=shutil.ignore_patterns("__pycache__", "v1"))
    generate(out)


if __name__ == "__main__":
    copy_to(sys.argv[1])
