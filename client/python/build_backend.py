"""The build of the package: setuptools', after the stubs have been generated from the project's proto files.

An sdist carries the proto files in its folder `proto`, so that a wheel can be built from it alone. In the project's
tree they are taken from where they are.

    python build_backend.py FOLDER      # puts an importable copy of the package, stubs included, into FOLDER
"""

import contextlib
import os
import shutil
import sys

from setuptools import build_meta as _setuptools
from setuptools.build_meta import *  # noqa: F403  what is not said below is setuptools' own

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.join(HERE, "..", "..")
FILES = [f"muster/v1/{name}.proto" for name in ("error", "future", "future_service")]


def generate(proto, out):
    """muster/v1/*_pb2.py and their types, below `out`."""
    import grpc_tools
    from grpc_tools import protoc

    own = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    arguments = ["protoc", f"-I{proto}", f"-I{own}", f"--python_out={out}", f"--pyi_out={out}", *FILES]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed, see above")
    with open(os.path.join(out, "muster", "v1", "__init__.py"), "w", encoding="utf-8") as file:
        file.write('"""The messages of the wire, generated from proto/muster/v1."""\n')


@contextlib.contextmanager
def _complete():
    """What the project has elsewhere is in the package's folder for as long as something is built."""
    proto = os.path.join(HERE, "proto")
    added = [os.path.join(HERE, "src", "muster", "v1")]
    try:
        if not os.path.exists(proto):
            if not os.path.exists(os.path.join(TREE, "proto", FILES[0])):
                raise SystemExit("the proto files are missing: build from the project's tree, or from an sdist")
            added += [proto, os.path.join(HERE, "LICENSE")]
            for file in FILES:
                os.makedirs(os.path.dirname(os.path.join(proto, file)), exist_ok=True)
                shutil.copy(os.path.join(TREE, "proto", file), os.path.join(proto, file))
            shutil.copy(os.path.join(TREE, "LICENSE"), HERE)
        generate(proto, os.path.join(HERE, "src"))
        yield
    finally:
        for path in added:
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)


def get_requires_for_build_wheel(config_settings=None):
    return []  # setuptools would look at the packages, which are not complete yet


get_requires_for_build_sdist = get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with _complete():
        return _setuptools.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    with _complete():
        return _setuptools.build_sdist(sdist_directory, config_settings)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    with _complete():
        return _setuptools.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
    with _complete():
        return _setuptools.prepare_metadata_for_build_editable(metadata_directory, config_settings)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Leaves the stubs among the sources, where git does not see them."""
    generate(os.path.join(TREE, "proto"), os.path.join(HERE, "src"))
    return _setuptools.build_editable(wheel_directory, config_settings, metadata_directory)


def copy_to(out):
    """An importable copy, for tests and checkers; the sources are left as they are."""
    shutil.rmtree(os.path.join(out, "muster"), ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "v1")
    shutil.copytree(os.path.join(HERE, "src", "muster"), os.path.join(out, "muster"), ignore=ignored)
    generate(os.path.join(TREE, "proto"), out)


if __name__ == "__main__":
    copy_to(sys.argv[1])
