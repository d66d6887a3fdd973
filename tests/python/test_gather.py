"""muster.gather, shield and wait_for beside asyncio's."""

import asyncio
import sys

import pytest

import muster
from worlds import raised_by

Gone = asyncio.CancelledError


async def test_of_nothing_it_is_an_empty_list(world):  # semantics 43
    assert await world.gather() == []


async def test_results_stand_in_the_order_of_the_input(world):  # semantics 44, 45
    futures = [await world.promise() for _ in range(3)]
    gathered = world.gather(*futures, futures[0])
    for at in (2, 0, 1):
        await world.settle(futures[at], at)
    assert await gathered == [0, 1, 2, 0]


async def test_the_first_exception_comes_through_and_siblings_go_on(world):  # semantics 46
    a, b = await world.promise(), await world.promise()
    gathered = world.gather(a, b)
    await world.fail(a, ValueError("first"))
    error = await raised_by(gathered)
    assert isinstance(error, ValueError) and str(error) == "first"
    assert not b.done()
    await world.settle(b, 1)
    assert await b == 1


async def test_a_second_exception_counts_as_retrieved(world):  # semantics 46, 19
    a, b = await world.promise(), await world.promise()
    gathered = world.gather(a, b)
    await world.fail(a, ValueError("first"))
    assert isinstance(await raised_by(gathered), ValueError)
    await world.fail(b, ValueError("second"))
    await world.arrived()


async def test_with_return_exceptions_they_are_values(world):  # semantics 47
    a, b, c = [await world.promise() for _ in range(3)]
    gathered = world.gather(a, b, c, return_exceptions=True)
    await world.fail(a, ValueError("v"))
    b.cancel("c")
    await world.settle(c, 3)
    values = await gathered
    assert isinstance(values[0], ValueError) and type(values[1]) is Gone and values[2] == 3
    assert values[1].args == ("c",)


async def test_a_cancelled_child_is_a_cancelled_error(world):  # semantics 48
    a, b = await world.promise(), await world.promise()
    gathered = world.gather(a, b)
    a.cancel("one")
    error = await raised_by(gathered)
    assert isinstance(error, Gone)
    assert not gathered.cancelled() and isinstance(gathered.exception(), Gone)
    assert not b.done()


async def test_cancelling_the_gather_cancels_every_unfinished_child(world):  # semantics 49
    a, b, c = [await world.promise() for _ in range(3)]
    await world.settle(a, 1)
    await world.arrived()
    gathered = world.gather(a, b, c)
    assert gathered.cancel("all") is True
    assert isinstance(await raised_by(gathered), Gone)
    await world.arrived()
    assert b.cancelled() and c.cancelled() and a.result() == 1


async def test_it_raises_cancelled_even_with_return_exceptions(world):  # semantics 50
    a, b = await world.promise(), await world.promise()
    gathered = world.gather(a, b, return_exceptions=True)
    await asyncio.sleep(0)
    gathered.cancel()
    assert isinstance(await raised_by(gathered), Gone)


async def test_cancelling_a_gather_that_has_failed_touches_nobody(world):  # semantics 51
    a, b = await world.promise(), await world.promise()
    gathered = world.gather(a, b)
    await world.fail(a, ValueError())
    await raised_by(gathered)
    assert gathered.cancel() is False
    await world.arrived()
    assert not b.done()


async def test_a_gather_of_gathers(m):
    assert await muster.gather(muster.gather(m.submit("echo", 1)), m.submit("echo", 2)) == [[1], 2]


async def test_a_gather_of_nothing_is_a_member_like_others(world):  # semantics 43
    nothing = world.gather()
    assert await world.gather(nothing, nothing) == [[], []]
    assert await world.wait([nothing], timeout=1) == ({nothing}, set())
    assert [one async for one in world.as_completed([nothing], timeout=1)] == [nothing]
    assert await world.wait_for(nothing, 1) == [] and world.shield(nothing) is nothing
    promise = await world.promise()
    gathered = world.gather(nothing, promise)
    await world.settle(promise, 1)
    assert await gathered == [[], 1]


async def test_a_submitted_gather_is_a_future(m):  # semantics 44, 45, 47, 48
    a, b = m.submit("echo", 1), m.submit("fail", {"type": "KeyError", "message": "k"})
    both = await m.submit_gather(a, b, a, return_exceptions=True, name="both")
    values = await both
    assert values[0] == values[2] == 1 and isinstance(values[1], KeyError)
    assert (await both.info()).member_ids == (a.id, b.id, a.id) and (await both.info()).name == "both"
    assert isinstance(await raised_by(await m.submit_gather(a, b)), KeyError)
    sleeper = m.submit("sleep", 60)
    gathered = await m.submit_gather(a, sleeper)
    sleeper.cancel()
    error = await raised_by(gathered)
    assert isinstance(error, muster.RemoteCancelledError) and error.origin_id == sleeper.id
    assert not gathered.cancelled()


# --- shield ---------------------------------------------------------------------------------------------------------


async def test_cancelling_the_shield_leaves_the_inner_running(world):  # semantics 53
    inner = await world.promise()
    outer = world.shield(inner)
    outer.cancel()
    assert isinstance(await raised_by(outer), Gone)
    await world.arrived()
    assert not inner.done()
    await world.settle(inner, 1)
    assert await inner == 1


async def test_a_cancelled_inner_cancels_the_shield(world):  # semantics 54
    inner = await world.promise()
    outer = world.shield(inner)
    inner.cancel("inner")
    error = await raised_by(outer)
    assert isinstance(error, Gone) and error.args == (), "without the inner's message, as in CPython"
    assert outer.cancelled()


async def test_a_shield_of_what_is_done_is_the_inner(world):  # semantics 55
    inner = await world.promise()
    await world.settle(inner, 1)
    await inner
    assert world.shield(inner) is inner


async def test_a_shield_gives_what_the_inner_comes_to(world):
    good, bad = await world.promise(), await world.promise()
    first, second = world.shield(good), world.shield(bad)
    await world.settle(good, 1)
    await world.fail(bad, ValueError("v"))
    assert await first == 1
    assert isinstance(await raised_by(second), ValueError)


async def test_a_submitted_shield(m):  # semantics 53, 55
    done = m.submit("echo", 1)
    await done
    shield = await m.submit_shield(done)
    assert await shield == 1 and shield.id == done.id
    inner = m.create_promise()
    shield = await m.submit_shield(inner)
    shield.cancel()
    assert isinstance(await raised_by(shield), Gone)
    assert (await inner.info()).state == "PENDING"


# --- wait_for -------------------------------------------------------------------------------------------------------


async def timed_out(world, server, future, timeout=0.05):
    waiting = asyncio.ensure_future(world.wait_for(future, timeout))
    await asyncio.sleep(0)
    await server.advance(timeout)
    return waiting


async def test_when_time_is_up_it_cancels_and_waits_for_that(world, muster_server):  # semantics 56, 57
    task = await world.sleeping()
    error = await raised_by(await timed_out(world, muster_server, task))
    assert isinstance(error, asyncio.TimeoutError) and task.cancelled()
    if world.remote or sys.version_info >= (3, 12):
        assert isinstance(error.__cause__, Gone)


async def test_a_swallowed_cancel_that_returns_a_value_is_that_value(world, muster_server):  # semantics 58
    task = await world.stubborn("stays")
    waiting = await timed_out(world, muster_server, task)
    if not world.remote:
        # Before 3.12 as since then: the timeout scope turns only a cancel of its own that came back.
        assert await waiting == "stays" or isinstance(await raised_by(waiting), asyncio.TimeoutError)
    else:
        assert await waiting == "stays"


async def test_an_exception_during_the_cancellation_replaces_the_timeout(world, muster_server):  # semantics 59
    task = await world.failing_when_cancelled(ZeroDivisionError("on the way out"))
    error = await raised_by(await timed_out(world, muster_server, task))
    assert isinstance(error, ZeroDivisionError)


async def test_a_timeout_of_zero(world):  # semantics 60
    done = await world.promise()
    await world.settle(done, 1)
    await done
    assert await world.wait_for(done, 0) == 1
    pending = await world.promise()
    error = await raised_by(world.wait_for(pending, 0))
    assert isinstance(error, asyncio.TimeoutError) and pending.cancelled()


async def test_a_timeout_of_zero_knows_what_is_done_at_the_server(m):  # semantics 60
    job = m.submit("echo", 1)
    await job
    assert await muster.wait_for(m.future(job.id), 0) == 1


async def test_without_a_timeout_there_is_no_bound(world):  # semantics 61
    future = await world.promise()
    waiting = asyncio.ensure_future(world.wait_for(future, None))
    await world.arrived()
    assert not waiting.done()
    await world.settle(future, 1)
    assert await waiting == 1


async def test_cancelling_wait_for_cancels_the_inner(world):  # semantics 62
    for timeout in (None, 600):
        task = await world.sleeping()
        waiting = asyncio.ensure_future(world.wait_for(task, timeout))
        await asyncio.sleep(0)
        waiting.cancel()
        assert isinstance(await raised_by(waiting), Gone)
        assert task.cancelled()


async def test_a_swallowed_cancel_swallows_the_wait_fors_too(world):  # semantics 6, 62
    task = await world.stubborn("stays")
    waiting = asyncio.ensure_future(world.wait_for(task, None))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await waiting == "stays"
    if world.remote or sys.version_info >= (3, 12):
        task = await world.stubborn("stays")
        waiting = asyncio.ensure_future(world.wait_for(task, 600))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await waiting == "stays"


async def test_what_ends_in_time_gives_its_result(world):
    future = await world.promise()
    waiting = asyncio.ensure_future(world.wait_for(future, 600))
    await world.arrived()
    await world.settle(future, 1)
    assert await waiting == 1


async def test_the_wait_for_a_cancellation_is_bounded(m, muster_server):  # semantics 56
    nap = [{"op": "sleep", "seconds": 3600}]
    deaf = m.submit("test.program", [{"op": "swallow_cancel", "body": nap}, *nap])
    while (await deaf.info() if deaf.id else None) is None or (await deaf.info()).state != "RUNNING":
        await asyncio.sleep(0.001)
    waiting = asyncio.ensure_future(muster.wait_for(deaf, 5, grace=2))
    await asyncio.sleep(0)
    await muster_server.advance(5)
    while (await deaf.info()).cancelling == 0:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await muster_server.advance(2)
    error = await raised_by(waiting)
    assert isinstance(error, asyncio.TimeoutError) and error.__cause__ is None and "grace of 2 s" in str(error)
    assert not deaf.done() and (await deaf.info()).cancelling == 1
    deaf.cancel()
    await asyncio.wait([deaf])


async def test_a_submitted_wait_for_outlives_its_submitter(m, muster_server, muster_namespace):  # semantics 56, 57
    async with muster.connect(muster_server.address, namespace=muster_namespace) as other:
        job = other.submit("sleep", 3600)
        limited = await other.submit_wait_for(job, 10, name="limited")
        handle, inner = await limited.handle(), await job.accepted()
    await muster_server.advance(10)
    error = await raised_by(m.future(handle))
    assert isinstance(error, muster.RemoteTimeoutError)
    assert isinstance(error.__cause__, Gone)
    assert (await m.info(inner)).state == "CANCELLED"
