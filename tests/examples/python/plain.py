import asyncio
import hashlib
import re
import sys
import urllib.request


def download(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def checksum(text):
    return hashlib.sha256(text.encode()).hexdigest()


async def fetch(url):
    return await asyncio.to_thread(download, url)


async def three_downloads(site):
    pages = [asyncio.create_task(fetch(f"{site}/{name}.html")) for name in ("spring", "summer", "autumn")]
    for page in await asyncio.gather(*pages):
        print(len(page), "characters")
    return pages


async def crawl(site):
    seen, pending = {"index"}, {asyncio.create_task(fetch(f"{site}/index.html"))}
    while pending:
        done, pending = await asyncio.wait(pending, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        for page in done:
            for link in re.findall(r'href="/(\w+)\.html"', await page):
                if link not in seen:
                    seen.add(link)
                    pending.add(asyncio.create_task(fetch(f"{site}/{link}.html")))
    print("crawled", sorted(seen))


async def blocking_calls(pages):
    texts = [await page for page in pages]
    for digest in await asyncio.gather(*[asyncio.to_thread(checksum, text) for text in texts]):
        print("sha256", digest[:16])


async def promise():
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.1, answer.set_result, 42)
    print("the answer is", await answer)


async def main(site):
    pages = await three_downloads(site)
    await crawl(site)
    await blocking_calls(pages)
    await promise()


asyncio.run(main(sys.argv[1]))
