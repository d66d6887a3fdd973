"""What the server says of itself, of its functions and of futures, as plain values."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Dict, Optional, Tuple

from muster import payload
from muster._spec import of_duration
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb

__all__ = ["Function", "FutureInfo", "Limits", "Progress", "ServerInfo"]


def _word(enum: Any, value: int, prefix: str) -> str:
    try:
        return str(enum.Name(value))[len(prefix) :]
    except ValueError:  # of a newer server
        return str(value)


def _time(message: Any, name: str) -> Optional[datetime.datetime]:
    if not message.HasField(name):
        return None
    return getattr(message, name).ToDatetime(tzinfo=datetime.timezone.utc)  # type: ignore[no-any-return]


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the server allows; the names are the wire's. Times are seconds."""

    message_bytes_max: int
    payload_bytes_max: int
    set_max: int
    batch_max: int
    pending_futures_max: int
    namespace_bytes_max: int
    namespaces_max: int
    waiters_max: int
    wait_members_max: int
    streams_max: int
    request_ids_max: int
    nesting_max: int
    poll_max: float
    run_credits: int
    retention_max: float


@dataclasses.dataclass(frozen=True)
class ServerInfo:
    """Who answers."""

    version: str
    instance_id: str  #: New at each start of the server.
    durability: str  #: "NONE", "ASYNC" or "SYNC".
    features: Tuple[str, ...]
    manual_clock: bool  #: Time moves only when a test moves it; see `muster.testing`.
    limits: Limits


@dataclasses.dataclass(frozen=True)
class Function:
    """Something that can be called."""

    name: str
    kind: str  #: "ASYNC", "BLOCKING", "PROCESS" or "REMOTE".
    description: str
    input_example: Any


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a running job says it has come."""

    fraction: float
    message: str
    at: Optional[datetime.datetime]


@dataclasses.dataclass(frozen=True)
class FutureInfo:
    """A future as it stands on the server. Without its outcome: that is what awaiting it is for."""

    id: str
    namespace: str
    function: str  #: "" for what is no job.
    name: str
    labels: Dict[str, str]
    group: str
    state: str  #: "PENDING", "DELAYED", "QUEUED", "RUNNING", "SUCCEEDED", "FAILED" or "CANCELLED".
    cancelling: int
    attempt: int
    progress: Optional[Progress]
    create_time: Optional[datetime.datetime]
    start_time: Optional[datetime.datetime]
    end_time: Optional[datetime.datetime]
    expire_time: Optional[datetime.datetime]
    member_ids: Tuple[str, ...]

    @property
    def done(self) -> bool:
        return self.state in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


def of_future(message: future_pb2.Future) -> FutureInfo:
    progress = None
    if message.HasField("progress"):
        told = message.progress
        progress = Progress(told.fraction, told.message, _time(told, "at"))
    return FutureInfo(
        id=message.id,
        namespace=message.namespace,
        function=message.function,
        name=message.name,
        labels=dict(message.labels),
        group=message.group,
        state=_word(future_pb2.FutureState, message.state, "FUTURE_STATE_"),
        cancelling=message.cancelling,
        attempt=message.attempt,
        progress=progress,
        create_time=_time(message, "create_time"),
        start_time=_time(message, "start_time"),
        end_time=_time(message, "end_time"),
        expire_time=_time(message, "expire_time"),
        member_ids=tuple(message.member_ids),
    )


def of_server(message: pb.GetServerInfoResponse) -> ServerInfo:
    given = message.limits
    numbers = {
        field.name: int(getattr(given, field.name))
        for field in dataclasses.fields(Limits)
        if field.name not in ("poll_max", "retention_max")
    }
    return ServerInfo(
        version=message.version,
        instance_id=message.instance_id,
        durability=_word(future_pb2.Durability, message.durability, "DURABILITY_"),
        features=tuple(message.features),
        manual_clock=message.manual_clock,
        limits=Limits(poll_max=of_duration(given.poll_max), retention_max=of_duration(given.retention_max), **numbers),
    )


def of_function(message: pb.Function) -> Function:
    return Function(
        name=message.name,
        kind=_word(future_pb2.FunctionKind, message.kind, "FUNCTION_KIND_"),
        description=message.description,
        input_example=payload.decode(message.input_example),
    )
