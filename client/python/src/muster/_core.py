"""What the parts of a client share: how futures come to their end, cancels, acceptances, tasks and timers.

Threading: one event loop, the one that the client was opened on.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Dict, List, Optional, Set
from uuid import uuid4

from muster import _channel, _outcome, errors, payload
from muster import future as future_module
from muster._run import Carrier
from muster._spec import Seconds, seconds
from muster._watch import Watcher
from muster.future import RemoteFuture, RemotePromise, settle_cancelled, settle_exception, settle_result
from muster.info import ServerInfo
from muster.options import Options
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb

if TYPE_CHECKING:
    from muster.client import AsyncClient

REQUESTS_MAX = 64  # small requests under way at a time: promises, large outcomes
SUCCEEDED, FAILED, CANCELLED = _outcome.SUCCEEDED, _outcome.FAILED, _outcome.CANCELLED


class Timer:
    """What `call_later` gives."""

    def __init__(self, handle: Optional[asyncio.TimerHandle], future: Optional[RemoteFuture]) -> None:
        self._handle, self._future = handle, future

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._future is not None:
            self._future.cancel()


class Core:
    def __init__(
        self, face: AsyncClient, address: str, options: Options, channel: _channel.Channel, server: ServerInfo
    ) -> None:
        self.face = face
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.address = address
        self.namespace = options.namespace
        self.options = options
        self.channel = channel
        self.server = server
        self.closed = False
        self.acceptances: Dict[RemoteFuture, List[Callable[[], None]]] = {}
        self._cancels: Dict[str, List[RemoteFuture]] = {}  # asked for in this turn, by message
        self._flushes: List[asyncio.Future[None]] = []
        self._tasks: Set[asyncio.Task[Any]] = set()
        self._lasting: Set[asyncio.Task[Any]] = set()
        self._requests = asyncio.Semaphore(REQUESTS_MAX)
        self.watcher = Watcher(self)
        self.carrier = Carrier(self)

        limits = server.limits
        # A spec beyond it would end the whole stream; what is below it the server judges item by item.
        self.spec_bytes_max = limits.message_bytes_max - 4096

    def refuse_size(self, size: int) -> None:
        raise errors.LimitError(
            f"input makes a submit of {size} bytes, and the server takes messages of {self.server.limits.message_bytes_max} "
            f"(payloads of {self.server.limits.payload_bytes_max}): send less, or a reference to where it is",
            code="INVALID_ARGUMENT",
            reason="PAYLOAD_TOO_LARGE",
            fields=("input",),
        )

    def check(self) -> None:
        """The client is open, and this is its loop."""
        if self.closed:
            raise errors.ClientClosedError("the client is closed: open another one")
        if asyncio._get_running_loop() is not self.loop:
            raise errors.WrongLoopError(
                "the client belongs to another event loop: open one on this loop, or use muster.Client in threads"
            )

    def spawn(self, work: Coroutine[Any, Any, None], lasting: bool = False) -> asyncio.Task[None]:
        """A task of the client's own, ended with it. Closing waits for it a while, unless it is a lasting one."""
        tasks = self._lasting if lasting else self._tasks
        task = self.loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    # --- how a future comes to its end ------------------------------------------------------------------------------

    def settle(self, future: RemoteFuture, completion: future_pb2.Completion) -> None:
        """The server says how it ended. Every completion passes here: first comes what nearly all of them are."""
        if future.done():
            return
        if future._id is None:
            future._id = completion.id
        future._spec = None
        try:
            outcome = completion.outcome
            if completion.state == SUCCEEDED and outcome.HasField("value"):
                body = outcome.value
                kind = body.WhichOneof("body")
                if body.content_type or body.metadata:
                    future._payload = payload.decode_payload(body)
                settle_result(future, None if kind is None else payload.decode(body))
            elif completion.outcome_omitted:
                self.spawn(self._fetch(future))
                return
            else:
                self._settle_otherwise(future, completion)
        except Exception as error:  # of this one alone: others came with it
            self.end(future, error)
            return
        sink = future._sink
        if sink is not None:
            future._sink = None
            sink(future)

    def _settle_otherwise(self, future: RemoteFuture, completion: future_pb2.Completion) -> None:
        if completion.state == CANCELLED:
            settle_cancelled(future, completion.outcome.cancelled.message or None)
        elif completion.state == FAILED:
            settle_exception(future, _outcome.exception_of(completion.outcome.error))
        elif completion.state == SUCCEEDED:
            settle_result(future, _outcome.gathered(completion.outcome.gathered.outcomes))
        else:
            words = f"future {completion.id} was forgotten before its outcome was read: keep it longer (retention)"
            settle_exception(future, errors.FutureExpiredError(words, code="NOT_FOUND", reason="FUTURE_EXPIRED"))

    def end(self, future: RemoteFuture, exception: Optional[BaseException], message: Optional[str] = None) -> None:
        """Its end here, for a reason of ours: an exception, or cancelled with this message."""
        if future.done():
            return
        if exception is not None:
            settle_exception(future, exception)
        else:
            settle_cancelled(future, message)
        sink = future._sink
        if sink is not None:
            future._sink = None
            sink(future)

    async def _fetch(self, future: RemoteFuture) -> None:
        """An outcome that was too large to come along: by Get, or slice by slice if it is a gather's."""
        try:
            async with self._requests:
                request = pb.GetRequest(namespace=self.namespace, id=future._id or "")
                found = (await self.channel.unary("Get", request, pb.GetResponse, patient=True)).future
                if not found.outcome_omitted:
                    completion = future_pb2.Completion(id=found.id, state=found.state)
                    completion.outcome.CopyFrom(found.outcome)
                    self.settle(future, completion)
                    return
                whole = pb.GatherRequest(namespace=self.namespace, gather_id=found.id)
                results: List[Any] = []
                async for part in _channel.slices(self.channel, "Gather", whole, pb.GatherResponse):
                    results += _outcome.gathered(part.outcomes)
                if not future.done():
                    settle_result(future, results)
                    if future._sink is not None:
                        future._sink(future)
        except errors.ServiceError as failure:
            self.fail(future, failure)

    def fail(self, future: RemoteFuture, failure: BaseException) -> None:
        """Its end here is not its end on the server: it was refused, or cannot be followed."""
        self.end(future, failure)
        if future in self.acceptances:
            self.tell_accepted(future)

    # --- acknowledgement --------------------------------------------------------------------------------------------

    def when_accepted(self, future: RemoteFuture, callback: Callable[[], None]) -> None:
        """Calls back when it has an id, or has ended without one; at once if so already."""
        if future._id is not None or future.done():
            callback()
        else:
            self.acceptances.setdefault(future, []).append(callback)

    def tell_accepted(self, future: RemoteFuture) -> None:
        for callback in self.acceptances.pop(future, ()):
            callback()

    async def wait_accepted(self, future: RemoteFuture) -> None:
        """Raises what it ended with when it never had an id."""
        self.check()
        waiter = self.loop.create_future()

        def tell() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self.when_accepted(future, tell)
        await waiter
        if future._id is None:
            future.result()  # raises

    async def flush(self) -> None:
        """Until every submit has been acknowledged or refused."""
        if self.carrier.unacknowledged:
            waiter = self.loop.create_future()
            self._flushes.append(waiter)
            await waiter

    def tell_flushed(self) -> None:
        if self._flushes:
            waiters, self._flushes = self._flushes, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # --- cancelling -------------------------------------------------------------------------------------------------

    def request_cancel(self, future: RemoteFuture, message: str) -> None:
        """Sent with the others of this turn; what has not left is withdrawn."""
        if threading.get_ident() != self._thread:
            raise errors.WrongLoopError("a future is cancelled on the thread of its client's event loop")
        if self.closed:
            return
        if future._id is None and self.carrier.withdraw(future):
            # Not inside this call: like a task's, its end comes with the next turn (semantics 16).
            self.loop.call_soon(self._withdrawn, future, message)
            return
        if not self._cancels:
            self.loop.call_soon(self._send_cancels)
        self._cancels.setdefault(message, []).append(future)

    def _withdrawn(self, future: RemoteFuture, message: str) -> None:
        self.end(future, None, message or None)
        self.tell_accepted(future)

    def _send_cancels(self) -> None:
        asked, self._cancels = self._cancels, {}
        for message, futures in asked.items():
            again = [future._id for future in futures if future._id is not None and not future.done()]
            while again:
                # A set counts its members once, and a cancel that was asked for twice counts twice (semantics 9).
                known, again = list(dict.fromkeys(again)), _without_first(again)
                for at in range(0, len(known), self.server.limits.set_max):
                    self.spawn(self._cancel(known[at : at + self.server.limits.set_max], message))
            for future in futures:
                if future._id is None:
                    self.when_accepted(future, lambda future=future: self._cancel_accepted(future, message))  # type: ignore[misc]

    def _cancel_accepted(self, future: RemoteFuture, message: str) -> None:
        if not future.done():
            self.request_cancel(future, message)

    async def _cancel(self, ids: List[str], message: str) -> None:
        request = pb.CancelRequest(namespace=self.namespace, message=message)
        request.set.ids.extend(ids)
        try:
            await self.channel.unary("Cancel", request, pb.CancelResponse, patient=True)
        except errors.ServiceError as failure:
            words = f"{len(ids)} futures could not be cancelled, the first is {ids[0]}: {failure}"
            self.loop.call_exception_handler({"message": words, "exception": failure})

    # --- promises and handles -----------------------------------------------------------------------------------------

    def watch(self, future: RemoteFuture) -> None:
        """Follows it by its id, once it has one."""
        if self.closed:
            self.fail(future, errors.ClientClosedError("the client is closed: open another one, and take up the id there"))
        elif future._id is not None:
            self.watcher.watch(future)
        else:
            self.when_accepted(future, lambda: self.watcher.watch(future))

    def make_promise(self, name: Optional[str], options: future_pb2.FutureOptions) -> RemotePromise:
        promise: RemotePromise = future_module.make(RemotePromise, self, None, name, None)
        if not options.request_id:
            options.request_id = uuid4().hex
        self.spawn(self._create(promise, options))
        return promise

    async def _create(self, promise: RemotePromise, options: future_pb2.FutureOptions) -> None:
        request = pb.CreatePromiseRequest(namespace=self.namespace, options=options)
        try:
            async with self._requests:
                answer = await self.channel.unary("CreatePromise", request, pb.CreatePromiseResponse)
        except errors.ServiceError as failure:
            self.fail(promise, failure)
            return
        promise._id = answer.id
        self.tell_accepted(promise)

    def settle_promise(self, promise: RemotePromise, value: Any, exception: Any) -> asyncio.Task[None]:
        self.check()
        done = future_pb2.Completion()
        if exception is None:
            done.state = SUCCEEDED
            done.outcome.value.MergeFromString(payload.encode(value, "result"))
        else:
            done.state = FAILED
            done.outcome.error.CopyFrom(_outcome.error_message(exception))
        promise.begin_settling()
        return self.spawn(self._settle_promise(promise, done))

    async def _settle_promise(self, promise: RemotePromise, done: future_pb2.Completion) -> None:
        done.id = await promise.accepted()
        outcome = done.outcome
        request_id = uuid4().hex
        try:
            async with self._requests:
                if done.state == SUCCEEDED:
                    result = pb.SetResultRequest(namespace=self.namespace, id=done.id, request_id=request_id)
                    result.value.CopyFrom(outcome.value)
                    await self.channel.unary("SetResult", result, pb.SetResultResponse)
                else:
                    error = pb.SetExceptionRequest(namespace=self.namespace, id=done.id, request_id=request_id)
                    error.error.CopyFrom(outcome.error)
                    await self.channel.unary("SetException", error, pb.SetExceptionResponse)
        except errors.ServiceError as failure:
            if failure.reason == "ALREADY_DONE":
                self.watch(promise)
                raise asyncio.InvalidStateError(str(failure)) from failure
            raise
        self.watcher.forget(promise)
        self.settle(promise, done)
        promise._log_traceback = False  # who set it knows; those who await it elsewhere are told

    # --- time -------------------------------------------------------------------------------------------------------

    def call_later(self, delay: Seconds, callback: Callable[[], None]) -> Timer:
        """Like the loop's, but where the server's clock is moved by hand its time counts: then a job that sleeps keeps
        the time."""
        delay = seconds(delay, "timeout")
        if not self.server.manual_clock:
            return Timer(self.loop.call_later(delay, callback), None)
        sleeper = self.face.submit("sleep", max(0.0, delay), retention=60)

        def wake(_: Any) -> None:
            if sleeper.cancelled() or isinstance(sleeper.exception(), errors.ClientClosedError):
                return
            sleeper.result()
            callback()

        sleeper.add_done_callback(wake)
        return Timer(None, sleeper)

    # --- the end ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Waits for acknowledgements, ends what is under way, and lets go of what is pending."""
        lost = 0
        try:
            await self._flush_in_time()
            lost = self.carrier.unacknowledged
        finally:
            self.closed = True
            tasks = [*self._tasks, *self._lasting]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            held = await self.carrier.close()
            held += self.watcher.left() + list(self.acceptances)
            for future in held:
                if not future.done():
                    words = f"the client was closed while {future!r} was pending; on the server it goes on"
                    self.fail(future, errors.ClientClosedError(words))
                    future._log_traceback = False  # nobody need ask for it
            await self.channel.close()
        if lost:
            raise errors.UnavailableError(
                f"{lost} submits were not acknowledged within {self.options.close_timeout} s of closing: the server "
                "may or may not have them",
                code="UNAVAILABLE",
            )

    async def _flush_in_time(self) -> None:
        """Submits are acknowledged, and requests under way answered, within close_timeout or never."""
        await asyncio.sleep(0)  # what was asked for in this turn leaves first
        flush = self.loop.create_task(self.flush())
        await asyncio.wait({flush, *self._tasks}, timeout=self.options.close_timeout)
        flush.cancel()


def _without_first(ids: List[str]) -> List[str]:
    """What is left when each has been taken once."""
    seen: Set[str] = set()
    left = []
    for id_ in ids:
        if id_ in seen:
            left.append(id_)
        seen.add(id_)
    return left
