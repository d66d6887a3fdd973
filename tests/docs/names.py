#!/usr/bin/env python3
"""Checks that what docs/reference/sdk.md names is there: tests, modules of the Python client, files, words of the wire.

usage: names.py [ROOT]
"""

import os
import re
import sys

PAGE = "docs/reference/sdk.md"
GTEST = re.compile(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", re.MULTILINE)
PYTEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


def read_all(root, folders, ending):
    for folder in folders:
        for path, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith(ending):
                    with open(os.path.join(path, name), encoding="utf-8") as stream:
                        yield stream.read()


def unknown(root):
    """What the page names and nobody has."""
    tests = set()
    for text in read_all(root, ("tests/rpc", "tests/unit/client"), "_test.cc"):
        tests |= {".".join(found) for found in GTEST.findall(text)}
    for text in read_all(root, ("tests/python", "tests/clients"), ".py"):
        tests |= set(PYTEST.findall(text))
    wire = "\n".join(read_all(root, ("proto/muster/v1",), ".proto"))
    words = set(re.findall(r"\b[A-Z][A-Z_]+\b", wire)) | set(re.findall(r"\bERROR_REASON_(\w+)", wire))
    with open(os.path.join(root, PAGE), encoding="utf-8") as stream:
        page = stream.read()
    for name in CODE.findall(page):
        if re.fullmatch(r"test_\w+", name) or re.fullmatch(r"[A-Z]\w+(?:Rpc|Test)\.[A-Z]\w+|Unary\.[A-Z]\w+", name):
            known = name in tests
        elif re.fullmatch(r"\w+\.py", name):
            known = os.path.exists(os.path.join(root, "client/python/src/muster", name))
        elif re.fullmatch(r"[\w.]+(?:/[\w.]+)+", name) and name[0].islower():
            known = os.path.exists(os.path.join(root, name))
        elif re.fullmatch(r"[A-Z]+(?:_[A-Z]+)+", name):
            known = name in words
        else:
            continue
        if not known:
            yield name


def main(arguments):
    found = list(unknown(arguments[0] if arguments else "."))
    for name in found:
        print(f"{PAGE}: `{name}` is nowhere")
    print(f"{0 if found else 1} passed, {1 if found else 0} failed, 0 skipped")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
