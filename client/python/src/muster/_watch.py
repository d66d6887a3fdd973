"""Futures that are watched by their ids: handles, promises, and what a broken Run left behind.

What starts to be watched in one turn of the loop shares one AsCompleted stream. When there are more than `STREAMS`, the
smallest become one, so any number of futures costs a few streams. A stream that breaks is opened again over the ids
that are still missing: those that are done meanwhile come at once, so nothing is lost, and nothing comes twice.

Bounds: STREAMS streams of at most Limits.set_max ids (more streams only where more ids than those hold are watched).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Dict, List, Optional, Set

from muster import _channel, errors
from muster._backoff import ACCEPTED_AFTER, Backoff
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb

if TYPE_CHECKING:
    from muster._core import Core
    from muster.future import RemoteFuture

STREAMS = 8


class Watcher:
    """One for each client, on its loop."""

    def __init__(self, client: Core) -> None:
        self._client = client
        self._futures: Dict[str, List[RemoteFuture]] = {}  # what is watched, by id
        self._new: List[str] = []
        self._starting = False
        self._streams: List[_Stream] = []

    def watch(self, future: RemoteFuture) -> None:
        """From the end of this turn on. The future has its id."""
        id_ = future._id
        if id_ is None or future.done():
            return
        same = self._futures.get(id_)
        if same is not None:
            if future not in same:
                same.append(future)
            return
        self._futures[id_] = [future]
        self._new.append(id_)
        if not self._starting:
            self._starting = True
            self._client.loop.call_soon(self._start)

    def forget(self, future: RemoteFuture) -> None:
        """It came to its end in another way."""
        same = self._futures.get(future._id or "")
        if same is not None and future in same:
            same.remove(future)
            if not same:
                del self._futures[future._id or ""]

    def left(self) -> List[RemoteFuture]:
        """Everything that is watched."""
        return [future for same in self._futures.values() for future in same]

    def _start(self) -> None:
        self._starting = False
        if self._client.closed:
            return
        ids = [id_ for id_ in self._new if id_ in self._futures]
        self._new = []
        set_max = self._client.server.limits.set_max
        if len(self._streams) >= STREAMS:
            # The larger half goes on as it is.
            self._streams.sort(key=lambda stream: len(stream.ids))
            for stream in self._streams[: STREAMS // 2]:
                if len(ids) + len(stream.ids) <= set_max:
                    ids.extend(stream.stop())
        for at in range(0, len(ids), set_max):
            self._open(set(ids[at : at + set_max]))

    def _open(self, ids: Set[str]) -> None:
        self._streams.append(_Stream(self._client, self, ids))

    # --- what the streams tell --------------------------------------------------------------------------------------

    def done(self, completion: future_pb2.Completion) -> None:
        for future in self._futures.pop(completion.id, ()):
            self._client.settle(future, completion)

    def ended(self, stream: _Stream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)

    def failed(self, ids: Set[str], failure: errors.ServiceError) -> None:
        """These cannot be watched. One unknown id fails a whole call, so halves are tried until it is found."""
        if isinstance(failure, errors.FutureNotFoundError) and len(ids) > 1:
            members = sorted(ids)
            self._open(set(members[: len(members) // 2]))
            self._open(set(members[len(members) // 2 :]))
            return
        for id_ in ids:
            for future in self._futures.pop(id_, ()):
                self._client.fail(future, failure)


class _Stream:
    """AsCompleted over `ids`, until all have come."""

    def __init__(self, client: Core, watcher: Watcher, ids: Set[str]) -> None:
        self.ids = ids
        self._client = client
        self._watcher = watcher
        self._backoff = Backoff(client.options.retry)
        self._backoff.accepted()  # the client has spoken to this server before
        self._task = client.spawn(self._run(), lasting=True)

    def stop(self) -> Set[str]:
        """Ends it, and gives the ids that had not come."""
        self._task.cancel()
        self._watcher.ended(self)
        return self.ids

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failure: Optional[errors.ServiceError] = None
        while self.ids:
            began = loop.time()
            failure = await self._read()
            if failure is None:
                continue
            if loop.time() - began >= ACCEPTED_AFTER:
                self._backoff.accepted()
            pause = self._backoff.next(failure, loop.time())
            if pause is None:
                break
            await asyncio.sleep(pause)
        self._watcher.ended(self)
        if self.ids and failure is not None:
            self._watcher.failed(self.ids, failure)

    async def _read(self) -> Optional[errors.ServiceError]:
        """One stream from beginning to end; None when it ended as it should."""
        request = pb.AsCompletedRequest(namespace=self._client.namespace)
        request.set.ids.extend(self.ids)
        try:
            async for message in _channel.slices(
                self._client.channel, "AsCompleted", request, pb.AsCompletedResponse
            ):
                self._backoff.accepted()
                for completion in message.completions:
                    self.ids.discard(completion.id)
                    self._watcher.done(completion)
                if message.end:
                    return None
        except errors.ServiceError as failure:
            return failure
        return errors.UnavailableError("the stream of completions ended before its last message", code="UNAVAILABLE")
