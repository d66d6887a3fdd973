#!/usr/bin/env python3
"""The project's rules that neither compiler nor formatter checks, by reading the sources.

usage: tidy.py [ROOT]

Prints `file:line: rule: what is wrong` for each breach, then one line that counts rules, and exits 1 on a breach.
A rule is a function that takes a File and yields (line number, message); RULES lists them. Each has a case in
tidy_test.py in which it fails. Exceptions stand in ALLOWED below, with their reason, and nowhere else.
"""

import fnmatch
import os
import re
import subprocess
import sys

# Who may include whom below service/. The build refuses a wrong link; this refuses a wrong header.
ARROWS = {
    "base": set(),
    "coro": {"base"},
    "executor": {"base", "coro"},
    "values": {"base"},
    "core": {"base", "values"},
    "store": {"base"},
    "rows": {"base", "values", "core"},
    "audit": {"base", "values", "core", "store", "rows"},
    "metrics": {"base"},
    "jobs": {"base", "coro", "executor", "values", "core"},
    "functions": {"base", "coro", "executor", "values", "core", "jobs"},
    "dispatch": {"base", "coro", "executor", "values", "core", "jobs"},
    "runtime": {"base", "coro", "executor", "values", "core", "store", "rows", "jobs", "dispatch"},
    "wire": {"base", "values", "core", "jobs", "dispatch"},
    "verbs": {"base", "coro", "values", "core", "jobs", "dispatch", "runtime", "wire"},
    "grpc": {"base", "coro", "executor", "values", "runtime", "wire", "verbs"},
    "http": {"base"},
    "app": {"base", "coro", "executor", "values", "core", "store", "rows", "jobs", "dispatch", "functions", "runtime", "verbs", "grpc", "http"},
}
# metrics is usable everywhere but where a count would be a side effect (the core's effects say what happened) or an
# arrow in a circle.
NO_METRICS = {"base", "coro", "values", "core"}
# What the C++ clients may use of the service's libraries: the parts that know nothing of a server.
CLIENT_MAY_USE = {"base", "coro", "executor", "values"}
# The command alone may also open a store: `muster admin` verifies, compacts and restores where no server runs.
COMMAND_MAY_USE = CLIENT_MAY_USE | {"store", "rows", "core", "audit"}

LINES_MAX = 700
# Below service/ and client/cpp: of a file, of the conductor's two files, and of the C++ files that lie flat in a folder.
SERVICE_LINES_MAX = 500
CONDUCTOR_LINES_MAX = 250
FOLDER_FILES_MAX = 20

# The rooms of service/core, from the bottom: a header may use its own room and those before it.
CORE_ROOMS = ["door", "futures", "interest", "record", "kinds", "objects"]
# Of the files above the rooms: what every header may use, what a source may call, and what a kind's header may too.
CORE_LEAVES = {"shard_options.h"}
CORE_CALLED = {"turn.h", "completion.h"}
# What the rest of the service may use of the core.
CORE_OPEN = re.compile(r"service/core/(?:door/|shard\.h|shard_options\.h|kinds/kind\.h|record/(?:record|damage)\.h)")

# Rules that are run and shown but fail nothing yet, with what has to happen first.
PENDING = {}

# (rule, path pattern, reason). A pattern is matched against the path from the root.
ALLOWED = [
    ("clock", "service/base/clock.*", "the one place that reads the machine's clocks"),
    ("clock", "service/base/mutex.h", "a condition variable's deadline is the machine's by nature"),
    ("clock", "tests/unit/app/tls_test.cc", "certificates are read again, and handshakes made, in the machine's time"),
    ("unit-sleep", "tests/unit/app/tls_test.cc", "gRPC looks at its certificates once a second"),
    ("thread", "service/base/*", "base::Thread is made here"),
    ("grpc", "service/jobs/json.cc", "JSON payloads are google.protobuf.Value, read lazily by jobs"),
    ("flat", "service/base", "22 small things, each a word of its own; what joins them goes elsewhere"),
    ("limits", "service/app/settings/config_load.cc", "halves a limit to fit the container, and says so"),
    ("limits", "service/app/server.cc", "says at the start what that limit has become"),
    ("words", "tests/tidy/*", "the rule itself and its test"),
    ("workplace", "tests/tidy/*", "the rule itself and its test"),
]

CPP = (".cc", ".h")
SOURCES = CPP + (".proto", ".py", ".sh", ".ts", ".js", ".go", ".cmake", ".yaml", ".yml")
COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


class File:
    """One text file: its path from the root, its text, and for C++ its code without comments and strings."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.is_cpp = path.endswith(CPP)
        self._code = None

    @property
    def code(self):
        if self._code is None:
            blank = lambda match: "\n" * match.group().count("\n")
            self._code = COMMENT_OR_STRING.sub(blank, self.text).splitlines()
        return self._code

    @property
    def includes(self):
        """(line number, is quoted, path) of each include, if this is C++."""
        if not self.is_cpp:
            return
        for match in INCLUDE.finditer(self.text):
            yield self.text.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)

    def under(self, *folders):
        return self.path.startswith(tuple(folder + "/" for folder in folders))


def search_code(file, pattern, message):
    if file.is_cpp:
        for number, line in enumerate(file.code, 1):
            match = pattern.search(line)
            if match:
                yield number, message.format(match.group().strip())


def arrows(file):
    """Includes follow the arrows of the design."""
    parts = file.path.split("/")
    for number, _, included in file.includes:
        target = included.split("/")
        if target[0] != "service" or len(target) < 3:
            continue
        if parts[0] == "service":
            own, other = parts[1], target[1]
            if own not in ARROWS:
                yield number, f"service/{own} has no place in the arrows of tests/tidy/tidy.py"
            elif other == "metrics" and own not in NO_METRICS:
                continue
            elif other != own and other not in ARROWS[own]:
                yield number, f"service/{own} must not include service/{other}"
        elif parts[0] == "client" and target[1] not in (COMMAND_MAY_USE if parts[1] == "cli" else CLIENT_MAY_USE):
            yield number, f"a client must not include service/{target[1]}"


def grpc(file):
    """gRPC stays in its front, generated messages at the edge."""
    if file.under("service/grpc", "service/app", "client", "tests", "docs"):
        return
    edge = file.under("service/wire", "service/verbs")
    for number, _, included in file.includes:
        if included.startswith(("grpc/", "grpcpp/")) or included.endswith(".grpc.pb.h"):
            yield number, f"{included} belongs into service/grpc, service/app, client or tests"
        elif not edge and (included.startswith("google/protobuf/") or included.endswith(".pb.h")):
            yield number, f"{included} belongs into service/wire, service/verbs, service/grpc, service/app, client or tests"


def foreign_headers(file):
    """What one of the two generations of libraries that the project builds on does not have."""
    for number, _, included in file.includes:
        if included.startswith(("absl/log/", "grpc/impl/codegen", "grpcpp/impl/codegen")) or included in (
            "absl/status/status_matchers.h",
            "expected",
            "format",
        ):
            yield number, f"{included} is missing in one of the supported library versions"


def include_form(file):
    """Project includes are written from the root; there is no way up."""
    for number, quoted, included in file.includes:
        if ".." in included.split("/"):
            yield number, f"{included} climbs; write includes from the project's root"
        elif quoted and "/" not in included:
            yield number, f'"{included}" is relative; write includes from the root of the project'


def thread(file):
    """Threads are made by base::Thread alone, so that each is named and joined."""
    pattern = re.compile(r"\bstd::(?:jthread|async|thread(?!::(?:hardware_concurrency|id)\b))\b|\bpthread_create\b")
    yield from search_code(file, pattern, "{}: use base::Thread")


def clock(file):
    """Time is injected: whoever needs it is given a base::Clock."""
    pattern = re.compile(
        r"\b(?:system_clock|steady_clock|high_resolution_clock)::now\b|\babsl::Now\b|\bgettimeofday\b"
        r"|\bclock_gettime\b|\bstd::time\s*\(|\bgpr_now\b"
    )
    # Outside the unit tests real servers run, and an RPC's deadline is the machine's time.
    if file.under("service", "client", "tests/unit"):
        yield from search_code(file, pattern, "{}: take a base::Clock")


def unit_sleep(file):
    """A unit test waits for events or moves a virtual clock; it never sleeps."""
    if file.under("tests/unit"):
        yield from search_code(file, re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|AbslSleepFor)\b"), "{} in a unit test")


def pragma_once(file):
    """Every header is guarded the same way."""
    if file.path.endswith(".h") and "#pragma once" not in file.lines:
        yield 1, "no `#pragma once`"


def lines(file):
    """One idea a file."""
    if file.path.endswith(SOURCES) and len(file.lines) > LINES_MAX:
        yield len(file.lines), f"{len(file.lines)} lines; a file has at most {LINES_MAX}"


def service_lines(file):
    """What people read most stays readable in one sitting; the conductor of the core most of all."""
    if file.is_cpp and file.under("service", "client/cpp"):
        most = CONDUCTOR_LINES_MAX if file.path in ("service/core/shard.h", "service/core/shard.cc") else SERVICE_LINES_MAX
        if len(file.lines) >= most:
            yield len(file.lines), f"{len(file.lines)} lines; this file has fewer than {most}"


def core_rooms(file):
    """Headers of the core's rooms follow the rooms' order; a source may call upwards, but only a kind or through the turn."""
    if not file.under("service/core"):
        return
    own, _, name = file.path.removeprefix("service/core/").rpartition("/")
    if not own:
        return
    own = own.split("/")[0]
    if own not in CORE_ROOMS:
        yield 1, f"service/core/{own} is none of the rooms {', '.join(CORE_ROOMS)}"
        return
    below = CORE_ROOMS[: CORE_ROOMS.index(own) + 1]
    calls = name.endswith(".cc") or own in ("kinds", "objects")
    for number, _, included in file.includes:
        if not included.startswith("service/core/"):
            continue
        room, _, used = included.removeprefix("service/core/").rpartition("/")
        if not room:
            fine = used in CORE_LEAVES or calls and used in CORE_CALLED
        else:
            fine = room.split("/")[0] in (below + ["kinds"] if name.endswith(".cc") else below)
        if not fine:
            yield number, f"service/core/{own} must not include {included}"


def core_door(file):
    """The rest of the service speaks to the core through its door, the conductor and the form of its records."""
    if file.under("service", "client") and not file.under("service/core"):
        for number, _, included in file.includes:
            if included.startswith("service/core/") and not CORE_OPEN.match(included):
                yield number, f"{included} is the core's own; outside it is known by its door"


def kinds(file):
    """What differs by the kind of a future stands in its row of the table, service/core/kinds: nobody else switches."""
    if file.under("service") and not file.under("service/core/kinds", "service/wire"):
        yield from search_code(file, re.compile(r"\bcase\s+(?:\w+::)*FutureKind::\w+"), "{}: a row of service/core/kinds")
    if file.under("service/core") and not file.under("service/core/kinds"):
        pattern = re.compile(r"\bstatic_cast<[^<>]*>\((?:\w+(?:\.|->))*(?:future_)?kind\)")
        yield from search_code(file, pattern, "{}: ask the kind's row, service/core/kinds")


def void_pointer(file):
    """An owner is a type."""
    if file.under("service/core"):
        yield from search_code(file, re.compile(r"\bvoid\s*\*"), "{}: a variant, or a type of its own")


def words(file):
    """Work is done, or written down as an issue; not promised in the source."""
    pattern = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    for number, line in enumerate(file.lines, 1):
        match = pattern.search(line)
        if match:
            yield number, f"{match.group()}: do it, or file it"


def workplace(file):
    """Nothing of the machine it was written on."""
    pattern = re.compile(r"(?<![\w.$}])/(?:work|home/\w+|Users/\w+)/(?=\w)")
    for number, line in enumerate(file.lines, 1):
        if pattern.search(line):
            yield number, "a path of somebody's machine"
    if file.path.endswith("package-lock.json"):
        for number, line in enumerate(file.lines, 1):
            if '"resolved": "http' in line:
                yield number, "a registry's address (npm config: omit-lockfile-registry-resolved)"
                break


RULES = {
    "arrows": arrows,
    "grpc": grpc,
    "foreign-headers": foreign_headers,
    "include-form": include_form,
    "thread": thread,
    "clock": clock,
    "unit-sleep": unit_sleep,
    "pragma-once": pragma_once,
    "lines": lines,
    "service-lines": service_lines,
    "core-rooms": core_rooms,
    "core-door": core_door,
    "kinds": kinds,
    "void-pointer": void_pointer,
    "words": words,
    "workplace": workplace,
}


def readmes(paths):
    """Every folder of service/ says in a few lines what it is for. A rule over the tree, not over one file."""
    folders = {"/".join(path.split("/")[:2]) for path in paths if path.startswith("service/") and path.count("/") >= 2}
    for folder in sorted(folders):
        if f"{folder}/README.md" not in paths:
            yield folder, 1, "no README.md"


def listed(paths, read):
    """Every source is named in the CMakeLists.txt of its folder: none is dead, no header is missing when installed."""
    for path in paths:
        if path.startswith(("service/", "client/")) and path.endswith(CPP):
            folder, name = os.path.split(path)
            while folder and f"{folder}/CMakeLists.txt" not in paths:
                folder, last = os.path.split(folder)
                name = f"{last}/{name}"
            if not folder or not re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w.-])", read(f"{folder}/CMakeLists.txt")):
                yield path, 1, "no CMakeLists.txt lists it"


def flat(paths):
    """A folder holds what one can take in at a glance; what is more is divided."""
    counts = {}
    for path in paths:
        if path.startswith(("service/", "client/cpp/")) and path.endswith(CPP):
            folder = os.path.dirname(path)
            counts[folder] = counts.get(folder, 0) + 1
    for folder, count in sorted(counts.items()):
        if count > FOLDER_FILES_MAX:
            yield folder, 1, f"{count} C++ files lie here; a folder has at most {FOLDER_FILES_MAX}"


LIMITS, LIMITS_WIRE, LIMITS_PAGE = (
    "service/values/limits.h", "proto/muster/v1/future_service.proto", "docs/reference/configuration.md")
LIMIT = re.compile(r"^\s*X\((\w+),", re.MULTILINE)
WIRE_LIMITS = re.compile(r"^message Limits \{(.*?)^\}", re.MULTILINE | re.DOTALL)
WIRE_FIELD = re.compile(r"^\s*[\w.]+ (\w+) = \d+;", re.MULTILINE)
LIMIT_OPTION = re.compile(r"""["']limits\.(\w+)""")


def limits(paths, read):
    """A limit stands in MUSTER_LIMITS; the wire has a field of its name, its page a row, and no other file lists it."""
    if LIMITS not in paths:
        return
    names = LIMIT.findall(read(LIMITS))
    if not names:
        yield LIMITS, 1, "no list MUSTER_LIMITS(X) of rows X(name, ...)"
        return
    message = WIRE_LIMITS.search(read(LIMITS_WIRE)) if LIMITS_WIRE in paths else None
    fields = WIRE_FIELD.findall(message[1]) if message else []
    for name in sorted(set(names) - set(fields)):
        yield LIMITS_WIRE, 1, f"message Limits has no {name}, which {LIMITS} lists"
    for name in sorted(set(fields) - set(names)):
        yield LIMITS, 1, f"no {name}, which message Limits of the protocol has"
    page = read(LIMITS_PAGE) if LIMITS_PAGE in paths else ""
    for name in names:
        if f"limits.{name}" not in page:
            yield LIMITS_PAGE, 1, f"no limits.{name}, which {LIMITS} lists"
    for path in sorted(paths):
        if path.startswith("service/") and path.endswith(CPP) and path != LIMITS:
            named = sorted(set(LIMIT_OPTION.findall(read(path))) & set(names))
            if named:
                yield path, 1, f"names limits.{named[0]}; options of limits are made from the list in {LIMITS}"


TREE_RULES = {"readme": lambda paths, _: readmes(paths), "listed": listed, "flat": lambda paths, _: flat(paths), "limits": limits}


def is_allowed(rule, path):
    return any(rule == name and fnmatch.fnmatch(path, pattern) for name, pattern, _ in ALLOWED)


def project_files(root):
    """What git knows or would add; without git, what is there outside build and hidden folders."""
    try:
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True,
        ).stdout.decode()
        found = [path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, subfolders, names in os.walk(root):
            subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in ("build", "node_modules")]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(path for path in set(found) if os.path.isfile(os.path.join(root, path)))


def check(root):
    """All breaches below root, as (path, line, rule, message)."""
    paths = project_files(root)

    def read(path):
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            return stream.read()

    breaches = []
    for name, rule in TREE_RULES.items():
        breaches += [(path, number, name, message) for path, number, message in rule(set(paths), read)
                     if not is_allowed(name, path)]
    for path in paths:
        try:
            file = File(path, read(path))
        except UnicodeDecodeError:
            continue  # a picture, a fuzz corpus
        for name, rule in RULES.items():
            if not is_allowed(name, path):
                breaches += [(path, number, name, message) for number, message in rule(file)]
    return sorted(breaches)


def main(arguments):
    root = arguments[0] if arguments else "."
    breaches = check(root)
    for path, number, rule, message in breaches:
        print(f"{path}:{number}: {rule}: {message}{' (pending)' if rule in PENDING else ''}")
    broken = {rule for _, _, rule, _ in breaches} - set(PENDING)
    rules = len(RULES) + len(TREE_RULES)
    print(f"{rules - len(broken)} passed, {len(broken)} failed, 0 skipped")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
