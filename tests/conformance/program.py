"""The programs that are run twice: a script for a driver, and bodies written for the function `test.program`.

    Program([
        Promise(1, "p"),
        Submit(2, "a", [{"op": "await", "id": "p", "as": "v"}, {"op": "return", "value": 1}]),
        Cancel(3, "a", "enough"),
    ])

A step happens at its own instant, a whole number of units of time. A timer (a sleep of a body, a timeout) takes whole
units and a fraction of its own, a power of two in microseconds that no other timer of the program has: so whatever
waits for whatever, no two timers ever fire at one instant, and none at a step's.

A Program's repr is Python that makes it again; `to_steps` and `from_steps` are the same for JSON, in a form that is made
for drivers in any language (README.md).
"""

import dataclasses
import json
import re
from typing import Any, List, Optional, Tuple

UNIT = 20.0  # seconds
TIMERS_MAX = 24  # 2**24 microseconds are less than a unit
GRACE = 3600.0  # the most that the server takes; nothing in a program lasts so long


def timer(units: int, number: int) -> float:
    """The seconds of timer `number` of a program."""
    return units * UNIT + 2**number / 1e6


def micros(seconds: float) -> int:
    return round(seconds * 1e6)


@dataclasses.dataclass(frozen=True)
class Step:
    at: int  # units after the start


@dataclasses.dataclass(frozen=True)
class Submit(Step):
    """A task, or a job that runs test.program. With `cancel`, that is asked for in the same turn (semantics 7)."""

    name: str
    body: List[Any]
    cancel: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Promise(Step):
    name: str


@dataclasses.dataclass(frozen=True)
class SetResult(Step):
    target: str
    value: Any


@dataclasses.dataclass(frozen=True)
class SetException(Step):
    target: str
    type: str
    message: str


@dataclasses.dataclass(frozen=True)
class Cancel(Step):
    target: str
    message: str


@dataclasses.dataclass(frozen=True)
class Gather(Step):
    """`remote`: a future of the server's (submit_gather), else the client library's own."""

    name: str
    members: Tuple[str, ...]
    return_exceptions: bool
    remote: bool


@dataclasses.dataclass(frozen=True)
class Shield(Step):
    name: str
    member: str
    remote: bool


@dataclasses.dataclass(frozen=True)
class WaitFor(Step):
    name: str
    member: str
    timeout: Optional[float]
    remote: bool


@dataclasses.dataclass(frozen=True)
class Wait(Step):
    name: str
    members: Tuple[str, ...]
    timeout: Optional[float]
    return_when: str


@dataclasses.dataclass(frozen=True)
class AsCompleted(Step):
    name: str
    members: Tuple[str, ...]
    timeout: Optional[float]


def snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


KINDS = {
    kind.__name__: kind
    for kind in (Submit, Promise, SetResult, SetException, Cancel, Gather, Shield, WaitFor, Wait, AsCompleted)
}

STEPS = {snake(name): kind for name, kind in KINDS.items()}


@dataclasses.dataclass(frozen=True)
class Program:
    steps: List[Step]

    def __repr__(self) -> str:
        lines = []
        for step in self.steps:
            values = ", ".join(repr(getattr(step, field.name)) for field in dataclasses.fields(step))
            lines.append(f"    {type(step).__name__}({values}),\n")
        return "Program([\n" + "".join(lines) + "])"

    def to_steps(self) -> List[Any]:
        """For JSON: {"step": "set_result", "at_us": 20000000, "target": "p", "value": 1} and so on."""
        made = []
        for step in self.steps:
            fields = {key: value for key, value in vars(step).items() if key != "at"}
            made.append({"step": snake(type(step).__name__), "at_us": micros(step.at * UNIT), **fields})
        return made

    @staticmethod
    def from_steps(steps: List[Any]) -> "Program":
        made = []
        for step in steps:
            fields = dict(step)
            kind = STEPS[fields.pop("step")]
            at = fields.pop("at_us") // micros(UNIT)
            if "members" in fields:
                fields["members"] = tuple(fields["members"])
            made.append(kind(at=at, **fields))
        return Program(made)


def parse(text: str) -> Program:
    """Of a file: what was printed, as Python, or what was exported, as JSON."""
    if text.lstrip().startswith("{"):
        return Program.from_steps(json.loads(text)["program"])
    made = eval(text, {"__builtins__": {}}, {**KINDS, "Program": Program})  # noqa: S307  the caller's own file
    assert isinstance(made, Program)
    return made
