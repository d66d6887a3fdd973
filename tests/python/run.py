#!/usr/bin/env python3
"""Runs the tests of the Python client against a real musterd.

usage: run.py --bin FOLDER [--clients FOLDER] [--loops N] [--every-python] [PYTEST-ARGUMENT...]

  --bin           where musterd is
  --clients       where `./dev deps clients` put the libraries
  --loops         event loops of the servers; default 1
  --every-python  with each Python from 3.9 to 3.13 that was found by `./dev deps clients`, but the system's own

The package is copied, its stubs generated beside it, and tested as it would be installed. Where nothing is installed to
run it with, one line says so and the exit status is 77. Ends with the line `N passed, N failed, N skipped`. Standard
Python only.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIP = 77
COUNTED = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def pythons(folder, every):
    """(version, interpreter) of the virtual environments below `folder`: of the system's own Python, or the others."""
    found, system = [], system_version()
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        python = os.path.join(folder, name, "bin", "python")
        if os.path.exists(python) and (name == system) != every:
            found.append((name, python))
    return found


def system_version():
    """Of the Python that the first virtual environment is made with."""
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    said = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)
    return said.stdout.strip()


def run(python, options, folder):
    """One run of pytest; (passed, failed, skipped)."""
    made = subprocess.run([python, os.path.join(ROOT, "client", "python", "build_backend.py"), folder], check=False)
    if made.returncode:
        return 0, 1, 0
    environment = dict(
        os.environ,
        MUSTERD=os.path.join(options.bin, "musterd"),
        MUSTER_TEST_LOOPS=str(options.loops),
        PYTHONPATH=os.pathsep.join([folder, HERE]),
        PYTHONDONTWRITEBYTECODE="1",
    )
    argv = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=120", *options.rest]
    done = subprocess.run(argv, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    counted = COUNTED.findall(done.stdout)
    passed, failed, skipped = map(int, counted[-1]) if counted else (0, 0, 0)
    if done.returncode and not failed:
        failed = 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--clients", default=os.path.join(ROOT, "build", "clients"))
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--every-python", action="store_true")
    options, options.rest = parser.parse_known_args()
    options.bin, options.clients = os.path.abspath(options.bin), os.path.abspath(options.clients)
    found = pythons(os.path.join(options.clients, "python"), options.every_python)
    if not found:
        print(f"skipped: {options.clients}/python has no virtual environment for this; `./dev deps clients` makes them")
        return SKIP
    total = [0, 0, 0]
    for version, python in found:
        print(f"== Python {version}", flush=True)
        folder = tempfile.mkdtemp(prefix="muster-python-")
        try:
            total = [sum(both) for both in zip(total, run(python, options, folder))]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if len(found) > 1:
        print("== all of them")
    print("%d passed, %d failed, %d skipped" % tuple(total), flush=True)
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
