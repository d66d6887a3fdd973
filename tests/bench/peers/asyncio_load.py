#!/usr/bin/env python3
"""Coroutines that do nothing, as tasks of this process's loop: create 100,000, gather them, again; prints JSON as
bench_client does."""

import asyncio
import gc

import tally


async def nothing():
    pass


async def measure(given):
    counts = tally.Tally(given)
    while counts.goes_on():
        began = tally.now()
        await asyncio.gather(*[asyncio.create_task(nothing()) for _ in range(given.batch)])
        counts.done(began, given.batch)
    counts.report()


def main():
    parser = tally.arguments(__doc__)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--uvloop", action="store_true")
    given = parser.parse_args()
    # Collections that find nothing while so many tasks live would take two thirds of the time.
    gc.disable()
    factory = None
    if given.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(measure(given))


if __name__ == "__main__":
    main()
