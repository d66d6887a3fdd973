import asyncio
import sys

import muster


async def main(server, site):
    async with muster.connect(server) as m:
        pages = [
            m.submit("http.request", {"url": f"{site}/{name}.html"}, name=name) for name in ("spring", "summer", "autumn")
        ]
        async for page in muster.as_completed(pages, timeout=30):
            print(page.get_name(), (await page)["status"])
        print([answer["bytes"] for answer in await muster.gather(*pages)])


asyncio.run(main(*sys.argv[1:]))
