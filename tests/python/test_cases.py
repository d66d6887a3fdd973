"""Numbered cases in pairs, asyncio's half and Muster's, where the other files have one half or none."""

import asyncio
import concurrent.futures
import sys
import threading
import time

import pytest

import muster
from worlds import raised_by

Gone = asyncio.CancelledError


async def one():
    return 1


async def running(job):
    while (await job.info()).state != "RUNNING":
        await asyncio.sleep(0.001)
    return job


def needs_scopes():
    return not hasattr(asyncio, "timeout")  # from Python 3.11 on


async def test_a_default_name_and_any_name(m):  # semantics 14
    unnamed, named = asyncio.ensure_future(one()), asyncio.get_running_loop().create_task(one())
    named.set_name("123 é")
    assert unnamed.get_name().startswith("Task-") and named.get_name() == "123 é"
    await asyncio.wait([unnamed, named])
    unnamed, named = m.submit("echo", 1), m.submit("echo", 1, name="123 é")
    assert unnamed.get_name().startswith("Task-") and named.get_name() == "123 é"
    assert (await unnamed.info()).name.startswith("Task-") and (await named.info()).name == "123 é"


async def test_a_task_that_awaits_itself_fails(m):  # semantics 15
    async def body():
        await itself

    itself = asyncio.ensure_future(body())
    assert isinstance(await raised_by(itself), RuntimeError)
    job = m.submit("test.program", [{"op": "await", "id": "self"}])
    error = await raised_by(job)
    assert isinstance(error, muster.RemoteError) and not job.cancelled()


async def test_an_unretrieved_exception_is_reported_once(m):  # semantics 19
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError())
    del future
    job = m.submit("fail", {"message": "unheard"})
    await asyncio.wait([job])
    del job
    assert [text.split(" exception")[0] for text in told] in (["Future"] * 2, ["Future", "RemoteFuture"])


async def test_a_stop_iteration_does_not_leave_a_body(world):  # semantics 20
    promise = await world.promise()
    if world.remote or sys.version_info >= (3, 13):  # before, some refuse it with a TypeError
        await world.fail(promise, StopIteration())
        error = await raised_by(promise)
        assert isinstance(error, RuntimeError) and "StopIteration interacts badly" in str(error)
    if world.remote:
        task = world.client.submit("fail", {"type": "StopIteration", "message": "x"})
    else:

        async def body():
            raise StopIteration("x")

        task = asyncio.ensure_future(body())
    error = await raised_by(task)
    assert isinstance(error, (RuntimeError, muster.RemoteError)) and not isinstance(error, StopIteration)


async def test_a_task_may_be_done_when_it_has_been_made(m):  # semantics 21
    if sys.version_info >= (3, 12):
        assert asyncio.Task(one(), loop=asyncio.get_running_loop(), eager_start=True).done()
    nothing = await m.submit_gather()
    assert (await nothing.info()).state == "SUCCEEDED", "it was when its submit had been answered"
    assert await nothing == []


async def test_an_iteration_is_taken_up_where_it_was_left(world):  # semantics 42
    if not world.remote and sys.version_info < (3, 13):
        return
    a, b = await world.promise(), await world.promise()
    coming = muster.as_completed([a, b]) if world.remote else asyncio.as_completed([a, b])
    await world.settle(a, 1)
    async for future in coming:
        assert future is a
        break
    await world.settle(b, 2)
    assert [future async for future in coming] == [b]


async def test_a_list_of_live_tasks(m):  # semantics 22
    live, done = asyncio.ensure_future(asyncio.sleep(3600)), asyncio.ensure_future(one())
    await done
    assert live in asyncio.all_tasks() and done not in asyncio.all_tasks()
    live.cancel()
    live, done = m.submit("sleep", 3600), m.submit("echo")
    await done
    await live.accepted()
    names = [one.id async for one in m.list(states=["RUNNING", "QUEUED", "PENDING", "DELAYED"])]
    assert live.id in names and done.id not in names


async def test_futures_of_two_places_are_not_mixed(m, muster_server):  # semantics 52
    other = asyncio.new_event_loop()
    stranger = other.create_future()
    with pytest.raises((ValueError, RuntimeError)):
        await asyncio.gather(asyncio.get_running_loop().create_future(), stranger)
    other.close()
    async with muster.connect(muster_server.address, namespace="another-one") as there:
        with pytest.raises(ValueError):
            muster.gather(m.submit("echo"), there.submit("echo"))


async def test_a_scope_turns_only_its_own_cancel(world):  # semantics 63, 64, 65
    if needs_scopes():
        return
    inner = await world.sleeping()
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(600) as outer:
            try:
                async with asyncio.timeout(0.01) as scope:
                    await inner
            finally:
                assert scope.expired() and not outer.expired()
    assert inner.cancelled() and asyncio.current_task().cancelling() == 0
    with pytest.raises(RuntimeError):
        scope.reschedule(None)

    async def follow(future):
        async with asyncio.timeout(600):
            await future

    other = await world.sleeping()
    following = asyncio.ensure_future(follow(other))
    await asyncio.sleep(0)
    following.cancel("from outside")
    assert isinstance(await raised_by(following), Gone) and other.cancelled()


def test_what_waits_can_be_cancelled_and_what_runs_cannot(muster_server, muster_namespace):  # semantics 91, 92
    gate = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        runs, waits = pool.submit(gate.wait), pool.submit(gate.wait)
        with pytest.raises(concurrent.futures.TimeoutError):
            runs.result(timeout=0.01)
        assert not runs.cancel() and waits.cancel() and not runs.cancelled() and waits.cancelled()
        gate.set()
        assert runs.result()
    with muster.Client(muster_server.address, namespace=muster_namespace) as client:
        body = [{"op": "swallow_cancel", "body": [{"op": "sleep", "seconds": 600}]}, {"op": "return", "value": True}]
        runs, waits = client.submit("test.program", body), client.submit("sleep", 0, delay=600)
        while runs.info().state != "RUNNING":
            time.sleep(0.001)
        with pytest.raises(concurrent.futures.TimeoutError):
            runs.result(timeout=0.01)
        assert not runs.cancel() and waits.cancel() and not runs.cancelled() and waits.cancelled()
        assert runs.result(timeout=30)


async def test_a_blocking_body_is_cancelled_while_its_thread_goes_on(m):  # semantics 93
    gate, entered = threading.Event(), threading.Event()

    def body():
        entered.set()
        gate.wait(30)

    future = asyncio.get_running_loop().run_in_executor(None, body)
    while not entered.is_set():
        await asyncio.sleep(0.001)
    future.cancel()
    assert isinstance(await raised_by(future), Gone) and not gate.is_set()
    gate.set()
    job = await running(m.submit("checksum", {"data": "x" * 100_000, "rounds": 1_000_000_000}))
    job.cancel("no more")
    assert (await raised_by(job)).args == ("no more",) and (await job.info()).state == "CANCELLED"
