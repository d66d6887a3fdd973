"""Cases of a suite that runs containers: the methods case_... of a class whose `engine` runs them."""

import time
import traceback

from engine import Missing


class Skip(Exception):
    pass


def expect(truth, message):
    if not truth:
        raise AssertionError(message)


def run_cases(suite, only):
    """Runs the methods case_... of it, prints a line for each and the sum; 1 if one failed."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for attribute in [name for name in dir(type(suite)) if name.startswith("case_") and only in name]:
        title = attribute[len("case_") :].replace("_", " ")
        start = time.monotonic()
        try:
            note = getattr(suite, attribute)() or ""
            outcome = "passed"
        except Skip as why:
            outcome, note = "skipped", str(why)
        except Exception as why:  # a case that ends in any other way has failed, and the next one runs
            outcome, note = "failed", str(why) if isinstance(why, AssertionError) else traceback.format_exc()
        counts[outcome] += 1
        mark = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[outcome]
        print(f"{mark} {title} ({time.monotonic() - start:.1f} s){': ' + note if note else ''}", flush=True)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


def run_suite(make, only):
    """Makes the suite and runs its cases whose name contains `only`; what main() returns: 77 when no container can run."""
    try:
        suite = make()
    except Missing as why:
        print(f"skip: {why}")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    try:
        print(f"image {suite.engine.image}; containers run with {suite.engine.describe()}", flush=True)
        return run_cases(suite, only)
    finally:
        suite.engine.close()
