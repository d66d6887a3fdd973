"""Two worlds in which one test runs: CPython's asyncio, and Muster.

    async def test_a_duplicate_counts_once(world):  # semantics 26
        a = await world.promise()
        await world.settle(a, 1)
        done, _ = await world.wait([a, a])
        assert done == {a}

What a test says of one world has to hold in the other. Where the remote world needs a moment for what is immediate in
the local one (a settled promise is done, a cancel has arrived), the world waits for it.
"""

import asyncio
import contextlib

import asyncio313
import muster

LIMIT = 30  # seconds that anything in a test may take


class Local:
    """asyncio's futures and tasks."""

    remote = False

    wait = staticmethod(asyncio.wait)
    gather = staticmethod(asyncio.gather)
    shield = staticmethod(asyncio.shield)
    wait_for = staticmethod(asyncio313.wait_for)
    as_completed = staticmethod(asyncio313.as_completed)

    async def promise(self, name=None):
        return asyncio.get_running_loop().create_future()

    async def settle(self, promise, value):
        promise.set_result(value)

    async def fail(self, promise, exception):
        promise.set_exception(exception)

    async def sleeping(self):
        """A task that would sleep for an hour, once it has started."""
        task = asyncio.ensure_future(asyncio.sleep(3600))
        await asyncio.sleep(0)
        return task

    async def stubborn(self, value):
        """A task that answers a cancel with a value, once it has started."""

        async def body():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                return value

        task = asyncio.ensure_future(body())
        await asyncio.sleep(0)
        return task

    async def failing_when_cancelled(self, exception):
        async def body():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise exception from None

        task = asyncio.ensure_future(body())
        await asyncio.sleep(0)
        return task

    async def arrived(self):
        """What has been asked for has had its effect, and is known here."""
        for _ in range(5):
            await asyncio.sleep(0)


class Remote:
    """Muster's, on a server whose clock stands still."""

    remote = True

    wait = staticmethod(muster.wait)
    gather = staticmethod(muster.gather)
    shield = staticmethod(muster.shield)
    as_completed = staticmethod(muster.as_completed)
    wait_for = staticmethod(muster.wait_for)

    def __init__(self, client):
        self.client = client

    async def promise(self, name=None):
        promise = self.client.create_promise(name=name)
        await promise.accepted()
        return promise

    async def settle(self, promise, value):
        await promise.set_result(value)

    async def fail(self, promise, exception):
        await promise.set_exception(exception)

    async def _started(self, program):
        job = self.client.submit("test.program", program)
        while (await job.info()).state != "RUNNING":
            await asyncio.sleep(0.001)
        return job

    async def sleeping(self):
        return await self._started([{"op": "sleep", "seconds": 3600}, {"op": "return", "value": None}])

    async def stubborn(self, value):
        nap = [{"op": "sleep", "seconds": 3600}]
        return await self._started([{"op": "swallow_cancel", "body": nap}, {"op": "return", "value": value}])

    async def failing_when_cancelled(self, exception):
        nap = [{"op": "sleep", "seconds": 3600}]
        raised = [{"op": "raise", "type": type(exception).__name__, "message": str(exception)}]
        return await self._started([{"op": "try", "body": nap, "catch": "cancelled", "except": raised}])

    async def arrived(self):
        await asyncio.sleep(0)
        await self.client.flush()
        for _ in range(2):  # what was asked for has gone; then what it led to has come
            await self.client.functions()
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def remote(server, namespace, **options):
    async with muster.connect(server.address, namespace=namespace, **options) as client:
        yield Remote(client)


async def raised_by(awaitable):
    """The exception that it raises, a CancelledError included."""
    try:
        value = await awaitable
    except BaseException as error:  # noqa: B036  that is what is asked for
        return error
    raise AssertionError(f"it gave {value!r} instead of raising")
