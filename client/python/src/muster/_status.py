"""A gRPC status becomes an exception of errors.py."""

from __future__ import annotations

from typing import Dict, Optional, Tuple, Type

from muster import errors
from muster.v1 import error_pb2

_PREFIX = "type.googleapis.com/google.rpc."
CODES = {
    0: "OK", 1: "CANCELLED", 2: "UNKNOWN", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND",
    6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED",
    11: "OUT_OF_RANGE", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS", 16: "UNAUTHENTICATED",
}  # fmt: skip

_BY_REASON: Dict[str, Type[errors.ServiceError]] = {
    "DRAINING": errors.DrainingError,
    "RECOVERING": errors.RecoveringError,
    "FUTURE_NOT_FOUND": errors.FutureNotFoundError,
    "FUTURE_EXPIRED": errors.FutureExpiredError,
    "FUTURE_LOST": errors.FutureLostError,
    "UNKNOWN_FUNCTION": errors.UnknownFunctionError,
    "REQUEST_ID_REUSED": errors.RequestIdReusedError,
}
_BY_CODE: Dict[str, Type[errors.ServiceError]] = {
    "UNAVAILABLE": errors.UnavailableError,
    "INVALID_ARGUMENT": errors.InvalidRequestError,
    "RESOURCE_EXHAUSTED": errors.LimitError,
}


def make(code: str, message: str, reason: str = "", details: Optional[bytes] = None) -> errors.ServiceError:
    """The exception for a status; `details` is the trailer grpc-status-details-bin."""
    metadata: Dict[str, str] = {}
    fields: Tuple[str, ...] = ()
    retry_delay: Optional[float] = None
    status = error_pb2.RpcStatus()
    if details:
        try:
            status.ParseFromString(details)
        except Exception:  # a stranger's trailer; the code and the message are enough
            status.Clear()
    for detail in status.details:
        if detail.type_url == _PREFIX + "ErrorInfo":
            info = error_pb2.ErrorInfo.FromString(detail.value)
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.type_url == _PREFIX + "BadRequest":
            bad = error_pb2.BadRequest.FromString(detail.value)
            fields = tuple(violation.field for violation in bad.field_violations)
        elif detail.type_url == _PREFIX + "RetryInfo":
            delay = error_pb2.RetryInfo.FromString(detail.value).retry_delay
            retry_delay = delay.seconds + delay.nanos / 1e9
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code) or errors.ServiceError
    return kind(
        message or code, code=code, reason=reason, fields=fields, metadata=metadata, retry_delay=retry_delay
    )


def of_item(status: error_pb2.ItemStatus) -> errors.ServiceError:
    """The exception for one refused item of a batch."""
    reason = ""
    if status.reason:
        reason = error_pb2.ErrorReason.Name(status.reason)[len("ERROR_REASON_") :]
    return make(CODES.get(status.code, "UNKNOWN"), status.message, reason)
