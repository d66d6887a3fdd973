"""What can go wrong, by type.

Two kinds of error are kept apart, as on the wire. A *job's own failure* is a `RemoteError`: the server did its part, and
the function failed, timed out or was interrupted. Everything else is a `ServiceError` (the server, or the way to it,
refused a request) or a mistake of the caller's, found before anything was sent.

    MusterError
    |-- RemoteError                    the job failed; .type .message .details .remote_cause .origin_id
    |   |-- RemoteTimeoutError         its run_timeout or a wait_for ran out; a TimeoutError too
    |   |-- RemoteQueueTimeoutError    it did not start in time; a TimeoutError too
    |   |-- RemoteInterruptedError     the server stopped while it ran, and it may not run twice
    |   `-- RemoteInvalidInputError    the function refused its input; a ValueError too
    |-- ServiceError                   a request failed; .code .reason .fields .metadata .retry_delay
    |   |-- UnavailableError           nobody answers; a ConnectionError too
    |   |   |-- DrainingError          the server is shutting down
    |   |   `-- RecoveringError        the server has just started
    |   |-- FutureNotFoundError        no such future in this namespace; a LookupError too
    |   |   |-- FutureExpiredError     it was forgotten after its retention
    |   |   `-- FutureLostError        it ended with an earlier run of the server
    |   |-- UnknownFunctionError       no function of that name; a LookupError too
    |   |-- InvalidRequestError        a field cannot be taken; a ValueError too
    |   |-- LimitError                 a limit of the server is reached
    |   `-- RequestIdReusedError       the request id has been used with another spec
    |-- IncompatibleServerError        whoever answers is no Muster, or too old
    |-- ClientClosedError              the client is not open
    |-- WrongLoopError                 called from another event loop or thread; a RuntimeError too
    |-- MixedServersError              futures of two servers or namespaces in one call; a ValueError too
    |-- NotARemoteFutureError          a coroutine, task or anything else where a remote future belongs; a TypeError too
    |-- PayloadError                   a value that cannot travel; a TypeError and a ValueError too
    `-- BacklogFullError               too many submits wait to be sent

A cancelled future raises `asyncio.CancelledError` and nothing of ours, with one exception that is a subclass of it:
`RemoteCancelledError`, which a gather fails with when one of its members was cancelled (semantics 48).
"""

from __future__ import annotations

import asyncio
import builtins
import sys
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type

__all__ = [
    "BacklogFullError",
    "ClientClosedError",
    "DrainingError",
    "FutureExpiredError",
    "FutureLostError",
    "FutureNotFoundError",
    "IncompatibleServerError",
    "InvalidRequestError",
    "LimitError",
    "MixedServersError",
    "MusterError",
    "NotARemoteFutureError",
    "PayloadError",
    "RecoveringError",
    "RemoteCancelledError",
    "RemoteError",
    "RemoteInterruptedError",
    "RemoteInvalidInputError",
    "RemoteQueueTimeoutError",
    "RemoteTimeoutError",
    "RequestIdReusedError",
    "ServiceError",
    "UnavailableError",
    "UnknownFunctionError",
    "WrongLoopError",
]


class MusterError(Exception):
    """The root of every exception of this package but `RemoteCancelledError`."""


# --- What a job came to ---------------------------------------------------------------------------------------------


class RemoteError(MusterError):
    """A job failed. `str()` is the function's own message.

    Where `type` is the name of one of Python's own exceptions, what is raised is an instance of that too: a function
    that fails with type "ValueError" is caught by `except ValueError` as well as by `except muster.RemoteError`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        type: str = "",
        details: Any = None,
        remote_cause: Optional[BaseException] = None,
        origin_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        #: The function's own name for the error, such as "ValueError".
        self.type = type
        #: Whatever the function added for programs; None when it added nothing.
        self.details = details
        #: What led to it, as an exception: a timeout's cause is the cancellation it asked for (semantics 57).
        self.remote_cause = remote_cause
        #: Id of the future where the error arose, when it came through another one; else "".
        self.origin_id = origin_id
        if remote_cause is not None:
            self.__cause__ = remote_cause

    def __reduce__(self) -> Tuple[Any, ...]:
        # By its kind and not by its class, which may be one that was made for this type (see with_builtin).
        kind = next(cls for cls in type(self).__mro__ if cls in _KINDS)
        values = (self.message, self.type, self.details, self.remote_cause, self.origin_id)
        return _rebuild, (kind, *values)


if sys.version_info >= (3, 11):
    _Timeout = TimeoutError
else:

    class _Timeout(asyncio.TimeoutError, TimeoutError):
        """Both of the TimeoutErrors that there were before Python 3.11."""


class RemoteTimeoutError(RemoteError, _Timeout):
    """The job's `run_timeout`, or the timeout of a submitted wait_for, ran out (semantics 57, 99)."""


class RemoteQueueTimeoutError(RemoteError, _Timeout):
    """The job's `queue_timeout` ran out before it could start (semantics 99)."""


class RemoteInterruptedError(RemoteError):
    """The server stopped while the job ran, and the job may run at most once (semantics 103)."""


class RemoteInvalidInputError(RemoteError, ValueError):
    """The function refused its input."""


class RemoteCancelledError(asyncio.CancelledError):
    """A cancellation that came through a gather: the gather failed with it and is not itself cancelled (semantics 48).

    Like every CancelledError it is no `Exception`: `except Exception` does not catch it.
    """

    def __init__(self, message: str = "", *, origin_id: str = "") -> None:
        if message:
            super().__init__(message)
        else:
            super().__init__()
        #: Id of the member that was cancelled, when the server says which; else "".
        self.origin_id = origin_id


_KINDS = (RemoteTimeoutError, RemoteQueueTimeoutError, RemoteInterruptedError, RemoteInvalidInputError, RemoteError)
_with_builtin: Dict[str, Type[RemoteError]] = {}


def with_builtin(name: str) -> Type[RemoteError]:
    """RemoteError, or a class of it that is Python's own exception of this name as well."""
    found = _with_builtin.get(name)
    if found is not None:
        return found
    base = getattr(builtins, name, None)
    if not (isinstance(base, type) and issubclass(base, Exception)) or issubclass(base, (StopIteration, StopAsyncIteration)):
        return RemoteError  # not remembered: the names are a stranger's to choose
    made: Type[RemoteError] = RemoteError
    if base is not Exception:
        try:
            made = type(f"Remote{name}", (RemoteError, base), {"__module__": __name__, "__doc__": RemoteError.__doc__})
            made("probe", type=name)
        except TypeError:  # its layout or its arguments don't mix, as those of UnicodeDecodeError
            made = RemoteError
    _with_builtin[name] = made  # at most as many as there are builtins
    return made


def _rebuild(
    kind: Type[RemoteError], message: str, type: str, details: Any, cause: Optional[BaseException], origin_id: str
) -> RemoteError:
    made = with_builtin(type) if kind is RemoteError else kind
    return made(message, type=type, details=details, remote_cause=cause, origin_id=origin_id)


# --- What became of a request ---------------------------------------------------------------------------------------


class ServiceError(MusterError):
    """A request failed. `str()` says what was wrong, with field, value and limit, and what to do."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        fields: Sequence[str] = (),
        metadata: Optional[Mapping[str, str]] = None,
        retry_delay: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        #: The gRPC status code's name, such as "NOT_FOUND".
        self.code = code
        #: The service's documented reason without its prefix, such as "FUTURE_EXPIRED"; "" when it came from no Muster.
        self.reason = reason
        #: Paths of the fields at fault, such as "future.options.delay".
        self.fields = tuple(fields)
        #: Values that a program may want, such as the limit.
        self.metadata = dict(metadata or {})
        #: Seconds to wait at least before the next try, if the server said so.
        self.retry_delay = retry_delay

    def __reduce__(self) -> Tuple[Any, ...]:
        values = (self.message, self.code, self.reason, self.fields, self.metadata, self.retry_delay)
        return _rebuild_service, (type(self), *values)


def _rebuild_service(
    kind: Type[ServiceError], message: str, code: str, reason: str, fields: Any, metadata: Any, retry_delay: Any
) -> ServiceError:
    return kind(message, code=code, reason=reason, fields=fields, metadata=metadata, retry_delay=retry_delay)


class UnavailableError(ServiceError, ConnectionError):
    """Nobody answers at the address, or what answers takes no work now. It has been tried again for as long as the
    client's `RetryPolicy` says."""


class DrainingError(UnavailableError):
    """The server is shutting down and takes nothing new."""


class RecoveringError(UnavailableError):
    """The server has just started and reads its store."""


class FutureNotFoundError(ServiceError, LookupError):
    """This namespace never had a future of this id."""


class FutureExpiredError(FutureNotFoundError):
    """The future was forgotten after its retention (semantics 100)."""


class FutureLostError(FutureNotFoundError):
    """The future belonged to an earlier run of the server, which had not recorded it."""


class UnknownFunctionError(ServiceError, LookupError):
    """The server has no function of this name; `await client.functions()` tells which it has."""


class InvalidRequestError(ServiceError, ValueError):
    """A field of the request has a value that the server does not take; `fields` names it."""


class LimitError(ServiceError):
    """A limit of the server is reached; the message says which, and what to do."""


class RequestIdReusedError(ServiceError):
    """The request id has been used with another spec (semantics 102)."""


class IncompatibleServerError(MusterError):
    """Whoever answers at the address does not speak muster.v1, or is a server too old for this package."""


# --- Mistakes that are found here -----------------------------------------------------------------------------------


class ClientClosedError(MusterError):
    """The client is not open: not yet, or not any more. Futures that were pending when it closed end with this here;
    on the server they live on."""


class WrongLoopError(MusterError, RuntimeError):
    """A client and its futures belong to the event loop that they were opened on."""


class MixedServersError(MusterError, ValueError):
    """One call takes futures of one server and namespace (semantics 52)."""


class NotARemoteFutureError(MusterError, TypeError):
    """A coroutine, a local task or something else was given where a remote future belongs (semantics 25)."""


class PayloadError(MusterError, TypeError, ValueError):
    """A value cannot travel as JSON, or not without loss; the message says where in the value and what to send."""


class BacklogFullError(MusterError):
    """More submits wait to be sent than `Options.backlog_max` allows: await some, or use `map`, which is bounded."""
