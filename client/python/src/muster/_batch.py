"""Submits by SubmitBatch: what has a request id of the caller's, and what Run has no credits for.

Each is acknowledged with its id, and its end comes through the watcher.

Bounds: one request is under way at a time, of at most Limits.batch_max items; what waits is part of the carrier's
backlog.
"""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, Deque, List, Optional, Set

from muster import errors
from muster.v1 import future_service_pb2 as pb

if TYPE_CHECKING:
    from muster._run import Carrier
    from muster._core import Core
    from muster.future import RemoteFuture

MESSAGE_BYTES = 1 << 20


class Batches:
    def __init__(self, client: Core, carrier: Carrier) -> None:
        self._client = client
        self._carrier = carrier
        self._waiting: Deque[RemoteFuture] = collections.deque()
        self.sent: Set[RemoteFuture] = set()  # in the request that is under way
        self._task: Optional[asyncio.Task[None]] = None

    def add(self, future: RemoteFuture) -> None:
        """Sent by the end of this turn of the loop, or with the next request."""
        self._waiting.append(future)
        if self._task is None:
            self._task = self._client.spawn(self._send_all())

    def left(self) -> List[RemoteFuture]:
        """Once the client has ended its tasks: what has not been acknowledged."""
        return [*self.sent, *self._waiting]

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                await self._send(self._take())
        finally:
            self._task = None

    def _take(self) -> List[RemoteFuture]:
        futures: List[RemoteFuture] = []
        size, items_max = 0, self._client.server.limits.batch_max
        while self._waiting and len(futures) < items_max and size < MESSAGE_BYTES:
            future = self._waiting.popleft()
            if future._spec is not None:  # else it was withdrawn
                size += len(future._spec)
                futures.append(future)
        return futures

    async def _send(self, futures: List[RemoteFuture]) -> None:
        request = pb.SubmitBatchRequest(namespace=self._client.namespace)
        for future in futures:
            spec = request.futures.add()
            spec.MergeFromString(future._spec or b"")
            if not spec.options.request_id:
                # What a Run of the session would call it, so that it is the same future whichever way it went.
                spec.options.request_id = f"{self._carrier.session}/{future._tag}"
        self.sent.update(futures)
        try:
            answer = await self._client.channel.unary("SubmitBatch", request, pb.SubmitBatchResponse, patient=True)
        except errors.ServiceError as failure:
            self.sent.clear()
            for future in futures:
                self._client.fail(future, failure)
            self._carrier.acknowledged(len(futures))
            return
        self.sent.clear()
        for future, item in zip(futures, answer.items):
            if item.status.code:
                self._carrier.refused(future, item.status)
                continue
            future._id, future._spec = item.id, None
            self._client.tell_accepted(future)
            self._client.watcher.watch(future)
            self._carrier.acknowledged(1)
