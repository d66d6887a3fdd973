"""Muster beside what a user would pick instead: the other's own server and client, set up for throughput."""

import contextlib
import dataclasses
import os
import shutil

from peer_servers import Asyncio, Celery, Dask, Gearmand, RedisList
from row import Measurement, Row, Sides, p50, rate
from wire_rows import CALL, ONE_CALL, RUN, RUN_SINGLE


@dataclasses.dataclass(frozen=True)
class Beside(Measurement):
    """A load of bench_client on a musterd without durability, and the peer's own load on the peer."""

    row: Row
    load: list
    peer: object
    peer_load: list = dataclasses.field(default_factory=list)
    rounds_max: int = 7  # Python's loads take seconds to start

    is_peer = True

    @property
    def rows(self):
        return (self.row,)

    def missing(self, rig):
        return self.peer.missing(rig)

    def builds(self, rig):
        return self.peer.builds(rig)

    @contextlib.contextmanager
    def open(self, rig):
        folder = rig.folder()
        os.mkdir(folder)
        try:
            with self.peer.serve(rig, folder) as service, rig.musterd("none") as server:
                yield Sides(lambda: rig.load_musterd(server, self.load), lambda: service.measure(rig, self.peer_load))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def row(name, value, unit, reference, goal, about):
    return Row(name, value, unit, reference, value, goal, about, quick=False)


# The fastest of what was tried on two cores, see docs/how-to/benchmarks.md.
GEARMAND = Gearmand(threads=2, workers=12)
GEARMAND_RTT = Gearmand(threads=1, workers=8)
REDIS_LIST = RedisList(("--take=128", "--ahead=4"))
REDIS_LIST_RTT = RedisList(("--take=1", "--ahead=1"))
CELERY = Celery(concurrency=2)
DASK = Dask(workers=2)
DASK_RTT = Dask(workers=1)

IN_FLIGHT = ["--in-flight=128"]
ONE = ["--in-flight=1"]

MEASUREMENTS = (
    Beside(row("run_gearmand", rate, "jobs/s", "gearmand, 128 jobs in flight", ">= 100",
               "Run, batches of 100, 1000 in flight"),
           RUN, GEARMAND, IN_FLIGHT),
    Beside(row("run_single_gearmand", rate, "jobs/s", "gearmand, 128 jobs in flight", None,
               "Run, one job a message, 512 in flight"),
           RUN_SINGLE, GEARMAND, IN_FLIGHT),
    Beside(row("call_gearmand", rate, "calls/s", "gearmand, 128 jobs in flight", ">= 2.5", "Call, 128 in flight"),
           CALL, GEARMAND, IN_FLIGHT),
    Beside(row("call_rtt_gearmand", p50, "us", "gearmand, one job in flight, median", "<= 0.5",
               "Call, one in flight, median"),
           ONE_CALL, GEARMAND_RTT, ONE),
    Beside(row("call_celery", rate, "calls/s", "Celery on Redis, 128 tasks in flight", ">= 50", "Call, 128 in flight"),
           CALL, CELERY, IN_FLIGHT),
    Beside(row("call_redis_list", rate, "calls/s", "Redis lists as queues, 128 jobs in flight", None,
               "Call, 128 in flight"),
           CALL, REDIS_LIST, IN_FLIGHT),
    Beside(row("call_rtt_redis_list", p50, "us", "Redis lists as queues, one job in flight, median", None,
               "Call, one in flight, median"),
           ONE_CALL, REDIS_LIST_RTT, ONE),
    Beside(row("run_dask", rate, "jobs/s", "Dask, map and gather of 5000", None, "Run, batches of 100, 1000 in flight"),
           RUN, DASK, ["--batch=5000"]),
    Beside(row("call_rtt_dask", p50, "us", "Dask, one task in flight, median", None, "Call, one in flight, median"),
           ONE_CALL, DASK_RTT, ["--batch=1"]),
    Beside(row("run_asyncio", rate, "jobs/s", "asyncio in its own process, gather of 100000", None,
               "Run, batches of 100, 1000 in flight"),
           RUN, Asyncio("asyncio")),
    Beside(row("run_uvloop", rate, "jobs/s", "uvloop in its own process, gather of 100000", None,
               "Run, batches of 100, 1000 in flight"),
           RUN, Asyncio("uvloop")),
)
