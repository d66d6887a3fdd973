import asyncio
import re
import sys

import muster


def fetch(m, url):
    return m.submit("http.request", {"url": url}, name=url)


async def three_downloads(m, site):
    pages = [fetch(m, f"{site}/{name}.html") for name in ("spring", "summer", "autumn")]
    for page in await muster.gather(*pages):
        print(len(page["body"]), "characters")
    return pages


async def crawl(m, site):
    seen, pending = {"index"}, {fetch(m, f"{site}/index.html")}
    while pending:
        done, pending = await muster.wait(pending, timeout=30, return_when=muster.FIRST_COMPLETED)
        for page in done:
            for link in re.findall(r'href="/(\w+)\.html"', (await page)["body"]):
                if link not in seen:
                    seen.add(link)
                    pending.add(fetch(m, f"{site}/{link}.html"))
    print("crawled", sorted(seen))


async def blocking_calls(m, pages):
    texts = [(await page)["body"] for page in pages]
    async for digest in m.map("checksum", ({"data": text} for text in texts), window=1000):
        print("sha256", digest["checksum"][:16])


async def promise(m):
    answer = m.create_promise()
    asyncio.get_running_loop().call_later(0.1, answer.set_result, 42)
    print("the answer is", await answer)


async def main(server, site):
    async with muster.connect(server) as m:
        pages = await three_downloads(m, site)
        await crawl(m, site)
        await blocking_calls(m, pages)
        await promise(m)


asyncio.run(main(*sys.argv[1:]))
