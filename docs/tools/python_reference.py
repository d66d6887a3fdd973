#!/usr/bin/env python3
"""docs/reference/python.md, made from the docstrings of the package `muster`, which has to be importable.

usage: python_reference.py [--write | --check] [ROOT]

--write puts the page in its place, --check says whether it is up to date; without either, it goes to the standard output.
"""

import dataclasses
import inspect
import os
import re
import sys

PAGE = "docs/reference/python.md"
HEAD = """# The Python package

Made from the docstrings of `client/python` by `docs/tools/python_reference.py`; don't edit it by hand.
[The tutorial](../tutorial/python.md) shows it at work, [asyncio to Muster](asyncio-to-muster.md) says what differs. Numbers
are those of [the semantics](semantics.md). Times are seconds.
"""
SECTIONS = [
    ("Connecting", ["connect", "AsyncClient", "Options", "RetryPolicy", "Tls"]),
    ("Futures", ["RemoteFuture", "RemotePromise", "Handle", "Payload"]),
    ("Several at once", ["wait", "gather", "as_completed", "shield", "wait_for"]),
    ("Threads and scripts", ["Client", "BlockingFuture", "BlockingPromise", "Executor"]),
    ("What the server says", ["ServerInfo", "Limits", "Function", "FutureInfo", "Progress"]),
    ("Tests", ["testing.Server", "testing.ServerError", "testing.find_musterd"]),
]
# Of the base classes, shown where they are written; and what is the library's own.
HIDDEN = {"may_block", "run", "submitter", "prepare", "submit_prepared", "begin_settling", "add_done_callback"}


def text_of(thing):
    """Its docstring as Markdown: what is indented is code, other lines are kept."""
    lines = inspect.cleandoc(thing.__doc__ or "").splitlines()
    out, code = [], False
    for line in lines:
        indented = line.startswith("    ") and not line.lstrip().startswith(("-", "*"))
        if indented and not code and (not out or not out[-1]):
            out.append("```python")
            code = True
        elif code and line and not line.startswith("    "):
            while not out[-1]:
                out.pop()
            out += ["```", ""]
            code = False
        out.append(line[4:] if code else line)
    if code:
        out.append("```")
    return "\n".join(out)


def signature(name, function):
    """On one line, without the quotes of postponed annotations and without self."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return name
    parameters = [one for one in found.parameters.values() if one.name not in ("self", "cls")]
    shown = str(found.replace(parameters=parameters))
    shown = re.sub(r"'([^']*)'", lambda match: match[1] if not shown_default(shown, match) else match[0], shown)
    return f"{name}{shown}"


def shown_default(shown, match):
    """A quoted text that is a default and not an annotation."""
    return shown[: match.start()].rstrip().endswith("=")


def members(cls):
    """(name, kind, thing) of what a class says of itself, in the order of its source."""
    for name, thing in vars(cls).items():
        if name.startswith("_") or name in HIDDEN:
            continue
        if isinstance(thing, property):
            yield name, "property", thing.fget
        elif inspect.isfunction(thing) and not hasattr(thing, "__wrapped__"):
            yield name, "async" if inspect.iscoroutinefunction(thing) else "function", thing


def fields_of(cls):
    """The fields of a dataclass with their comments, from its source."""
    source = inspect.getsource(cls)
    for field in dataclasses.fields(cls):
        line = re.search(rf"^    {field.name}: ([^=#\n]+?)(?: = ([^#\n]+?))?\s*(?:#: ?(.*))?$", source, re.MULTILINE)
        default = f" = {line[2].strip()}" if line and line[2] else ""
        comment = f": {line[3]}" if line and line[3] else ""
        yield f"- `{field.name}: {line[1].strip() if line else field.type}{default}`{comment}"


def entry(muster, path):
    thing = muster
    for part in path.split("."):
        thing = getattr(thing, part)
    name = f"muster.{path}"
    if not inspect.isclass(thing):
        word = "async " if inspect.iscoroutinefunction(thing) else ""
        yield f"### {name}\n\n`{word}{signature(path.split('.')[-1], thing)}`\n\n{text_of(thing)}\n"
        return
    bases = [base.__name__ for base in thing.__bases__ if base.__name__ not in ("object", "tuple")]
    yield f"### {name}\n" + (f"\nA {', '.join(bases)}.\n" if bases else "")
    yield text_of(thing) + "\n"
    if dataclasses.is_dataclass(thing):
        yield "\n".join(fields_of(thing)) + "\n"
    init = vars(thing).get("__init__")
    if init is not None and init.__doc__ and not dataclasses.is_dataclass(thing):
        yield f"`{signature(thing.__name__, init)}`\n\n{text_of(init)}\n"
    for member, kind, function in members(thing):
        if not function.__doc__:
            continue
        shown = member if kind == "property" else signature(member, function)
        word = "async " if kind == "async" else ""
        yield f"#### `{word}{shown}`\n\n{text_of(function)}\n"


def page():
    import muster
    import muster.testing
    from muster import errors

    parts = [HEAD]
    for title, names in SECTIONS:
        parts.append(f"## {title}\n")
        for name in names:
            parts += entry(muster, name)
    tree = inspect.cleandoc(errors.__doc__).split("\n", 1)[1].strip("\n")
    parts.append("## Exceptions\n\n" + re.sub(r"((?:^    .*\n|^\n(?=    ))+)", lambda m: f"```text\n{undent(m[1])}```\n", tree + "\n", count=1, flags=re.MULTILINE))
    for name in sorted(errors.__all__):
        cls = getattr(errors, name)
        parts.append(f"### muster.{name}\n\n{text_of(cls)}\n")
    return "\n".join(parts).rstrip() + "\n"


def undent(text):
    return "".join(line[4:] if line.startswith("    ") else line for line in text.splitlines(keepends=True)).strip("\n") + "\n"


def main(arguments):
    options = {a for a in arguments if a.startswith("--")}
    roots = [a for a in arguments if not a.startswith("--")]
    if options - {"--write", "--check"} or len(roots) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    path = os.path.join(roots[0] if roots else ".", PAGE)
    made = page()
    if "--write" in options:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(made)
        return 0
    if "--check" in options:
        with open(path, encoding="utf-8") as stream:
            if stream.read() == made:
                return 0
        print(f"{PAGE} is out of date: run docs/tools/python_reference.py --write with the package importable")
        return 1
    print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
