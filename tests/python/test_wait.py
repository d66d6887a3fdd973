"""muster.wait and muster.as_completed beside asyncio's."""

import asyncio

import pytest

import muster
from worlds import raised_by

Gone = asyncio.CancelledError


async def test_an_empty_set_is_refused(world):  # semantics 23
    with pytest.raises(ValueError):
        await world.wait([])


async def test_an_unknown_return_when_is_refused(world):  # semantics 24
    with pytest.raises(ValueError):
        await world.wait([await world.promise()], return_when="SOME")


async def test_what_is_no_future_is_refused(world):  # semantics 25
    for wrong in ([object()], [1], await world.promise()):
        with pytest.raises(muster.NotARemoteFutureError if world.remote else (TypeError, AttributeError)):
            await world.wait(wrong)


async def test_duplicates_count_once(world):  # semantics 26
    a, b = await world.promise(), await world.promise()
    await world.settle(a, 1)
    await world.settle(b, 2)
    done, pending = await world.wait([a, b, a])
    assert done == {a, b} and pending == set()


async def test_a_timeout_is_an_answer_and_cancels_nothing(world, muster_server):  # semantics 27
    a, b = await world.promise(), await world.promise()
    await world.settle(a, 1)
    waiting = asyncio.ensure_future(world.wait([a, b], timeout=0.05))
    await asyncio.sleep(0)
    await muster_server.advance(1)
    done, pending = await waiting
    assert done == {a} and pending == {b}
    assert not b.cancelled()
    await world.settle(b, 2)
    assert await b == 2


async def test_a_timeout_of_zero_is_a_poll(world):  # semantics 28
    a, b = await world.promise(), await world.promise()
    await world.settle(a, 1)
    done, pending = await world.wait([a, b], timeout=0)
    assert done == {a} and pending == {b}


async def test_a_poll_asks_the_server(m):  # semantics 28
    job = m.submit("echo", 1)
    await job
    handle, unsent = m.future(job.id), m.submit("echo", 2)
    assert not handle.done()
    done, _ = await muster.wait([handle], timeout=0)
    assert done == {handle} and handle.result() == 1
    done, pending = await muster.wait([unsent, m.submit("sleep", 60)], timeout=0)
    assert unsent in done and len(pending) == 1


async def test_first_completed_may_report_several(world):  # semantics 29
    a, b, c = [await world.promise() for _ in range(3)]
    await world.settle(a, 1)
    await world.settle(b, 2)
    await world.arrived()
    done, pending = await world.wait([a, b, c], return_when=asyncio.FIRST_COMPLETED)
    assert done == {a, b} and pending == {c}


async def test_a_cancelled_future_satisfies_first_completed(world):  # semantics 30
    a, b = await world.promise(), await world.promise()
    a.cancel()
    done, pending = await world.wait([a, b], return_when=asyncio.FIRST_COMPLETED)
    assert done == {a} and a.cancelled() and pending == {b}


async def test_first_exception_passes_over_the_cancelled(world):  # semantics 31, 32
    a, b, c = [await world.promise() for _ in range(3)]
    a.cancel()
    waiting = asyncio.ensure_future(world.wait([a, b, c], return_when=asyncio.FIRST_EXCEPTION))
    await world.arrived()
    assert not waiting.done()
    await world.settle(b, 1)
    await world.arrived()
    assert not waiting.done()
    await world.fail(c, ValueError("x"))
    done, pending = await waiting
    assert done == {a, b, c} and pending == set()
    assert isinstance(c.exception(), ValueError), "semantics 34: it stays in its future"


async def test_first_exception_without_one_is_all_completed(world):  # semantics 32
    a, b = await world.promise(), await world.promise()
    waiting = asyncio.ensure_future(world.wait([a, b], return_when=asyncio.FIRST_EXCEPTION))
    await world.settle(a, 1)
    await world.arrived()
    assert not waiting.done()
    await world.settle(b, 2)
    assert await waiting == ({a, b}, set())


async def test_what_has_failed_already_ends_it_at_once(world):  # semantics 33, 34
    a, b = await world.promise(), await world.promise()
    await world.fail(a, KeyError("k"))
    await asyncio.wait([a])
    done, pending = await world.wait([a, b], return_when=asyncio.FIRST_EXCEPTION)
    assert done == {a} and pending == {b}
    assert isinstance(a.exception(), KeyError)


async def test_cancelling_a_wait_leaves_its_members_running(world):  # semantics 35, 36
    a = await world.promise()
    waiting = asyncio.ensure_future(world.wait([a]))
    await world.arrived()
    waiting.cancel()
    assert isinstance(await raised_by(waiting), Gone)
    assert not a.done() and a.remove_done_callback(print) == 0
    assert not getattr(a, "_callbacks", None), "semantics 36: nothing of the wait stays behind"
    await world.settle(a, 1)
    assert await a == 1


# --- as_completed ---------------------------------------------------------------------------------------------------


async def test_of_nothing_it_ends_at_once(world):  # semantics 37
    assert [one async for one in world.as_completed([])] == []


async def test_they_come_as_they_complete_each_once(world):  # semantics 38, 39
    futures = [await world.promise() for _ in range(4)]
    seen = []

    async def take():
        async for future in world.as_completed([*futures, futures[0]]):
            seen.append(future)

    taking = asyncio.ensure_future(take())
    for at in (2, 0, 3, 1):
        await world.arrived()
        await world.settle(futures[at], at)
    await taking
    assert seen == [futures[at] for at in (2, 0, 3, 1)], "the same objects that went in"


async def test_there_is_one_deadline_for_all(world, muster_server):  # semantics 40, 41
    a, b = await world.promise(), await world.promise()
    await world.settle(a, 1)
    await world.arrived()
    coming = world.as_completed([a, b], timeout=0.05).__aiter__()
    first = asyncio.ensure_future(coming.__anext__())
    await asyncio.sleep(0)
    await muster_server.advance(1)
    assert await first is a
    with pytest.raises(asyncio.TimeoutError):
        await coming.__anext__()
    assert not b.done()
    await world.settle(b, 2)
    assert await b == 2


async def test_an_iteration_can_be_taken_up_again(m):  # semantics 42
    a, b = m.create_promise(), m.create_promise()
    coming = muster.as_completed([a, b])
    waiting = asyncio.ensure_future(coming.__anext__())
    await asyncio.sleep(0)
    waiting.cancel()
    assert isinstance(await raised_by(waiting), Gone)
    await a.set_result(1)
    assert await coming.__anext__() is a
    await b.set_result(2)
    assert [one async for one in coming] == [b]


async def test_a_plain_for_gives_awaitables_of_results(m):  # semantics 38
    assert sorted([await one for one in muster.as_completed([m.submit("echo", at) for at in range(3)])]) == [0, 1, 2]
