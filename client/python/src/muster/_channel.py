"""The way to the server: one gRPC channel, and requests that are tried again. Nothing else here imports grpc."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Callable, Dict, List, Optional, Tuple, Type, TypeVar

import grpc
import grpc.aio

from muster import _status, errors
from muster._backoff import Backoff
from muster.options import Options
from muster.v1 import future_service_pb2 as pb

Answer = TypeVar("Answer")
_aio: Any = grpc.aio
EOF = _aio.EOF
# What an operation on a call that is over raises: its status, or the news that it is over.
CallOver = (grpc.aio.AioRpcError, asyncio.InvalidStateError)
LEAVE_SECONDS = 0.05
# What grpc.aio says when a write failed before the status arrived, which it does not wait for.
BROKEN_WRITE = "Internal error from Core"
_SERVICE = "/muster.v1.FutureService/"


def error_of(failure: grpc.aio.AioRpcError) -> errors.ServiceError:
    """The exception for a failed RPC."""
    return _status.make(failure.code().name, failure.details() or "", details=_details(failure.trailing_metadata()))


def _details(trailer: Any) -> Optional[bytes]:
    for key, value in trailer or ():
        if key == "grpc-status-details-bin":
            return value if isinstance(value, bytes) else bytes(value, "latin-1")
    return None


async def status_of(call: Any) -> errors.ServiceError:
    """Why a stream is over. One that ended well before it was done with is as good as a lost connection."""
    code = await call.code()
    if code is grpc.StatusCode.OK:
        return _status.make("UNAVAILABLE", "the server ended the stream before everything was answered")
    if code is grpc.StatusCode.INTERNAL and await call.details() == BROKEN_WRITE:
        return _status.make("UNAVAILABLE", "the connection broke while something was written")
    return _status.make(code.name, await call.details() or "", details=_details(await call.trailing_metadata()))


class Channel:
    """One connection. Made and used on one event loop."""

    def __init__(self, address: str, options: Options) -> None:
        self.address = address
        self.options = options
        self._channel = _open(address, options)
        self._methods: Dict[str, Callable[..., Any]] = {}
        # The raw method: requests are bytes already.
        self._run: Any = self._channel.stream_stream(
            _SERVICE + "Run", request_serializer=None, response_deserializer=pb.RunResponse.FromString
        )

    def run(self) -> Any:
        """Opens a Run stream: write(bytes), read(), cancel()."""
        return self._run()

    def stream(self, method: str, request: Any, answer: Type[Answer], timeout: Optional[float] = None) -> Any:
        """Opens a stream of answers: read(), cancel()."""
        made = self._channel.unary_stream(
            _SERVICE + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,  # type: ignore[attr-defined]
        )
        return made(request, timeout=timeout)

    async def once(self, method: str, request: Any, answer: Type[Answer], timeout: Optional[float] = None) -> Answer:
        """One attempt of a unary RPC."""
        made = self._methods.get(method)
        if made is None:
            made = self._methods[method] = self._channel.unary_unary(
                _SERVICE + method,
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,  # type: ignore[attr-defined]
            )
        try:
            return await made(request, timeout=timeout)  # type: ignore[no-any-return]
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure) from None
        except grpc.aio.UsageError:
            raise errors.ClientClosedError("the client was closed while this request was under way") from None

    async def unary(self, method: str, request: Any, answer: Type[Answer], patient: bool = False) -> Answer:
        """A unary RPC within the client's deadline. Tried again while nobody answers: the request must be repeatable.

        `patient`: what it is about had been taken up, so an outage is sat out, and the deadline is each attempt's.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self.options.deadline
        backoff = Backoff(self.options.retry)
        if patient:
            backoff.accepted()
        while True:
            left = self.options.deadline if patient else max(0.001, end - loop.time())
            try:
                return await self.once(method, request, answer, left)
            except errors.ServiceError as failure:
                pause = backoff.next(failure, loop.time())
                if pause is None or (not patient and loop.time() + pause >= end):
                    raise
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Ends every call."""
        await self._channel.close()
        await _calls_ended()


async def slices(channel: Channel, method: str, request: Any, answer: Type[Answer]) -> AsyncIterator[Answer]:
    """The messages of one stream of answers; ServiceError when it breaks."""
    call = channel.stream(method, request, answer)
    try:
        while True:
            message = await call.read()
            if message is EOF:
                return
            yield message
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from None
    finally:
        call.cancel()


async def _calls_ended() -> None:
    """Waits until gRPC has let go of calls that were cancelled.

    It says of them at once that they are over, and hears later from its core. If the loop were closed by then, the next
    loop of the process would be told of an exception ("Event loop is closed"; seen with grpcio 1.76 to 1.85). What it
    waits with for the core is a task, known by its name alone. Other channels of this loop have such tasks too, so the
    wait is short.
    """
    end = asyncio.get_running_loop().time() + LEAVE_SECONDS
    while asyncio.get_running_loop().time() < end:
        names = (getattr(task.get_coro(), "__name__", "") for task in asyncio.all_tasks())
        if "_handle_status_once_received" not in names:
            return
        await asyncio.sleep(0.001)


def _read(path: Optional[str], what: str) -> Optional[bytes]:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise errors.InvalidRequestError(f"the {what} file {path!r} cannot be read: {error.strerror}") from None
    if not data:
        raise errors.InvalidRequestError(f"the {what} file {path!r} is empty")
    return data


def _credentials(options: Options) -> Tuple[Optional[grpc.ChannelCredentials], Optional[str]]:
    tls = options.tls
    if tls is None:
        return None, None
    if (tls.cert_file is None) != (tls.key_file is None):
        raise errors.InvalidRequestError("a client certificate needs both its cert_file and its key_file")
    made = grpc.ssl_channel_credentials(
        root_certificates=_read(tls.ca_file, "authorities'"),
        private_key=_read(tls.key_file, "key"),
        certificate_chain=_read(tls.cert_file, "certificate"),
    )
    return made, tls.server_name


def _open(address: str, options: Options) -> grpc.aio.Channel:
    if not isinstance(address, str) or not address:
        raise errors.InvalidRequestError(f"the server's address is {address!r}; give host:port")
    credentials, server_name = _credentials(options)
    millis = 1000
    arguments: List[Tuple[str, Any]] = [
        ("grpc.keepalive_time_ms", int(options.keepalive * millis)),
        ("grpc.keepalive_timeout_ms", 10_000),
        # The library's own retries come sooner than the channel's default pause of a second between connects.
        ("grpc.initial_reconnect_backoff_ms", max(1, int(options.retry.initial * millis))),
        ("grpc.max_reconnect_backoff_ms", max(1, int(options.retry.pause_max * millis))),
        ("grpc.max_receive_message_length", options.message_bytes_max),
        ("grpc.max_send_message_length", -1),  # the server says its own limit
        # Connections with other settings are not shared between the clients of one process.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]
    if server_name is not None:
        arguments.append(("grpc.ssl_target_name_override", server_name))
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=arguments)
    return grpc.aio.secure_channel(address, credentials, options=arguments)
