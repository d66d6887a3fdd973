"""Bad input over the wire: more than the server allows. Each limit is reached, the next one is refused with
RESOURCE_EXHAUSTED and what to do about it, and nothing that was acknowledged before is lost."""

import threading

import grpc

import runner
import suite
from suite import ServerCase, call, future_pb2, ids, pb, seconds

Code = grpc.StatusCode
FULL = Code.RESOURCE_EXHAUSTED
PENDING = future_pb2.FUTURE_STATE_PENDING
SUCCEEDED = future_pb2.FUTURE_STATE_SUCCEEDED
CANCELLED = future_pb2.FUTURE_STATE_CANCELLED


class LimitCase(ServerCase):
    """One namespace and one test a class: the limits are the whole server's."""

    NAMESPACE_EACH = False

    def tearDown(self):
        try:
            self.assert_nothing_left()
            self.assert_healthy()
        finally:
            super().tearDown()

    def assert_limit(self, action, reason, says=(), retry=True, field=None):
        hits = self.server.metrics().get(f'muster_limit_hits_total{{reason="{reason}"}}', 0)
        refusal = self.assert_refused(action, FULL, reason, field, says, retry)
        counted = self.server.metrics().get(f'muster_limit_hits_total{{reason="{reason}"}}', 0)
        self.assertGreater(counted, hits, "the refusal is counted")
        return refusal

    def open_wait(self, *members):
        """A Wait that stays open until its members are done."""
        return self.stub.Wait.future(pb.WaitRequest(namespace=self.ns, set=ids(*members)), timeout=suite.RPC_SECONDS)

    def open_stream(self, *members):
        return self.stub.AsCompleted(pb.AsCompletedRequest(namespace=self.ns, set=ids(*members)), timeout=suite.RPC_SECONDS)


class PendingFutures(LimitCase):
    FLAGS = ("--limits-pending-futures-max=5",)

    def test_more_futures_than_allowed(self):
        live = [self.promise() for _ in range(3)] + [self.submit(call("sleep", 60)) for _ in range(2)]
        says = [5, "retry"]
        self.assert_limit(lambda: self.submit(call("echo", 1)), "TOO_MANY_FUTURES", says)
        self.assert_limit(lambda: self.rpc.Call(pb.CallRequest(future=call("echo", 1))), "TOO_MANY_FUTURES", says)
        self.assert_limit(self.promise, "TOO_MANY_FUTURES", says)
        batch = self.rpc.SubmitBatch(pb.SubmitBatchRequest(futures=[call("echo", 1)]))
        self.assertEqual(batch.items[0].status.reason, suite.error_pb2.ERROR_REASON_TOO_MANY_FUTURES)
        self.settle(live[0])  # room for one
        self.assertEqual(self.wait(self.submit(call("echo", 1))).done[0].state, SUCCEEDED)
        self.cancel(*live[1:])
        states = {c.id: c.state for c in self.wait(*live).done}  # all that was acknowledged is there
        self.assertEqual([states[id_] for id_ in live], [SUCCEEDED] + [CANCELLED] * 4)


class FullQueue(LimitCase):
    FLAGS = ("--blocking-threads=1", "--blocking-queue=2")

    def test_a_full_queue(self):
        long = call("checksum", {"data": "x" * 10_000, "rounds": 1_000_000_000})
        running = self.submit(long)
        self.until_running(running)
        queued = [self.submit(call("checksum", {"data": str(i)})) for i in range(2)]
        self.assert_limit(lambda: self.submit(call("checksum", {"data": "x"})), "QUEUE_FULL", [2, "retry"])
        self.assertEqual(self.rpc.Call(pb.CallRequest(future=call("echo", 1))).completion.state, SUCCEEDED)
        self.cancel(running)
        self.assertEqual([c.state for c in self.wait(*queued).done], [SUCCEEDED] * 2)
        self.assertEqual(self.get(running).state, CANCELLED)  # semantics 93
        self.assertEqual(self.server.wait_for_metric("muster_blocking_pool_abandoned", 0), 0)


class Waiters(LimitCase):
    FLAGS = ("--limits-waiters-max=3",)

    def test_more_waiters_than_allowed(self):
        promise = self.promise()
        open_ = [self.open_wait(promise) for _ in range(3)]
        self.assertEqual(self.server.wait_for_metric("muster_waits_open", 3), 3)
        self.assert_limit(lambda: self.wait(promise), "TOO_MANY_WAITERS", [3, "retry"])
        self.assert_limit(lambda: self.rpc.Call(pb.CallRequest(future=call("echo", 1))), "TOO_MANY_WAITERS", [3, "retry"])
        self.assertEqual(self.get(promise).state, PENDING)  # what does not wait goes on
        self.settle(promise)
        self.assertEqual([wait.result().done[0].id for wait in open_], [promise] * 3)


class WaitMembers(LimitCase):
    FLAGS = ("--limits-wait-members-max=10",)

    def test_more_members_than_allowed(self):
        promises = [self.promise() for _ in range(8)]
        open_ = self.open_wait(*promises)
        self.assertEqual(self.server.wait_for_metric("muster_wait_members", 8), 8)
        self.assert_limit(lambda: self.wait(*promises[:3]), "TOO_MANY_WAITERS", [10])
        for id_ in promises:
            self.settle(id_)
        self.assertEqual(len(open_.result().done), 8)


class Streams(LimitCase):
    FLAGS = ("--limits-streams-max=3",)

    def test_more_streams_than_allowed(self):
        promise = self.promise()
        open_ = [self.open_stream(promise) for _ in range(2)]
        stop = threading.Event()

        def one_open():
            yield pb.RunRequest(open=pb.RunOpen())
            stop.wait(60)

        run = self.stub.Run(one_open(), timeout=suite.RPC_SECONDS)
        self.assertGreater(next(run).credits, 0)
        self.assertEqual(self.server.wait_for_metric("muster_streams_open", 3), 3)
        self.assert_limit(lambda: self.open_stream(promise), "TOO_MANY_STREAMS", [3])
        again = lambda: self.stub.Run(iter([pb.RunRequest(open=pb.RunOpen())]), timeout=suite.RPC_SECONDS)
        self.assert_limit(again, "TOO_MANY_STREAMS", [3])
        stop.set()
        self.assertEqual(list(run), [])
        self.settle(promise)
        for stream in open_:
            self.assertEqual([c.id for message in stream for c in message.completions], [promise])


class Namespaces(LimitCase):
    FLAGS = ("--limits-namespaces-max=3",)

    def test_more_namespaces_than_allowed(self):
        kept = {}
        for name in ("", "one", "two"):
            self.ns = name
            kept[name] = self.promise()
        self.ns = "three"
        self.assert_limit(self.promise, "TOO_MANY_NAMESPACES", ["three", 3], field="namespace")
        self.assert_limit(lambda: self.submit(call("echo", 1)), "TOO_MANY_NAMESPACES", ["three", 3])
        for name, id_ in kept.items():
            self.ns = name
            self.assertEqual(self.get(id_).state, PENDING)

    def test_looking_makes_no_namespace(self):
        """One who only asks about a name that does not exist uses nothing up."""
        with runner.Musterd(runner.OPTIONS.musterd, ["--limits-namespaces-max=2"]) as server:
            with grpc.insecure_channel(server.grpc) as channel:
                stub = suite.future_service_pb2_grpc.FutureServiceStub(channel)
                before = server.metric("muster_namespaces")
                for number in range(5):
                    request = pb.ListRequest(namespace=f"guess-{number}")
                    try:
                        stub.List(request, timeout=suite.RPC_SECONDS)
                    except grpc.RpcError as error:
                        self.assertEqual(error.code(), FULL)
                self.assertLessEqual(server.metric("muster_namespaces"), before + 2)


class RequestIds(LimitCase):
    FLAGS = ("--limits-request-ids-max=4",)

    def test_more_request_ids_than_allowed(self):
        specs = [call("echo", i, request_id=f"r{i}") for i in range(4)]
        kept = [self.submit(spec) for spec in specs]
        self.assert_limit(lambda: self.submit(call("echo", 9, request_id="r9")), "TOO_MANY_REQUEST_IDS", [4])
        self.submit(call("echo", 9))  # without one there is room
        self.assertEqual([self.submit(spec) for spec in specs], kept, "what was acknowledged is found again")


class Bytes(LimitCase):
    FLAGS = ("--limits-namespace-bytes-max=1MiB", "--limits-payload-bytes-max=512KiB")

    def test_more_bytes_than_a_namespace_may_hold(self):
        kept = []
        for number in range(10):
            try:
                kept.append(self.submit(call("echo", text=str(number) * 300_000)))
            except grpc.RpcError as error:
                refusal = suite.Refusal(error)
                self.assertEqual((refusal.code, refusal.reason), (FULL, "TOO_MANY_BYTES"))
                break
            self.wait(kept[-1])
        else:
            self.fail("ten times 300 kB went into 1 MiB")
        self.assertGreaterEqual(len(kept), 2)
        refusal = self.assert_limit(lambda: self.submit(call("echo", 1)), "TOO_MANY_BYTES", [1 << 20, "delete"])
        self.assertEqual(refusal.quota, ["namespace:default"])
        self.ns = "other"
        self.assertEqual(self.wait(self.submit(call("echo", 1))).done[0].state, SUCCEEDED)
        self.ns = ""
        self.assertEqual([len(c.outcome.value.text) for c in self.wait(*kept).done], [300_000] * len(kept))
        self.rpc.Delete(pb.DeleteRequest(set=ids(*kept)))
        self.assertEqual(self.wait(self.submit(call("echo", 1))).done[0].state, SUCCEEDED)


class Credits(LimitCase):
    FLAGS = ("--limits-run-credits=4",)

    def test_more_items_than_credits(self):
        promise = self.promise()
        messages = [pb.RunRequest(open=pb.RunOpen(acknowledge=True))]
        item = lambda tag: pb.RunRequest.Item(tag=tag, future=self.shield(promise, f"item {tag}"))
        messages.append(pb.RunRequest(items=[item(tag) for tag in range(4)]))
        ready = threading.Event()

        def send():
            yield from messages
            ready.wait(30)
            yield pb.RunRequest(items=[item(4)])

        run = self.stub.Run(send(), timeout=suite.RPC_SECONDS)
        self.assertEqual(next(run).credits, 4)
        accepted = []
        while len(accepted) < 4:
            accepted += [a.id for a in next(run).accepted]
        self.assert_limit(lambda: ready.set() or run, "CREDITS_OVERRUN", [4])
        self.assertEqual({self.get(id_).state for id_ in accepted}, {PENDING})  # what was accepted goes on
        self.settle(promise, "all of you")
        self.assertEqual({c.outcome.value.text for c in self.wait(*accepted).done}, {"all of you"})

    def shield(self, id_, name):
        options = future_pb2.FutureOptions(name=name, retention=seconds(60))
        return future_pb2.FutureSpec(shield=future_pb2.ShieldSpec(id=id_), options=options)


class NothingStays(LimitCase):
    FLAGS = ("--limits-set-max=1000",)

    def test_memory_is_given_back(self):
        """Thousands of refused, cancelled and forgotten things later, nothing is held."""
        before = self.server.metric("muster_namespace_bytes")
        promises = [self.promise() for _ in range(100)]
        for _ in range(20):
            wait = self.open_wait(*promises)
            stream = self.open_stream(*promises)
            wait.cancel()
            stream.cancel()
        for _ in range(200):
            self.refusal(lambda: self.submit(call("nobody", text="x" * 1000)))
        jobs = [self.submit(call("echo", text="x" * 10_000)) for _ in range(100)]
        self.wait(*jobs)
        self.cancel(*promises)
        self.rpc.Delete(pb.DeleteRequest(set=ids(*promises, *jobs)))
        self.assert_nothing_left()
        self.assertEqual(self.server.wait_for_metric("muster_futures", 0), 0)
        self.assertEqual(self.server.wait_for_metric("muster_namespace_bytes", before), before)


if __name__ == "__main__":
    runner.main()
