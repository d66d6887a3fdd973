"""Keyword arguments of a submit, as the bytes of muster.v1.FutureOptions."""

from __future__ import annotations

import datetime
from typing import Any, Dict, Optional, Union

from muster import _encode
from muster.errors import InvalidRequestError
from muster.v1 import future_pb2

Seconds = Union[int, float, datetime.timedelta]

EXECUTIONS = {
    "at_least_once": future_pb2.EXECUTION_AT_LEAST_ONCE,
    "at_most_once": future_pb2.EXECUTION_AT_MOST_ONCE,
}
DURABILITIES = {
    "none": future_pb2.DURABILITY_NONE,
    "async": future_pb2.DURABILITY_ASYNC,
    "sync": future_pb2.DURABILITY_SYNC,
}
_DURATIONS = ("request_id_ttl", "delay", "queue_timeout", "run_timeout", "retention")
_SECONDS_MAX = 10_000 * 365 * 86_400  # google.protobuf.Duration's own limit


def refuse(name: str, message: str, reason: str = "INVALID_FIELD") -> InvalidRequestError:
    return InvalidRequestError(f"{name} {message}", code="INVALID_ARGUMENT", reason=reason, fields=(name,))


def seconds(given: Seconds, name: str) -> float:
    """Seconds as a float; InvalidRequestError for what is no time."""
    if isinstance(given, datetime.timedelta):
        return given.total_seconds()
    if isinstance(given, (int, float)) and not isinstance(given, bool) and abs(given) <= _SECONDS_MAX:
        return float(given)
    raise refuse(name, f"is {given!r}; it must be seconds, as a number or a timedelta", "INVALID_DURATION")


def set_duration(message: Any, given: float) -> None:
    """Into a google.protobuf.Duration, rounded to microseconds."""
    micros = round(given * 1e6)
    sign = -1 if micros < 0 else 1
    message.seconds = sign * (abs(micros) // 1_000_000)
    message.nanos = sign * (abs(micros) % 1_000_000) * 1000


def of_duration(message: Any) -> float:
    return float(message.seconds) + float(message.nanos) / 1e9


def options(
    name: Optional[str] = None,
    labels: Optional[Dict[str, str]] = None,
    group: Optional[str] = None,
    request_id: Optional[str] = None,
    min_durability: Optional[str] = None,
    execution: Optional[str] = None,
    metadata: Optional[Dict[str, str]] = None,
    **durations: Optional[Seconds],
) -> future_pb2.FutureOptions:
    """The message; InvalidRequestError names the argument that cannot be taken."""
    message = future_pb2.FutureOptions()
    for argument, given in (("name", name), ("group", group), ("request_id", request_id)):
        if given is not None:
            if not isinstance(given, str):
                raise refuse(argument, f"is {given!r}; it must be a str")
            setattr(message, argument, given)
    for argument, pairs in (("labels", labels), ("metadata", metadata)):
        for key, text in (pairs or {}).items():
            if not isinstance(key, str) or not isinstance(text, str):
                raise refuse(argument, f"has the pair {key!r}: {text!r}; both must be str")
            getattr(message, argument)[key] = text
    if min_durability is not None:
        if min_durability not in DURABILITIES:
            raise refuse("min_durability", f"is {min_durability!r}; it must be one of {', '.join(DURABILITIES)}")
        message.min_durability = DURABILITIES[min_durability]
    if execution is not None:
        if execution not in EXECUTIONS:
            raise refuse("execution", f"is {execution!r}; it must be one of {', '.join(EXECUTIONS)}")
        message.execution = EXECUTIONS[execution]
    for argument, time in durations.items():
        if argument not in _DURATIONS:
            raise TypeError(f"unexpected keyword argument {argument!r}")
        if time is not None:
            set_duration(getattr(message, argument), seconds(time, argument))
    return message


def serialized(name: Optional[str], rest: Dict[str, Any]) -> bytes:
    """The bytes; by hand when there is a name and nothing else."""
    if rest or (name is not None and not isinstance(name, str)):
        data: bytes = options(name, **rest).SerializeToString()
        return data
    return b"" if name is None else _encode.field(b"\x0a", _encode._text(name, "name"))
