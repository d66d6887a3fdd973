"""What one run of a program came to, in a form that can be compared and printed."""

import asyncio
import dataclasses
from typing import Any, Dict, List, Optional, Tuple

APPLICATION, CANCELLED, TIMED_OUT = "APPLICATION", "CANCELLED", "TIMED_OUT"


class Failure(Exception):
    """What a body raises in asyncio's world."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type
        self.message = message


def describe_error(error: BaseException) -> Dict[str, Any]:
    """A failure of either world in the words of test.program's record of an error."""
    if isinstance(error, asyncio.CancelledError):
        return {"kind": CANCELLED, "type": "CancelledError", "message": str(error.args[0]) if error.args else ""}
    if isinstance(error, asyncio.TimeoutError):
        described: Dict[str, Any] = {"kind": TIMED_OUT, "type": "TimeoutError"}
        if isinstance(error.__cause__, asyncio.CancelledError):
            described["cause"] = "CancelledError"
        return described
    if hasattr(error, "type") and hasattr(error, "message"):
        return {"kind": APPLICATION, "type": error.type, "message": error.message}
    return {"kind": "PYTHON", "type": type(error).__name__, "message": str(error)}


def describe(value: Any) -> Any:
    """A result, with exceptions in their places."""
    if isinstance(value, BaseException):
        return {"raised": describe_error(value)}
    if isinstance(value, (list, tuple)):
        return [describe(one) for one in value]
    if isinstance(value, dict):
        # The text of a timeout is each world's own, and of a cause the record tells the type alone.
        return {key: one for key, one in value.items() if key != "message" or value.get("kind") != TIMED_OUT}
    if value in ("CANCELLED", "REQUESTED"):
        return "yes"  # what a body is told of its cancel: asyncio knows true and false
    if value == "ALREADY_DONE":
        return "no"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def describe_future(future: Any) -> Tuple[str, Any]:
    """(state, what came of it)."""
    if not future.done():
        return "PENDING", None
    if future.cancelled():
        try:
            future.result()
        except asyncio.CancelledError as error:
            return "CANCELLED", describe_error(error)["message"]
    exception = future.exception()
    if exception is not None:
        return "FAILED", describe_error(exception)
    return "SUCCEEDED", describe(future.result())


@dataclasses.dataclass
class Fate:
    """Of one future: how it ended, and when, in microseconds after the start."""

    state: str = "PENDING"
    outcome: Any = None
    ended: Optional[int] = None
    cancelling: Optional[int] = None  # of tasks only


@dataclasses.dataclass
class Waited:
    """What a wait gave: names in the order in which they were given (as_completed) or sorted, and when."""

    done: List[Tuple[str, int]]
    pending: List[str]


@dataclasses.dataclass
class Trace:
    fates: Dict[str, Fate] = dataclasses.field(default_factory=dict)
    answers: List[Any] = dataclasses.field(default_factory=list)  # what each step of the driver returned
    left: List[str] = dataclasses.field(default_factory=list)  # pending before the promises were cancelled at the end
    waits: Dict[str, Waited] = dataclasses.field(default_factory=dict)
    instants: List[int] = dataclasses.field(default_factory=list)  # at which something happened; for the second run
    cleared: List[Tuple[int, str]] = dataclasses.field(default_factory=list)  # promises cancelled at the end

    def to_json(self) -> Dict[str, Any]:
        """What a driver says came of a program; README.md tells what each is."""
        return {
            "fates": {
                name: {"state": fate.state, "outcome": fate.outcome, "ended_us": fate.ended, "cancelling": fate.cancelling}
                for name, fate in self.fates.items()
            },
            "answers": self.answers,
            "left": self.left,
            "waits": {name: {"done": waited.done, "pending": waited.pending} for name, waited in self.waits.items()},
        }

    @staticmethod
    def from_json(said: Dict[str, Any]) -> "Trace":
        trace = Trace(answers=said["answers"], left=sorted(said["left"]))
        for name, fate in said["fates"].items():
            trace.fates[name] = Fate(fate["state"], fate["outcome"], fate["ended_us"], fate["cancelling"])
        for name, waited in said["waits"].items():
            trace.waits[name] = Waited([(one, at) for one, at in waited["done"]], sorted(waited["pending"]))
        return trace

    def lines(self) -> List[str]:
        """To be read by people."""
        out = []
        for name in sorted(self.fates):
            fate = self.fates[name]
            when = "" if fate.ended is None else f" at {fate.ended / 1e6:.6f}"
            count = "" if not fate.cancelling else f", cancelling {fate.cancelling}"
            out.append(f"{name}: {fate.state}{when}{count} {fate.outcome!r}")
        for name in sorted(self.waits):
            waited = self.waits[name]
            given = ", ".join(f"{one} at {at / 1e6:.6f}" for one, at in waited.done)
            out.append(f"{name} gave: done [{given}], pending {waited.pending}")
        out.append(f"the driver's answers: {self.answers}")
        out.append(f"pending at last: {self.left}")
        return out
