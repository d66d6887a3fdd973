"""wait, gather, as_completed, wait_for and shield: asyncio's functions over remote futures.

Each behaves as the function of its name in CPython 3.13's asyncio, on every Python from 3.9, and differs in this:

- It takes remote futures (and what `gather` and `shield` give) and nothing else. To mix them with local tasks, use
  asyncio's own functions, which take remote futures as they are.
- A timeout is the time of the server's clock where that is moved by hand (muster.testing), else the loop's.
- A timeout of 0 asks the server once, since what is known here may be older than a moment.

They live in this process: what has an id and outlives it is `client.submit_gather` and its siblings.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Set, Tuple

from muster import errors
from muster._as_completed import AsCompleted, as_completed
from muster._members import Combined, F, core_of, members_of, single
from muster._spec import Seconds, seconds
from muster.future import RemoteFuture, add_sink
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb

if TYPE_CHECKING:
    from muster._core import Core, Timer

    _Base = asyncio.Future[Any]
else:
    _Base = asyncio.Future

__all__ = ["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "AsCompleted", "as_completed", "gather", "shield", "wait", "wait_for"]

ALL_COMPLETED = asyncio.ALL_COMPLETED
FIRST_COMPLETED = asyncio.FIRST_COMPLETED
FIRST_EXCEPTION = asyncio.FIRST_EXCEPTION
GRACE = 10.0  # the server's own default for wait_for


async def _ask(members: Iterable[Any]) -> None:
    """What is done at the server by now is done here afterwards."""
    asked = [member for member in members if isinstance(member, RemoteFuture) and not member.done()]
    if not asked:
        return
    core = asked[0]._client
    for member in asked:
        if member._id is None:
            await asyncio.wait([core.loop.create_task(_quietly(core, member))])
    by_id: Dict[str, List[RemoteFuture]] = {}
    for member in asked:
        if member._id is not None and not member.done():
            by_id.setdefault(member._id, []).append(member)
    ids, set_max = list(by_id), core.server.limits.set_max
    for at in range(0, len(ids), set_max):
        request = pb.WaitRequest(namespace=core.namespace, view=future_pb2.OUTCOME_VIEW_FULL)
        request.set.ids.extend(ids[at : at + set_max])
        request.timeout.seconds = 0
        request.timeout.SetInParent()
        try:
            answer = await core.channel.unary("Wait", request, pb.WaitResponse)
        except errors.FutureNotFoundError:
            continue  # those who await it are told
        for completion in answer.done:
            for member in by_id.get(completion.id, ()):
                core.settle(member, completion)


async def _quietly(core: Core, member: RemoteFuture) -> None:
    try:
        await core.wait_accepted(member)
    except BaseException:  # noqa: B036  its own end, for those who await it
        return


# --- wait -----------------------------------------------------------------------------------------------------------


async def wait(
    fs: Iterable[F], *, timeout: Optional[Seconds] = None, return_when: str = ALL_COMPLETED
) -> Tuple[Set[F], Set[F]]:
    """Waits for all of them, the first, or the first exception, and gives (done, pending).

    A timeout is no error and cancels nothing (semantics 27); 0 or less is a poll of the server (28). ValueError for an
    empty set (23) and an unknown return_when (24); NotARemoteFutureError for what is no remote future (25). Duplicates
    count once (26). Cancelling it leaves the futures alone (35).
    """
    single(fs, "wait")
    members = set(members_of(fs, "wait"))
    if not members:
        raise ValueError("Set of Tasks/Futures is empty.")
    if return_when not in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
        raise ValueError(f"Invalid return_when value: {return_when}")
    core = core_of(members)
    if timeout is not None:
        timeout = seconds(timeout, "timeout")
    if core is None:
        return members, set()
    if timeout is not None:
        if timeout <= 0:
            await _ask(members)
            done = {member for member in members if member.done()}
            return done, members - done
    await _wait(core, members, timeout, return_when)
    done = {member for member in members if member.done()}
    return done, members - done


def _satisfied(member: Any, return_when: str) -> bool:
    if return_when == FIRST_COMPLETED:
        return True
    return return_when == FIRST_EXCEPTION and not member.cancelled() and member.exception() is not None


async def _wait(core: Core, members: Set[Any], timeout: Optional[float], return_when: str) -> None:
    left = 0
    for member in members:
        if not member.done():
            left += 1
        elif _satisfied(member, return_when):
            return
    if not left:
        return
    waiter = core.loop.create_future()

    def release() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def on_completion(member: Any) -> None:
        nonlocal left
        left -= 1
        if not left or _satisfied(member, return_when):
            release()

    pending = [member for member in members if not member.done()]
    timer = core.call_later(timeout, release) if timeout is not None else None
    for member in pending:
        member.add_done_callback(on_completion)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for member in pending:
            member.remove_done_callback(on_completion)


# --- gather ---------------------------------------------------------------------------------------------------------


class _Gathering(Combined):
    """Cancelling it cancels every member that has not ended (semantics 49)."""

    _children: List[Any]
    _cancel_requested = False

    def cancel(self, msg: Optional[Any] = None) -> bool:
        if self.done():
            return False
        asked = False
        for child in self._children:
            if child.cancel(msg):
                asked = True
        if asked:
            # Raised when the members have ended, return_exceptions or not (semantics 50).
            self._cancel_requested = True
        return asked


def _cancelled_error(member: Any) -> BaseException:
    return member._make_cancelled_error()  # type: ignore[no-any-return]


def gather(*futures: Any, return_exceptions: bool = False) -> asyncio.Future[List[Any]]:
    """A future of their results in the order given, a duplicate at each of its places (semantics 43-45).

    The first exception comes through and the siblings go on (46); with `return_exceptions` exceptions and cancellations
    are values in their places (47). A member that is cancelled makes it raise CancelledError without being cancelled
    itself (48). Cancelling it cancels the members (49-51).
    """
    members = members_of(futures, "gather")
    loop = asyncio.get_running_loop()
    outer = _Gathering(loop=loop)
    outer._children = members
    if not members:
        outer.set_result([])
        return outer
    outer._core = core_of(members)
    unique = members if len(members) == 1 else list(dict.fromkeys(members))
    left = len(unique)

    def on_done(member: Any) -> None:
        nonlocal left
        left -= 1
        if outer.done():
            if not member.cancelled():
                member.exception()  # it is retrieved: the gather has told of another
            return
        if not return_exceptions:
            if member.cancelled():
                outer.set_exception(_cancelled_error(member))
                return
            exception = member.exception()
            if exception is not None:
                outer.set_exception(exception)
                return
        if left:
            return
        if outer._cancel_requested:
            last = members[-1]  # in the input, whichever ended last, as in CPython
            outer.set_exception(_cancelled_error(last) if last.cancelled() else asyncio.CancelledError())
        else:
            outer.set_result([_value_or_exception(one) for one in members])

    for member in unique:
        add_sink(member, on_done)
    return outer


def _value_or_exception(member: Any) -> Any:
    if member.cancelled():
        return _cancelled_error(member)
    exception = member.exception()
    return member.result() if exception is None else exception


# --- shield and wait_for --------------------------------------------------------------------------------------------


def shield(future: Any) -> asyncio.Future[Any]:
    """A future that follows `future`, and whose cancel does not reach it (semantics 53, 54); `future` itself when it is
    done (55)."""
    members_of([future], "shield")
    if future.done():
        return future  # type: ignore[no-any-return]
    core = core_of([future])
    assert core is not None
    outer = Combined(loop=core.loop)
    outer._core = core

    def inner_done(inner: Any) -> None:
        if outer.cancelled():
            if not inner.cancelled():
                inner.exception()  # it is retrieved: nobody is left who could
        elif inner.cancelled():
            outer.cancel()  # without the inner's message, as in CPython
        else:
            exception = inner.exception()
            if exception is not None:
                outer.set_exception(exception)
            else:
                outer.set_result(inner.result())

    def outer_done(_: Any) -> None:
        if not future.done():
            future.remove_done_callback(inner_done)

    future.add_done_callback(inner_done)
    outer.add_done_callback(outer_done)
    return outer


async def wait_for(future: Any, timeout: Optional[Seconds], *, grace: Seconds = GRACE) -> Any:
    """Its result. When time is up it is cancelled, that is waited for, and TimeoutError is raised, whose cause is the
    cancellation (semantics 56, 57).

    What swallows the cancel and returns a value gives that value (58), and an exception during the cancellation is
    raised instead (59). With a timeout of 0 or less a done future gives its result, and one that has not started never
    does (60). Cancelling it cancels the future (62). The wait for a cancellation is bounded by `grace` seconds: past it
    TimeoutError is raised without a cause, and the future is left, cancelling (56, *remote*).
    """
    members_of([future], "wait_for")
    core = core_of([future])
    if timeout is not None:
        timeout = seconds(timeout, "timeout")
    if timeout is None or core is None:
        return await future
    if timeout > 0:
        return await _Following(core, future, timeout, seconds(grace, "grace")).end()
    if not future.done():
        await _ask([future])
    if future.done():
        return future.result()
    future.cancel()
    await _wait(core, {future}, seconds(grace, "grace"), ALL_COMPLETED)
    if not future.done():
        raise _still_cancelling(future, seconds(grace, "grace"))
    try:
        return future.result()
    except asyncio.CancelledError as cancellation:
        raise asyncio.TimeoutError from cancellation


def _still_cancelling(future: Any, grace: float) -> BaseException:
    return asyncio.TimeoutError(f"{future!r} was cancelled and has not ended within the grace of {grace:g} s")


class _Following(_Base):
    """What a wait_for awaits in the place of the future: done when that is, or when the grace is over. As when a task
    awaits the future itself, a cancel of the task goes to the future, and what becomes of it is the answer (62)."""

    def __init__(self, core: Core, future: Any, timeout: float, grace: float) -> None:
        super().__init__(loop=core.loop)
        self._core, self._followed, self._grace = core, future, grace
        self._timers: List[Timer] = [core.call_later(timeout, self._expire)]
        self._expired = False
        self._cancels_passed: List[Any] = []
        future.add_done_callback(self._release)

    def _release(self, _: Any = None) -> None:
        if not self.done():
            self.set_result(None)

    def _expire(self) -> None:
        if not self.done():
            self._expired = True
            self._followed.cancel()
            self._wait_no_longer_than_grace()

    def _wait_no_longer_than_grace(self) -> None:
        if len(self._timers) == 1:
            self._timers.append(self._core.call_later(self._grace, self._release))

    def cancel(self, msg: Optional[Any] = None) -> bool:
        if self.done() or not self._followed.cancel(msg):
            return False
        self._cancels_passed.append(msg)
        self._wait_no_longer_than_grace()
        return True

    async def end(self) -> Any:
        try:
            await self
        finally:
            for timer in self._timers:
                timer.cancel()
            self._followed.remove_done_callback(self._release)
        if not self._followed.done():
            if self._cancels_passed:
                raise asyncio.CancelledError(*(msg for msg in self._cancels_passed[-1:] if msg is not None))
            raise _still_cancelling(self._followed, self._grace)
        try:
            return self._followed.result()
        except asyncio.CancelledError as cancellation:
            # The timeout turns only its own cancel into its error (63).
            if self._expired and not self._cancels_passed:
                raise asyncio.TimeoutError from cancellation
            raise
