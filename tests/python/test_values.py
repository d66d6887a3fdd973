"""What travels, and what is refused before it does."""

import datetime
import enum
import random

import pytest

import muster
from muster import _encode, _spec, payload
from muster.v1 import future_pb2
from muster.v1 import future_service_pb2 as pb

VALUES = [
    None, True, False, 0, 1, -1, 2**53, -(2**53), 0.0, -0.5, 1e300, "", "text", "é€😀", "x" * 127, "x" * 128, "x" * 20_000,
    [], {}, [1, [2, [3]]], {"a": {"b": {"c": []}}}, {"": None}, ("a", "tuple"), [None, True, 1.5, "s"],
    {"k" * 200: ["v" * 200] * 50},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_json_is_what_protobuf_writes(value):
    message = future_pb2.Payload.FromString(payload.encode(value))
    expected = future_pb2.Payload()
    fill(expected.json, value)
    assert message == expected
    again = payload.decode(message)
    assert again == (list(value) if isinstance(value, tuple) else value)


def fill(message, value):
    """google.protobuf.Value, the long way."""
    if value is None:
        message.null_value = 0
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, (int, float)):
        message.number_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, dict):
        message.struct_value.SetInParent()
        for key, member in value.items():
            fill(message.struct_value.fields[key], member)
    else:
        message.list_value.SetInParent()
        for member in value:
            fill(message.list_value.values.add(), member)


def test_whole_numbers_come_back_as_int_and_others_as_float():
    for given, wanted in ((3, int), (3.0, int), (3.5, float), (1e300, float), (True, bool), (2.0**53, int)):
        assert type(payload.decode(future_pb2.Payload.FromString(payload.encode(given)))) is wanted, given


def test_bytes_travel_as_they_are():
    for given in (b"", b"\0\xff" * 1000, bytearray(b"ab"), memoryview(b"ab")):
        assert payload.decode(future_pb2.Payload.FromString(payload.encode(given))) == bytes(given)


class Colour(enum.IntEnum):
    RED = 3


class Loud(str):
    pass


def test_subclasses_travel_as_what_they_are():
    assert payload.decode(future_pb2.Payload.FromString(payload.encode([Colour.RED, Loud("x")]))) == [3, "x"]


def knot():
    tied = []
    tied.append(tied)
    return tied


@pytest.mark.parametrize(
    "value, says",
    [
        ({"when": datetime.date(2026, 1, 1)}, r"input\['when'\] is of type date, which is not JSON-serialisable"),
        ({"a": [1, {"b": {1, 2}}]}, r"input\['a'\]\[1\]\['b'\] is of type set"),
        (object(), "input is of type object"),
        (print, "Python callables come with remote workers"),
        ({1: 2}, "has the key 1 of type int; JSON's keys are text"),
        ({"id": 2**53 + 1}, r"input\['id'\] is 9007199254740993, .* send it as text"),
        (10**400, "a number of 1329 bits"),
        (float("nan"), "input is nan, and JSON has no such number"),
        ([float("inf")], r"input\[0\] is inf"),
        ({"raw": b"\0"}, r"input\['raw'\] is of type bytes.*base64"),
        ("\ud800", "UTF-8"),
        (knot(), "nests deeper than 64 levels, or contains itself"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_cannot_travel_says_where_and_what_to_do(value, says):
    with pytest.raises(muster.PayloadError, match=says) as caught:
        payload.encode(value)
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, ValueError)


def test_a_payload_holds_one_body():
    with pytest.raises(muster.PayloadError, match="one of data, text and json"):
        muster.Payload(data=b"", text="")
    assert muster.Payload().value is None and muster.Payload(json=None).value is None
    assert muster.Payload(text="{", content_type="application/json").value == "{", "says JSON and is none"


def test_an_item_is_what_protobuf_writes():
    chance = random.Random(7)
    for _ in range(2000):
        tag = chance.choice([0, 1, 127, 128, 16383, 16384, 2097151, 2097152, 2**32, 2**63, chance.randrange(2**40)])
        name = "f" * chance.choice([1, 4, 50, 110, 118, 119, 120, 121, 127, 128, 500])
        given = chance.choice([None, b"", b"x" * chance.randrange(400), "text", {"a": 1}])
        head = chance.choice([b"", _spec.serialized("name", {}), _spec.serialized(None, {"retention": 60})])
        spec = _encode.call_spec(name, payload.encode_input(given), head)
        request = pb.RunRequest()
        item = request.items.add(tag=tag)
        item.future.call.function = name
        if given is not None:
            item.future.call.input.ParseFromString(payload.encode(given))
        if head:
            item.future.options.ParseFromString(head)
        assert pb.RunRequest.FromString(_encode.item(tag, spec)) == request
        if tag:  # protobuf leaves out a 0
            assert len(_encode.item(tag, spec)) == request.ByteSize()


def test_options_become_the_wires():
    message = _spec.options(
        "n", labels={"a": "b"}, group="g", request_id="r", min_durability="sync", execution="at_most_once",
        metadata={"traceparent": "t"}, delay=1.5, run_timeout=datetime.timedelta(minutes=1), retention=0, request_id_ttl=None,
        queue_timeout=2,
    )  # fmt: skip
    assert (message.name, dict(message.labels), message.group, message.request_id) == ("n", {"a": "b"}, "g", "r")
    assert message.min_durability == future_pb2.DURABILITY_SYNC and message.execution == future_pb2.EXECUTION_AT_MOST_ONCE
    assert message.delay.ToMilliseconds() == 1500 and message.run_timeout.seconds == 60 and message.queue_timeout.seconds == 2
    assert message.HasField("retention") and not message.HasField("request_id_ttl")
    assert _spec.serialized("only", {}) == future_pb2.FutureOptions(name="only").SerializeToString()


@pytest.mark.parametrize(
    "given, field",
    [
        ({"name": 3}, "name"), ({"group": b"g"}, "group"), ({"labels": {"a": 1}}, "labels"), ({"metadata": {1: "a"}}, "metadata"),
        ({"delay": "soon"}, "delay"), ({"retention": float("nan")}, "retention"), ({"run_timeout": True}, "run_timeout"),
        ({"execution": "twice"}, "execution"), ({"min_durability": "stone"}, "min_durability"), ({"delay": 1e300}, "delay"),
    ],
    ids=str,
)  # fmt: skip
def test_an_option_that_cannot_be_taken_is_named(given, field):
    with pytest.raises(muster.InvalidRequestError, match=field) as caught:
        _spec.options(**given)
    assert caught.value.fields == (field,) and isinstance(caught.value, ValueError)
    with pytest.raises(TypeError, match="colour"):
        _spec.options(colour=1)


def test_policies_say_what_they_cannot_take():
    for make, says in (
        (lambda: muster.RetryPolicy(attempts_max=0), "attempts_max is 0"),
        (lambda: muster.RetryPolicy(initial=9, pause_max=1), "pause_max"),
        (lambda: muster.RetryPolicy(jitter=2), "jitter is 2"),
        (lambda: muster.Options(deadline=0), "deadline is 0"),
        (lambda: muster.Options(backlog_max=0), "backlog_max is 0"),
    ):
        with pytest.raises(ValueError, match=says):
            make()
