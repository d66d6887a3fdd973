"""Runs the tests of a suite and counts them. Standard Python only.

Servers are kept by their flags for the length of a run: a test that needs limits of its own gets a server of its own.
"""

import argparse
import sys
import unittest

from musterd import Musterd

OPTIONS = argparse.Namespace(musterd=None, loops=1)
_servers = {}


def server_with(*flags):
    """A server with these flags, started at the first call."""
    if flags not in _servers:
        server = Musterd(OPTIONS.musterd, [f"--loops={OPTIONS.loops}", *flags])
        server.start()
        _servers[flags] = server
    return _servers[flags]


class _Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main(module="__main__"):
    """Runs the tests of a module, stops the servers, and ends with the line that counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--musterd", required=True)
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("tests", nargs="*")
    parser.parse_args(namespace=OPTIONS)
    loader = unittest.defaultTestLoader
    module = sys.modules[module]
    tests = loader.loadTestsFromNames(OPTIONS.tests, module) if OPTIONS.tests else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=_Result, verbosity=2).run(tests)
    failed = len(result.failures) + len(result.errors)
    for flags, server in _servers.items():
        try:
            server.stop()
        except AssertionError as error:
            print(f"the server with {flags or 'no flags'}: {error}")
            failed += 1
    skipped = len(result.skipped)
    for test, why in result.skipped:
        print(f"skipped: {test}: {why}")
    print(f"{result.passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed or result.passed == 0 else 0)
