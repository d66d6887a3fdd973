"""A server that died is started again, and has everything: with as many futures as MUSTER_TEST_FUTURES says (20,000
unless it says otherwise; a million takes some minutes, mostly to submit them)."""

import os
import socket
import time
import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import runner
import suite
from musterd import Musterd
from suite import call, future_pb2, ids, pb, seconds

FUTURES = int(os.environ.get("MUSTER_TEST_FUTURES", "20000"))
BATCH = 5000
SERVING = health_pb2.HealthCheckResponse.SERVING


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Restart(unittest.TestCase):
    def stub(self, server):
        channel = grpc.insecure_channel(server.grpc)
        self.addCleanup(channel.close)
        return suite.future_service_pb2_grpc.FutureServiceStub(channel)

    def submit_many(self, stub, count):
        """Delayed jobs; the ids of the first and the last of each batch."""
        made = []
        job = future_pb2.FutureSpec(call=future_pb2.FunctionCall(function="echo"))
        job.options.delay.CopyFrom(seconds(86_400))
        request = pb.SubmitBatchRequest(futures=[job] * min(BATCH, count))
        for _ in range(count // len(request.futures)):
            items = stub.SubmitBatch(request, timeout=120).items
            made += [items[0].id, items[-1].id]
        return made

    def test_everything_is_there_again(self):
        flags = [f"--loops={runner.OPTIONS.loops}", f"--limits-pending-futures-max={FUTURES + 1000}"]
        port = free_port()  # known beforehand: the server is asked before it is ready
        with Musterd(runner.OPTIONS.musterd, flags) as server:
            stub = self.stub(server)
            made = self.submit_many(stub, FUTURES)
            done = stub.Submit(pb.SubmitRequest(future=call("echo", "kept", name="mine")), timeout=30).id
            stub.Wait(pb.WaitRequest(set=ids(done)), timeout=30)
            running = stub.Submit(pb.SubmitRequest(future=call("sleep", 3600)), timeout=30).id
            gather = stub.Submit(
                pb.SubmitRequest(future=future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[done, made[0]]))), timeout=30
            ).id
            server.die()

            start = time.monotonic()
            server.launch(wait=False, port=port)
            seen = self.watch(server, f"127.0.0.1:{port}")
            server.wait_until_ready()
            print(f"{server.metric('muster_recovered_futures'):.0f} futures are back: the store was read in "
                  f"{server.metric('muster_recovery_seconds'):.2f} s, ready {time.monotonic() - start:.2f} s after the start")
            self.assertEqual(seen[-1], SERVING)
            self.assertEqual(server.metric("muster_recovered_futures"), FUTURES // BATCH * BATCH + 3)

            stub = self.stub(server)
            for future in made:
                self.assertEqual(self.state(stub, future), future_pb2.FUTURE_STATE_DELAYED)
            got = stub.Get(pb.GetRequest(id=done), timeout=30).future
            self.assertEqual((got.name, got.outcome.value.json.string_value), ("mine", "kept"))
            self.assertEqual(stub.Get(pb.GetRequest(id=running), timeout=30).future.attempt, 2)
            # And it goes on: a member that comes to its end ends the gather.
            stub.Cancel(pb.CancelRequest(set=ids(made[0], running), message="enough"), timeout=30)
            waited = stub.Wait(pb.WaitRequest(set=ids(gather, running)), timeout=30)
            self.assertEqual({c.id: c.state for c in waited.done},
                             {gather: future_pb2.FUTURE_STATE_FAILED, running: future_pb2.FUTURE_STATE_CANCELLED})

    def state(self, stub, future):
        return stub.Get(pb.GetRequest(id=future), timeout=30).future.state

    def watch(self, server, address):
        """What health says until the server serves; and until then nothing but RECOVERING is answered."""
        seen = []
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with grpc.insecure_channel(address) as channel:
                try:
                    status = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5).status
                    if status != SERVING:
                        self.ask_too_early(channel)
                    seen.append(status)
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                    self.assertIsNone(server.process.poll(), server.log())
            if seen and seen[-1] == SERVING:
                return seen
            time.sleep(0.005)
        self.fail(f"it does not come to serve: {seen}")

    def ask_too_early(self, channel):
        try:
            suite.future_service_pb2_grpc.FutureServiceStub(channel).GetServerInfo(pb.GetServerInfoRequest(), timeout=5)
        except grpc.RpcError as error:
            refusal = suite.Refusal(error)
            self.assertEqual((refusal.code, refusal.reason), (grpc.StatusCode.UNAVAILABLE, "RECOVERING"))
            self.assertEqual(refusal.retry_seconds, 1)


if __name__ == "__main__":
    runner.main()
