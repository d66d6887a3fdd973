"""What the suites on Python's gRPC share: a stub of a server, and refusals taken apart as any user would."""

import time
import unittest

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from muster.v1 import error_pb2, future_pb2, future_service_pb2, future_service_pb2_grpc
from runner import server_with

pb = future_service_pb2
RPC_SECONDS = 30  # every RPC of a test has a deadline


def seconds(value):
    whole = int(value)
    return duration_pb2.Duration(seconds=whole, nanos=round((value - whole) * 1e9))


def call(function, json=None, text=None, data=None, **options):
    """A FutureSpec that calls a function. `json` is any JSON value."""
    spec = future_pb2.FutureSpec(call=future_pb2.FunctionCall(function=function))
    payload = spec.call.input
    if json is not None:
        set_json(payload.json, json)
    elif text is not None:
        payload.text = text
    elif data is not None:
        payload.data = data
    if options:
        spec.options.CopyFrom(future_pb2.FutureOptions(**options))
    return spec


def set_json(value, json):
    if isinstance(json, bool):
        value.bool_value = json
    elif isinstance(json, (int, float)):
        value.number_value = json
    elif isinstance(json, str):
        value.string_value = json
    elif isinstance(json, dict):
        value.struct_value.update(json)
    else:
        value.list_value.extend(json)


def ids(*values):
    return future_pb2.FutureSet(ids=values)


class Refusal:
    """A refused RPC: its code, its message, and google.rpc's details as any language's helpers read them."""

    def __init__(self, error):
        self.code = error.code()
        self.message = error.details()
        self.reason = self.domain = None
        self.metadata = {}
        self.fields = []
        self.retry_seconds = None
        self.quota = []
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            for kind in (
                error_details_pb2.ErrorInfo,
                error_details_pb2.BadRequest,
                error_details_pb2.RetryInfo,
                error_details_pb2.QuotaFailure,
            ):
                if detail.Is(kind.DESCRIPTOR):
                    message = kind()
                    detail.Unpack(message)
                    self._take(message)

    def _take(self, message):
        if isinstance(message, error_details_pb2.ErrorInfo):
            self.reason, self.domain, self.metadata = message.reason, message.domain, dict(message.metadata)
        elif isinstance(message, error_details_pb2.BadRequest):
            self.fields = [violation.field for violation in message.field_violations]
        elif isinstance(message, error_details_pb2.RetryInfo):
            self.retry_seconds = message.retry_delay.seconds + message.retry_delay.nanos / 1e9
        else:
            self.quota = [violation.subject for violation in message.violations]

    def __str__(self):
        return f"{self.code.name} {self.reason} {self.fields}: {self.message}"


class ServerCase(unittest.TestCase):
    """Tests against one server; FLAGS are its own. A namespace a test, so that none sees another's futures."""

    FLAGS = ()
    NAMESPACE_EACH = True

    def setUp(self):
        self.server = server_with(*self.FLAGS)
        self.channel = self.new_channel()
        self.stub = future_service_pb2_grpc.FutureServiceStub(self.channel)
        name = self.id().split(".", 1)[-1].lower().replace(".", "-").replace("_", "-")
        self.ns = name[-60:].strip("-") if self.NAMESPACE_EACH else ""
        self.rpc = _Rpc(self.stub)

    def tearDown(self):
        self.channel.close()

    def new_channel(self, **options):
        channel = grpc.insecure_channel(self.server.grpc, options=list(options.items()))
        return channel

    # --- short forms ------------------------------------------------------------------------------------------------

    def submit(self, spec, **request):
        return self.rpc.Submit(pb.SubmitRequest(namespace=self.ns, future=spec, **request)).id

    def promise(self, **options):
        request = pb.CreatePromiseRequest(namespace=self.ns, options=future_pb2.FutureOptions(**options))
        return self.rpc.CreatePromise(request).id

    def wait(self, *members, **fields):
        return self.rpc.Wait(pb.WaitRequest(namespace=self.ns, set=ids(*members), **fields))

    def get(self, id_, **fields):
        return self.rpc.Get(pb.GetRequest(namespace=self.ns, id=id_, **fields)).future

    def settle(self, id_, text="done", **fields):
        value = future_pb2.Payload(text=text)
        return self.rpc.SetResult(pb.SetResultRequest(namespace=self.ns, id=id_, value=value, **fields))

    def cancel(self, *members, **fields):
        return self.rpc.Cancel(pb.CancelRequest(namespace=self.ns, set=ids(*members), **fields))

    def until(self, holds, what, limit=20):
        """Waits for what no RPC can wait for, such as the end of a retention."""
        end = time.monotonic() + limit
        while not holds():
            if time.monotonic() > end:
                self.fail(f"not within {limit} s: {what}")
            time.sleep(0.01)

    def until_running(self, id_):
        self.until(lambda: self.get(id_).state == future_pb2.FUTURE_STATE_RUNNING, f"{id_} runs")

    # --- refusals ---------------------------------------------------------------------------------------------------

    def refusal(self, action):
        with self.assertRaises(grpc.RpcError) as caught:
            answer = action()
            if hasattr(answer, "__next__"):
                list(answer)
        return Refusal(caught.exception)

    def assert_refused(self, action, code, reason, field=None, says=(), retry=None):
        """`action` is refused with this code and reason, names the field, and its message has each of `says`."""
        refusal = self.refusal(action)
        text = str(refusal)
        self.assertEqual(refusal.code, code, text)
        self.assertEqual(refusal.reason, reason, text)
        self.assertEqual(refusal.domain, "muster", text)
        self.assertIn(f"ERROR_REASON_{reason}", error_pb2.ErrorReason.keys())
        if field is not None:
            self.assertEqual(refusal.fields, [field], text)
            self.assertIn(field, refusal.message, "the message names the field")
        for words in says:
            self.assertIn(str(words), refusal.message)
        if retry is not None:
            self.assertEqual(refusal.retry_seconds is not None, retry, f"RetryInfo: {text}")
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            self.assertTrue(refusal.quota, f"a QuotaFailure says whose limit it is: {text}")
        return refusal

    def assert_nothing_left(self):
        self.assertEqual(self.server.left_open(), {}, "calls that have ended leave nothing behind")

    def assert_healthy(self):
        """The server works as before."""
        self.assertEqual(self.server.admin_get("/readyz")[0], 200)
        request = pb.CallRequest(future=call("echo", text="well?"))
        self.assertEqual(self.rpc.Call(request).completion.outcome.value.text, "well?")


class _Rpc:
    """The stub's unary methods, each with a deadline."""

    def __init__(self, stub):
        self._stub = stub

    def __getattr__(self, name):
        method = getattr(self._stub, name)
        return lambda request, **options: method(request, **{"timeout": RPC_SECONDS, **options})
