"""A program on CPython's asyncio: its futures, tasks and functions as they are, on a loop whose time is virtual.

Time is counted in microseconds, as whole numbers, and jumps to the next timer when nothing is left to do.
"""

import asyncio
import sys
from typing import Any, Dict, List, Optional, Tuple

from asyncio313 import as_completed, wait_for
from program import (
    UNIT,
    AsCompleted,
    Cancel,
    Gather,
    Program,
    Promise,
    SetException,
    SetResult,
    Shield,
    Step,
    Submit,
    Wait,
    WaitFor,
    micros,
)
from trace import Fate, Failure, Trace, Waited, describe_error, describe_future

EAGER = sys.version_info >= (3, 12)


class VirtualLoop(asyncio.BaseEventLoop):
    """Ends its run when nothing is ready and no timer is set."""

    def __init__(self) -> None:
        super().__init__()
        self._clock_resolution = 0.5  # a timer is due at its own instant, and no sooner
        self._selector: Any = self
        self.now = 0
        self.instants: List[int] = []

    def time(self) -> float:
        return self.now

    def select(self, timeout: Optional[float]) -> List[Any]:
        if timeout is None:
            self.stop()
        elif timeout > 0:
            self.now = self._scheduled[0]._when  # type: ignore[attr-defined]
            self.instants.append(self.now)
        return []

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class Body:
    """test.program's steps, as a coroutine."""

    def __init__(self, world: "LocalWorld") -> None:
        self.world = world
        self.start = world.loop.now
        self.names: Dict[str, Any] = {}
        self.results: Dict[str, Any] = {}
        self.records: List[Any] = []
        self.error: Any = None

    async def main(self, steps: List[Any]) -> Any:
        self.start = self.world.loop.now
        returned = await self.run(steps)
        return self.records if returned is None else returned[0]

    async def run(self, steps: List[Any]) -> Optional[Tuple[Any]]:
        for step in steps:
            returned = await self.step(step, step["op"])
            if returned is not None:
                return returned
        return None

    def find(self, name: str) -> Any:
        if name == "self":
            return asyncio.current_task()
        return self.names[name] if name in self.names else self.world.handles[name]

    async def step(self, step: Any, op: str) -> Optional[Tuple[Any]]:
        if op == "return":
            return (step["value"] if "value" in step else list(self.records),)
        if op in ("try", "swallow_cancel"):
            return await self.try_(step, "cancelled" if op == "swallow_cancel" else step.get("catch", "all"))
        if op == "sleep":
            await asyncio.sleep(micros(step["seconds"]))
        elif op == "record":
            self.record(step)
        elif op == "raise":
            raise Failure(step["type"], step["message"])
        elif op == "raise_cancelled":
            raise asyncio.CancelledError(step["message"])
        elif op == "await":
            value = await self.find(step["id"])
            if isinstance(value, list):
                raise_first(value)
            self.results[step.get("as", "")] = value
        elif op == "cancel":
            self.results[step.get("as", "")] = "yes" if self.find(step["id"]).cancel(step["message"]) else "no"
        elif op == "uncancel":
            self.results[step.get("as", "")] = asyncio.current_task().uncancel()  # type: ignore[union-attr]
        else:
            self.names[step["as"]] = self.made(step, op)
        return None

    def made(self, step: Any, op: str) -> Any:
        world = self.world
        if op == "submit":
            task = world.started(Body(world).main(step["input"]))
            world.track(step["name"], task, is_task=True)
            return task
        if op == "promise":
            return world.loop.create_future()
        if op == "gather":
            members = [self.find(one) for one in step["ids"]]
            return asyncio.gather(*members, return_exceptions=step["return_exceptions"])
        if op == "shield":
            return asyncio.shield(self.find(step["id"]))
        timeout = micros(step["timeout_seconds"]) if "timeout_seconds" in step else None
        return world.started(wait_for(self.find(step["id"]), timeout))

    def record(self, step: Any) -> None:
        what = step.get("what")
        if what is None:
            self.records.append(step["value"])
        elif what == "cancelling":
            self.records.append(asyncio.current_task().cancelling())  # type: ignore[union-attr]
        elif what == "seconds":
            self.records.append((self.world.loop.now - self.start) / 1e6)
        elif what == "error":
            self.records.append(self.error)
        else:
            self.records.append(self.results.get(step["of"]))

    async def try_(self, step: Any, catch: str) -> Optional[Tuple[Any]]:
        try:
            try:
                return await self.run(step["body"])
            except BaseException as error:
                if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
                    raise
                if catch != "all" and (catch == "cancelled") != isinstance(error, asyncio.CancelledError):
                    raise
                outer, self.error = self.error, describe_error(error)
                try:
                    return await self.run(step.get("except", []))
                finally:
                    self.error = outer
        finally:
            if "finally" in step:
                last = await self.run(step["finally"])
                if last is not None:
                    return last  # noqa: B012  as test.program's finally


def keep_message(future: Any) -> None:
    """CPython gives the message of a cancellation that came through an await to the first who asks, and a bare one to
    everybody after. With Muster all get the message. And what ended otherwise keeps no message of a cancel that came to
    nothing, which a gather would pass on (README.md)."""
    if not future.cancelled():
        future._cancel_message = None
        return
    error = future._make_cancelled_error()
    if error.args:
        future._cancel_message = error.args[0]


def raise_first(values: List[Any]) -> None:
    """JSON has no exceptions: a body that awaits a gather with return_exceptions gets the first of them raised."""
    for value in values:
        if isinstance(value, BaseException):
            raise value
        if isinstance(value, list):
            raise_first(value)


class LocalWorld:
    """One run of one program."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda _, __: None)  # nobody retrieves some exceptions, and may not
        self.handles: Dict[str, Any] = {}
        self.trace = Trace()
        self._tracked: Dict[str, Any] = {}
        self._tasks: List[str] = []
        self._over = False
        self._broken: Optional[BaseException] = None

    def run(self, program: Program) -> Trace:
        loop, trace = self.loop, self.trace
        try:
            for step in program.steps:
                loop.call_at(micros(step.at * UNIT), self._take, step)
            self._until_idle()
            trace.left = sorted(name for name, future in self._tracked.items() if not future.done())
            for step in program.steps:
                if isinstance(step, Promise) and not self.handles[step.name].done():
                    loop.now = (loop.now // micros(UNIT) + 1) * micros(UNIT)
                    trace.cleared.append((loop.now, step.name))
                    self.handles[step.name].cancel("cleared")
                    self._until_idle()
            trace.instants = sorted({*loop.instants, *(at for at, _ in trace.cleared)})
            for name, future in self._tracked.items():
                fate = trace.fates[name]
                fate.state, fate.outcome = describe_future(future)
                if name in self._tasks:
                    fate.cancelling = future.cancelling()
        finally:
            self._end()
        return trace

    def _until_idle(self) -> None:
        self.loop.run_forever()
        if self._broken is not None:
            raise self._broken

    def _end(self) -> None:
        self._over = True
        for _ in range(20):
            left = asyncio.all_tasks(self.loop)
            if not left:
                break
            for task in left:
                task.cancel()
            self.loop.run_forever()
        self.loop.close()

    def started(self, coroutine: Any) -> Any:
        """A task whose body has begun: on the server that is so once its submit has been answered (semantics 21)."""
        made: Any = None
        if EAGER:
            made = asyncio.Task(coroutine, loop=self.loop, eager_start=True)
        else:
            made = self.loop.create_task(coroutine)
        made.add_done_callback(keep_message)
        return made

    def track(self, name: str, future: Any, is_task: bool = False) -> None:
        if self._over:
            return
        fate = self.trace.fates[name] = Fate()
        self._tracked[name] = future
        if is_task:
            self._tasks.append(name)

        def ended(_: Any) -> None:
            keep_message(future)
            if not self._over:
                fate.ended = self.loop.now

        future.add_done_callback(ended)

    def _take(self, step: Step) -> None:
        try:
            self.trace.answers.append(self._do(step))
        except BaseException as error:  # noqa: B036  a fault of this file, not of the program
            self._broken = error

    def _do(self, step: Step) -> Any:
        handles, loop = self.handles, self.loop
        if isinstance(step, (SetResult, SetException)):
            try:
                if isinstance(step, SetResult):
                    handles[step.target].set_result(step.value)
                else:
                    handles[step.target].set_exception(Failure(step.type, step.message))
            except asyncio.InvalidStateError:
                return "invalid state"
            return None
        if isinstance(step, Cancel):
            return bool(handles[step.target].cancel(step.message))
        made: Any
        if isinstance(step, Promise):
            made = loop.create_future()
        elif isinstance(step, Submit):
            made = loop.create_task(Body(self).main(step.body))
        elif isinstance(step, Gather):
            made = asyncio.gather(*(handles[one] for one in step.members), return_exceptions=step.return_exceptions)
        elif isinstance(step, Shield):
            made = asyncio.shield(handles[step.member])
        elif isinstance(step, WaitFor):
            timeout = None if step.timeout is None else micros(step.timeout)
            made = loop.create_task(wait_for(handles[step.member], timeout))
        elif isinstance(step, Wait):
            made = loop.create_task(self._wait(step))
        else:
            assert isinstance(step, AsCompleted)
            made = loop.create_task(self._as_completed(step))
        handles[step.name] = made
        self.track(step.name, made, is_task=isinstance(step, Submit))
        if isinstance(step, Submit) and step.cancel is not None:
            made.cancel(step.cancel)
        return None

    async def _wait(self, step: Wait) -> None:
        members = [self.handles[one] for one in step.members]
        timeout = None if step.timeout is None else micros(step.timeout)
        done, _ = await asyncio.wait(members, timeout=timeout, return_when=step.return_when)
        given = [(name, self.loop.now) for name in step.members if self.handles[name] in done]
        self.trace.waits[step.name] = Waited(
            sorted(set(given)), sorted({name for name in step.members if self.handles[name] not in done})
        )

    async def _as_completed(self, step: AsCompleted) -> str:
        members = [self.handles[one] for one in step.members]
        waited = self.trace.waits[step.name] = Waited([], [])
        timeout = None if step.timeout is None else micros(step.timeout)
        async for future in as_completed(members, timeout):
            names = sorted({name for name in step.members if self.handles[name] is future})
            waited.done += [(name, self.loop.now) for name in names]
        return "all"


def run(program: Program) -> Trace:
    return LocalWorld().run(program)

