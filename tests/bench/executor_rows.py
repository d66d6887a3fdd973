"""The executor by itself, beside Go's and tokio's; and what waiting costs in memory."""

import contextlib
import dataclasses
import os

from rig import Failure, private_bytes
from row import Measurement, Row, Sides, rate

PAYLOAD_BYTES = 16


def millions(sample):
    return rate(sample) / 1e6


def size(sample):
    return sample["bytes"]


@dataclasses.dataclass(frozen=True)
class Executor(Measurement):
    """A mode of bench_executor; `peers` are the ways to run the same elsewhere, the fastest of which is the reference."""

    row: Row
    mode: str
    peers: tuple = ()

    @property
    def rows(self):
        return (self.row,)

    @property
    def is_peer(self):
        return bool(self.peers)

    def missing(self, rig):
        for name, *_ in self.peers:
            if not os.access(rig.peer(name), os.X_OK):
                return f"no {name} here: ./dev bench --peers builds it"
        return None

    @contextlib.contextmanager
    def open(self, rig):
        def theirs():
            samples = [rig.measure([rig.peer(name), *arguments]) for name, *arguments in self.peers]
            return max(samples, key=rate)

        yield Sides(lambda: rig.executor(self.mode), theirs if self.peers else None)


@dataclasses.dataclass(frozen=True)
class BytesOfCoroutine(Measurement):
    rows: tuple
    count: int = 1_000_000
    rounds_max: int = 5

    @contextlib.contextmanager
    def open(self, rig):
        yield Sides(lambda: rig.executor("bytes", f"--count={rig.scaled(self.count)}"))


@dataclasses.dataclass(frozen=True)
class BytesOfFuture(Measurement):
    """What a musterd grows by, its own memory alone, when it takes in jobs that start in an hour."""

    rows: tuple
    count: int = 1_000_000
    rounds_max: int = 3

    @contextlib.contextmanager
    def open(self, rig):
        def ours():
            with rig.musterd("none") as server:
                # The first batch pays for buffers that the others use again.
                first, count = 1000, rig.scaled(self.count)
                rig.backlog(server, first, PAYLOAD_BYTES)
                before = private_bytes(server.process.pid)
                rig.backlog(server, count, PAYLOAD_BYTES)
                grown = private_bytes(server.process.pid) - before
                waiting = server.metric('muster_futures{state="delayed"}')
                if waiting != first + count:
                    raise Failure(f"{first + count} jobs were submitted, and {waiting:.0f} wait")
                return {"operations_total": count, "bytes": grown / count - PAYLOAD_BYTES}

        yield Sides(ours)


def value(name, read, unit, goal, about, quick=True):
    return Row(name, read, unit, "", None, goal, about, quick)


MEASUREMENTS = (
    Executor(value("executor_spawn", millions, "M/s", ">= 10", "spawn and join empty tasks, 1000 at a time, on one loop"),
             "spawn"),
    Executor(value("executor_spawn_cancellable", millions, "M/s", None, "the same, each task with a CancelToken"),
             "spawn_cancellable"),
    Executor(value("executor_post", millions, "M/s", ">= 5", "post a small callable to a loop from another thread"),
             "post"),
    Executor(value("executor_post_runnable", millions, "M/s", None, "the same with a Runnable that exists already"),
             "post_runnable"),
    Executor(Row("executor_spawn_go", millions, "M/s", "Go, one thread", millions, ">= 1",
                 "spawn and join empty tasks, 1000 at a time", quick=False),
             "spawn", (("spawn_go",),)),
    Executor(Row("executor_spawn_tokio", millions, "M/s", "tokio, the faster of its two runtimes", millions, ">= 1",
                 "spawn and join empty tasks, 1000 at a time", quick=False),
             "spawn", (("spawn_tokio", "--runtime=current_thread"), ("spawn_tokio", "--runtime=multi_thread"))),
    BytesOfCoroutine((value("bytes_coroutine", size, "bytes", "<= 256",
                            "memory of a coroutine that waits for an Event, a million of them"),)),
    BytesOfFuture((value("bytes_future", size, "bytes", "<= 512",
                         "memory of a pending future beside its payload, a million delayed jobs", quick=False),)),
)
