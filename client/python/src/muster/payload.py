"""What travels: Python values as payloads, payloads as Python values.

None, bool, int, float, str, lists and dicts travel as JSON, bytes as they are. JSON's numbers are doubles: an int
beyond 2**53 is refused here rather than rounded, a whole number comes back as an int. Whoever needs a content type,
metadata or plain text says so with a `Payload`.
"""

from __future__ import annotations

import dataclasses
import json as _json
from typing import Any, Mapping, Optional

from muster import _encode
from muster.errors import PayloadError
from muster.v1 import future_pb2

__all__ = ["Payload"]


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclasses.dataclass(frozen=True)
class Payload:
    """A payload with everything that the wire can say. At most one of `data`, `text` and `json` is given.

        muster.Payload(text="a,b", content_type="text/csv")
        muster.Payload(json=[1, 2], metadata={"origin": "hand"})
    """

    data: Optional[bytes] = None
    text: Optional[str] = None
    json: Any = ABSENT
    content_type: str = ""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.data is not None) + (self.text is not None) + (self.json is not ABSENT) > 1:
            raise PayloadError("a Payload holds one of data, text and json; more than one is given")

    @property
    def value(self) -> Any:
        """The body as a Python value: what `result()` gives for it."""
        if self.data is not None:
            return self.data
        if self.text is not None:
            return _of_text(self.text, self.content_type)
        return None if self.json is ABSENT else self.json

    def serialized(self, where: str) -> bytes:
        """The bytes of muster.v1.Payload."""
        message = future_pb2.Payload(content_type=self.content_type, metadata=dict(self.metadata))
        if self.data is not None:
            message.data = bytes(self.data)
        elif self.text is not None:
            message.text = self.text
        head: bytes = message.SerializeToString()
        return head if self.json is ABSENT else head + _encode.field(b"\x22", _encode.value(self.json, where))


def encode(value: Any, where: str = "input") -> bytes:
    """The bytes of muster.v1.Payload for a value; b"" for the empty payload. PayloadError when it cannot travel."""
    kind = type(value)
    if kind is bytes:
        return _encode.field(b"\x1a", value)
    if kind is Payload:
        return value.serialized(where)  # type: ignore[no-any-return]
    if kind is bytearray or kind is memoryview:
        return _encode.field(b"\x1a", bytes(value))
    return _encode.field(b"\x22", _encode.value(value, where))


def encode_input(value: Any) -> bytes:
    """The same for a job's input, where None is the empty payload."""
    return b"" if value is None else encode(value)


def decode(message: future_pb2.Payload) -> Any:
    """The Python value of a payload."""
    kind = message.WhichOneof("body")
    if kind == "json":
        return _of_value(message.json)
    if kind == "data":
        return message.data
    if kind == "text":
        return _of_text(message.text, message.content_type)
    return None


def decode_payload(message: future_pb2.Payload) -> Payload:
    """Everything that a payload says."""
    rest: Any = {"content_type": message.content_type, "metadata": dict(message.metadata)}
    kind = message.WhichOneof("body")
    if kind == "json":
        return Payload(json=_of_value(message.json), **rest)
    if kind == "data":
        return Payload(data=message.data, **rest)
    if kind == "text":
        return Payload(text=message.text, **rest)
    return Payload(**rest)


def _of_text(text: str, content_type: str) -> Any:
    if content_type != "application/json":
        return text
    try:
        return _json.loads(text)
    except ValueError:
        return text  # it says JSON and is none: the reader had better see what it is


def _of_value(value: Any) -> Any:
    """`value` is a google.protobuf.Value."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        if number.is_integer() and -_encode.EXACT_MAX <= number <= _encode.EXACT_MAX:
            return int(number)
        return number
    if kind == "struct_value":
        return {name: _of_value(member) for name, member in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_of_value(member) for member in value.list_value.values]
    if kind == "bool_value":
        return value.bool_value
    return None
