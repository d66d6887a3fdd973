"""AsyncClient.map: bounded, in order or as completed."""

import asyncio
import itertools

import pytest

import muster
from worlds import raised_by


async def test_results_come_in_order(m):
    assert [one async for one in m.map("echo", range(2500), window=100)] == list(range(2500))
    assert [one async for one in m.map("echo", [])] == []


async def test_or_as_they_complete(m, muster_server):
    naps = [3, 1, 2]
    programs = ([{"op": "sleep", "seconds": one}, {"op": "return", "value": one}] for one in naps)
    results = m.map("test.program", programs, ordered=False)
    first = asyncio.ensure_future(results.__anext__())
    await asyncio.sleep(0.01)
    await muster_server.advance(3)
    assert [await first] + [one async for one in results] == [1, 2, 3]
    assert sorted([one async for one in m.map("echo", range(2500), ordered=False)]) == list(range(2500))


async def test_no_more_than_the_window_is_taken(m):
    taken = []

    def inputs():
        for at in itertools.count():
            taken.append(at)
            yield at

    results = m.map("echo", inputs(), window=10)
    for at in range(50):
        assert await results.__anext__() == at
        assert len(taken) <= at + 1 + 10
    await results.aclose()


@pytest.mark.parametrize("ordered", [True, False])
async def test_inputs_that_have_to_be_waited_for(m, ordered):
    ahead = 0

    async def inputs():
        nonlocal ahead
        for at in range(50):
            ahead += 1
            yield at
            await asyncio.sleep(0)

    got = []
    async for one in m.map("echo", inputs(), window=5, ordered=ordered):
        got.append(one)
        ahead -= 1
        assert ahead <= 6
    assert (got if ordered else sorted(got)) == list(range(50))


async def test_inputs_that_fail_end_it_after_what_was_taken(m):
    async def inputs():
        yield 1
        yield 2
        raise OSError("no more")

    got = []
    with pytest.raises(OSError, match="no more"):
        async for one in m.map("echo", inputs()):
            got.append(one)
    assert got == [1, 2]

    def plain():
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        [one async for one in m.map("echo", plain())]


async def test_the_first_failure_ends_it_and_cancels_the_rest(m):
    programs = [[{"op": "sleep", "seconds": 3600}]] * 3
    programs.insert(0, [{"op": "raise", "type": "ValueError", "message": "v"}])
    with pytest.raises(ValueError, match="v"):
        async for _ in m.map("test.program", programs, group="left"):
            pass
    while [one async for one in m.list(group="left", states=["RUNNING", "QUEUED"])]:
        await asyncio.sleep(0.01)
    assert [one.state async for one in m.list(group="left")].count("CANCELLED") == 3


async def test_or_failures_stand_in_their_places(m):
    inputs = [{"message": "a"}, {"type": "KeyError", "message": "b"}]
    got = [one async for one in m.map("fail", inputs, return_exceptions=True)]
    assert [type(one).__name__ for one in got] == ["RemoteError", "RemoteKeyError"]
    job = asyncio.ensure_future(m.map("sleep", [3600], return_exceptions=True, group="c").__anext__())
    while not (running := [one async for one in m.list(group="c", states=["RUNNING"])]):
        await asyncio.sleep(0.01)
    await m.cancel(running[0].id)
    assert type(await job) is asyncio.CancelledError


async def test_leaving_it_early_cancels_what_was_under_way(m):
    async for _ in m.map("test.program", [[{"op": "return"}], *[[{"op": "sleep", "seconds": 3600}]] * 5], group="early"):
        break
    while [one async for one in m.list(group="early", states=["RUNNING", "QUEUED"])]:
        await asyncio.sleep(0.01)


async def test_arguments_are_looked_at_at_once(m):
    for wrong in (0, -1, "many", 1.5):
        with pytest.raises(muster.InvalidRequestError, match="window"):
            m.map("echo", [], window=wrong)
    with pytest.raises(muster.InvalidRequestError, match="request_id"):
        m.map("echo", [], request_id="same")
    with pytest.raises(muster.InvalidRequestError, match="delay"):
        m.map("echo", [], delay="soon")
    with pytest.raises(TypeError):
        m.map("echo", 5)
    assert isinstance(await raised_by(m.map("echo", [1, object()]).__anext__()), muster.PayloadError)
    assert isinstance(await raised_by(m.map("nobody", [1]).__anext__()), muster.UnknownFunctionError)
