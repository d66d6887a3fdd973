#!/usr/bin/env python3
"""Checks the project's Markdown.

Each link to one of its own files, or to a heading there, leads somewhere. Code below the line `<!-- same as FILE -->`
is what stands in that file, which some test compiles.

usage: links.py [ROOT]
"""

import os
import re
import subprocess
import sys

FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
SAME = re.compile(r"^<!-- same as (\S+) -->\n```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)


def anchors(text):
    """The anchors that the headings of a page get, as GitHub makes them."""
    found = {}
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = found.get(anchor, 0)
        found[anchor] = count + 1
        if count:
            found[f"{anchor}-{count}"] = 1
    return set(found)


def broken_links(root, path):
    """Yields (line number, target) for each link of this page that leads nowhere."""
    with open(os.path.join(root, path), encoding="utf-8") as stream:
        text = stream.read()
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    plain = CODE.sub(blank, FENCE.sub(blank, text))
    for match in LINK.finditer(plain):
        target = match[1]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = target.partition("#")
        where = os.path.normpath(os.path.join(root, os.path.dirname(path), file)) if file else os.path.join(root, path)
        good = os.path.exists(where)
        if good and anchor and where.endswith(".md"):
            with open(where, encoding="utf-8") as stream:
                good = anchor in anchors(stream.read())
        if not good:
            yield plain.count("\n", 0, match.start()) + 1, target


def stale_code(root, path):
    """Yields (line number, file) for each piece of code that differs from the file it is said to show."""
    with open(os.path.join(root, path), encoding="utf-8") as stream:
        text = stream.read()
    for match in SAME.finditer(text):
        try:
            with open(os.path.join(root, match[1]), encoding="utf-8") as stream:
                same = stream.read() == match[2]
        except OSError:
            same = False
        if not same:
            yield text.count("\n", 0, match.start()) + 1, match[1]


def pages(root):
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        capture_output=True,
    )
    if listed.returncode == 0:
        found = listed.stdout.decode().split("\0")
    else:
        found = []
        for folder, subfolders, names in os.walk(root):
            subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in ("build", "node_modules")]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names if name.endswith(".md")]
    return sorted(path for path in found if path and os.path.isfile(os.path.join(root, path)))


def main(arguments):
    root = arguments[0] if arguments else "."
    found = pages(root)
    bad = 0
    for path in found:
        for number, target in broken_links(root, path):
            print(f"{path}:{number}: leads nowhere: {target}")
            bad += 1
        for number, file in stale_code(root, path):
            print(f"{path}:{number}: not what stands in {file}")
            bad += 1
    print(f"{len(found)} pages read, {bad} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
