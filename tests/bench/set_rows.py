"""Many futures at once: waited for, taken as they complete, gathered and cancelled; and the first call after idleness."""

import contextlib
import dataclasses
import threading

from rig import Failure
from row import Measurement, Row, Sides, p50, p99

ONE_CALL = ["--mode=call", "--in-flight=1"]


def seconds(sample):
    return sample["seconds"]


def milliseconds(sample):
    return sample["median_seconds"] * 1e3


def cpu(sample):
    return sample["server_cpu_us"]


@dataclasses.dataclass(frozen=True)
class CancelRunning(Measurement):
    """One job at a time that waits for its cancel, and says when it saw it."""

    rows: tuple

    @contextlib.contextmanager
    def open(self, rig):
        with rig.musterd("none", program="bench_musterd") as server, rig.reference_server() as (address, process):
            yield Sides(lambda: rig.client(server.grpc, "--mode=cancel_running"),
                        lambda: rig.load(address, process.pid, ONE_CALL))


@dataclasses.dataclass(frozen=True)
class CancelSleeps(Measurement):
    rows: tuple
    count: int = 100_000
    rounds_max: int = 5

    @contextlib.contextmanager
    def open(self, rig):
        count = f"--count={rig.scaled(self.count)}"

        def ours():
            with rig.musterd("none") as server:
                rig.client(server.grpc, "--mode=sleeps", count)
                server.wait_for_metric('muster_futures{state="running"}', lambda value: value == rig.scaled(self.count),
                                       seconds=30)
                return rig.client(server.grpc, "--mode=cancel_group", count)

        yield Sides(ours)


@dataclasses.dataclass(frozen=True)
class BySize(Measurement):
    """The same over a large set and over a small one, each on a server of its own; what is measured is the CPU of the
    large one's server, for each of what it counts, beside the small one's."""

    rows: tuple
    mode: str
    large: int
    small: int
    small_times: int = 1  # the small one is done so often, and the median taken
    opens: bool = False  # it goes on when all its waits are open
    rounds_max: int = 5

    @contextlib.contextmanager
    def open(self, rig):
        yield Sides(lambda: self._measure(rig, rig.scaled(self.large)), lambda: self._small(rig))

    def _small(self, rig):
        samples = [self._measure(rig, rig.scaled(self.small)) for _ in range(self.small_times)]
        return sorted(samples, key=cpu)[len(samples) // 2]

    def _measure(self, rig, count):
        # A set may have 100,000 members unless one says otherwise.
        with rig.musterd("none", f"--limits-set-max={max(self.large, 1000)}") as server:
            arguments = [f"--mode={self.mode}", f"--count={count}", f"--server-pid={server.process.pid}"]
            if not self.opens:
                return rig.client(server.grpc, *arguments)

            def opened():
                waits = server.wait_for_metric("muster_waits_open", lambda value: value == count, seconds=30)
                if waits != count:
                    raise Failure(f"{count} waits were begun, and {waits:.0f} are open")

            return rig.client(server.grpc, *arguments, when_open=opened)


@dataclasses.dataclass(frozen=True)
class Gather(Measurement):
    rows: tuple
    count: int = 100_000

    @contextlib.contextmanager
    def open(self, rig):
        gather = ["--mode=gather", f"--count={rig.scaled(self.count)}"]
        with rig.musterd("none") as server, rig.reference_server() as (address, _):
            yield Sides(lambda: rig.client(server.grpc, *gather), lambda: rig.client(address, *gather, "--bare"))


@dataclasses.dataclass(frozen=True)
class AfterIdleness(Measurement):
    """Calls that come after a time in which nothing was asked. All of it is measured at once, each time of idleness on
    servers of its own, as most of it is waiting; what is Muster's comes half an idleness after what is the echo's."""

    idle_ms: tuple = (1050, 2150, 10_000)
    round_seconds: int = 40
    rounds_max: int = 5

    @property
    def rows(self):
        return tuple(
            Row(f"idle_{ms // 1000}s", lambda sample, ms=ms: p50(sample[ms]), "us", "unary echo",
                lambda sample, ms=ms: p50(sample[ms]), "<= 1.2", f"Call after {ms / 1000:g} s of silence, median", quick=False)
            for ms in self.idle_ms
        )

    @contextlib.contextmanager
    def open(self, rig):
        with contextlib.ExitStack() as stack:
            ours = {ms: stack.enter_context(rig.musterd("none")).grpc for ms in self.idle_ms}
            theirs = {ms: stack.enter_context(rig.reference_server())[0] for ms in self.idle_ms}
            found = {}

            def both():
                found.clear()
                found.update(self._measure(rig, ours, theirs))
                return found["ours"]

            yield Sides(both, lambda: found["theirs"])

    def _measure(self, rig, ours, theirs):
        samples = {"ours": {"operations_total": 0}, "theirs": {"operations_total": 0}}
        failures = []

        def run(side, address, ms, delay_ms):
            idle = rig.scaled(ms)
            try:
                sample = rig.client(address, "--mode=idle", f"--idle-ms={idle}", f"--delay-ms={delay_ms}",
                                    f"--count={max(1, self.round_seconds * 1000 // ms)}")
            except Failure as failure:
                failures.append(failure)
                return
            samples[side][ms] = sample
            samples[side]["operations_total"] += sample["operations_total"]

        threads = [threading.Thread(target=run, args=(side, addresses[ms], ms, delay))
                   for ms in self.idle_ms
                   for side, addresses, delay in (("ours", ours, rig.scaled(ms) // 2), ("theirs", theirs, 0))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return samples


MEASUREMENTS = (
    CancelRunning((Row("cancel_p99", p99, "us", "unary echo p99", p99, "<= 2",
                       "from before a Cancel is sent to when the running job sees it, 99th percentile"),)),
    CancelSleeps((Row("cancel_sleeps", seconds, "s", "", None, "<= 1",
                      "100,000 running sleeps are cancelled as a group, and waited for", quick=False),)),
    BySize((Row("as_completed_cpu", cpu, "us", "the same with 10,000", cpu, "<= 1.5",
                "server CPU for one of 1,000,000 that ends, with AsCompleted open on all of them", quick=False),),
           "drain_stream", large=1_000_000, small=10_000, small_times=5, rounds_max=3),
    Gather((Row("gather_100k", milliseconds, "ms", "bare stream of the same messages", milliseconds, "<= 2",
                "Gather of 100,000 results of 16 bytes", quick=False),)),
    BySize((Row("waits_1000", cpu, "us", "the same with 100 on 100", cpu, "<= 1.3",
                "server CPU for each future that each of 1,000 waits on the same 1,000 hears of", quick=False),),
           "wait_together", large=1000, small=100, small_times=5, opens=True),
    AfterIdleness(),
)
