"""`map`: one function over many inputs, a window of them at a time."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, Any, AsyncIterable, AsyncIterator, Callable, Deque, Dict, Iterable, List, Optional, Set, Union

from muster import _spec
from muster.future import RemoteFuture, add_sink

if TYPE_CHECKING:
    from muster.client import AsyncClient

Submit = Callable[[Any], RemoteFuture]


def run(
    client: AsyncClient,
    function: str,
    inputs: Union[Iterable[Any], AsyncIterable[Any]],
    window: int,
    ordered: bool,
    return_exceptions: bool,
    options: Dict[str, Any],
) -> AsyncIterator[Any]:
    """Checks the arguments now and not when the first result is asked for."""
    if not isinstance(window, int) or window < 1:
        raise _spec.refuse("window", f"is {window!r}; it must be a number of inputs, at least 1")
    if "request_id" in options:
        raise _spec.refuse("request_id", "would make all calls one future; map makes its own")
    submit = client.submitter(function, options)
    if hasattr(inputs, "__aiter__"):
        return _of_async(submit, inputs, window, ordered, return_exceptions)
    source = iter(inputs)
    if ordered:
        return _in_order(submit, source, window, return_exceptions)
    return _as_completed(submit, source, window, return_exceptions)


def _result(future: RemoteFuture, return_exceptions: bool) -> Any:
    if not return_exceptions:
        return future.result()
    if future.cancelled():
        return asyncio.CancelledError()
    exception = future.exception()
    return future.result() if exception is None else exception


def _abandon(futures: Iterable[RemoteFuture]) -> None:
    """Cancels them; what they come to is nobody's."""
    for future in futures:
        if not future.cancel("the map was left"):
            future._log_traceback = False
        else:
            future.add_done_callback(_forget)


def _forget(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


async def _in_order(submit: Submit, source: Any, window: int, return_exceptions: bool) -> AsyncIterator[Any]:
    under_way: Deque[RemoteFuture] = collections.deque()
    try:
        more = True
        while True:
            # As many as there is room for: those of one turn travel together.
            while more and len(under_way) < window:
                try:
                    under_way.append(submit(next(source)))
                except StopIteration:
                    more = False
            if not under_way:
                return
            first = under_way[0]
            if not first.done():
                await asyncio.wait([first])
            under_way.popleft()
            yield _result(first, return_exceptions)
    finally:
        _abandon(under_way)


class _Finished:
    """Futures in the order in which they end."""

    def __init__(self) -> None:
        self._done: Deque[RemoteFuture] = collections.deque()
        self._waiter: Optional[asyncio.Future[None]] = None

    def add(self, future: Any) -> None:
        self._done.append(future)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def rouse(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take(self) -> Optional[RemoteFuture]:
        return self._done.popleft() if self._done else None

    async def wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


async def _as_completed(submit: Submit, source: Any, window: int, return_exceptions: bool) -> AsyncIterator[Any]:
    under_way: Set[RemoteFuture] = set()
    finished = _Finished()
    try:
        more = True
        while True:
            while more and len(under_way) < window:
                try:
                    future = submit(next(source))
                except StopIteration:
                    more = False
                else:
                    under_way.add(future)
                    add_sink(future, finished.add)
            if not under_way:
                return
            done = finished.take()
            if done is None:
                await finished.wait()
                continue
            under_way.discard(done)
            yield _result(done, return_exceptions)
    finally:
        _abandon(under_way)


async def _of_async(
    submit: Submit, inputs: Any, window: int, ordered: bool, return_exceptions: bool
) -> AsyncIterator[Any]:
    """Inputs that have to be waited for themselves: a task takes them while results are given."""
    under_way: Deque[RemoteFuture] = collections.deque()
    finished = _Finished()
    room = asyncio.Semaphore(window)
    failure: List[BaseException] = []
    ended = False

    async def take() -> None:
        nonlocal ended
        try:
            async for one in inputs:
                await room.acquire()
                future = submit(one)
                under_way.append(future)
                add_sink(future, finished.add)
                finished.rouse()
        except Exception as error:
            failure.append(error)
        finally:
            ended = True
            finished.rouse()

    taker = asyncio.get_running_loop().create_task(take())
    try:
        while True:
            done: Optional[RemoteFuture] = None
            if ordered:
                while finished.take() is not None:
                    pass
                if under_way and under_way[0].done():
                    done = under_way.popleft()
            else:
                done = finished.take()
                if done is not None:
                    under_way.remove(done)
            if done is not None:
                room.release()
                yield _result(done, return_exceptions)
            elif ended and not under_way:
                if failure:
                    raise failure[0]
                return
            else:
                await finished.wait()
    finally:
        taker.cancel()
        await asyncio.gather(taker, return_exceptions=True)
        _abandon(under_way)
