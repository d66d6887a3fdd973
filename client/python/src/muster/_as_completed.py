"""as_completed: asyncio's of CPython 3.13, on every Python."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, Any, Deque, Iterable, Optional, Set

from muster._members import F, core_of, members_of, single
from muster._spec import Seconds, seconds

if TYPE_CHECKING:
    from muster._core import Timer


class AsCompleted:
    """What `as_completed` gives: `async for` gets the futures themselves, `for` awaitables of their results."""

    def __init__(self, members: Set[Any], timeout: Optional[float]) -> None:
        self._ended: Deque[Any] = collections.deque()
        self._waiters: Deque[asyncio.Future[None]] = collections.deque()
        self._to_come = set(members)
        self._to_give = len(members)
        self._timer: Optional[Timer] = None
        if not members:
            return
        core = core_of(members)
        self._loop = asyncio.get_running_loop()
        for member in members:
            member.add_done_callback(self._on_done)
        if timeout is not None and core is not None:
            self._timer = core.call_later(max(0.0, timeout), self._on_timeout)

    def _put(self, ended: Any) -> None:
        self._ended.append(ended)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _on_done(self, member: Any) -> None:
        if member in self._to_come:
            self._to_come.remove(member)
            self._put(member)
            if not self._to_come and self._timer is not None:
                self._timer.cancel()

    def _on_timeout(self) -> None:
        late, self._to_come = self._to_come, set()
        for member in late:
            member.remove_done_callback(self._on_done)
            self._put(None)

    async def _next(self, resolve: bool) -> Any:
        while not self._ended:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and self._ended and self._waiters:
                    self._put(self._ended.popleft())  # the wake-up passes on
                raise
        ended = self._ended.popleft()
        if ended is None:
            raise asyncio.TimeoutError
        return ended.result() if resolve else ended

    def __aiter__(self) -> AsCompleted:
        return self

    async def __anext__(self) -> Any:
        if not self._to_give:
            raise StopAsyncIteration
        self._to_give -= 1
        try:
            return await self._next(resolve=False)
        except asyncio.CancelledError:
            self._to_give += 1  # the iteration can be taken up again (semantics 42)
            raise

    def __iter__(self) -> AsCompleted:
        return self

    def __next__(self) -> Any:
        if not self._to_give:
            raise StopIteration
        self._to_give -= 1
        return self._next(resolve=True)


def as_completed(fs: Iterable[F], *, timeout: Optional[Seconds] = None) -> AsCompleted:
    """Their futures as they complete, the same objects that went in, a duplicate once (semantics 37-39).

        async for future in muster.as_completed(futures, timeout=30):
            print(future.get_name(), await future)

    There is one deadline for all: what was done before it is given first, then TimeoutError is raised (40); nothing is
    cancelled (41). The iteration can be taken up again where it was left (42), and a lost connection does not show.
    """
    single(fs, "as_completed")
    members = set(members_of(fs, "as_completed"))
    return AsCompleted(members, None if timeout is None else seconds(timeout, "timeout"))
