"""Client: Muster for scripts and threads.

    with muster.Client("localhost:7411") as client:
        futures = [client.submit("checksum", {"data": text}) for text in texts]
        for future in concurrent.futures.as_completed(futures):
            print(future.result())

It is AsyncClient on an event loop of its own thread. Its futures are `concurrent.futures.Future`s, so the standard
library's `wait` and `as_completed` take them. Any number of threads may use one client.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import concurrent.futures
import threading
import weakref
from types import TracebackType
from typing import (
    Any,
    Callable,
    Coroutine,
    Deque,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from muster import errors
from muster._relay import Relay
from muster.blocking_future import BlockingFuture, BlockingPromise, attach, fail
from muster.client import CALL_RETENTION, AsyncClient, connect
from muster.future import Handle, RemoteFuture
from muster.info import Function, FutureInfo, ServerInfo
from muster.options import Options

__all__ = ["Client"]

T = TypeVar("T")
_open: weakref.WeakSet[Client] = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_open):
        client.close()


atexit.register(_close_all)


class Client:
    """A connection to one server and namespace, for any thread.

    Raises as `muster.connect` does when it cannot be opened. A call that ends early, for whatever reason, cancels no
    future (semantics 92, 98). Done callbacks run on the client's own thread: they must not block, and what blocks here
    refuses to be called from them.
    """

    def __init__(self, address: str = "localhost:7411", *, options: Optional[Options] = None, **more: Any) -> None:
        self._client = connect(address, options=options, **more)
        self._waiting: Deque[Tuple[BlockingFuture, Callable[[], RemoteFuture]]] = collections.deque()
        self._scheduled = False
        self._lock = threading.Lock()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="muster-client", daemon=True)
        self._thread.start()
        try:
            self.run(self._client.open())
        except BaseException:
            self._stop()
            raise
        _open.add(self)

    def close(self) -> None:
        """Waits until what was submitted has been acknowledged, then closes; pending futures end with
        ClientClosedError here and go on at the server. UnavailableError when submits were not acknowledged."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        _open.discard(self)
        try:
            self._await(self._close())
        finally:
            self._stop()

    async def _close(self) -> None:
        self._drain()
        await self._client.close()

    def _stop(self) -> None:
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            self.close()
        except errors.UnavailableError:
            if error is None:
                raise

    @property
    def closed(self) -> bool:
        return self._closed

    # --- the way to the loop ----------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T], timeout: Optional[float] = None) -> T:
        """Runs a coroutine on the client's loop and waits for its result; TimeoutError ends it there too."""
        if self._closed:
            work.close()
            raise errors.ClientClosedError("the client is closed: open another one")
        return self._await(work, timeout)

    def may_block(self) -> None:
        """WrongLoopError on the client's own thread, which would wait for itself."""
        if threading.current_thread() is self._thread:
            raise errors.WrongLoopError(
                "a done callback runs on the client's own thread and must not block: hand the work to another thread"
            )

    def _await(self, work: Coroutine[Any, Any, T], timeout: Optional[float] = None) -> T:
        try:
            self.may_block()
        except errors.WrongLoopError:
            work.close()
            raise
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(timeout)
        except BaseException:
            running.cancel()
            raise

    def _post(self, future: BlockingFuture, make: Callable[[], RemoteFuture]) -> BlockingFuture:
        """`make` runs on the loop; what many threads ask for in one moment wakes it once."""
        with self._lock:  # so that what is taken before it closes is drained
            if self._closed:
                raise errors.ClientClosedError("the client is closed: open another one")
            self._waiting.append((future, make))
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon_threadsafe(self._drain)
        return future

    def _drain(self) -> None:
        self._scheduled = False
        while self._waiting:
            future, make = self._waiting.popleft()
            try:
                attach(future, make())
            except Exception as error:  # it belongs to whoever asks for the result
                fail(future, error)

    # --- submitting -------------------------------------------------------------------------------------------------

    @property
    def client(self) -> AsyncClient:
        """The AsyncClient behind this one; to be used on its loop only, as by `run`."""
        return self._client

    @property
    def server(self) -> ServerInfo:
        """What the server said of itself when this client was opened."""
        return self._client.server

    def submit(self, function: str, input: Any = None, *, name: Optional[str] = None, **options: Any) -> BlockingFuture:
        """As `AsyncClient.submit`; what cannot be sent raises here, what the server refuses the future's `result()`."""
        prepared = self._client.prepare(function, input, name, options)
        return self._post(BlockingFuture(self, name), lambda: self._client.submit_prepared(prepared))

    def call(
        self, function: str, input: Any = None, *, timeout: Optional[float] = None, name: Optional[str] = None, **options: Any
    ) -> Any:
        """Submits and waits for the result; the future is kept for a minute only, unless `retention` says otherwise.
        TimeoutError when `timeout` runs out: that cancels nothing (semantics 92)."""
        options.setdefault("retention", CALL_RETENTION)
        return self.submit(function, input, name=name, **options).result(timeout)

    def map(
        self,
        function: str,
        inputs: Iterable[Any],
        *,
        window: int = 1000,
        ordered: bool = True,
        return_exceptions: bool = False,
        **options: Any,
    ) -> Iterator[Any]:
        """As `AsyncClient.map`: the results, in order or as they complete, a window of inputs at a time."""
        source = iter(inputs)

        async def start() -> Relay:
            results = self._client.map(
                function, source, window=window, ordered=ordered, return_exceptions=return_exceptions, **options
            )
            return Relay(results, window)

        return self.run(start()).take(self)

    # --- several at once ------------------------------------------------------------------------------------------

    def wait(
        self,
        fs: Iterable[BlockingFuture],
        timeout: Optional[float] = None,
        return_when: str = concurrent.futures.ALL_COMPLETED,
    ) -> Tuple[Set[BlockingFuture], Set[BlockingFuture]]:
        """`concurrent.futures.wait`: (done, not done). A timeout cancels nothing; nothing waited for is two empty sets
        (the note to semantics 23)."""
        members: Any = self._members(fs, "wait")
        ended: Any = concurrent.futures.wait(members, timeout, return_when)
        return ended.done, ended.not_done

    def as_completed(self, fs: Iterable[BlockingFuture], timeout: Optional[float] = None) -> Iterator[BlockingFuture]:
        """`concurrent.futures.as_completed`: the futures as they complete, then TimeoutError if time runs out."""
        members: Any = self._members(fs, "as_completed")
        coming: Any = concurrent.futures.as_completed(members, timeout)
        return iter(coming)

    def gather(
        self, *fs: BlockingFuture, return_exceptions: bool = False, timeout: Optional[float] = None
    ) -> List[Any]:
        """Their results in the order given. Raises the first failure as it happens, and the others go on (semantics
        46), or gives failures in their places with `return_exceptions`. TimeoutError cancels nothing."""
        members = self._members(fs, "gather")
        when = concurrent.futures.ALL_COMPLETED if return_exceptions else concurrent.futures.FIRST_EXCEPTION
        done, pending = concurrent.futures.wait(members, timeout, when)
        if not return_exceptions:
            for future in done:
                future.result()  # the first exception
        if pending:
            raise concurrent.futures.TimeoutError(f"{len(pending)} of {len(done) + len(pending)} futures are not done")
        return [_value_or_exception(future) if return_exceptions else future.result() for future in members]

    def _members(self, fs: Iterable[BlockingFuture], who: str) -> Sequence[BlockingFuture]:
        members = list(fs)
        for member in members:
            if not isinstance(member, BlockingFuture):
                raise errors.NotARemoteFutureError(
                    f"{who} takes futures of a muster.Client, not {type(member).__name__}; concurrent.futures.{who} "
                    "takes these and others"
                )
            if member.client is not self and (
                (member.client.address, member.client.namespace) != (self.address, self.namespace)
            ):
                raise errors.MixedServersError(
                    f"{who} was given a future of namespace {member.client.namespace!r} at {member.client.address}, and "
                    f"the client is of {self.namespace!r} at {self.address}: one call takes futures of one server and "
                    "namespace"
                )
        return members

    # --- promises, handles, and what the server knows ---------------------------------------------------------------

    @property
    def address(self) -> str:
        return self._client.address

    @property
    def namespace(self) -> str:
        return self._client.namespace

    def create_promise(self, *, name: Optional[str] = None, **options: Any) -> BlockingPromise:
        """A future that somebody settles. Waits until the server has made it."""

        async def make() -> Any:
            made = self._client.create_promise(name=name, **options)
            await made.accepted()
            return made

        promise = BlockingPromise(self, name)
        attach(promise, self.run(make()))
        return promise

    def future(self, which: Union[str, Handle]) -> BlockingFuture:
        """A future that was made elsewhere, by its id or handle. An unknown id shows in `result()`."""
        return self._post(BlockingFuture(self, None), lambda: self._client.future(which))

    def info(self, which: Union[str, Handle, BlockingFuture]) -> FutureInfo:
        """How a future stands on the server."""
        return self.run(self._client.info(_id_of(which)))

    def list(self, **filters: Any) -> List[FutureInfo]:
        """The futures of the namespace; the filters of `AsyncClient.list`."""

        async def take() -> List[FutureInfo]:
            return [one async for one in self._client.list(**filters)]

        return self.run(take())

    def cancel(self, *which: Union[str, Handle, BlockingFuture], msg: str = "", group: str = "") -> List[str]:
        """Cancels many in one request, or a group; what it did to each."""
        return self.run(self._client.cancel(*[_id_of(one) for one in which], msg=msg, group=group))

    def delete(self, *which: Union[str, Handle, BlockingFuture], group: str = "") -> int:
        """Forgets futures that are done; how many."""
        return self.run(self._client.delete(*[_id_of(one) for one in which], group=group))

    def functions(self) -> List[Function]:
        """What the server can run."""
        return self.run(self._client.functions())

    def flush(self) -> None:
        """Waits until every submit so far has been acknowledged or refused."""

        async def flush() -> None:
            self._drain()
            await self._client.flush()

        self.run(flush())


def _id_of(which: Union[str, Handle, BlockingFuture]) -> Union[str, Handle]:
    return which.accepted() if isinstance(which, BlockingFuture) else which


def _value_or_exception(future: BlockingFuture) -> Any:
    try:
        return future.result()
    except concurrent.futures.CancelledError as error:
        return error
    except BaseException as error:  # noqa: B036  a RemoteCancelledError is one
        return error
