#!/usr/bin/env python3
"""Starts the program of docs/how-to/own-functions.md and calls its function.

usage: own_function_test.py OWN_FUNCTION MUSTER
"""

import json
import os
import subprocess
import sys
import tempfile
import time

PATIENCE = 30  # seconds; far more than any step takes


def main(program, muster):
    with tempfile.TemporaryDirectory(prefix="own-function-") as folder:
        ready_file = os.path.join(folder, "ready")
        server = subprocess.Popen(
            [program, "--grpc-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--ready-file", ready_file,
             "--store-dir", os.path.join(folder, "store")],
            stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + PATIENCE
            while not os.path.exists(ready_file):
                assert server.poll() is None, f"the program ended with {server.returncode}"
                assert time.monotonic() < deadline, "the program is not ready"
                time.sleep(0.02)
            with open(ready_file, encoding="utf-8") as stream:
                address = json.load(stream)["grpc"]

            def said(*arguments):
                done = subprocess.run([muster, "--server", address, *arguments], capture_output=True, text=True,
                                      timeout=PATIENCE, check=True)
                return done.stdout

            assert "Hello, World!" in said("call", "greet", "--text", "World")
            listed = said("functions")
            assert "greet" in listed and "echo" in listed, listed
            server.terminate()
            assert server.wait(PATIENCE) == 0, "it did not drain"
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
    print("1 passed, 0 failed, 0 skipped")


if __name__ == "__main__":
    main(*sys.argv[1:])
