"""The rows: what is measured, against what, and which ratio is the goal.

A measurement gives one row or more. In each round it measures Muster, then the reference, so that both see the same
machine; a row takes one number from each sample.
"""

import contextlib
import dataclasses
from typing import Callable

CALL = ["--mode=call", "--in-flight=128"]
CALL_ID = [*CALL, "--request-ids"]
ONE_CALL = ["--mode=call", "--in-flight=1"]
SUBMIT_WAIT = ["--mode=submit_wait", "--in-flight=128"]
RUN = ["--mode=run", "--in-flight=1000", "--batch=100"]
RUN_SINGLE = ["--mode=run", "--in-flight=512", "--batch=1"]
# As many as a stream has credits. What a session submits is kept for an hour, so there is an end to it; a fresh server
# for each round does the rest.
RUN_SESSION = ["--mode=run", "--in-flight=10000", "--batch=100", "--session", "--operations-max=1000000"]


def rate(sample):
    return sample["rate"]


def p50(sample):
    return sample["p50_us"]


def p99(sample):
    return sample["p99_us"]


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    value: Callable  # of Muster's sample
    unit: str
    reference: str  # what the reference is, in words
    reference_value: Callable  # of the reference's sample
    goal: str  # of the ratio
    about: str
    quick: bool = True


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What to run for some rows. `reference` is measured by a method of References of that name."""

    rows: tuple
    load: list
    reference: str
    reference_load: list = dataclasses.field(default_factory=list)
    durability: str = "none"
    fresh: bool = False  # a server of its own for each round


MEASUREMENTS = (
    Measurement(
        (Row("call_memory", rate, "calls/s", "unary echo", rate, ">= 0.9", "Call, 128 in flight"),),
        CALL, "echo", CALL,
    ),
    Measurement(
        (
            Row("call_memory_rtt_p50", p50, "us", "unary echo", p50, "<= 1.1", "Call, one in flight, median"),
            Row("call_memory_rtt_p99", p99, "us", "unary echo", p99, "<= 1.3", "Call, one in flight, 99th percentile"),
        ),
        ONE_CALL, "echo", ONE_CALL,
    ),
    Measurement(
        (Row("run_memory", rate, "jobs/s", "bidi echo", rate, ">= 0.6", "Run, batches of 100, 1000 in flight"),),
        RUN, "echo", RUN,
    ),
    Measurement(
        (Row("run_memory_single", rate, "jobs/s", "bidi echo", rate, ">= 0.85", "Run, one job a message, 512 in flight"),),
        RUN_SINGLE, "echo", RUN_SINGLE,
    ),
    Measurement(
        (Row("submit_wait_memory", rate, "pairs/s", "half the unary echo", lambda sample: rate(sample) / 2, ">= 0.85",
             "Submit then Wait, 128 in flight"),),
        SUBMIT_WAIT, "echo", CALL,
    ),
    Measurement(
        (Row("run_sync", rate, "jobs/s", "RocksDB, synced batches of 1000", rate, ">= 0.4",
             "Run with a session: submit and outcome durable; batches of 100"),),
        RUN_SESSION, "batches", durability="sync", fresh=True,
    ),
    Measurement(
        (Row("call_sync", rate, "calls/s", "unary echo", rate, ">= 0.6", "Call, durable, 128 in flight"),),
        CALL, "echo", CALL, durability="sync",
    ),
    Measurement(
        (Row("call_sync_request_id", rate, "calls/s", "unary echo", rate, ">= 0.6",
             "Call with a request id, which is stored beyond its answer; durable, 128 in flight"),),
        CALL_ID, "echo", CALL_ID, durability="sync",
    ),
    Measurement(
        (Row("call_sync_rtt_p50", p50, "us", "unary echo p50 + 2.5 x fdatasync p50",
             lambda sample: p50(sample) + 2.5 * sample["fdatasync_p50_us"], "<= 1",
             "Call with a request id, durable, one in flight, median"),),
        [*ONE_CALL, "--request-ids"], "echo_and_fdatasync", [*ONE_CALL, "--request-ids"], durability="sync",
    ),
)

ROWS = {row.name: row for measurement in MEASUREMENTS for row in measurement.rows}


class References:
    """The references of one measurement, by the names that Measurement.reference has."""

    def __init__(self, rig, stack, measurement):
        self._rig = rig
        self._load = measurement.reference_load
        if measurement.reference.startswith("echo"):
            self._address, self._process = stack.enter_context(rig.reference_server())

    def echo(self):
        return self._rig.load(self._address, self._process.pid, self._load)

    def echo_and_fdatasync(self):
        sample = self.echo()
        sample["fdatasync_p50_us"] = p50(self._rig.rocks("fdatasync"))
        return sample

    def batches(self):
        return self._rig.rocks("batches")


def measure(measurement, rig, rounds, said):
    """[(Muster's sample, the reference's)] of each round; said(text) hears of each."""
    samples = []
    with contextlib.ExitStack() as stack:
        references = References(rig, stack, measurement)
        server = None if measurement.fresh else stack.enter_context(rig.musterd(measurement.durability))
        for number in range(rounds):
            if measurement.fresh:
                with rig.musterd(measurement.durability) as own:
                    ours = rig.load_musterd(own, measurement.load)
            else:
                ours = rig.load_musterd(server, measurement.load)
            theirs = getattr(references, measurement.reference)()
            samples.append((ours, theirs))
            ratios = ", ".join(f"{row.value(ours) / row.reference_value(theirs):.2f}" for row in measurement.rows)
            said(f"round {number + 1} of {rounds}: {ratios}")
    return samples
