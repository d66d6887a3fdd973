#!/usr/bin/env python3
"""The table of docs/reference/semantics.md: which test proves which case.

usage: semantics_table.py [--write | --check] [ROOT]

A test names what it proves in a comment, above or inside it: `// semantics 31`, `// semantics 6, 9, 10` or
`// semantics 23-25` (`#` in Python and shell). --write puts the table into the page, --check says whether the page is
up to date and every case is accounted for; without either, the table goes to the standard output.
"""

import os
import re
import sys

PAGE = "docs/reference/semantics.md"
BEGIN, END = "<!-- semantics table: begin -->", "<!-- semantics table: end -->"

LAST = 103
# What a client or a language does with callbacks and with its own exceptions; there is nothing on the wire to prove.
CLIENTS_MATTER = {16, 17, 18, 20}
# What is offered today, so that each needs a proof. The rest is "not offered yet" until a test says otherwise.
OFFERED = (set(range(1, 66)) | {91, 92, 93, 98, 99, 100}) - CLIENTS_MATTER

# Where a test's folder proves its case, in the order of the table; the first prefix that fits counts.
PLACES = [
    ("tests/unit/coro", "in `coro/`"),
    ("tests/unit/core", "in the core"),
    ("tests/simulation", "in the core"),
    ("tests/unit/client", "in the client library"),
    ("tests/unit", "in the service"),
    ("tests/rpc", "over the wire"),
    ("tests/python", "in the Python client"),
    ("tests/conformance", "beside asyncio"),
    ("tests/clients", "over the wire"),
    ("tests/cli", "over the wire"),
    ("tests", "elsewhere"),
]
TESTS_SHOWN = 2  # of each place; the rest is counted

LIST = r"\d+(?:\s*-\s*\d+)?"
MENTION = re.compile(rf"(?://|#|\*).*?\bsemantics ({LIST}(?:(?:,| and|, and) {LIST})*)")
SUITE_TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST|[A-Z_]*_TEST(?:_F|_P)?)\(\s*(\w+)\s*,\s*(\w+)")
PYTHON_TEST = re.compile(r"^\s*(?:async )?def (test\w*)")
SCRIPT_TEST = re.compile(r"^\s*(?:test|it|check)\(\s*[\"'`]([^\"'`]+)|^(?:function )?(test_\w+)\s*\(\)")


def numbers_of(text):
    """{6, 9, 10} of "6, 9-10"."""
    found = set()
    for first, last in re.findall(r"(\d+)(?:\s*-\s*(\d+))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_name(line):
    match = SUITE_TEST.search(line)
    if match:
        return f"{match[1]}.{match[2]}"
    match = PYTHON_TEST.search(line)
    if match:
        return match[1]
    match = SCRIPT_TEST.search(line)
    return (match[1] or match[2]) if match else None


def name_at(lines, index):
    """The test that the comment on this line speaks of: the one that starts on it or right below it, else around it."""
    for line in lines[index : index + 12]:
        name = test_name(line)
        if name:
            return name
        if not re.match(r"\s*(//|#|\*|@|$)", line):
            break
    for line in reversed(lines[:index]):
        name = test_name(line)
        if name:
            return name
    return ""


def mentions(path, text):
    """Yields (number, name of the test) of one file."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        for match in MENTION.finditer(line):
            name = name_at(lines, index)
            for number in numbers_of(match[1]):
                yield number, name


def test_files(root):
    for folder, subfolders, names in os.walk(os.path.join(root, "tests")):
        subfolders[:] = sorted(name for name in subfolders if name not in ("node_modules", "tidy", "docs"))
        for name in sorted(names):
            if name.endswith((".cc", ".h", ".py", ".sh", ".js", ".ts", ".mjs")) or "." not in name:
                yield os.path.relpath(os.path.join(folder, name), root)


def collect(root):
    """{number: {place: [(path, test)]}} and the mentions of numbers that do not exist."""
    proofs, strangers = {}, []
    for path in test_files(root):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as stream:
                text = stream.read()
        except UnicodeDecodeError:
            continue
        place = next(name for prefix, name in PLACES if path.startswith(prefix + "/"))
        for number, name in mentions(path, text):
            if not 1 <= number <= LAST:
                strangers.append(f"{path}: semantics {number} does not exist")
                continue
            tests = proofs.setdefault(number, {}).setdefault(place, [])
            if (path, name) not in tests:
                tests.append((path, name))
    return proofs, strangers


def cell(tests):
    shown = [f"`{name or os.path.basename(path)}`" for path, name in tests[:TESTS_SHOWN]]
    rest = len(tests) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def table(proofs):
    order = list(dict.fromkeys(name for _, name in PLACES))
    rows = ["| Number | Where | Tests |", "| --- | --- | --- |"]
    for number in range(1, LAST + 1):
        places = [place for place in order if place in proofs.get(number, {})]
        if places:
            where = ", ".join(places)
            tests = "; ".join(cell(proofs[number][place]) for place in places)
        elif number in CLIENTS_MATTER:
            where, tests = "a client's or a language's matter", ""
        elif number in OFFERED:
            where, tests = "**not proven**", ""
        else:
            where, tests = "not offered yet", ""
        rows.append(f"| {number} | {where} | {tests} |")
    return "\n".join(rows)


def main(arguments):
    options = {a for a in arguments if a.startswith("--")}
    roots = [a for a in arguments if not a.startswith("--")]
    if options - {"--write", "--check"} or len(roots) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    root = roots[0] if roots else "."
    proofs, problems = collect(root)
    text = table(proofs)
    if not options:
        print(text)
        return 0
    with open(os.path.join(root, PAGE), encoding="utf-8") as stream:
        page = stream.read()
    head, _, rest = page.partition(BEGIN)
    old, _, tail = rest.partition(END)
    new = f"{head}{BEGIN}\n{text}\n{END}{tail}"
    if "--write" in options:
        with open(os.path.join(root, PAGE), "w", encoding="utf-8") as stream:
            stream.write(new)
        return 0
    if new != page:
        problems.append(f"{PAGE}: the table is out of date; run docs/tools/semantics_table.py --write")
    described = {int(number) for number in re.findall(r"^(\d+)\. ", head, re.MULTILINE)}
    problems += [f"{PAGE}: case {number} is not described" for number in sorted(set(range(1, LAST + 1)) - described)]
    problems += [f"semantics {number} is offered and no test proves it" for number in sorted(OFFERED - set(proofs))]
    for problem in problems:
        print(problem)
    print(f"{len(OFFERED & set(proofs))} of {len(OFFERED)} cases on offer are proven")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
