"""What a future came to, from the wire to Python: values, exceptions, cancellations."""

from __future__ import annotations

import asyncio
from typing import Any, List, Optional, Tuple

from muster import errors, payload
from muster.v1 import future_pb2

SUCCEEDED = future_pb2.FUTURE_STATE_SUCCEEDED
FAILED = future_pb2.FUTURE_STATE_FAILED
CANCELLED = future_pb2.FUTURE_STATE_CANCELLED
EXPIRED = future_pb2.FUTURE_STATE_EXPIRED

_KINDS = {
    future_pb2.ERROR_KIND_TIMED_OUT: errors.RemoteTimeoutError,
    future_pb2.ERROR_KIND_QUEUE_TIMED_OUT: errors.RemoteQueueTimeoutError,
    future_pb2.ERROR_KIND_INTERRUPTED: errors.RemoteInterruptedError,
    future_pb2.ERROR_KIND_INVALID_INPUT: errors.RemoteInvalidInputError,
}


def exception_of(error: future_pb2.Error) -> BaseException:
    """The exception that an error is raised as."""
    if error.kind == future_pb2.ERROR_KIND_CANCELLED:
        return errors.RemoteCancelledError(error.message, origin_id=error.origin_id)
    kind = _KINDS.get(error.kind) or errors.with_builtin(error.type)
    return kind(
        error.message,
        type=error.type,
        details=payload.decode(error.details) if error.HasField("details") else None,
        remote_cause=exception_of(error.cause) if error.HasField("cause") else None,
        origin_id=error.origin_id,
    )


def cancelled(message: str) -> asyncio.CancelledError:
    return asyncio.CancelledError(message) if message else asyncio.CancelledError()


def value_or_exception(outcome: future_pb2.Outcome) -> Tuple[Any, Optional[BaseException]]:
    """(value, None) or (None, exception); a cancellation is a CancelledError."""
    kind = outcome.WhichOneof("kind")
    if kind == "value":
        return payload.decode(outcome.value), None
    if kind == "error":
        return None, exception_of(outcome.error)
    if kind == "cancelled":
        return None, cancelled(outcome.cancelled.message)
    if kind == "gathered":
        return gathered(outcome.gathered.outcomes), None
    return None, None


def gathered(outcomes: Any) -> List[Any]:
    """A gather's results in input order; where exceptions were asked for, they stand in their places."""
    results = []
    for outcome in outcomes:
        value, exception = value_or_exception(outcome)
        results.append(value if exception is None else exception)
    return results


def error_message(exception: Any) -> future_pb2.Error:
    """What `set_exception` sends: the type's name, the text, and `details` if it has any."""
    if isinstance(exception, type) and issubclass(exception, BaseException):
        exception = exception()
    if not isinstance(exception, BaseException):
        raise TypeError(f"set_exception takes an exception, not {exception!r}")
    if isinstance(exception, StopIteration):
        # As in CPython since 3.12: an await that raised it would end the awaiting generator (semantics 20).
        ended = exception
        exception = RuntimeError("StopIteration interacts badly with generators and cannot be raised into a Future")
        exception.__cause__ = ended
    message = future_pb2.Error()
    if isinstance(exception, errors.RemoteError):
        message.type, message.message = exception.type or type(exception).__name__, exception.message
        details = exception.details
    else:
        message.type, message.message = type(exception).__name__, str(exception)
        details = getattr(exception, "details", None)
    for kind, made in _KINDS.items():
        if isinstance(exception, made):
            message.kind = kind  # type: ignore[assignment, unused-ignore]
    if details is not None:
        message.details.MergeFromString(payload.encode(details, "details"))
    if exception.__cause__ is not None:
        message.cause.type = type(exception.__cause__).__name__
        message.cause.message = str(exception.__cause__)
    return message
