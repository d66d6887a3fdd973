"""Clients that vanish: a client is killed in the middle of each kind of call and stream. Its futures live on, unless
they were submitted to be cancelled with it, and nothing else of it stays behind (semantics 98)."""

import os
import signal
import socket
import subprocess
import sys
import threading

import grpc

import runner
import suite
from suite import ServerCase, call, future_pb2, ids, pb

PENDING = future_pb2.FUTURE_STATE_PENDING
RUNNING = future_pb2.FUTURE_STATE_RUNNING
CANCELLED = future_pb2.FUTURE_STATE_CANCELLED
SUCCEEDED = future_pb2.FUTURE_STATE_SUCCEEDED


class Child:
    """What the killed client does, by name: it never returns."""

    def __init__(self, address, argument):
        self.stub = suite.future_service_pb2_grpc.FutureServiceStub(grpc.insecure_channel(address))
        self.argument = argument
        self.set = ids(*argument.split(",")) if argument else ids()

    def wait(self):
        self.stub.Wait(pb.WaitRequest(set=self.set))

    def call(self):
        self.stub.Call(pb.CallRequest(future=call("sleep", 3600, group=self.argument)))

    def call_and_cancel(self):
        self.stub.Call(pb.CallRequest(future=call("sleep", 3600, group=self.argument, cancel_on_disconnect=True)))

    def blocking_call_and_cancel(self):
        work = {"data": "x" * 1000, "rounds": 1_000_000_000}
        self.stub.Call(pb.CallRequest(future=call("checksum", work, group=self.argument, cancel_on_disconnect=True)))

    def gather(self):
        list(self.stub.Gather(pb.GatherRequest(set=self.set)))

    def gather_by_id(self):
        list(self.stub.Gather(pb.GatherRequest(gather_id=self.argument)))

    def as_completed(self):
        list(self.stub.AsCompleted(pb.AsCompletedRequest(set=self.set)))

    def as_completed_unread(self):
        """Opens the stream and reads nothing of the megabytes that it brings."""
        stream = self.stub.AsCompleted(pb.AsCompletedRequest(set=self.set))
        threading.Event().wait()
        list(stream)

    def run(self, **options):
        def send():
            yield pb.RunRequest(open=pb.RunOpen())
            for first in range(0, 50, 10):
                items = [pb.RunRequest.Item(tag=tag) for tag in range(first, first + 10)]
                for item in items:
                    item.future.CopyFrom(call("sleep", 3600, group=self.argument, **options))
                yield pb.RunRequest(items=items)
            threading.Event().wait()

        list(self.stub.Run(send()))

    def run_and_cancel(self):
        self.run(cancel_on_disconnect=True)

    def run_flood(self):
        """Sends as fast as credits allow, reads none of the answers."""

        def send():
            yield pb.RunRequest(open=pb.RunOpen())
            tag = 0
            for _ in range(90):
                items = [pb.RunRequest.Item(tag=tag + i, future=call("echo", text="x" * 10_000)) for i in range(100)]
                tag += 100
                yield pb.RunRequest(items=items)
            threading.Event().wait()

        stream = self.stub.Run(send())
        threading.Event().wait()
        list(stream)

    def watch_health(self):
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(self.argument))
        list(stub.Watch(health_pb2.HealthCheckRequest()))


class Vanishing(ServerCase):
    NAMESPACE_EACH = False

    def setUp(self):
        super().setUp()
        self.child = None
        self.group = self.id().rsplit(".", 1)[-1]
        self.assert_nothing_left()

    def tearDown(self):
        self.kill()
        self.assert_nothing_left()
        self.assert_healthy()
        live = [PENDING, RUNNING, future_pb2.FUTURE_STATE_QUEUED]
        left = [f.id for f in self.rpc.List(pb.ListRequest(states=live, page_size=1000)).futures]
        if left:
            self.cancel(*left)
        super().tearDown()

    def start(self, what, argument=""):
        argv = [sys.executable, "-B", __file__, "--child", what, self.server.grpc, argument]
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        if self.child is not None:
            os.kill(self.child.pid, signal.SIGKILL)
            self.child.wait()
            self.child = None

    def until_open(self, name, count=1):
        self.assertEqual(self.server.wait_for_metric(name, count), count, "the client's call is open")

    def members(self, count=None):
        found = []
        self.until(lambda: found.__setitem__(slice(None), self.listed()) or len(found) == (count or len(found)) > 0, "its jobs")
        return found

    def listed(self):
        return list(self.rpc.List(pb.ListRequest(group=self.group, page_size=1000)).futures)

    def test_in_a_wait(self):  # semantics 98, 36
        promise = self.promise()
        self.start("wait", promise)
        self.until_open("muster_waits_open")
        self.kill()
        self.assert_nothing_left()
        self.assertEqual(self.get(promise).state, PENDING)

    def test_in_a_call(self):  # semantics 98
        self.start("call", self.group)
        self.until_open("muster_waits_open")
        self.kill()
        self.assert_nothing_left()
        self.assertEqual([f.state for f in self.members()], [RUNNING])

    def test_in_a_call_that_is_cancelled_with_it(self):  # semantics 98
        self.start("call_and_cancel", self.group)
        self.until_open("muster_waits_open")
        job = self.members()[0].id
        waiter = self.stub.Wait.future(pb.WaitRequest(set=ids(job)), timeout=suite.RPC_SECONDS)
        self.until_open("muster_waits_open", 2)
        self.kill()
        self.assertEqual(waiter.result().done[0].state, CANCELLED)

    def test_in_a_blocking_call_that_is_cancelled_with_it(self):
        self.start("blocking_call_and_cancel", self.group)
        self.until_open("muster_waits_open")
        self.server.wait_for_metric("muster_blocking_pool_busy", 1)
        self.kill()
        self.assertEqual(self.server.wait_for_metric("muster_blocking_pool_busy", 0), 0)
        self.assertEqual(self.server.wait_for_metric("muster_blocking_pool_abandoned", 0), 0)

    def test_in_a_gather(self):  # semantics 98
        promise = self.promise()
        opened = self.server.metric("muster_wait_members")
        self.start("gather", promise)
        self.server.wait_for_metric("muster_wait_members", opened + 1)
        self.kill()
        self.assert_nothing_left()
        self.assertEqual(self.get(promise).state, PENDING)

    def test_in_a_gather_by_id(self):
        promise = self.promise()
        gather = self.submit(future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[promise])))
        self.start("gather_by_id", gather)
        self.until_open("muster_waits_open")
        self.kill()
        self.assert_nothing_left()
        self.assertEqual(self.get(gather).state, PENDING)
        self.settle(promise)
        self.assertEqual(self.wait(gather).done[0].state, SUCCEEDED)

    def test_in_as_completed(self):  # semantics 98, 36
        promises = [self.promise() for _ in range(3)]
        self.start("as_completed", ",".join(promises))
        self.until_open("muster_streams_open")
        self.settle(promises[0])
        self.kill()
        self.assert_nothing_left()
        self.assertEqual([self.get(id_).state for id_ in promises[1:]], [PENDING] * 2)

    def test_with_megabytes_unread(self):
        jobs = [self.submit(call("echo", text="x" * 500_000)) for _ in range(20)] + [self.promise()]
        self.wait(*jobs[:-1], view=future_pb2.OUTCOME_VIEW_NONE)
        self.start("as_completed_unread", ",".join(jobs))
        self.until_open("muster_streams_open")
        self.kill()
        self.assert_nothing_left()

    def test_in_a_run(self):  # semantics 98
        self.start("run", self.group)
        self.until_open("muster_streams_open")
        self.members(50)
        self.kill()
        self.assert_nothing_left()
        self.assertEqual({f.state for f in self.members(50)}, {RUNNING})

    def test_in_a_run_that_is_cancelled_with_it(self):
        self.start("run_and_cancel", self.group)
        self.until_open("muster_streams_open")
        jobs = [f.id for f in self.members(50)]
        waiter = self.stub.Wait.future(pb.WaitRequest(set=ids(*jobs)), timeout=suite.RPC_SECONDS)
        self.until_open("muster_waits_open")
        self.kill()
        self.assertEqual({c.state for c in waiter.result().done}, {CANCELLED})

    def test_in_a_flood_that_it_does_not_read(self):
        self.start("run_flood")
        self.until_open("muster_streams_open")
        self.server.wait_for_metric("muster_futures_submitted_total", lambda value: value > 500)
        self.kill()
        self.assert_nothing_left()

    def test_while_it_watches_health(self):
        self.start("watch_health", self.server.grpc)
        # The watch is not counted by itself; that the server stops in order at the end of the suite is the proof.
        self.until(lambda: self.child.poll() is None, "the child lives")
        self.kill()

    def test_connections_that_say_nothing_or_nonsense(self):
        host, port = self.server.grpc.rsplit(":", 1)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", preface, preface + b"\xff" * 200, os.urandom(1000)):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(words)
            self.assert_healthy()
        host, port = self.server.admin.rsplit(":", 1)
        for words in (b"", b"GET /met", b"\x00" * 10_000, b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 10_000):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                try:
                    connection.sendall(words)
                except OSError:
                    pass  # it was right to hang up
            self.assertEqual(self.server.admin_get("/healthz")[0], 200)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        getattr(Child(sys.argv[3], sys.argv[4]), sys.argv[2])()
    else:
        runner.main()
