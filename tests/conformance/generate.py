"""Programs, made by Hypothesis. README.md says what they leave out, and why."""

import sys
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Optional

from hypothesis import strategies as st

from program import (
    TIMERS_MAX,
    AsCompleted,
    Cancel,
    Gather,
    Program,
    Promise,
    SetException,
    SetResult,
    Shield,
    Submit,
    Wait,
    WaitFor,
    timer,
)

RETURN_WHEN = ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")
BEGUN_AT_SUBMIT = sys.version_info >= (3, 12)
UNCANCEL_WITHDRAWS = sys.version_info >= (3, 13)
DEPTH_MAX = 3


class Maker:
    """Draws one program."""

    def __init__(self, draw: Any, counts_are_read: bool) -> None:
        self._draw = draw
        self.counts_are_read = counts_are_read  # bodies ask how often they were cancelled
        self.kinds: Dict[str, str] = {}  # of the driver's handles, see `named`
        self.bodies_see: List[str] = []
        self.reach: Dict[str, FrozenSet[str]] = {}  # what a cancel of it may come to
        self.timers = 0
        self.numbers = 0

    def pick(self, count: int) -> int:
        return int(self._draw(st.integers(0, count - 1)))

    def chance(self, percent: int) -> bool:
        return self.pick(100) >= 100 - percent

    def one_of(self, values: Any) -> Any:
        return values[self.pick(len(values))]

    def new_name(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers}"

    def timer(self, units_max: int = 4) -> Optional[float]:
        if self.timers == TIMERS_MAX:
            return None
        self.timers += 1
        return timer(self.pick(units_max + 1), self.timers - 1)

    def timeout(self) -> Optional[float]:
        kind = self.pick(8)
        if kind == 0:
            return None
        if kind == 1:
            return float(-self.pick(2))
        return self.timer()

    def message(self) -> str:
        return str(self.one_of(("", "m", "n")))

    # --- bodies -----------------------------------------------------------------------------------------------------

    def body(self, depth: int) -> List[Any]:
        maker = BodyMaker(self, depth)
        return maker.reacting() if self.chance(40) else maker.steps(1, 5)

    # --- the driver -------------------------------------------------------------------------------------------------

    def of_kinds(self, *kinds: str) -> List[str]:
        return [name for name, kind in self.kinds.items() if kind in kinds]

    def members(self, names: List[str]) -> Any:
        return tuple(self.one_of(names) for _ in range(1 + self.pick(5)))

    def program(self) -> Program:
        steps: List[Any] = []
        at = 0
        sources = 1 + self.pick(4)
        for number in range(sources + 1 + self.pick(10)):
            at += 1 + (self.pick(3) if self.chance(40) else 0)
            steps.append(self.source(at) if number < sources else self.step(at))
            made = getattr(steps[-1], "name", "")
            if self.kinds.get(made) != "shared" and not made.startswith("p") and self.chance(30):
                at += 1
                steps.append(Cancel(at, self.one_of(self.cancellable()[-2:]), self.message()))
        return Program(steps)

    def cancellable(self) -> List[str]:
        return self.of_kinds("promise", "remote", "withdrawn", "future", "task")

    def step(self, at: int) -> Any:
        futures = self.of_kinds("promise", "remote", "withdrawn", "future", "shared")
        if not futures:
            return self.source(at)
        kind = self.pick(20)
        if kind < 3:
            return self.source(at)
        if kind < 6:
            return Cancel(at, self.one_of(self.cancellable() or futures), self.message())
        if kind < 8:
            return self.settling(at) or self.source(at)
        return self.combining(at, kind, futures)

    def source(self, at: int) -> Any:
        if not self.chance(75):
            return Promise(at, self.named("p", "promise"))
        body = self.body(0)
        cancel = self.message() if self.chance(6) else None
        name = self.named("t", "remote" if cancel is None else "withdrawn", ids_in(body))
        return Submit(at, name, body, cancel)

    def settling(self, at: int) -> Any:
        promises = self.of_kinds("promise")
        if not promises:
            return None
        if self.pick(3) == 2:
            return SetException(at, self.one_of(promises), self.one_of(("Boom", "Crash")), self.message())
        return SetResult(at, self.one_of(promises), self.pick(3))

    def combining(self, at: int, kind: int, futures: List[str]) -> Any:
        if kind in (17, 18):
            return Wait(at, self.named("w", "task"), self.members(futures), self.timeout(), self.one_of(RETURN_WHEN))
        if kind == 19:
            return AsCompleted(at, self.named("c", "task"), self.members(futures), self.timeout())
        remote = self.chance(50)
        futures = list(self.bodies_see) if remote else self.of_kinds("promise", "remote", "withdrawn", "future")
        if not futures:
            return self.source(at)
        if kind < 12:
            return self.gather(at, futures, remote)
        member = self.one_of(futures)
        if kind < 14:
            return Shield(at, self.named("s", "remote" if remote else "future", [member]), member, remote)
        return WaitFor(at, self.named("f", "remote" if remote else "task", [member]), member, self.timeout(), remote)

    def gather(self, at: int, futures: List[str], remote: bool) -> Gather:
        members = self.members(futures) if self.chance(95) else ()
        kind = "remote"
        if not remote:
            if self.chance(80):
                members = self.apart(members)
            reached = [name for member in members for name in self.reach[member]]
            kind = "future" if len(set(reached)) == len(reached) else "shared"
        return Gather(at, self.named("g", kind, members), members, self.chance(40), remote)

    def apart(self, members: Any) -> Any:
        """Those that share nothing with one before them: a client's gather of them can be cancelled (README.md)."""
        kept: List[str] = []
        reached: FrozenSet[str] = frozenset()
        for member in members:
            if not reached & self.reach[member]:
                kept.append(member)
                reached |= self.reach[member]
        return tuple(kept)

    def named(self, prefix: str, kind: str, of: Iterable[str] = ()) -> str:
        name = self.new_name(prefix)
        self.kinds[name] = kind
        self.reach[name] = frozenset({name}).union(*(self.reach.get(one, frozenset()) for one in of))
        if kind in ("promise", "remote"):
            self.bodies_see.append(name)
        return name


def ids_in(steps: Any) -> Iterator[str]:
    """Everything that a body names."""
    for step in steps:
        if "id" in step:
            yield step["id"]
        yield from step.get("ids", ())
        for key in ("body", "except", "finally", "input"):
            yield from ids_in(step.get(key, ()))


class BodyMaker:
    """The steps of one body, which knows the driver's futures made before it and its own."""

    def __init__(self, maker: Maker, depth: int) -> None:
        self.maker = maker
        self.depth = depth
        self.known = list(maker.bodies_see)
        self.results: List[str] = []

    def steps(self, least: int, most: int, nested: int = 0) -> List[Any]:
        known = list(self.known)
        made: List[Any] = []
        for _ in range(least + self.maker.pick(most - least + 1)):
            step = self.step(nested)
            made += step
            if step and step[-1]["op"] in ("return", "raise", "raise_cancelled"):
                break
        if nested:
            self.known = known  # a name given in a block may not have been given when the block is over
        return made

    def reacting(self) -> List[Any]:
        """A body that lasts until it is cancelled, most likely, and makes something of that."""
        maker = self.maker
        nap = self.sleep(12)
        if self.known and maker.chance(50):
            nap = [{"op": "await", "id": maker.one_of(self.known), "as": self.result("v")}]
        told = maker.one_of(("error", "cancelling"))
        handler: List[Any] = [{"op": "record", "what": told if maker.counts_are_read else "error"}]
        handler += self.sleep(2) if maker.chance(50) else []
        handler += [self.end()] if maker.chance(70) else []
        return [{"op": "try", "catch": maker.one_of(("cancelled", "all")), "body": nap, "except": handler}]

    def step(self, nested: int) -> List[Any]:
        maker = self.maker
        kind = maker.pick(24)
        if kind < 5:
            return self.sleep()
        if kind < 9 and self.known:
            return [{"op": "await", "id": maker.one_of(self.known), "as": self.result("v")}]
        if kind < 12 and nested < DEPTH_MAX:
            return [self.try_(nested)]
        if kind < 13 and nested < DEPTH_MAX:
            return [{"op": "swallow_cancel", "body": self.steps(1, 2, nested + 1)}]
        if kind < 15:
            return [self.record()]
        if kind < 16:
            return [self.end()]
        if kind < 18:
            return self.cancel()
        if kind == 18 and UNCANCEL_WITHDRAWS and maker.counts_are_read:
            return [{"op": "uncancel", "as": self.result("u")}]
        return self.made(kind)

    def sleep(self, units_max: int = 4) -> List[Any]:
        seconds = self.maker.timer(units_max)
        return [] if seconds is None else [{"op": "sleep", "seconds": seconds}]

    def result(self, prefix: str) -> str:
        name = self.maker.new_name(prefix)
        self.results.append(name)
        return name

    def try_(self, nested: int) -> Any:
        maker = self.maker
        made = {"op": "try", "catch": maker.one_of(("cancelled", "error", "all")), "body": self.steps(1, 3, nested + 1)}
        made["except"] = [{"op": "record", "what": "error"}] if maker.chance(60) else []
        made["except"] += self.steps(0, 2, nested + 1)
        if maker.chance(25):
            made["finally"] = self.steps(1, 2, nested + 1)
        return made

    def record(self) -> Any:
        kind = self.maker.pick(4)
        if kind == 0 and self.maker.counts_are_read:
            return {"op": "record", "what": "cancelling"}
        if kind == 1:
            return {"op": "record", "what": "seconds"}
        if kind == 2 and self.results:
            return {"op": "record", "what": "result", "of": self.maker.one_of(self.results)}
        return {"op": "record", "value": self.maker.pick(3)}

    def end(self) -> Any:
        kind = self.maker.pick(4)
        if kind == 0:
            return {"op": "return"}
        if kind == 1:
            return {"op": "return", "value": self.maker.pick(3)}
        if kind == 2:
            return {"op": "raise", "type": self.maker.one_of(("Boom", "Crash")), "message": self.maker.message()}
        return {"op": "raise_cancelled", "message": self.maker.message()}

    def cancel(self) -> List[Any]:
        target = self.maker.one_of(["self", *self.known])
        made = {"op": "cancel", "id": target, "message": self.maker.message(), "as": self.result("k")}
        return [made] if target == "self" else self.paused(made)

    def paused(self, made: Any) -> List[Any]:
        """What sets others going is followed by a pause: whether they come before the body's next step is a tie."""
        pause = self.sleep()
        return [made, *pause] if pause else []

    def made(self, kind: int) -> List[Any]:
        maker = self.maker
        if kind < 21:
            if self.depth >= 2:
                return self.sleep()
            name = maker.new_name("t")
            child: Dict[str, Any] = {"op": "submit", "input": maker.body(self.depth + 1), "name": name, "as": name}
            made = self.paused(child)
            if made:
                self.known.append(name)
            return made
        name = maker.new_name("b")
        if not self.known:
            made = {"op": "promise"}
        elif kind == 21:
            ids = [maker.one_of(self.known) for _ in range(1 + maker.pick(3))]
            made = {"op": "gather", "ids": ids, "return_exceptions": maker.chance(40)}
        elif kind == 22 or not BEGUN_AT_SUBMIT:
            made = {"op": "shield", "id": maker.one_of(self.known)}
        else:
            made = {"op": "wait_for", "id": maker.one_of(self.known)}
            timeout = maker.timeout()
            if timeout is not None:
                made["timeout_seconds"] = timeout
        made["as"] = name
        steps = self.paused(made) if made.get("timeout_seconds", 1) <= 0 else [made]
        if steps:
            self.known.append(name)
        return steps


@st.composite
def programs(draw: Any, counts_are_read: bool = True) -> Program:
    return Maker(draw, counts_are_read).program()
