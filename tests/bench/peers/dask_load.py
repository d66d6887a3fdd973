#!/usr/bin/env python3
"""Tasks of Dask: map a batch, gather it, again; prints JSON as bench_client does."""

import tally
from distributed import Client


def echo(value):
    return value


def main():
    parser = tally.arguments(__doc__)
    parser.add_argument("--scheduler", required=True, metavar="ADDRESS")
    parser.add_argument("--workers", type=int, default=1, help="to wait for")
    parser.add_argument("--batch", type=int, default=1000)
    given = parser.parse_args()
    # Values unlike one another, as map() sends equal ones once; pure=False spares it hashing them for a key.
    values = [f"{number:016}" for number in range(given.batch)]
    with Client(given.scheduler, set_as_default=False) as client:
        client.wait_for_workers(given.workers, timeout=30)
        counts = tally.Tally(given)
        while counts.goes_on():
            began = tally.now()
            if client.gather(client.map(echo, values, pure=False)) != values:
                raise SystemExit("a task did not echo")
            counts.done(began, len(values))
    counts.report()


if __name__ == "__main__":
    main()
