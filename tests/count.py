#!/usr/bin/env python3
"""Counts test cases from the JUnit records that ctest writes.

One ctest test may hold many cases: a GoogleTest program says how many in its own last lines, and a script may end its
output with the line `N passed, N failed, N skipped`. Any other test counts as one. Prints the sum as that same line,
names what was skipped and why, and exits 1 if anything failed or no test ran.

usage: count.py [--skips] RECORD.xml...
  --skips  list the skipped cases too
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

PLAIN = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
GTEST = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.MULTILINE),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) tests?, listed below", re.MULTILINE),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) tests?, listed below", re.MULTILINE),
}
GTEST_RAN = re.compile(r"^\[==========\] \d+ tests? from .* ran\.", re.MULTILINE)
GTEST_SKIP = re.compile(r"^\[  SKIPPED \] (\S+) \(\d+ ms\)", re.MULTILINE)


def count_case(case):
    """(passed, failed, skipped, names of the skipped) of one ctest test."""
    name = case.get("name")
    output = case.findtext("system-out") or ""
    status = case.get("status")
    if status in ("notrun", "disabled"):
        # A test whose program is missing is "notrun" as well, and that is a failure; a skip carries its reason.
        skipped = case.find("skipped")
        reason = skipped.get("message", "") if skipped is not None else ""
        if status == "disabled" or reason.startswith("SKIP_"):
            return 0, 0, 1, [name]
        return 0, 1, 0, []
    if GTEST_RAN.search(output):
        found = {key: int((pattern.search(output) or [0, 0])[1]) for key, pattern in GTEST.items()}
        passed, failed, skipped = found["passed"], found["failed"], found["skipped"]
        names = [f"{name}: {test}" for test in GTEST_SKIP.findall(output)]
    elif PLAIN.search(output):
        passed, failed, skipped = map(int, PLAIN.findall(output)[-1])
        names = [name] * skipped
    else:
        passed, failed, skipped, names = int(status == "run"), 0, 0, []
    if status == "fail" and failed == 0:
        failed = 1  # died, hung or failed in a way that it did not count itself
    return passed, failed, skipped, names


def main(arguments):
    show = "--skips" in arguments
    total = [0, 0, 0]
    skips = []
    for path in (a for a in arguments if a != "--skips"):
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError) as error:
            print(f"{path}: no record of tests: {error}", file=sys.stderr)
            total[1] += 1
            continue
        for case in root.iter("testcase"):
            *numbers, names = count_case(case)
            total = [a + b for a, b in zip(total, numbers)]
            skips += names
    if show:
        for name in skips:
            print(f"skipped: {name}")
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] or sum(total) == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
