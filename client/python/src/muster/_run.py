"""The carrier: one Run stream that takes submits to the server and brings their completions back.

What is submitted in one turn of the loop leaves in one message, what completes together arrives in one, and a submit
costs no request of its own. Session and tag are a submit's request id, so a stream that broke is taken up again without
anything being made twice (semantics 102): what the server had not acknowledged is sent again, what it had is watched by
id (see _watch.py).

Items in flight are limited by the server's credits. When they are used up and nothing completes for `STALL` seconds,
submits go on by SubmitBatch (see _batch.py), under the same request ids: a million futures that sleep for an hour must
not keep the next one from starting.

Bounds: what waits to be acknowledged, by `Options.backlog_max`; what is in flight, by the credits.
"""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Optional
from uuid import uuid4

from muster import _channel, _encode, _status, errors
from muster._backoff import Backoff
from muster._batch import Batches
from muster.v1 import future_service_pb2 as pb

if TYPE_CHECKING:
    from muster._core import Core
    from muster.future import RemoteFuture

MESSAGE_BYTES = 1 << 20  # a message is written when it holds so much
MESSAGE_ITEMS = 500
STALL = 0.02
UNAVAILABLE = 14


class Carrier:
    """One for each client, on its loop. Opens the stream with the first submit."""

    def __init__(self, client: Core) -> None:
        self._client = client
        self._loop = client.loop
        self.session = uuid4().hex
        self._next_tag = 0
        self._unsent: Deque[RemoteFuture] = collections.deque()
        self._in_flight: Dict[int, RemoteFuture] = {}  # on the stream that is open
        self._credits = 0
        self._granted = False  # the stream that is open has been given credits
        self._refusing = False  # the stream that is open takes nothing new
        self.unacknowledged = 0
        self._wake: Optional[asyncio.Future[None]] = None
        self._task: Optional[asyncio.Task[None]] = None
        self._stall: Optional[asyncio.TimerHandle] = None
        self._batches = Batches(client, self)
        self._backlog_max = client.options.backlog_max
        self._backoff = Backoff(client.options.retry)
        self._backoff.accepted()  # the client has spoken to the server before it makes a carrier

    # --- what the client asks -----------------------------------------------------------------------------------------

    def submit(self, future: RemoteFuture) -> None:
        """Sent by the end of this turn of the loop, if there are credits."""
        if self.unacknowledged >= self._backlog_max:
            self._refuse()
        self.unacknowledged += 1
        future._tag = tag = self._next_tag
        self._next_tag = tag + 1
        self._unsent.append(future)
        wake = self._wake
        if wake is not None:
            self._wake = None
            wake.set_result(None)
        elif self._task is None:
            self._task = self._loop.create_task(self._main())

    def submit_by_request_id(self, future: RemoteFuture) -> None:
        """For a spec that has a request id of the caller's: a Run with a session gives items its own."""
        if self.unacknowledged >= self._backlog_max:
            self._refuse()
        self.unacknowledged += 1
        future._tag = self._next_tag
        self._next_tag += 1
        self._batches.add(future)

    def _refuse(self) -> None:
        raise errors.BacklogFullError(
            f"{self.unacknowledged} submits wait to be acknowledged, and backlog_max is {self._backlog_max}: "
            "await some of them, or use map, which is bounded"
        )

    def withdraw(self, future: RemoteFuture) -> bool:
        """Takes back what has not been sent. False when it may have been: then its spec may be with the server."""
        if future._spec is None or future._tag in self._in_flight or future in self._batches.sent:
            return False
        future._spec = None  # whoever comes to it passes over it
        self.acknowledged(1)
        return True

    def acknowledged(self, count: int) -> None:
        """So many submits have been accepted, refused or withdrawn."""
        self.unacknowledged -= count
        if not self.unacknowledged:
            self._client.tell_flushed()

    @property
    def failing(self) -> bool:
        """The server could not be reached the last time."""
        return self._backoff.failing

    async def close(self) -> List[RemoteFuture]:
        """Ends the stream and gives what it held; on the server that lives on."""
        if self._stall is not None:
            self._stall.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        futures = [*self._in_flight.values(), *self._unsent, *self._batches.left()]
        self._in_flight.clear()
        self._unsent.clear()
        return futures

    # --- one stream after another ---------------------------------------------------------------------------------

    def rouse(self) -> None:
        """Wakes the writer."""
        wake = self._wake
        if wake is not None:
            self._wake = None
            wake.set_result(None)

    async def _sleep_until_roused(self) -> None:
        wake = self._wake = self._loop.create_future()
        try:
            await wake
        finally:
            if self._wake is wake:
                self._wake = None

    async def _main(self) -> None:
        while True:
            if not self._unsent:
                await self._sleep_until_roused()
                continue
            try:
                failure: Exception = await self._stream()
            except Exception as error:  # a fault of ours; nobody shall wait for ever because of it
                self._loop.call_exception_handler({"message": "the carrier of submits failed", "exception": error})
                failure = error
            self._take_back()
            pause = self._backoff.next(failure, self._loop.time())
            if pause is None:
                self._give_up(failure)
            else:
                await asyncio.sleep(pause)

    async def _stream(self) -> errors.ServiceError:
        """One stream from its opening to its end, and why it ended."""
        call = self._client.channel.run()
        self._credits = 0
        self._granted = self._refusing = False
        opening = pb.RunRequest()
        opening.open.namespace = self._client.namespace
        opening.open.session = self.session
        opening.open.acknowledge = True
        reader: Optional[asyncio.Task[None]] = None
        try:
            await call.write(opening.SerializeToString())
            reader = self._loop.create_task(self._read(call))
            while not reader.done():
                message = self._fill()
                if message:
                    await call.write(message)
                else:
                    await self._sleep_until_roused()
        except _channel.CallOver:
            pass
        except BaseException:
            call.cancel()
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            raise
        if reader is not None:
            await reader
        return await _channel.status_of(call)

    def _fill(self) -> bytes:
        """Items as credits allow; b"" when there is nothing to send."""
        unsent = self._unsent
        if not unsent or self._refusing:
            return b""
        in_flight, item = self._in_flight, _encode.item
        parts: List[bytes] = []
        room, size = min(self._credits, MESSAGE_ITEMS), 0
        while unsent and room > 0 and size < MESSAGE_BYTES:
            future = unsent.popleft()
            spec = future._spec
            if spec is None:  # withdrawn
                continue
            tag = future._tag
            in_flight[tag] = future
            part = item(tag, spec)
            parts.append(part)
            size += len(part)
            room -= 1
        self._credits -= len(parts)
        if unsent and self._granted and self._credits == 0 and self._stall is None:
            self._stall = self._loop.call_later(STALL, self._stalled)
        return b"".join(parts)

    async def _read(self, call: Any) -> None:
        read, take = call.read, self._take
        try:
            while True:
                response = await read()
                if response is _channel.EOF:
                    break
                take(response)
        except _channel.CallOver:
            pass
        finally:
            self.rouse()  # the writer, which sees that this is over

    def _take(self, response: pb.RunResponse) -> None:
        if self._backoff.failing and (response.accepted or response.done):
            self._backoff.accepted()
        in_flight = self._in_flight
        acceptances = self._client.acceptances
        settle = self._client.settle
        done = response.done
        for end in done:
            future = in_flight.pop(end.tag, None)
            if future is not None:
                completion = end.completion
                if completion.state:
                    settle(future, completion)
                    if acceptances and future in acceptances:
                        self._client.tell_accepted(future)
                else:
                    self._rejected(future, end.rejected)
        accepted = response.accepted
        if accepted:
            for one in accepted:
                future = in_flight.get(one.tag)
                if future is not None:  # else its end came along
                    future._id = one.id
                    future._spec = None
                    if acceptances and future in acceptances:
                        self._client.tell_accepted(future)
            self.acknowledged(len(accepted))
        freed = response.credits + len(done)
        if freed:
            self._granted = True
            self._credits += freed
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None
            if self._unsent:
                self.rouse()

    def _rejected(self, future: RemoteFuture, status: Any) -> None:
        if status.code == UNAVAILABLE:  # the server drains, and will end the stream: the next one may take it
            self._refusing = True
            self._unsent.append(future)
        else:
            self.refused(future, status)

    def refused(self, future: RemoteFuture, status: Any) -> None:
        """An item that was not accepted."""
        self._client.fail(future, _status.of_item(status))
        self.acknowledged(1)

    # --- when a stream has ended ------------------------------------------------------------------------------------

    def _take_back(self) -> None:
        """What was acknowledged is watched by id; the rest is to be sent again, in its order."""
        again: List[RemoteFuture] = []
        for future in self._in_flight.values():
            if future._id is not None:
                self._client.watcher.watch(future)
            else:
                again.append(future)
        self._in_flight.clear()
        self._credits = 0
        self._granted = False
        self._unsent.extendleft(reversed(again))

    def _give_up(self, failure: Exception) -> None:
        """Patience is at its end, or the failure is final: what was not acknowledged ends with it."""
        self._backoff = Backoff(self._client.options.retry)
        futures = [future for future in self._unsent if future._spec is not None]
        self._unsent.clear()
        for future in futures:
            self._client.fail(future, failure)
        self.acknowledged(len(futures))

    # --- when there are no credits ----------------------------------------------------------------------------------

    def _stalled(self) -> None:
        """Nothing has completed for a while: what waits is submitted in batches until something does."""
        self._stall = None
        if self._granted and self._credits == 0:
            while self._unsent:
                self._batches.add(self._unsent.popleft())
