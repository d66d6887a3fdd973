"""Results of an asynchronous iteration, taken by a thread.

A task on the loop takes results into a buffer of at most `limit`, and the thread takes them out of it without a step of
the loop for each.
"""

from __future__ import annotations

import asyncio
import collections
import threading
from typing import TYPE_CHECKING, Any, Deque, Iterator, Optional

if TYPE_CHECKING:
    from muster.blocking import Client


class Relay:
    """Made on the loop; `take` is for one thread."""

    def __init__(self, results: Any, limit: int) -> None:
        self._results = results
        self._limit = limit
        self._buffer: Deque[Any] = collections.deque()
        self._room = asyncio.Event()
        self._paused = False
        self._news = threading.Event()
        self._ended = False
        self._failure: Optional[BaseException] = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._fill())

    async def _fill(self) -> None:
        try:
            async for result in self._results:
                self._buffer.append(result)
                self._news.set()
                while len(self._buffer) >= self._limit:
                    self._room.clear()
                    self._paused = True
                    await self._room.wait()
        except Exception as error:
            self._failure = error
        finally:
            self._ended = True
            self._news.set()
            await self._results.aclose()

    def _resume(self) -> None:
        self._paused = False
        self._room.set()

    def take(self, client: Client) -> Iterator[Any]:
        try:
            while True:
                self._news.clear()
                while self._buffer:
                    yield self._buffer.popleft()
                    if self._paused and len(self._buffer) <= self._limit // 2:
                        self._paused = False
                        self._loop.call_soon_threadsafe(self._resume)
                if self._ended and not self._buffer:
                    break
                self._news.wait()
            if self._failure is not None:
                raise self._failure
        finally:
            if not self._ended and not client.closed:
                client.run(self._stop())

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
