import asyncio
import sys

import muster


async def local_work():
    await asyncio.sleep(0.01)
    return "done here"


async def main(server):
    async with muster.connect(server) as m:
        job = m.submit("sleep", 0.05)
        print(await asyncio.gather(local_work(), job, m.submit("echo", "done there")))

        try:
            await asyncio.wait_for(m.submit("sleep", 3600), 0.1)  # cancels the job, as it would a task
        except asyncio.TimeoutError:
            print("too slow")

        try:
            await m.submit("fail", {"type": "ValueError", "message": "no such color"})
        except ValueError as error:
            print(error)


asyncio.run(main(sys.argv[1]))
