"""RemoteFuture: asyncio's future, settled by the server.

A RemoteFuture is an `asyncio.Future`: it can be awaited, waited for, gathered and given callbacks by everything that
takes one, asyncio's own functions included. What it knows of the remote future is what the server has said last, so it
is pending here until the server's word has arrived.

A future that `submit` made is told of its end without asking. A handle (`client.future(id)`) and a promise ask when
somebody awaits them or adds a callback.
"""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Tuple, Type


if TYPE_CHECKING:
    from muster._core import Core
    from muster.client import AsyncClient
    from muster.info import FutureInfo
    from muster.payload import Payload

    _Base = asyncio.Future[Any]
else:
    _Base = asyncio.Future

__all__ = ["Handle", "RemoteFuture", "RemotePromise"]


class Handle(NamedTuple):
    """What a future is called, from anywhere: a value that can be stored, sent and compared.

    `client.future(handle)` makes a RemoteFuture of it again, in another process too. A pickled RemoteFuture comes back
    as its handle.
    """

    server: str
    namespace: str
    id: str
    name: Optional[str] = None


class RemoteFuture(_Base):
    """A future on the server.

    Differences from a task of asyncio, all because the other end is elsewhere:

    - `cancel` is a request that is sent; the future is cancelled when the server says so (semantics 5).
    - `set_result` and `set_exception` are refused, as a task's are (semantics 13); see `RemotePromise`.
    - It belongs to the client that made it, and to that client's event loop.
    """

    __slots__ = ("_cancels", "_client", "_id", "_name", "_payload", "_sink", "_spec", "_tag")

    _client: Core
    _id: Optional[str]  # once the server has acknowledged it
    _name: Optional[str]
    _spec: Optional[bytes]  # until the server has acknowledged it
    _tag: int  # the carrier's number for it; -1 for what it does not carry
    _payload: Optional[Payload]  # where the result has more to it than its value
    _cancels: int
    _sink: Optional[Callable[[Any], None]]  # told of the end at once, by the library only; see add_sink

    @property
    def id(self) -> Optional[str]:
        """Its id on the server; None until the server has acknowledged it. `await future.accepted()` waits for that."""
        return self._id

    @property
    def client(self) -> AsyncClient:
        """The client that it belongs to."""
        return self._client.face

    def get_name(self) -> str:
        """The name given to `submit`, or one made up here: the server numbers futures without a name itself, and
        `(await future.info()).name` tells how (semantics 14)."""
        if self._name is not None:
            return self._name
        return f"Task-{self._tag + 1}" if self._tag >= 0 else f"Future-{self._id}"

    def cancelling(self) -> int:
        """How many times it was cancelled through this object while it was pending (semantics 9)."""
        return self._cancels

    async def accepted(self) -> str:
        """Waits until the server has acknowledged it, and gives its id. From then on it survives this program
        (semantics 102). Raises what the submit was refused with."""
        if self._id is None:
            await self._client.wait_accepted(self)
        assert self._id is not None
        return self._id

    async def handle(self) -> Handle:
        """Its name for other processes; waits until it has one."""
        return Handle(self._client.address, self._client.namespace, await self.accepted(), self._name)

    async def info(self) -> FutureInfo:
        """How it stands on the server: state, attempt, progress, times."""
        return await self._client.face.info(await self.accepted())

    def payload(self) -> Payload:
        """The result with its content type and metadata. Raises as `result()` does."""
        from muster.payload import Payload

        value = self.result()
        if self._payload is not None:
            return self._payload
        return Payload(data=value) if isinstance(value, bytes) else Payload(json=value)

    def cancel(self, msg: Optional[Any] = None) -> bool:
        """Asks the server to cancel it, with a message for whoever awaits it (semantics 8).

        False when it is done, as far as is known here; then nothing changes (semantics 4). True otherwise: the request
        leaves with this turn of the loop. What is queued is cancelled at once, what runs is asked to end and may still
        return a value (semantics 5, 6). A submit that has not left yet is withdrawn (semantics 7).
        """
        if self.done():
            self._log_traceback = False
            return False
        self._cancels += 1
        self._client.request_cancel(self, "" if msg is None else str(msg))
        return True

    def set_result(self, result: Any) -> Any:
        """Refused: what a job comes to is the job's to say (semantics 13)."""
        raise RuntimeError("a job's result cannot be set from outside; create_promise makes a future that can")

    def set_exception(self, exception: Any) -> Any:
        """Refused, as `set_result`."""
        raise RuntimeError("a job's exception cannot be set from outside; create_promise makes a future that can")

    def __reduce__(self) -> Tuple[Any, ...]:
        if self._id is None:
            raise pickle.PicklingError(f"{self!r} has no id yet: `await future.accepted()` before it is pickled")
        return Handle, (self._client.address, self._client.namespace, self._id, self._name)

    def __repr__(self) -> str:
        if self.cancelled():
            state = "cancelled"
        elif not self.done():
            state = "pending"
        else:
            state = "failed" if self._peek() is not None else "succeeded"
        return f"<{type(self).__name__} {self.get_name()!r} id={self._id or 'none yet'} {state}>"

    def _peek(self) -> Optional[BaseException]:
        """Its exception, without taking it for retrieved."""
        return self._exception


# asyncio's own, which settle it here once the server has said how.
settle_result = _Base.set_result
settle_exception = _Base.set_exception
settle_cancelled = _Base.cancel


def make(
    kind: Type[RemoteFuture], client: Core, id_: Optional[str], name: Optional[str], spec: Optional[bytes]
) -> Any:
    """A RemoteFuture of this kind. It has no __init__ of its own: `submit` makes many, and sets these itself."""
    future = kind(loop=client.loop)
    future._client = client
    future._id = id_
    future._name = name
    future._spec = spec
    future._tag = -1
    future._payload = None
    future._cancels = 0
    future._sink = None
    return future


def add_sink(future: Any, sink: Callable[[Any], None]) -> None:
    """A callback of the library's own, which may be called as soon as the server's word has been read: it runs no
    code of the user's. One for a future is as good as free; more, and those of other futures, are asyncio's callbacks."""
    if type(future) is RemoteFuture and future._sink is None and not future.done():
        future._sink = sink
    else:
        future.add_done_callback(sink)


def remove_sink(future: Any, sink: Callable[[Any], None]) -> None:
    if isinstance(future, RemoteFuture) and future._sink == sink:
        future._sink = None
    else:
        future.remove_done_callback(sink)


class WatchedFuture(RemoteFuture):
    """A future that is known by its id only, and watched from the first callback on."""

    __slots__ = ()

    def add_done_callback(self, fn: Callable[[Any], object], *, context: Any = None) -> None:
        """asyncio's own; the first one also starts to watch the future."""
        super().add_done_callback(fn, context=context)
        if not self.done():
            self._client.watch(self)


class RemotePromise(WatchedFuture):
    """A future that this or any other client settles.

    `set_result` and `set_exception` send the outcome and come back at once with a task: await it to be sure, and to
    learn that somebody else was faster (`asyncio.InvalidStateError`). Dropped, its failure is logged.
    """

    __slots__ = ("_settling",)

    _settling: bool

    def set_result(self, result: Any) -> asyncio.Task[None]:  # type: ignore[override]
        """Settles the promise. InvalidStateError when it is done or was settled before through this object
        (semantics 2); PayloadError when the value cannot travel."""
        return self._client.settle_promise(self, result, None)

    def set_exception(self, exception: Any) -> asyncio.Task[None]:  # type: ignore[override]
        """Settles the promise with an exception: its type's name, its text and, if it has them, its `details` travel.
        Whoever awaits it anywhere gets a `RemoteError` of that type."""
        return self._client.settle_promise(self, None, exception)

    def begin_settling(self) -> None:
        """InvalidStateError when it cannot be settled any more."""
        if self.done() or getattr(self, "_settling", False):
            raise asyncio.InvalidStateError("the promise is done, or was settled already through this object")
        self._settling = True


def check_handle(handle: Handle, address: str, namespace: str) -> None:
    """Raises MixedServersError when the handle is not of this server and namespace."""
    from muster.errors import MixedServersError

    if (handle.server, handle.namespace) != (address, namespace):
        raise MixedServersError(
            f"the handle is of namespace {handle.namespace!r} at {handle.server}, the client of {namespace!r} at "
            f"{address}; if both addresses are the same server, use client.future(handle.id)"
        )


