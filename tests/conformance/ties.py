"""Ties: what happens at one instant, and which orders of it are allowed.

The generated programs keep their instants apart. Here they meet, and neither asyncio nor Muster promises who comes first;
what each world did has to be one of the outcomes that are listed.
"""

from typing import Any, Callable, List, NamedTuple

from program import (
    AsCompleted,
    Cancel,
    Gather,
    Program,
    Promise,
    SetResult,
    Shield,
    Submit,
    Wait,
    WaitFor,
)
from trace import Trace

NAP = {"op": "sleep", "seconds": 20.0}


class Tie(NamedTuple):
    name: str
    program: Program
    ask: Callable[[Trace], Any]
    allowed: List[Any]


def state(name: str) -> Callable[[Trace], Any]:
    return lambda trace: trace.fates[name].state


def order(name: str) -> Callable[[Trace], Any]:
    return lambda trace: [one for one, _ in trace.waits[name].done]


def message(name: str) -> Callable[[Trace], Any]:
    return lambda trace: trace.fates[name].outcome["message"]


def cancelling(name: str) -> Callable[[Trace], Any]:
    return lambda trace: trace.fates[name].cancelling


ALL_TIES = [
    Tie(
        "members that one cancel ends come in any order",
        Program([
            Promise(1, "p"),
            Promise(2, "q"),
            Gather(3, "g", ("p", "q"), True, True),
            AsCompleted(4, "c", ("p", "q"), None),
            Cancel(5, "g", ""),
        ]),
        order("c"),
        [["p", "q"], ["q", "p"]],
    ),
    Tie(
        "a wait for the first sees one of those that end together, or all of them",
        Program([
            Promise(1, "p"),
            Promise(2, "q"),
            Gather(3, "g", ("p", "q"), True, True),
            Wait(4, "w", ("p", "q"), None, "FIRST_COMPLETED"),
            Cancel(5, "g", ""),
        ]),
        order("w"),
        [["p"], ["q"], ["p", "q"]],
    ),
    Tie(
        "two jobs that wake up at one instant end in any order",
        Program([
            Submit(1, "a", [NAP, NAP, NAP]),
            Submit(2, "b", [NAP, NAP]),
            AsCompleted(3, "c", ("a", "b"), None),
        ]),
        order("c"),
        [["a", "b"], ["b", "a"]],
    ),
    Tie(
        "a gather passes on the failure of any member that failed first",
        Program([
            Promise(1, "p"),
            Shield(2, "s", "p", True),
            Gather(3, "g", ("p", "s"), False, False),
            Cancel(4, "p", "m"),
        ]),
        message("g"),
        ["m", ""],
    ),
    Tie(
        "a cancel that comes as the body wakes up is in time, or too late",
        Program([Submit(1, "a", [NAP, NAP]), Cancel(3, "a", "")]),
        state("a"),
        ["CANCELLED", "SUCCEEDED"],
    ),
    Tie(
        "a result that comes as a wait times out is done, or pending",
        Program([Promise(1, "p"), Wait(2, "w", ("p",), 20.0, "ALL_COMPLETED"), SetResult(3, "p", 1)]),
        order("w"),
        [[], ["p"]],
    ),
    Tie(
        "a job that ends as its wait_for times out gives its value, or the timeout",
        Program([Submit(1, "a", [NAP, NAP]), WaitFor(2, "f", "a", 20.0, True)]),
        state("f"),
        ["SUCCEEDED", "FAILED"],
    ),
    Tie(
        "a child that is cancelled right after its submit has begun, or never does",
        Program([
            Submit(
                1,
                "a",
                [
                    {"op": "submit", "name": "b", "as": "b", "input": [{"op": "swallow_cancel", "body": [NAP]}]},
                    {"op": "cancel", "id": "b", "message": "", "as": "k"},
                    {"op": "try", "body": [{"op": "await", "id": "b", "as": "v"}], "catch": "cancelled", "except": []},
                ],
            )
        ]),
        state("b"),
        ["CANCELLED", "SUCCEEDED"],
    ),
    Tie(
        "of two cancels in a row the second finds its target gone, or counts",
        Program([
            Submit(1, "a", [NAP, NAP]),
            Submit(
                2,
                "b",
                [
                    {"op": "cancel", "id": "a", "message": "", "as": "k"},
                    {"op": "cancel", "id": "a", "message": "", "as": "k"},
                ],
            ),
        ]),
        cancelling("a"),
        [1, 2],
    ),
    Tie(
        "a duplicate in a client's gather is cancelled by two requests: the second may come too late to count",
        Program([Submit(1, "a", [NAP, NAP, NAP]), Gather(2, "g", ("a", "a"), False, False), Cancel(3, "g", "")]),
        cancelling("a"),
        [1, 2],
    ),
]
