#!/usr/bin/env python3
"""Runs one suite of clients that nobody here wrote against a real musterd.

usage: run.py --bin FOLDER --clients FOLDER [--loops N] SUITE

  --bin      where musterd is
  --clients  where `./dev deps clients` put the clients' libraries
  --loops    event loops of the servers; default 1

A suite whose tools are not installed is skipped: one line says what is missing, and the exit status is 77. Every other
run but the demo's ends with the line `N passed, N failed, N skipped`. Standard Python only; a suite may use more.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIP = 77


class Missing(Exception):
    """A tool that the suite needs is not there."""


def existing(path):
    if not os.path.exists(path):
        raise Missing(path)
    return path


def python_suite(options, script):
    """Python's own gRPC, on stubs that are generated now, as a user would."""
    python = existing(os.path.join(options.clients, "venv", "bin", "python"))
    if subprocess.run([python, "-c", "import grpc_tools, grpc_status, grpc_reflection, grpc_health"], check=False).returncode:
        raise Missing(f"the libraries of {script} in {python}")
    stubs = tempfile.mkdtemp(prefix="muster-stubs-")
    try:
        proto = os.path.join(ROOT, "proto")
        files = [f"muster/v1/{name}.proto" for name in ("error", "future", "future_service")]
        protoc = [python, "-m", "grpc_tools.protoc", f"-I{proto}", f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
        subprocess.run([*protoc, *files], check=True)
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([stubs, HERE]))
        return subprocess.run([python, "-B", os.path.join(HERE, script), *options.rest], env=environment, check=False).returncode
    finally:
        shutil.rmtree(stubs, ignore_errors=True)


def node_suite(options, script):
    """JavaScript's own gRPC; the libraries are found beside build/clients/package.json."""
    node = shutil.which("node")
    if node is None:
        raise Missing("node")
    existing(os.path.join(options.clients, "node_modules", "@grpc", "grpc-js"))
    sys.path.insert(0, HERE)
    from musterd import Musterd

    with Musterd(options.musterd, [f"--loops={options.loops}"]) as server:
        environment = dict(os.environ, MUSTER_SERVER=server.grpc, CLIENTS=options.clients, PROTO=os.path.join(ROOT, "proto"))
        status = subprocess.run([node, os.path.join(HERE, script)], env=environment, check=False).returncode
        left = server.left_open()
    if left:
        print(f"left behind: {left}")
        status = status or 1
    return status


def tool_suite(options, script):
    """Command-line clients that learn the protocol by reflection."""
    grpcurl = os.path.join(options.clients, "bin", "grpcurl")
    if not os.path.exists(grpcurl):
        grpcurl = shutil.which("grpcurl")
    if grpcurl is None:
        raise Missing("grpcurl")
    buf = existing(os.path.join(options.clients, "node_modules", ".bin", "buf"))
    environment = dict(os.environ, GRPCURL=grpcurl, BUF=buf)
    return subprocess.run([sys.executable, "-B", os.path.join(HERE, script), *options.rest], env=environment, check=False).returncode


def demo(options, script):
    """The demo: it checks what it shows."""
    if shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])) is None:
        raise Missing("nginx")
    return subprocess.run([os.path.join(ROOT, script), "--bin", options.bin], check=False).returncode


SUITES = {
    "python": (python_suite, "python_test.py"),
    "bad_values": (python_suite, "bad_values_test.py"),
    "bad_limits": (python_suite, "bad_limits_test.py"),
    "vanish": (python_suite, "vanish_test.py"),
    "restart": (python_suite, "restart_test.py"),
    "grpc_js": (node_suite, "grpc_js_test.mjs"),
    "grpcurl": (tool_suite, "grpcurl_test.py"),
    "demo": (demo, "deploy/demo/run"),
}


def main():
    sys.dont_write_bytecode = True
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--clients", default=os.path.join(ROOT, "build", "clients"))
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("tests", nargs="*", help="names of single tests, as unittest takes them")
    options = parser.parse_args()
    options.musterd = os.path.join(options.bin, "musterd")
    options.rest = [f"--musterd={options.musterd}", f"--loops={options.loops}", *options.tests]
    run, script = SUITES[options.suite]
    try:
        return run(options, script)
    except Missing as missing:
        print(f"skipped: the suite {options.suite} needs {missing}; `./dev deps clients demo` installs it")
        return SKIP


if __name__ == "__main__":
    sys.exit(main())
