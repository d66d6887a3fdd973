#!/usr/bin/env python3
"""Runs the differential proof against a real musterd, with the newest Python that its libraries are installed for.

usage: run.py --bin FOLDER [--clients FOLDER] [ARGUMENT...]
       run.py --export N [--seed N] FOLDER

  --bin       where musterd is; an export needs none
  --clients   where `./dev deps clients` put the libraries
  ARGUMENT    of conformance.py; MUSTER_CONFORMANCE, a variable, holds more of them

CPython 3.13 is what Muster is compared with; 3.11 and 3.12 stand in for it where it is not installed, and leave out what
they do otherwise (README.md). Where nothing is installed, one line says so and the exit status is 77. Ends with the line
`N passed, N failed, N skipped`. Standard Python only.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIP = 77
VERSIONS = ("3.13", "3.12", "3.11")


def newest_python(folder):
    for version in VERSIONS:
        python = os.path.join(folder, "python", version, "bin", "python")
        if os.path.exists(python):
            asked = subprocess.run([python, "-c", "import hypothesis, grpc_tools"], capture_output=True, check=False)
            if asked.returncode == 0:
                return python
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="")
    parser.add_argument("--clients", default=os.path.join(ROOT, "build", "clients"))
    options, rest = parser.parse_known_args()
    if not options.bin and not any(word.startswith("--export") for word in rest):
        parser.error("--bin is missing: where is musterd?")
    rest += shlex.split(os.environ.get("MUSTER_CONFORMANCE", ""))
    python = newest_python(options.clients)
    if python is None:
        print(f"skipped: {options.clients}/python has no Python {', '.join(VERSIONS)} for this; `./dev deps clients`")
        return SKIP
    folder = tempfile.mkdtemp(prefix="muster-conformance-")
    try:
        subprocess.run([python, os.path.join(ROOT, "client", "python", "build_backend.py"), folder], check=True)
        environment = dict(
            os.environ,
            MUSTERD=os.path.join(os.path.abspath(options.bin), "musterd"),
            PYTHONPATH=os.pathsep.join([folder, HERE, os.path.join(ROOT, "tests", "python")]),
            PYTHONDONTWRITEBYTECODE="1",
            # A driver that is a Python program finds the same one.
            PATH=os.pathsep.join([os.path.dirname(python), os.environ["PATH"]]),
            HYPOTHESIS_STORAGE_DIRECTORY=os.path.join(folder, "hypothesis"),
        )
        argv = [python, os.path.join(HERE, "conformance.py"), *rest]
        return subprocess.run(argv, env=environment, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
