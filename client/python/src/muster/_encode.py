"""The bytes of what is submitted, written by hand.

A submit is a handful of nested fields around a name and a value. Making protobuf's messages for them cost more than
everything else that a submit does (docs/adr/0050-python-client.md); the tests compare each of these with what
protobuf itself writes.
"""

from __future__ import annotations

import collections.abc
import struct
from typing import Any, Dict, Iterable, List, Mapping

from muster.errors import PayloadError

DEPTH_MAX = 64  # the server's own limit
EXACT_MAX = 2**53  # JSON's numbers are doubles on the wire

_double = struct.Struct("<d").pack
_NULL = b"\x08\x00"
_TRUE = b"\x20\x01"
_FALSE = b"\x20\x00"


def varint(number: int) -> bytes:
    if number < 0x80:
        return b"%c" % number
    if number < 0x4000:
        return b"%c%c" % (number & 0x7F | 0x80, number >> 7)
    if number < 0x200000:
        return b"%c%c%c" % (number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(key: bytes, body: bytes) -> bytes:
    """A length-delimited field; `key` is its number and wire type."""
    size = len(body)
    if size < 0x80:
        return b"%b%c%b" % (key, size, body)
    return key + varint(size) + body


# --- google.protobuf.Value ------------------------------------------------------------------------------------------


def value(given: Any, where: str = "input", depth: int = 0) -> bytes:
    """A Value. PayloadError names the place in the input that cannot travel."""
    kind = type(given)
    if kind is str:
        return field(b"\x1a", _text(given, where))
    if given is None:
        return _NULL
    if kind is float:
        return _number(given, where)
    if given is True:
        return _TRUE
    if given is False:
        return _FALSE
    if kind is int:
        return _whole(given, where)
    if depth >= DEPTH_MAX:
        raise PayloadError(f"{where.split('[')[0]} nests deeper than {DEPTH_MAX} levels, or contains itself: flatten it")
    if isinstance(given, collections.abc.Mapping):
        return field(b"\x2a", _struct(given, where, depth + 1))
    if isinstance(given, (list, tuple)):
        values = [field(b"\x0a", value(one, f"{where}[{at}]", depth + 1)) for at, one in enumerate(given)]
        return field(b"\x32", b"".join(values))
    if isinstance(given, str):
        return field(b"\x1a", _text(str(given), where))
    if isinstance(given, int):
        return _whole(int(given), where)
    if isinstance(given, float):
        return _number(float(given), where)
    raise PayloadError(_refusal(given, where))


def _refusal(given: Any, where: str) -> str:
    name = type(given).__name__
    if isinstance(given, (bytes, bytearray, memoryview)):
        advice = "inside JSON send base64 text; alone, as the whole input, bytes travel as they are"
    elif callable(given):
        advice = "a function here is a name on the server; Python callables come with remote workers"
    else:
        advice = "send None, bool, int, float, str, or lists and dicts of these; or bytes, or a muster.Payload"
    return f"{where} is of type {name}, which is not JSON-serialisable: {advice}"


def _text(given: str, where: str) -> bytes:
    try:
        return given.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PayloadError(f"{where} is text that UTF-8 cannot write ({error.reason}): send bytes") from None


def _whole(given: int, where: str) -> bytes:
    if -EXACT_MAX <= given <= EXACT_MAX:
        return b"\x11" + _double(given)
    raise PayloadError(f"{where} is {_short(given)}, and JSON's numbers are exact only to 2**53: send it as text")


def _short(given: int) -> str:
    return str(given) if given.bit_length() < 200 else f"a number of {given.bit_length()} bits"


def _number(given: float, where: str) -> bytes:
    if given - given != 0:  # NaN and the infinities
        raise PayloadError(f"{where} is {given}, and JSON has no such number: send None or text")
    return b"\x11" + _double(given)


def _struct(given: Mapping[Any, Any], where: str, depth: int) -> bytes:
    entries: List[bytes] = []
    for key, member in given.items():
        if not isinstance(key, str):
            raise PayloadError(f"{where} has the key {key!r} of type {type(key).__name__}; JSON's keys are text")
        name = field(b"\x0a", _text(key, f"the key {key!r} of {where}"))
        entries.append(field(b"\x0a", name + field(b"\x12", value(member, f"{where}[{key!r}]", depth))))
    return b"".join(entries)


# --- muster.v1.FutureSpec -------------------------------------------------------------------------------------------

_functions: Dict[str, bytes] = {}


def function(name: str) -> bytes:
    """FunctionCall.function, remembered: most programs call a few."""
    known = _functions.get(name)
    if known is None:
        if not isinstance(name, str):
            advice = "a function here is a name on the server; Python callables come with remote workers"
            raise PayloadError(f"function is {name!r}, must be a str: {advice}")
        if len(_functions) >= 1000:
            _functions.clear()
        known = _functions[name] = field(b"\x0a", _text(name, "function"))
    return known


def call_spec(name: str, payload: bytes, options: bytes) -> bytes:
    """FutureSpec of a call; `payload` and `options` are serialized, and left out when empty."""
    call = known = _functions.get(name) or function(name)
    if payload:
        call = known + field(b"\x12", payload)
    if options:
        return field(b"\x0a", call) + field(b"\x2a", options)
    return field(b"\x0a", call)


def item(tag: int, spec: bytes) -> bytes:
    """RunRequest.items: one submission. Written out for what nearly every item is, a small spec."""
    size = len(spec)
    if size < 0x78 and 0x4000 <= tag < 0x200000:
        return b"\x12%c\x08%c%c%c\x12%c%b" % (
            size + 6, tag & 0x7F | 0x80, tag >> 7 & 0x7F | 0x80, tag >> 14, size, spec,
        )  # fmt: skip
    return field(b"\x12", b"\x08" + varint(tag) + field(b"\x12", spec))
