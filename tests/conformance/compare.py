"""What has to be equal between the two runs of a program.

What happens at one instant has no order that both worlds must keep. Two rules follow, and README.md gives the reasons:
which members a wait sees of those that end at the very instant at which it ends, and whose failure a gather passes on
when several members fail at one instant. After the second the program is compared no further (`first_tie`).

With several loops one cancel may come to a job by ways of different length, and the job may have ended before the last:
there `cancelling` may be less than asyncio's, but not 0 instead of more, and never more.
"""

import math
from typing import Any, List

from program import Gather, Program, Wait
from trace import Trace


def first_tie(program: Program, local: Trace) -> float:
    """When a gather first failed by several members at once that failed differently; infinity if never."""
    tie = math.inf
    for step in program.steps:
        if not isinstance(step, Gather) or step.name not in local.fates:
            continue
        gather = local.fates[step.name]
        failed: List[Any] = []
        for name in set(step.members):
            fate = local.fates[name]
            if fate.ended == gather.ended and fate.state in ("FAILED", "CANCELLED"):
                failed.append(fate.outcome if fate.state == "FAILED" else ("cancelled", fate.outcome))
        if gather.ended is not None and any(one != failed[0] for one in failed):
            tie = min(tie, gather.ended)
    return tie


def differences(program: Program, local: Trace, wire: Trace, counts_are_exact: bool = True) -> List[str]:
    """A line for each; none when the wire did as asyncio does."""
    found: List[str] = []
    tie = first_tie(program, local)

    def check(what: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            found.append(f"{what}: asyncio {ours!r}, Muster {theirs!r}")

    if tie == math.inf:
        check("the driver's answers", local.answers, wire.answers)
        check("pending at last", local.left, wire.left)
        check("futures", sorted(local.fates), sorted(wire.fates))
        check("waits", sorted(local.waits), sorted(wire.waits))
    for name, fate in local.fates.items():
        other = wire.fates.get(name)
        if other is None or (tie < math.inf and (fate.ended is None or fate.ended >= tie)):
            continue
        check(f"{name} ended", (fate.state, fate.ended), (other.state, other.ended))
        check(f"{name} came to", fate.outcome, other.outcome)
        if fate.cancelling is not None:
            low_enough = other.cancelling is not None and min(1, fate.cancelling) <= other.cancelling <= fate.cancelling
            if counts_are_exact or not low_enough:
                check(f"{name}'s cancelling count", fate.cancelling, other.cancelling)
        if name in local.waits and name in wire.waits:
            compare_waits(check, program, name, local, wire)
    return found


def compare_waits(check: Any, program: Program, name: str, local: Trace, wire: Trace) -> None:
    ours, theirs = local.waits[name], wire.waits[name]
    together: List[str] = []
    if any(isinstance(step, Wait) and step.name == name for step in program.steps):
        # Which of those that end at the very instant at which the wait does are seen by it is a tie.
        ended = local.fates[name].ended
        together = [one for one in [*ours.pending, *(one for one, _ in ours.done)] if local.fates[one].ended == ended]
        if len(together) == 1:
            together = []
        check(f"{name} found something", bool(ours.done), bool(theirs.done))
    check(f"{name}'s pending", without(ours.pending, together), without(theirs.pending, together))
    check(
        f"{name} gave",
        sorted((at, one) for one, at in ours.done if one not in together),
        sorted((at, one) for one, at in theirs.done if one not in together),
    )


def without(names: List[str], left_out: List[str]) -> List[str]:
    return [name for name in names if name not in left_out]
