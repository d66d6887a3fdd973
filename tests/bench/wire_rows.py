"""Calls and runs over one connection, beside bare echoes that carry the same bytes."""

import contextlib
import dataclasses

from row import Measurement, Row, Sides, p50, p99, rate

CALL = ["--mode=call", "--in-flight=128"]
CALL_ID = [*CALL, "--request-ids"]
ONE_CALL = ["--mode=call", "--in-flight=1"]
SUBMIT_WAIT = ["--mode=submit_wait", "--in-flight=128"]
RUN = ["--mode=run", "--in-flight=1000", "--batch=100"]
RUN_SINGLE = ["--mode=run", "--in-flight=512", "--batch=1"]
# As many as a stream has credits. What a session submits is kept for an hour, so there is an end to it; a fresh server
# for each round does the rest.
RUN_SESSION = ["--mode=run", "--in-flight=10000", "--batch=100", "--session", "--operations-max=1000000"]


@dataclasses.dataclass(frozen=True)
class Wire(Measurement):
    """A load of bench_client on a musterd; `reference` names what is measured beside it."""

    rows: tuple
    load: list
    reference: str  # echo, echo_and_fdatasync, batches
    reference_load: list = dataclasses.field(default_factory=list)
    durability: str = "none"
    fresh: bool = False  # a server of its own for each round

    def missing(self, rig):
        if self.durability != "none" and not rig.has_durability:
            return "this musterd has no option --durability"
        return None

    @contextlib.contextmanager
    def open(self, rig):
        with contextlib.ExitStack() as stack:
            theirs = self._reference(rig, stack)
            if self.fresh:
                def ours():
                    with rig.musterd(self.durability) as own:
                        return rig.load_musterd(own, self.load)
            else:
                server = stack.enter_context(rig.musterd(self.durability))

                def ours():
                    return rig.load_musterd(server, self.load)
            yield Sides(ours, theirs)

    def _reference(self, rig, stack):
        if self.reference == "batches":
            return lambda: rig.rocks("batches")
        address, process = stack.enter_context(rig.reference_server())

        def echo():
            return rig.load(address, process.pid, self.reference_load)

        def echo_and_fdatasync():
            sample = echo()
            sample["fdatasync_p50_us"] = p50(rig.rocks("fdatasync"))
            return sample

        return {"echo": echo, "echo_and_fdatasync": echo_and_fdatasync}[self.reference]


MEASUREMENTS = (
    Wire(
        (Row("call_memory", rate, "calls/s", "unary echo", rate, ">= 0.9", "Call, 128 in flight"),),
        CALL, "echo", CALL,
    ),
    Wire(
        (
            Row("call_memory_rtt_p50", p50, "us", "unary echo", p50, "<= 1.1", "Call, one in flight, median"),
            Row("call_memory_rtt_p99", p99, "us", "unary echo", p99, "<= 1.3", "Call, one in flight, 99th percentile"),
        ),
        ONE_CALL, "echo", ONE_CALL,
    ),
    Wire(
        (Row("run_memory", rate, "jobs/s", "bidi echo", rate, ">= 0.6", "Run, batches of 100, 1000 in flight"),),
        RUN, "echo", RUN,
    ),
    Wire(
        (Row("run_memory_single", rate, "jobs/s", "bidi echo", rate, ">= 0.85", "Run, one job a message, 512 in flight"),),
        RUN_SINGLE, "echo", RUN_SINGLE,
    ),
    Wire(
        (Row("submit_wait_memory", rate, "pairs/s", "half the unary echo", lambda sample: rate(sample) / 2, ">= 0.85",
             "Submit then Wait, 128 in flight"),),
        SUBMIT_WAIT, "echo", CALL,
    ),
    Wire(
        (Row("run_sync", rate, "jobs/s", "RocksDB, synced batches of 1000", rate, ">= 0.4",
             "Run with a session: submit and outcome durable; batches of 100"),),
        RUN_SESSION, "batches", durability="sync", fresh=True,
    ),
    Wire(
        (Row("call_sync", rate, "calls/s", "unary echo", rate, ">= 0.6", "Call, durable, 128 in flight"),),
        CALL, "echo", CALL, durability="sync",
    ),
    Wire(
        (Row("call_sync_request_id", rate, "calls/s", "unary echo", rate, ">= 0.6",
             "Call with a request id, which is stored beyond its answer; durable, 128 in flight"),),
        CALL_ID, "echo", CALL_ID, durability="sync",
    ),
    Wire(
        (Row("call_sync_rtt_p50", p50, "us", "unary echo p50 + 2.5 x fdatasync p50",
             lambda sample: p50(sample) + 2.5 * sample["fdatasync_p50_us"], "<= 1",
             "Call with a request id, durable, one in flight, median"),),
        [*ONE_CALL, "--request-ids"], "echo_and_fdatasync", [*ONE_CALL, "--request-ids"], durability="sync",
    ),
)
