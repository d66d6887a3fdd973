import asyncio
import sys

import muster


async def asker(server, ids):
    async with muster.connect(server) as m:
        answer = m.create_promise(name="the answer")
        ids.put_nowait(await answer.accepted())  # its id is all that another program needs
        print("the answer is", await answer)


async def answerer(server, ids):
    async with muster.connect(server) as m:
        await m.promise(await ids.get()).set_result(42)


async def main(server):
    ids = asyncio.Queue()
    await asyncio.gather(asker(server, ids), answerer(server, ids))


asyncio.run(main(sys.argv[1]))
