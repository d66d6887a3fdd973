"""RemoteFuture beside asyncio's future and task."""

import asyncio
import pickle

import pytest

import muster
from worlds import raised_by


async def test_a_pending_future_has_no_result(world):  # semantics 1
    future = await world.promise()
    assert not future.done() and not future.cancelled()
    for ask in (future.result, future.exception):
        with pytest.raises(asyncio.InvalidStateError):
            ask()


async def test_what_is_done_cannot_be_settled(world):  # semantics 2
    future = await world.promise()
    await world.settle(future, 42)
    assert await future == 42
    with pytest.raises(asyncio.InvalidStateError):
        await world.settle(future, 43)
    with pytest.raises(asyncio.InvalidStateError):
        await world.fail(future, ValueError())
    assert future.result() == 42 and future.exception() is None


async def test_a_cancelled_future_raises_cancelled(world):  # semantics 3, 5, 8
    future = await world.promise()
    assert future.cancel("not needed")
    error = await raised_by(future)
    assert type(error) is asyncio.CancelledError and error.args == ("not needed",)
    assert future.cancelled() and future.done()
    for ask in (future.result, future.exception):
        with pytest.raises(asyncio.CancelledError):
            ask()


async def test_cancelling_what_is_done_changes_nothing(world):  # semantics 4
    future = await world.promise()
    await world.settle(future, "kept")
    await future
    assert future.cancel() is False
    assert future.result() == "kept" and not future.cancelled()


async def test_cancelling_what_runs_is_a_request(world):  # semantics 5
    task = await world.sleeping()
    assert task.cancel("please") is True
    assert not task.cancelled()
    error = await raised_by(task)
    assert isinstance(error, asyncio.CancelledError)
    assert task.cancelled()


async def test_a_body_may_swallow_the_cancel(world):  # semantics 6
    task = await world.stubborn("stays")
    task.cancel()
    assert await task == "stays"
    assert not task.cancelled()
    if world.remote:
        assert (await task.info()).cancelling == 1
        assert task.cancelling() == 1


async def test_what_is_cancelled_before_it_starts_never_runs(m):  # semantics 7
    sent = m.submit("test.program", [{"op": "return"}], delay=60)
    await sent.accepted()
    sent.cancel("second thoughts")
    assert (await raised_by(sent)).args == ("second thoughts",)
    assert (await sent.info()).start_time is None


async def test_what_has_not_left_is_withdrawn(m):  # semantics 7, 16
    future = m.submit("echo", 1, group="never")
    assert future.cancel("at once") is True
    assert not future.cancelled(), "like a task's, its end comes with the next turn"
    assert (await raised_by(future)).args == ("at once",)
    assert isinstance(await raised_by(future.accepted()), asyncio.CancelledError)
    assert [one async for one in m.list(group="never")] == []


async def test_a_task_cannot_be_settled_from_outside(world):  # semantics 13
    task = await world.sleeping()
    for settle in (lambda: task.set_result(1), lambda: task.set_exception(ValueError())):
        with pytest.raises(RuntimeError):
            settle()
    task.cancel()
    await asyncio.wait([task])


async def test_names(m):  # semantics 14
    named, unnamed = m.submit("echo", name="front page"), m.submit("echo")
    await asyncio.wait([named, unnamed])
    assert named.get_name() == "front page" == (await named.info()).name
    assert unnamed.get_name().startswith("Task-")
    assert (await unnamed.info()).name.startswith("Task-")


async def test_callbacks_come_in_order_and_never_inside_a_call(world):  # semantics 16, 17, 18
    future = await world.promise()
    called = []
    first, second = (lambda _: called.append("first")), (lambda _: called.append("second"))
    for callback in (first, second, second):
        future.add_done_callback(callback)
    assert future.remove_done_callback(second) == 2
    future.add_done_callback(second)
    await world.settle(future, 1)
    await future
    await world.arrived()
    assert called == ["first", "second"]
    future.add_done_callback(lambda late: called.append(late))
    assert called == ["first", "second"], "not inside the call that adds it"
    await asyncio.sleep(0)
    assert called == ["first", "second", future]


@pytest.mark.complaints("exception was never retrieved")
async def test_an_exception_that_nobody_asks_for_is_reported(m):  # semantics 19
    future = m.submit("fail", {"message": "unheard"})
    await asyncio.wait([future])
    del future


async def test_a_future_may_be_done_when_submit_returns(m):  # semantics 21
    ended = m.submit("echo", 1)
    await ended
    handle = m.future(ended.id)
    assert not handle.done(), "nobody has asked"
    assert await handle == 1


async def test_live_tasks_are_listed(m):  # semantics 22
    live = m.submit("sleep", 60, group="some")
    done = m.submit("echo", group="some")
    await done
    await live.accepted()
    running = [one.id async for one in m.list(group="some", states=["RUNNING", "QUEUED", "DELAYED", "PENDING"])]
    assert running == [live.id]
    assert {one.id async for one in m.list(group="some", page_size=1)} == {live.id, done.id}
    live.cancel()
    await asyncio.wait([live])


async def test_an_error_has_the_remote_type_message_and_details(m):
    error = await raised_by(m.submit("fail", {"type": "ValueError", "message": "no such color", "details": {"c": 1}}))
    assert isinstance(error, ValueError) and isinstance(error, muster.RemoteError)
    assert (str(error), error.type, error.message, error.details) == ("no such color", "ValueError", "no such color", {"c": 1})
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.type, again.message, again.details) == (type(error), error.type, error.message, error.details)
    for name in ("HttpError", "UnicodeDecodeError", "StopIteration", "SystemExit", "print", "Exception"):
        error = await raised_by(m.submit("fail", {"type": name, "message": "x"}))
        assert isinstance(error, muster.RemoteError) and error.type == name and isinstance(error, Exception)
    assert not isinstance(error, StopIteration)


async def test_kinds_of_failure_have_types(m, muster_server):  # semantics 99
    late = m.submit("sleep", 60, run_timeout=1)
    await late.accepted()
    await muster_server.advance(1)
    error = await raised_by(late)
    assert isinstance(error, muster.RemoteTimeoutError) and isinstance(error, asyncio.TimeoutError)
    assert isinstance(error, TimeoutError)
    error = await raised_by(m.submit("sleep", "soon"))
    assert isinstance(error, muster.RemoteInvalidInputError) and isinstance(error, ValueError)


async def test_one_client_settles_what_another_awaits(m, muster_server, muster_namespace):  # semantics 13
    async with muster.connect(muster_server.address, namespace=muster_namespace) as other:
        promise = m.create_promise(name="shared")
        handle = await promise.handle()
        there = other.future(handle)
        waiting = asyncio.ensure_future(muster.wait([there]))
        await asyncio.sleep(0.01)
        await other.promise(handle).set_result({"by": "other"})
        assert await promise == {"by": "other"}
        await waiting
        assert there.result() == {"by": "other"} and there.get_name() == "shared"
        with pytest.raises(asyncio.InvalidStateError):
            await m.promise(promise.id).set_result(2)
        second = m.create_promise()
        mine = second.set_exception(LookupError("lost"))
        error = await raised_by(other.future(await second.accepted()))
        assert isinstance(error, LookupError) and str(error) == "lost"
        await mine


async def test_a_handle_travels_and_is_rebuilt(m):
    future = m.submit("echo", "here", name="it")
    with pytest.raises(pickle.PicklingError, match="accepted"):
        pickle.dumps(m.submit("echo"))
    await future.accepted()
    handle = pickle.loads(pickle.dumps(future))
    assert handle == muster.Handle(m.address, m.namespace, future.id, "it") == await future.handle()
    again = m.future(handle)
    assert again.get_name() == "it" and await again == "here"
    with pytest.raises(muster.MixedServersError, match="elsewhere:1"):
        m.future(handle._replace(server="elsewhere:1"))


async def test_it_mixes_with_asyncio(m):
    async def double(value):
        await asyncio.sleep(0)
        return 2 * value

    assert await asyncio.gather(m.submit("echo", 1), double(1), m.submit("echo", 3)) == [1, 2, 3]
    done, pending = await asyncio.wait([m.submit("echo", 1), asyncio.ensure_future(double(1))])
    assert sorted(one.result() for one in done) == [1, 2] and not pending
    assert await asyncio.shield(m.submit("echo", 5)) == 5
    assert await asyncio.wait_for(m.submit("echo", 6), 10) == 6
    for coming in asyncio.as_completed([m.submit("echo", 7), double(3.5)]):
        assert await coming == 7
    assert asyncio.isfuture(m.submit("echo"))


async def test_a_local_timeout_cancels_what_it_awaits(live):  # semantics 12, 63
    job = live.submit("sleep", 600)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(job, 0.05)
    assert job.cancelled() and (await job.info()).state == "CANCELLED"


async def test_cancelling_a_task_cancels_the_future_that_it_awaits(world):  # semantics 12
    inner = await world.sleeping()

    async def outer():
        await inner

    task = asyncio.ensure_future(outer())
    await asyncio.sleep(0)
    task.cancel("down")
    error = await raised_by(task)
    assert isinstance(error, asyncio.CancelledError) and error.args in (("down",), ())
    assert inner.cancelled()


async def a_task_group(m):
    async def follow(future):
        return await future

    sleeper = m.submit("sleep", 600)
    with pytest.raises(BaseException) as caught:  # noqa: B017  an exception group
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(sleeper))
            group.create_task(follow(m.submit("fail", {"type": "KeyError", "message": "k"})))
    assert isinstance(caught.value.exceptions[0], KeyError)
    assert sleeper.cancelled()


if hasattr(asyncio, "TaskGroup"):  # from Python 3.11 on
    test_a_task_group_takes_them = a_task_group


async def test_payloads_come_with_what_they_say(m):
    given = muster.Payload(text="a,b", content_type="text/csv", metadata={"origin": "hand"})
    future = m.submit("echo", given)
    assert await future == "a,b"
    assert future.payload() == given
    plain = m.submit("echo", b"\x00\xff")
    assert await plain == b"\x00\xff" and plain.payload() == muster.Payload(data=b"\x00\xff")
    assert await m.submit("echo", muster.Payload(text='{"a": 1}', content_type="application/json")) == {"a": 1}


async def test_call_submits_and_awaits(m):
    assert await m.call("echo", {"a": [1, 2.5, None, True, "é"]}) == {"a": [1, 2.5, None, True, "é"]}
    assert await m.call("echo") is None


async def test_results_are_kept_for_their_retention(m, muster_server):  # semantics 100
    short, long = m.submit("echo", 1, retention=10), m.submit("echo", 2)
    await asyncio.wait([short, long])
    info = await long.info()
    assert (info.expire_time - info.end_time).total_seconds() == 3600
    await muster_server.advance(11)
    assert isinstance(await raised_by(m.future(short.id)), muster.FutureExpiredError)
    assert await m.future(long.id) == 2
    assert await m.delete(long) == 1
    assert isinstance(await raised_by(m.future(long.id)), muster.FutureNotFoundError)


async def test_a_request_id_makes_a_submit_repeatable(m):  # semantics 102
    one, two = m.submit("echo", 1, request_id="order-17"), m.submit("echo", 1, request_id="order-17")
    assert await one.accepted() == await two.accepted() and await one == await two == 1
    assert isinstance(await raised_by(m.submit("echo", 2, request_id="order-17")), muster.RequestIdReusedError)


async def test_many_are_cancelled_and_deleted_at_once(m):
    futures = [m.submit("sleep", 600, group="many") for _ in range(3)]
    await m.flush()
    assert set(await m.cancel(group="many", msg="all of you")) <= {"CANCELLED", "REQUESTED"}
    assert [error.args for error in await asyncio.gather(*map(raised_by, futures))] == [("all of you",)] * 3
    assert await m.cancel(*futures) == ["ALREADY_DONE"] * 3
    assert await m.delete(*futures) == 3
    assert await m.cancel(futures[0].id) == ["NOT_FOUND"]


async def test_progress_can_be_read(m):
    steps = [{"op": "progress", "fraction": 0.5, "message": "half"}, {"op": "sleep", "seconds": 600}]
    job = m.submit("test.program", steps)
    await job.accepted()
    while (await job.info()).progress is None:
        await asyncio.sleep(0.001)
    progress = (await job.info()).progress
    assert (progress.fraction, progress.message) == (0.5, "half")
    job.cancel()
    await asyncio.wait([job])


async def test_what_the_server_says_of_itself(m):
    assert m.server.manual_clock and m.server.durability == "NONE" and "manual_clock" in m.server.features
    assert m.server.limits.run_credits > 0 and m.server.limits.poll_max == 300
    functions = {one.name: one for one in await m.functions()}
    assert functions["sleep"].kind == "ASYNC" and functions["sleep"].input_example == {"seconds": 0.05}


@pytest.mark.parametrize(
    "cancels, use",
    [
        (True, lambda job: follow(job)),
        (True, lambda job: asyncio.gather(job)),
        (True, lambda job: muster.gather(job)),
        (True, lambda job: asyncio.wait_for(job, 600)),
        (True, lambda job: muster.wait_for(job, 600)),
        (False, lambda job: asyncio.wait([job])),
        (False, lambda job: muster.wait([job])),
        (False, lambda job: asyncio.shield(job)),
        (False, lambda job: muster.shield(job)),
        (False, lambda job: first_of(job)),
        (False, lambda job: job.accepted()),
    ],
    ids=["await", "asyncio.gather", "gather", "asyncio.wait_for", "wait_for", "asyncio.wait", "wait", "asyncio.shield",
         "shield", "as_completed", "accepted"],
)  # fmt: skip
async def test_a_local_cancel_reaches_the_job_only_where_asyncios_would(m, cancels, use):  # semantics 12, 35, 49, 53, 62
    job = m.submit("sleep", 3600)
    await m.flush()

    async def user():
        await use(job)
        await asyncio.sleep(3600)

    task = asyncio.ensure_future(user())
    await asyncio.sleep(0.01)
    task.cancel()
    assert isinstance(await raised_by(task), asyncio.CancelledError)
    await asyncio.sleep(0.02)
    assert (await job.info()).state == ("CANCELLED" if cancels else "RUNNING")
    job.cancel()
    await asyncio.wait([job])


async def follow(future):
    return await future


async def first_of(future):
    async for one in muster.as_completed([future]):
        return one


async def a_timeout_scope(live):
    job, other = live.submit("sleep", 600), live.submit("echo", 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            assert await other == 1
            await job
    assert job.cancelled() and asyncio.current_task().cancelling() == 0


if hasattr(asyncio, "timeout"):  # from Python 3.11 on
    test_a_timeout_scope_cancels_what_it_awaits = a_timeout_scope  # semantics 63, 64
