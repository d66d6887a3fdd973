"""What a load in Python counts and prints: the same words as bench_client's, see tests/bench/tally.h.

    tally = Tally(plan)
    while tally.goes_on():
        began = now()
        work()
        tally.done(began)
    tally.report()

The window opens with the first step after the warm-up and closes with the first that ends after its time, so however
long a step takes there is one in it. What is done after that counts towards operations_total alone.
"""

import argparse
import json
import time

now = time.perf_counter


def arguments(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--warmup", type=float, default=0.2)
    return parser


class Tally:
    def __init__(self, plan):
        self._seconds = plan.seconds
        self._opens = now() + plan.warmup
        self._began = self._closes = self._ended = None
        self._total = self._measured = 0
        self._cpu = 0.0
        self._took = []

    def goes_on(self):
        """Whether there is to be another step."""
        at = now()
        if self._began is None and at >= self._opens and self._total > 0:
            self._began, self._closes, self._cpu = at, at + self._seconds, time.process_time()
        if self._began is None or at < self._closes or self._measured == 0:
            return True
        if self._ended is None:
            self._ended, self._cpu = at, time.process_time() - self._cpu
        return False

    def done(self, began, count=1):
        """`count` operations that began together are over."""
        self._total += count
        if self._began is None or self._ended is not None:
            return
        self._measured += count
        self._took.append(now() - began)

    def report(self):
        seconds = self._ended - self._began
        took = sorted(self._took)
        print(json.dumps({
            "operations_total": self._total,
            "operations": self._measured,
            "seconds": round(seconds, 4),
            "rate": round(self._measured / seconds, 1),
            "p50_us": round(1e6 * took[int(0.5 * (len(took) - 1))], 2),
            "p99_us": round(1e6 * took[int(0.99 * (len(took) - 1))], 2),
            "cpu_us": round(1e6 * self._cpu / self._measured, 3),
        }))
