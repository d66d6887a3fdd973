"""A private musterd for tests, with time that is skipped and not slept.

    def test_a_nap():
        with muster.testing.Server() as server:
            async def main():
                async with muster.connect(server.address) as m:
                    nap = m.submit("sleep", 3600)
                    await server.advance(3600)
                    assert await nap is None
            asyncio.run(main())

With pytest the fixtures `muster_server` (one server for the session) and `muster_namespace` (a name of its own for each
test) are there as soon as the package is installed.

The clock is moved by hand unless `clock="system"`: on the server nothing times out, and no job that sleeps wakes up,
until a test advances it. Timeouts of `muster.wait`, `as_completed` and `wait_for` go by the same clock. It is a
test-only door of the server, which `musterd --clock=manual` opens and nothing else.
"""

from muster.testing.server import Server, ServerError, find_musterd

__all__ = ["Server", "ServerError", "find_musterd"]
