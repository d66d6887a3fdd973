"""The futures of `muster.Client`: `concurrent.futures.Future`s that follow remote ones."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pickle
from typing import TYPE_CHECKING, Any, Optional, Tuple

from muster import errors
from muster.future import Handle, RemoteFuture, RemotePromise, add_sink
from muster.info import FutureInfo

if TYPE_CHECKING:
    from muster.blocking import Client

    _Base = concurrent.futures.Future[Any]
else:
    _Base = concurrent.futures.Future

__all__ = ["BlockingFuture", "BlockingPromise"]


class BlockingFuture(_Base):
    """A future on the server, for threads. `concurrent.futures.wait` and `as_completed` take it.

    Whether a job runs is not known here, so `running()` is false until it has ended.
    """

    def __init__(self, client: Client, name: Optional[str]) -> None:
        super().__init__()
        self._client = client
        self._name = name
        self._remote: Optional[RemoteFuture] = None  # of the client's loop
        self._message = ""

    @property
    def client(self) -> Client:
        """The client that it belongs to."""
        return self._client

    def get_name(self) -> str:
        """The name given to `submit`, or one made up here."""
        return self._name if self._name is not None else (self._remote.get_name() if self._remote else "Task")

    @property
    def id(self) -> Optional[str]:
        """Its id on the server; None until the server has acknowledged it."""
        return self._remote.id if self._remote is not None else None

    def accepted(self, timeout: Optional[float] = None) -> str:
        """Waits until the server has acknowledged it, and gives its id. Raises what the submit was refused with."""

        async def wait() -> str:
            remote = await self._attached()
            return await remote.accepted()

        return self._client.run(wait(), timeout)

    async def _attached(self) -> RemoteFuture:
        # What was posted before this has been attached before this runs.
        if self._remote is None:
            exception = self.exception(0) if self.done() else errors.ClientClosedError("the future was never sent")
            raise exception or errors.MusterError("the future has no counterpart on the server")
        return self._remote

    def handle(self) -> Handle:
        """Its name for other processes."""
        return Handle(self._client.address, self._client.namespace, self.accepted(), self._name)

    def info(self) -> FutureInfo:
        """How it stands on the server."""
        return self._client.info(self)

    def cancel(self, msg: Optional[Any] = None) -> bool:
        """Cancels it at the server, waiting for the answer: True when it is cancelled, False when it had ended.

        What runs cannot be cancelled at once (semantics 91): it is asked to end, False is returned, and the future ends
        cancelled when its body has.
        """
        if self.done():
            return self.cancelled()
        return self._client.run(self._cancel("" if msg is None else str(msg)))

    async def _cancel(self, message: str) -> bool:
        remote = await self._attached()
        core = remote._client
        if remote._id is None and core.carrier.withdraw(remote):
            core.end(remote, None, message)
            return True
        effect = (await core.face.cancel(await remote.accepted(), msg=message))[0]
        if effect == "CANCELLED":
            core.end(remote, None, message)
        return self.cancelled()

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for its result. TimeoutError when `timeout` runs out: that cancels nothing (semantics 92)."""
        if not self.done():
            self._client.may_block()
        try:
            return super().result(timeout)
        except concurrent.futures.CancelledError:
            raise self._cancelled_error() from None

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        """Waits for its exception, None when it has succeeded."""
        if not self.done():
            self._client.may_block()
        try:
            return super().exception(timeout)
        except concurrent.futures.CancelledError:
            raise self._cancelled_error() from None

    def _cancelled_error(self) -> concurrent.futures.CancelledError:
        # The message of the cancel reaches whoever awaits (semantics 8).
        return concurrent.futures.CancelledError(self._message) if self._message else concurrent.futures.CancelledError()

    def __reduce__(self) -> Tuple[Any, ...]:
        if self.id is None:
            raise pickle.PicklingError(f"{self!r} has no id yet: `future.accepted()` before it is pickled")
        return Handle, (self._client.address, self._client.namespace, self.id, self._name)


class BlockingPromise(BlockingFuture):
    """A future that this or any other client settles."""

    def set_result(self, result: Any) -> None:
        """Settles the promise and waits for the server's answer. `concurrent.futures.InvalidStateError` when it is done
        (semantics 2)."""
        self._settle(result, None)

    def set_exception(self, exception: Any) -> None:
        """The same with an exception."""
        self._settle(None, exception)

    def _settle(self, result: Any, exception: Any) -> None:
        async def settle() -> None:
            remote = await self._attached()
            assert isinstance(remote, RemotePromise)
            await (remote.set_result(result) if exception is None else remote.set_exception(exception))

        try:
            self._client.run(settle())
        except asyncio.InvalidStateError as error:
            raise concurrent.futures.InvalidStateError(str(error)) from None


_set_result = _Base.set_result
_set_exception = _Base.set_exception
_cancel = _Base.cancel


def attach(future: BlockingFuture, remote: RemoteFuture) -> None:
    """On the client's loop: `future` follows `remote` from now on."""

    def copy(ended: Any) -> None:
        if future.done():
            return
        if ended.cancelled():
            error = ended._make_cancelled_error()
            future._message = str(error.args[0]) if error.args else ""
            _cancel(future)
            future.set_running_or_notify_cancel()  # so that concurrent.futures.wait hears of it
            return
        exception = ended.exception()
        if exception is not None:
            _set_exception(future, exception)
        else:
            _set_result(future, ended.result())

    future._remote = remote
    add_sink(remote, copy)


def fail(future: BlockingFuture, error: BaseException) -> None:
    """It could not even be sent."""
    _set_exception(future, error)
