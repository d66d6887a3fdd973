#!/usr/bin/env python3
"""Tasks of Celery, a number of them in flight, each result awaited; prints JSON as bench_client does."""

import collections

import tally
from celery_app import app, echo

PATIENCE = 30


def main():
    parser = tally.arguments(__doc__)
    parser.add_argument("--in-flight", type=int, default=128)
    given = parser.parse_args()
    payload = "x" * 16
    under_way = collections.deque()
    with app.producer_or_acquire() as producer:

        def submit():
            under_way.append((tally.now(), echo.apply_async((payload,), producer=producer)))

        def end_oldest():
            began, result = under_way.popleft()
            if result.get(timeout=PATIENCE) != payload:
                raise SystemExit("a task did not echo")
            counts.done(began)

        # The workers may still be starting.
        if echo.delay(payload).get(timeout=PATIENCE) != payload:
            raise SystemExit("a task did not echo")
        counts = tally.Tally(given)
        while counts.goes_on():
            while len(under_way) < given.in_flight:
                submit()
            end_oldest()
        while under_way:
            end_oldest()
    counts.report()


if __name__ == "__main__":
    main()
