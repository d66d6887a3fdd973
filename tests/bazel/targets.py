"""Reads the targets that CMakeLists.txt and BUILD.bazel declare, for drift.py. Standard Python only.

Both readers understand what this project writes, not all of either language: calls of muster_library, muster_binary,
muster_test and muster_proto there; calls of rules with literal arguments here.
"""

import ast
import dataclasses
import re


@dataclasses.dataclass
class Target:
    kind: str  # the function or rule that declares it
    name: str
    line: int
    lists: dict  # {"SOURCES": [...]} of CMake, {"srcs": [...]} of Bazel
    text: dict = dataclasses.field(default_factory=dict)  # what is one string: SUITE, name
    spans: dict = dataclasses.field(default_factory=dict)  # {"srcs": its first and last line}, of Bazel
    last: int = 0  # its last line, of Bazel


class Unreadable(Exception):
    """A file that these readers do not understand: (line, what is wrong)."""


# ---------------------------------------------------------------------------------------------------------------------
# CMake

CMAKE_LISTS = ("SOURCES", "HEADERS", "DEPS", "FILES")
CMAKE_WORDS = ("SUITE", "TIMEOUT")
CMAKE_CALL = re.compile(r"^[ \t]*(muster_(?:library|binary|test|proto))[ \t]*\(", re.MULTILINE)
CMAKE_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[^\s()"]+')


def cmake_targets(text):
    """The targets of a CMakeLists.txt, those in an if() included."""
    text = re.sub(r"#[^\n]*", "", text)
    found = []
    for call in CMAKE_CALL.finditer(text):
        line = text.count("\n", 0, call.start()) + 1
        end = text.find(")", call.end())
        if end < 0:
            raise Unreadable(line, f"{call[1]} is not closed")
        tokens = [token.strip('"') for token in CMAKE_TOKEN.findall(text[call.end():end])]
        if not tokens:
            raise Unreadable(line, f"{call[1]} has no name")
        target = Target(call[1], tokens[0], line, {})
        current = None
        for token in tokens[1:]:
            if token in CMAKE_LISTS or token in CMAKE_WORDS:
                current = token
            elif current in CMAKE_LISTS:
                target.lists.setdefault(current, []).append(token)
            elif current in CMAKE_WORDS:
                target.text[current] = token
            elif "$" not in call[1] + target.name:
                raise Unreadable(line, f"{target.name}: '{token}' belongs to no list")
        found.append(target)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Bazel

BAZEL_LISTS = ("srcs", "hdrs", "deps", "tags", "visibility", "default_visibility", "services")


def bazel_targets(text):
    """The targets of a BUILD.bazel, in order; load() left out. Starlark's calls are Python's."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Unreadable(error.lineno, f"not readable: {error.msg}") from None
    found = []
    for statement in tree.body:
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # a docstring
            raise Unreadable(statement.lineno, "write plain calls of rules: no loops, no variables")
        call = statement.value
        kind = call.func.id if isinstance(call.func, ast.Name) else ast.unparse(call.func)
        if kind == "load":
            continue
        target = Target(kind, "", call.lineno, {}, last=call.end_lineno)
        for keyword in call.keywords:
            target.spans[keyword.arg] = (keyword.lineno, keyword.end_lineno)
            try:
                value = ast.literal_eval(keyword.value)
            except ValueError:
                if keyword.arg in BAZEL_LISTS:
                    raise Unreadable(keyword.value.lineno, f"{keyword.arg}: write a literal list") from None
                continue
            if isinstance(value, list):
                target.lists[keyword.arg] = value
            elif isinstance(value, str):
                target.text[keyword.arg] = value
        target.name = target.text.get("name", "")
        found.append(target)
    return found


def label(text, package):
    """A label in its full form: //service/core of //service/core:core, :core of package service/core."""
    if text.startswith(":"):
        return f"//{package}{text}"
    if ":" in text:
        return text
    return f"{text}:{text.rsplit('/', 1)[-1].lstrip('@')}" if "//" in text else f"{text}//:{text.lstrip('@')}"


def shortened(full, package):
    """The usual short form of a full label, as buildifier writes it."""
    folder, name = full.split(":")
    if folder == f"//{package}":
        return f":{name}"
    if folder.endswith("//"):
        return folder[:-2] if folder[:-2].lstrip("@") == name else full
    return folder if folder.rsplit("/", 1)[-1] == name else full
