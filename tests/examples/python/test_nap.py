import asyncio

import muster


async def patient(m, seconds):
    """What is to be tested: gives up after an hour."""
    try:
        return await muster.wait_for(m.submit("sleep", seconds), 3600)
    except asyncio.TimeoutError:
        return "gave up"


def test_it_gives_up_after_an_hour(muster_server, muster_namespace):
    async def main():
        async with muster.connect(muster_server.address, namespace=muster_namespace) as m:
            waiting = asyncio.ensure_future(patient(m, 7200))
            await asyncio.sleep(0)
            await muster_server.advance(3600)  # skipped, not slept
            assert await waiting == "gave up"

    asyncio.run(main())
