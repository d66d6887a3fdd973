"""AsyncClient: Muster from a program on an event loop.

    async with muster.connect("localhost:7411") as m:
        a = m.submit("http.request", {"url": url}, name="front page")
        print(await a)
"""

from __future__ import annotations

import asyncio
import dataclasses
import weakref
from types import TracebackType
from typing import Any, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, List, NamedTuple, Optional, Type, Union

from muster import _channel, _encode, _spec, errors, info, map_, payload
from muster import future as future_module
from muster._core import Core
from muster._members import members_of
from muster.future import Handle, RemoteFuture, RemotePromise, WatchedFuture, add_sink
from muster.info import Function, FutureInfo, ServerInfo
from muster.options import Options
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb

__all__ = ["AsyncClient", "connect"]

VERSION_MIN = (0, 1, 0)
CALL_RETENTION = 60.0  # what is awaited here and has no other reader, as after the wire's Call

_open_clients: weakref.WeakSet[AsyncClient] = weakref.WeakSet()


class Prepared(NamedTuple):
    """A submit that has been looked at."""

    spec: bytes
    name: Optional[str]
    by_request_id: bool


def connect(address: str = "localhost:7411", *, options: Optional[Options] = None, **more: Any) -> AsyncClient:
    """A client for the server at `address`, host:port or any gRPC target.

    Open it with `async with`, or `await` it and `close()` it. `more` are fields of `Options`:
    `connect("localhost:7411", namespace="mine", deadline=10)`.
    """
    return AsyncClient(address, dataclasses.replace(options or Options(), **more))


class AsyncClient:
    """A connection to one server and namespace, on one event loop.

    Nothing it does blocks the loop. Requests that find the server away are made again with the same request id;
    futures that are pending sit out an outage of `RetryPolicy.outage_max`. Closing it waits until what was submitted has
    been acknowledged; futures that are pending live on at the server.
    """

    def __init__(self, address: str, options: Options) -> None:
        self._address = address
        self._options = options
        self._opened: Optional[Core] = None

    # --- opening and closing ----------------------------------------------------------------------------------------

    async def open(self) -> AsyncClient:
        """Connects. UnavailableError when nobody answers, IncompatibleServerError when it is no Muster or too old."""
        if self._opened is not None:
            raise errors.ClientClosedError("the client has been opened before: make another one")
        channel = _channel.Channel(self._address, self._options)
        try:
            answer = await channel.unary("GetServerInfo", pb.GetServerInfoRequest(), pb.GetServerInfoResponse)
        except errors.ServiceError as failure:
            await channel.close()
            if failure.code == "UNIMPLEMENTED" or (failure.code in ("UNKNOWN", "INTERNAL") and not failure.reason):
                raise errors.IncompatibleServerError(
                    f"{self._address} answers, but is no musterd that this package knows: {failure}"
                ) from failure
            if isinstance(failure, errors.UnavailableError):
                failure.args = (f"no musterd at {self._address}: {failure}",)
            raise
        except BaseException:
            await channel.close()
            raise
        server = info.of_server(answer)
        version = tuple(int(part) for part in server.version.split("-")[0].split(".") if part.isdigit())
        if version < VERSION_MIN:
            await channel.close()
            wanted = ".".join(map(str, VERSION_MIN))
            raise errors.IncompatibleServerError(
                f"the server at {self._address} is version {server.version or 'unknown'}; this package needs {wanted} or later"
            )
        self._opened = Core(self, self._address, self._options, channel, server)
        _open_clients.add(self)
        return self

    async def close(self) -> None:
        """Waits for acknowledgements of what was submitted (`close_timeout` at most), then closes. Futures that are
        pending end here with ClientClosedError. UnavailableError when submits were not acknowledged."""
        if self._opened is not None and not self._opened.closed:
            self._opened.check()
            _open_clients.discard(self)
            await self._opened.close()

    async def __aenter__(self) -> AsyncClient:
        return await self.open()

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            await self.close()
        except errors.UnavailableError:
            if error is None:
                raise

    def __await__(self) -> Generator[Any, None, AsyncClient]:
        return self.open().__await__()

    @property
    def address(self) -> str:
        return self._address

    @property
    def namespace(self) -> str:
        return self._options.namespace

    @property
    def server(self) -> ServerInfo:
        """What the server said of itself when this client was opened."""
        return self._core.server

    @property
    def closed(self) -> bool:
        return self._opened is not None and self._opened.closed

    @property
    def _core(self) -> Core:
        core = self._opened
        if core is None:
            raise errors.ClientClosedError("the client is not open: use `async with muster.connect(...) as m`")
        return core

    async def flush(self) -> None:
        """Waits until every submit so far has been acknowledged or refused."""
        self._core.check()
        await self._core.flush()

    # --- submitting -------------------------------------------------------------------------------------------------

    def submit(
        self, function: str, input: Any = None, *, name: Optional[str] = None, **options: Any
    ) -> RemoteFuture:
        """Submits a call of a function of the server and gives its future, at once.

        `function` is a name that the server has (`functions()` lists them); a Python callable is none. `input` is
        None, JSON, bytes or a `Payload`. It leaves with this turn of the loop, together with what else is submitted in
        it. What the server refuses (UnknownFunctionError, LimitError...) the future raises.

        Options, as `FutureOptions` of the wire has them, times in seconds: `labels`, `group`, `request_id` (makes it
        repeatable: the same id with the same spec gives the same future, semantics 102), `request_id_ttl`, `delay`,
        `queue_timeout`, `run_timeout` (semantics 99), `retention` (semantics 100), `min_durability` ("none", "async",
        "sync"), `execution` ("at_least_once", "at_most_once", semantics 103) and `metadata`.
        """
        core = self._opened
        if core is None or core.closed or asyncio._get_running_loop() is not core.loop:
            self._core.check()
            raise AssertionError("unreachable")
        head = b"" if name is None and not options else _spec.serialized(name, options)
        spec = _encode.call_spec(function, b"" if input is None else payload.encode(input), head)
        if len(spec) > core.spec_bytes_max:
            core.refuse_size(len(spec))
        future = RemoteFuture(loop=core.loop)
        future._client = core
        future._id = None
        future._name = name
        future._spec = spec
        future._payload = None
        future._sink = None
        future._cancels = 0
        if options and options.get("request_id"):
            core.carrier.submit_by_request_id(future)
        else:
            core.carrier.submit(future)
        return future

    def prepare(self, function: str, input: Any, name: Optional[str], options: Any) -> Prepared:
        """What `submit` looks at before it sends; from any thread, for `submit_prepared`."""
        spec = _encode.call_spec(function, payload.encode_input(input), _spec.serialized(name, options))
        if len(spec) > self._core.spec_bytes_max:
            self._core.refuse_size(len(spec))
        return Prepared(spec, name, bool(options.get("request_id")))

    def submit_prepared(self, prepared: Prepared) -> RemoteFuture:
        """The rest of `submit`, on the client's loop."""
        core = self._core
        core.check()
        future: RemoteFuture = future_module.make(RemoteFuture, core, None, prepared.name, prepared.spec)
        if prepared.by_request_id:
            core.carrier.submit_by_request_id(future)
        else:
            core.carrier.submit(future)
        return future

    def submitter(self, function: str, options: Any) -> Callable[[Any], RemoteFuture]:
        """`submit` of one function with one set of options, which are looked at once; for `map`."""
        core = self._core
        core.check()
        head = _spec.serialized(None, options)
        _encode.function(function)

        def submit(input: Any) -> RemoteFuture:
            spec = _encode.call_spec(function, b"" if input is None else payload.encode(input), head)
            if len(spec) > core.spec_bytes_max:
                core.refuse_size(len(spec))
            future: RemoteFuture = future_module.make(RemoteFuture, core, None, None, spec)
            core.carrier.submit(future)
            return future

        return submit

    async def call(self, function: str, input: Any = None, *, name: Optional[str] = None, **options: Any) -> Any:
        """Submits and awaits; the future is kept for a minute only, unless `retention` says otherwise. Cancelling the
        await cancels the call."""
        options.setdefault("retention", CALL_RETENTION)
        return await self.submit(function, input, name=name, **options)

    def map(
        self,
        function: str,
        inputs: Union[Iterable[Any], AsyncIterable[Any]],
        *,
        window: int = 1000,
        ordered: bool = True,
        return_exceptions: bool = False,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """Calls a function on each input, a window of them at a time, and yields the results.

        In input order, or as they complete with `ordered=False`. At most `window` inputs have been taken whose results
        have not been given, so memory is bounded whatever the number of inputs; these may be endless. The first failure
        is raised and ends it, or stands in its place with `return_exceptions`. Leaving the loop early (break, aclose, a
        failure) cancels what was under way, as `concurrent.futures.Executor.map` does.
        """
        self._core.check()
        options.setdefault("retention", CALL_RETENTION)
        return map_.run(self, function, inputs, window, ordered, return_exceptions, options)

    # --- futures of futures, on the server --------------------------------------------------------------------------

    async def submit_gather(
        self, *futures: RemoteFuture, return_exceptions: bool = False, name: Optional[str] = None, **options: Any
    ) -> RemoteFuture:
        """A gather that lives on the server: a future with an id, that others can await and that outlives this program.
        Waits for the members' ids. `muster.gather` is asyncio's, and lives here (semantics 43-51)."""
        members = members_of(futures, "submit_gather", self)
        spec = future_pb2.GatherSpec(return_exceptions=return_exceptions)
        spec.ids.extend([await _followed(member) for member in members])
        return self._submit_spec(future_pb2.FutureSpec(gather=spec), name, options)

    async def submit_shield(self, future: RemoteFuture, *, name: Optional[str] = None, **options: Any) -> RemoteFuture:
        """A shield that lives on the server: cancelling it leaves `future` alone (semantics 53-55)."""
        members_of([future], "submit_shield", self)
        spec = future_pb2.ShieldSpec(id=await _followed(future))
        return self._submit_spec(future_pb2.FutureSpec(shield=spec), name, options)

    async def submit_wait_for(
        self,
        future: RemoteFuture,
        timeout: Optional[_spec.Seconds],
        *,
        grace: Optional[_spec.Seconds] = None,
        name: Optional[str] = None,
        **options: Any,
    ) -> RemoteFuture:
        """A wait_for that lives on the server and cancels `future` when time is up, whether this program still runs or
        not (semantics 56-62). `grace`: how long to wait for the cancelled future to end."""
        members_of([future], "submit_wait_for", self)
        spec = future_pb2.WaitForSpec(id=await _followed(future))
        if timeout is not None:
            _spec.set_duration(spec.timeout, _spec.seconds(timeout, "timeout"))
        if grace is not None:
            _spec.set_duration(spec.grace, _spec.seconds(grace, "grace"))
        return self._submit_spec(future_pb2.FutureSpec(wait_for=spec), name, options)

    def _submit_spec(self, spec: future_pb2.FutureSpec, name: Optional[str], options: Any) -> RemoteFuture:
        core = self._core
        core.check()
        if name is not None or options:
            spec.options.CopyFrom(_spec.options(name, **options))
        future: RemoteFuture = future_module.make(RemoteFuture, core, None, name, spec.SerializeToString())
        if spec.options.request_id:
            core.carrier.submit_by_request_id(future)
        else:
            core.carrier.submit(future)
        return future

    # --- promises, handles, and what the server knows ---------------------------------------------------------------

    def create_promise(self, *, name: Optional[str] = None, **options: Any) -> RemotePromise:
        """A future that somebody settles, here or elsewhere: `loop.create_future()`. Made on the server with this turn
        of the loop. Options: `labels`, `group`, `request_id`, `retention`, `min_durability`."""
        core = self._core
        core.check()
        return core.make_promise(name, _spec.options(name, **options))

    def future(self, which: Union[str, Handle]) -> RemoteFuture:
        """A future that was made elsewhere, by its id or handle. Asks nothing of the server until it is awaited; an
        unknown id raises FutureNotFoundError then."""
        future: RemoteFuture = self._attach(WatchedFuture, which)
        return future

    def promise(self, which: Union[str, Handle]) -> RemotePromise:
        """A promise that was made elsewhere, to be settled or awaited here."""
        promise: RemotePromise = self._attach(RemotePromise, which)
        return promise

    def _attach(self, kind: Type[RemoteFuture], which: Union[str, Handle]) -> Any:
        core = self._core
        core.check()
        if isinstance(which, Handle):
            future_module.check_handle(which, core.address, core.namespace)
            return future_module.make(kind, core, which.id, which.name, None)
        if not isinstance(which, str) or not which:
            raise errors.NotARemoteFutureError(f"a future is known by its id or Handle, not by {which!r}")
        return future_module.make(kind, core, which, None, None)

    async def info(self, which: Union[str, Handle, RemoteFuture]) -> FutureInfo:
        """How a future stands on the server."""
        id_ = await self._id_of(which)
        request = pb.GetRequest(namespace=self.namespace, id=id_, view=future_pb2.OUTCOME_VIEW_NONE)
        return info.of_future((await self._core.channel.unary("Get", request, pb.GetResponse)).future)

    async def _id_of(self, which: Union[str, Handle, RemoteFuture]) -> str:
        core = self._core
        core.check()
        if isinstance(which, RemoteFuture):
            members_of([which], "this call", self)
            return await which.accepted()
        if isinstance(which, Handle):
            future_module.check_handle(which, core.address, core.namespace)
            return which.id
        return which

    async def list(
        self,
        *,
        states: Iterable[str] = (),
        function: str = "",
        group: str = "",
        labels: Optional[Any] = None,
        page_size: int = 1000,
    ) -> AsyncIterator[FutureInfo]:
        """The futures of the namespace, oldest first within a shard of the server, page by page (semantics 22)."""
        self._core.check()
        request = pb.ListRequest(namespace=self.namespace, function=function, group=group, page_size=page_size)
        for state in states:
            if f"FUTURE_STATE_{state}" not in future_pb2.FutureState.keys():
                raise _spec.refuse("states", f"has {state!r}, which is no state; one is 'RUNNING'")
            number: Any = future_pb2.FutureState.Value(f"FUTURE_STATE_{state}")
            request.states.append(number)
        for key, text in (labels or {}).items():
            request.labels[key] = text
        while True:
            page = await self._core.channel.unary("List", request, pb.ListResponse)
            for found in page.futures:
                yield info.of_future(found)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    async def cancel(self, *which: Union[str, Handle, RemoteFuture], msg: str = "", group: str = "") -> List[str]:
        """Cancels many in one request, or a group; what it did to each, in order: "CANCELLED", "REQUESTED",
        "ALREADY_DONE" or "NOT_FOUND"."""
        request = pb.CancelRequest(namespace=self.namespace, message=msg)
        request.set.group = group
        request.set.ids.extend([await self._id_of(one) for one in which])
        answer = await self._core.channel.unary("Cancel", request, pb.CancelResponse)
        names = future_pb2.CancelEffect
        return [str(names.Name(item.effect))[len("CANCEL_EFFECT_") :] for item in answer.items]

    async def delete(self, *which: Union[str, Handle, RemoteFuture], group: str = "") -> int:
        """Forgets futures that are done, before their retention ends; how many. Those that are not done stay."""
        request = pb.DeleteRequest(namespace=self.namespace)
        request.set.group = group
        request.set.ids.extend([await self._id_of(one) for one in which])
        return int((await self._core.channel.unary("Delete", request, pb.DeleteResponse)).deleted_count)

    async def functions(self) -> List[Function]:
        """What the server can run."""
        self._core.check()
        request, found = pb.ListFunctionsRequest(page_size=1000), []
        while True:
            page = await self._core.channel.unary("ListFunctions", request, pb.ListFunctionsResponse)
            found += [info.of_function(one) for one in page.functions]
            request.page_token = page.next_page_token
            if not request.page_token:
                return found


async def _followed(member: RemoteFuture) -> str:
    """Its id, for a combinator: its exception counts as retrieved, as it comes through that one (semantics 19)."""
    add_sink(member, _retrieve)
    return await member.accepted()


def _retrieve(member: Any) -> None:
    if not member.cancelled():
        member.exception()


def open_clients(address: str) -> List[AsyncClient]:
    """Those of the running loop that are open to this address; for muster.testing."""
    loop = asyncio.get_running_loop()
    return [one for one in list(_open_clients) if one.address == address and one._core.loop is loop]


