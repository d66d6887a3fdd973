"""A program over the wire: jobs of a musterd whose clock is moved by hand, through the Python client. wire_driver.py reads
programs and runs them with this.

The clock goes from one instant to the next of those at which something happened in asyncio's world. At each the driver
takes its step, if it has one, and then waits until all is quiet: the server has nothing to do, and nothing is under way
between it and the client.
"""

import asyncio
import datetime
from typing import Any, Dict, Iterable, List, Tuple

import muster
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb
from program import (
    GRACE,
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
from trace import Fate, Trace, Waited, describe_future

SOON = "at the end of a program"
ROUNDS_MAX = 200
LIVE = [
    future_pb2.FutureState.Value(f"FUTURE_STATE_{state}") for state in ("PENDING", "DELAYED", "QUEUED", "RUNNING")
]


class Stage:
    """A server and a client, on which one program after another is run."""

    client: Any
    _core: Any

    def __init__(self, server: str, admin: str) -> None:
        self.server = server
        self.advanced = 0  # microseconds, in all
        self.origin = datetime.datetime.min  # the server's time at advanced == 0
        self.programs = 0
        self._told = 0
        self._asked = 0
        self._last_mark: Any = None
        host, _, port = admin.rpartition(":")
        self._admin = (host, int(port))

    async def open(self) -> None:
        self.client = await muster.connect(self.server, namespace="conformance")
        self._core = self.client._core
        self._count_traffic(self._core)
        if not self.programs:
            told = await self._core.channel.once("GetServerInfo", pb.GetServerInfoRequest(), pb.GetServerInfoResponse)
            self.origin = told.time.ToDatetime()

    async def reopen(self) -> None:
        """After a run that broke: what it left on the server is ended with the next one."""
        await self.client.close()
        await self.open()

    def _count_traffic(self, core: Any) -> None:
        """Everything that is asked of the server or told by it leaves a mark here; see `quiet`."""
        unary, settle, stream = core.channel.unary, core.settle, core.channel.stream

        def counted_unary(*arguments: Any, **more: Any) -> Any:
            self._asked += 1
            return unary(*arguments, **more)

        def counted_stream(*arguments: Any, **more: Any) -> Any:
            self._asked += 1
            return stream(*arguments, **more)

        def counted_settle(*arguments: Any) -> None:
            self._told += 1
            settle(*arguments)

        core.channel.unary, core.channel.stream, core.settle = counted_unary, counted_stream, counted_settle

    def _mark(self) -> Any:
        carrier = self._core.carrier
        return (self._asked, self._told, carrier._next_tag, carrier.unacknowledged)

    async def advance(self, by: int) -> None:
        """Comes back when the server has nothing left to do at its new time."""
        self.advanced += by  # before: what happens then may be heard of before this is answered
        reader, writer = await asyncio.open_connection(*self._admin)
        try:
            host = ":".join(map(str, self._admin))
            writer.write(
                f"POST /clock/advance/{by}us HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
            )
            answer = await reader.read()
        finally:
            writer.close()
        if b" 200 " not in answer.split(b"\r\n", 1)[0]:
            raise RuntimeError(f"the clock was not advanced: {answer.decode('utf-8', 'replace')}")

    async def _heard(self) -> None:
        """What the server had sent before has been read, most likely: an answer may overtake another stream's message."""
        await self._core.channel.once("GetServerInfo", pb.GetServerInfoRequest(), pb.GetServerInfoResponse)

    async def _behind(self, futures: Iterable[Any]) -> bool:
        """Whether one of these is done for the server and not yet here."""
        here: Dict[str, Any] = {
            one.id: one for one in futures if isinstance(one, muster.RemoteFuture) and one.id and not one.done()
        }
        if not here:
            return False
        request = pb.WaitRequest(namespace=self.client.namespace, view=future_pb2.OUTCOME_VIEW_NONE)
        request.set.ids.extend(here)
        request.timeout.SetInParent()  # 0: what is done by now
        answer = await self._core.channel.once("Wait", request, pb.WaitResponse)
        return any(not here[one.id].done() for one in answer.done)

    async def _settled_here(self) -> None:
        """This loop has nothing left to run, and no request of the client's is under way."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if loop._ready:
                continue
            tasks = [task for task in self._core._tasks if not task.done()]
            if tasks:
                await asyncio.wait(tasks)
            elif self._core.carrier.unacknowledged:
                await self._core.flush()
            else:
                return

    async def quiet(self, futures: Iterable[Any]) -> None:
        """Until a round of asking brings nothing new, and all that the server knows of these futures is known here."""
        for _ in range(ROUNDS_MAX):
            await self._heard()
            await self._settled_here()
            before = self._mark()
            if before == self._last_mark and not await self._behind(futures):
                await self._settled_here()
                if self._mark() == before:
                    return
            self._last_mark = before
            await self._heard()  # the server has read what was sent before this
            await self.advance(0)  # and has dealt with it
        raise RuntimeError("the server and the client do not come to rest")


class WireRun:
    """One run of one program."""

    def __init__(self, stage: Stage, instants: List[int], cleared: List[Tuple[int, str]]) -> None:
        """`instants`: where to stop, in microseconds after the start; `cleared`: promises to cancel at the end, and when."""
        self.stage = stage
        self.client = stage.client
        self.instants = instants
        self.cleared = cleared
        self.trace = Trace()
        self.handles: Dict[str, Any] = {}
        self.start = stage.advanced
        stage.programs += 1
        self.group = f"p{stage.programs}"
        self._over = False

    @property
    def now(self) -> int:
        return self.stage.advanced - self.start

    async def run(self, program: Program) -> Trace:
        stage, trace = self.stage, self.trace
        steps = {micros(step.at * UNIT): step for step in program.steps}
        cleared = dict(self.cleared)
        first_cleared = self.cleared[0][0] if self.cleared else None
        left_known = False
        for at in self.instants:
            if at == first_cleared:
                self._note_left()
                await self._note_children(pending=True)
                left_known = True
            await stage.advance(at - self.now)
            await stage.quiet(self.handles.values())
            if at in steps:
                trace.answers.append(await self._do(steps[at]))
                await stage.quiet(self.handles.values())
            if at in cleared:
                self.handles[cleared[at]].cancel("cleared")
                await stage.quiet(self.handles.values())
        if not left_known:
            self._note_left()
            await self._note_children(pending=True)
        for name, future in self.handles.items():
            fate = trace.fates[name]
            fate.state, fate.outcome = describe_future(future)
            if isinstance(future, muster.RemoteFuture) and future.id is None:
                fate.cancelling = future.cancelling()  # it was withdrawn before it left
        await self._note_children(pending=False)
        trace.left.sort()
        await self._clear_up()
        return trace

    def _note_left(self) -> None:
        self.trace.left += [name for name, future in self.handles.items() if not future.done()]

    async def _note_children(self, pending: bool) -> None:
        """What only the server knows: the ends of jobs that bodies submitted, and how often each was cancelled."""
        request = pb.ListRequest(namespace=self.client.namespace, group=self.group, page_size=1000)
        answer = await self.client._core.channel.once("List", request, pb.ListResponse)
        for one in answer.futures:
            mine = one.name in self.handles
            state = future_pb2.FutureState.Name(one.state)[len("FUTURE_STATE_") :]
            done = state in ("SUCCEEDED", "FAILED", "CANCELLED")
            if pending:
                if not done and not mine:
                    self.trace.left.append(one.name)
                continue
            fate = self.trace.fates.setdefault(one.name, Fate())
            if one.function:
                fate.cancelling = one.cancelling
            if done:
                ended = one.end_time.ToDatetime() - self.stage.origin
                fate.ended = round(ended.total_seconds() * 1e6) - self.start
            if not mine:
                fate.state = state if done else "PENDING"
                if done:
                    known = self.client.future(one.id)
                    await asyncio.wait([known])
                    fate.outcome = describe_future(known)[1]

    async def _clear_up(self) -> None:
        """Nothing of this program is left for the next one."""
        self._over = True
        request = pb.ListRequest(namespace=self.client.namespace, page_size=1000)
        request.states.extend(LIVE)
        for _ in range(20):
            left = (await self.client._core.channel.once("List", request, pb.ListResponse)).futures
            here = [future for future in self.handles.values() if not future.done()]
            if not left and not here:
                return
            for future in here:
                future.cancel(SOON)
            if left:
                await self.client.cancel(*(one.id for one in left), msg=SOON)
            await self.stage.quiet(self.handles.values())
            await self.stage.advance(micros(10 * UNIT))
            await self.stage.quiet(self.handles.values())
        raise RuntimeError(f"cannot be ended: {left}")

    # --- the driver's steps -----------------------------------------------------------------------------------------

    def _track(self, name: str, future: Any) -> None:
        self.handles[name] = future
        fate = self.trace.fates[name] = Fate()

        def ended(_: Any) -> None:
            if not self._over:
                fate.ended = self.now

        future.add_done_callback(ended)

    async def _do(self, step: Step) -> Any:
        handles, client = self.handles, self.client
        if isinstance(step, (SetResult, SetException)):
            try:
                if isinstance(step, SetResult):
                    await handles[step.target].set_result(step.value)
                else:
                    await handles[step.target].set_exception(muster.RemoteError(step.message, type=step.type))
            except asyncio.InvalidStateError:
                return "invalid state"
            return None
        if isinstance(step, Cancel):
            return bool(handles[step.target].cancel(step.message))
        options = {"group": self.group} if isinstance(step, (Submit, Promise)) else {}
        made: Any
        if isinstance(step, Promise):
            made = client.create_promise(name=step.name, **options)
            await made.accepted()
        elif isinstance(step, Submit):
            made = client.submit("test.program", self._body(step.body), name=step.name, **options)
            if step.cancel is not None:
                made.cancel(step.cancel)
        elif isinstance(step, Gather):
            members = [handles[one] for one in step.members]
            if step.remote:
                made = await client.submit_gather(
                    *members, return_exceptions=step.return_exceptions, name=step.name, group=self.group
                )
            else:
                made = muster.gather(*members, return_exceptions=step.return_exceptions)
        elif isinstance(step, Shield):
            if step.remote:
                made = await client.submit_shield(handles[step.member])
            else:
                made = muster.shield(handles[step.member])
        elif isinstance(step, WaitFor):
            if step.remote:
                made = await client.submit_wait_for(
                    handles[step.member], step.timeout, grace=GRACE, name=step.name, group=self.group
                )
            else:
                made = self._task(muster.wait_for(handles[step.member], step.timeout, grace=GRACE))
        elif isinstance(step, Wait):
            made = self._task(self._wait(step))
        else:
            assert isinstance(step, AsCompleted)
            made = self._task(self._as_completed(step))
        self._track(step.name, made)
        return None

    def _task(self, coroutine: Any) -> Any:
        return asyncio.get_running_loop().create_task(coroutine)

    async def _wait(self, step: Wait) -> None:
        members = [self.handles[one] for one in step.members]
        done, _ = await muster.wait(members, timeout=step.timeout, return_when=step.return_when)
        given = [(name, self.now) for name in step.members if self.handles[name] in done]
        self.trace.waits[step.name] = Waited(
            sorted(set(given)), sorted({name for name in step.members if self.handles[name] not in done})
        )

    async def _as_completed(self, step: AsCompleted) -> str:
        members = [self.handles[one] for one in step.members]
        waited = self.trace.waits[step.name] = Waited([], [])
        async for future in muster.as_completed(members, timeout=step.timeout):
            names = sorted({name for name in step.members if self.handles[name] is future})
            waited.done += [(name, self.now) for name in names]
        return "all"

    def _body(self, steps: List[Any]) -> List[Any]:
        return [self._op(step) for step in steps]

    def _op(self, step: Any) -> Any:
        """As the server takes it: ids for the driver's names, and what the other world has no word for."""
        made = dict(step)
        for key in ("body", "except", "finally"):
            if key in made:
                made[key] = self._body(made[key])
        if "id" in made:
            made["id"] = self._id(made["id"])
        if "ids" in made:
            made["ids"] = [self._id(one) for one in made["ids"]]
        if made["op"] == "submit":
            made.update(function="test.program", group=self.group, input=self._body(made["input"]))
        if made["op"] == "wait_for":
            made["grace_seconds"] = GRACE
        return made

    def _id(self, name: str) -> str:
        future = self.handles.get(name)
        return name if future is None else future.id
