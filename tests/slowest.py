#!/usr/bin/env python3
"""Says where the time of a run of tests went, from the JUnit record that ctest writes and the list of steps of ./dev.

usage: slowest.py [--count N] [--phases FILE] RECORD.xml...

  --count   how many of the slowest tests; default 15
  --phases  a line for each step: microseconds, a tab, its title

Tests that run at once each count their whole time, so that their sum is more than what the clock says. A record that is
not there is left out.
"""

import argparse
import os
import sys
import xml.etree.ElementTree as ElementTree


def phases_of(path):
    """[(seconds, title)], steps of one title joined, in the order in which they were first taken."""
    seconds = {}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            micros, _, title = line.rstrip("\n").partition("\t")
            seconds[title] = seconds.get(title, 0) + int(micros) / 1e6
    return [(spent, title) for title, spent in seconds.items()]


def tests_of(path):
    """[(seconds, name)] of a record, with its preset, which is the name of its folder."""
    preset = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return [(float(case.get("time") or 0), f"{case.get('name')} ({preset})")
            for case in ElementTree.parse(path).getroot().iter("testcase")]


def table(title, rows):
    print(title)
    for seconds, name in rows:
        print(f"{seconds:8.1f} s  {name}")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=15)
    parser.add_argument("--phases")
    parser.add_argument("records", metavar="RECORD.xml", nargs="+")
    options = parser.parse_args(arguments)
    if options.phases and os.path.exists(options.phases):
        table("phases", phases_of(options.phases))
    tests = []
    for path in options.records:
        try:
            tests += tests_of(path)
        except (OSError, ElementTree.ParseError):
            continue
    tests.sort(key=lambda test: (-test[0], test[1]))
    table(f"slowest of {len(tests)} tests, which took {sum(seconds for seconds, _ in tests):.0f} s one by one",
          tests[:options.count])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
