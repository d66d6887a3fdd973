#!/usr/bin/env python3
"""Programs as JSON and drivers as commands: what --export wrote is run by --drive, and a driver that is wrong is found.

usage: driver_test.py ARGUMENT...   of run.py: --bin FOLDER --clients FOLDER

The driver is the Python client's (wire_driver.py), started as anybody's would be. Standard Python only.
"""

import os
import subprocess
import sys
import tempfile
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.path.join(HERE, "wire_driver.py")
PROGRAMS = 20
SKIP = 77

# Passes everything on, and says of one future that it ended otherwise.
WRONG = """
    import json, subprocess, sys
    inner = subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in sys.stdin.buffer:
        inner.stdin.write(line)
        inner.stdin.flush()
        said = json.loads(inner.stdout.readline())
        said["fates"][min(said["fates"])]["state"] = "LOST"
        print(json.dumps(said), flush=True)
    inner.stdin.close()
    inner.wait()
"""


def run(*arguments):
    command = [sys.executable, os.path.join(HERE, "run.py"), *sys.argv[1:], *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=300)
    return done.returncode, done.stdout


def main():
    with tempfile.TemporaryDirectory(prefix="muster-driver-") as folder:
        programs, wrong = os.path.join(folder, "programs"), os.path.join(folder, "wrong.py")
        status, said = run("--export", str(PROGRAMS), "--seed", "2", programs)
        if status == SKIP:
            print(said, end="")
            return SKIP
        assert status == 0 and len(os.listdir(programs)) == PROGRAMS, said

        status, said = run("--from", programs, "--drive", f"python3 {DRIVER}")
        assert status == 0 and f"{PROGRAMS} passed, 0 failed" in said, said

        with open(wrong, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(WRONG))
        status, said = run("--from", programs, "--drive", f"python3 {wrong} {DRIVER}")
        assert status == 1 and f"0 passed, {PROGRAMS} failed" in said and "'LOST'" in said, said

        status, said = run("--from", programs, "--drive", "false")
        assert status == 1 and "gave no trace" in said, said
    print("4 passed, 0 failed, 0 skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
