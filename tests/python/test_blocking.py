"""muster.Client and muster.Executor, beside concurrent.futures."""

import concurrent.futures
import itertools
import pickle
import queue
import threading
import time

import pytest

import muster


@pytest.fixture
def client(live_server, muster_namespace):
    with muster.Client(live_server.address, namespace=muster_namespace) as opened:
        yield opened


@pytest.fixture
def timed(muster_server, muster_namespace):
    """On the server whose clock is moved by hand."""
    with muster.Client(muster_server.address, namespace=muster_namespace) as opened:
        yield opened


def test_futures_are_the_standard_librarys(client):
    futures = [client.submit("echo", at, name=f"n{at}") for at in range(20)]
    assert all(isinstance(one, concurrent.futures.Future) for one in futures)
    done, pending = concurrent.futures.wait(futures, timeout=30)
    assert done == set(futures) and not pending
    assert {one.result() for one in concurrent.futures.as_completed(futures, timeout=30)} == set(range(20))
    assert futures[3].get_name() == "n3" == futures[3].info().name and futures[3].id == futures[3].accepted()


def test_call_and_the_errors_of_jobs(client):
    assert client.call("echo", {"a": [1, None]}) == {"a": [1, None]}
    with pytest.raises(ValueError, match="v") as caught:
        client.call("fail", {"type": "ValueError", "message": "v", "details": 1})
    assert isinstance(caught.value, muster.RemoteError) and caught.value.details == 1
    with pytest.raises(muster.UnknownFunctionError):
        client.call("nobody")
    with pytest.raises(muster.PayloadError):
        client.submit("echo", object())


def test_a_timeout_cancels_nothing(client):  # semantics 92
    future = client.submit("sleep", 60)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(0.05)
    with pytest.raises(concurrent.futures.TimeoutError):
        client.call("sleep", 60, timeout=0.05, group="called")
    done, pending = client.wait([future], timeout=0.05)
    assert not done and pending == {future}
    with pytest.raises(concurrent.futures.TimeoutError):
        client.gather(future, timeout=0.05)
    assert future.info().state == "RUNNING"
    assert [one.state for one in client.list(group="called")] == ["RUNNING"]
    future.cancel()


def test_what_waits_is_cancelled_at_once(timed):  # semantics 8, 91
    future = timed.submit("echo", 1, delay=600)
    future.accepted()
    assert future.cancel("enough") is True and future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError, match="enough"):
        future.result()
    with pytest.raises(concurrent.futures.CancelledError):
        future.exception()
    assert future.cancel() is True, "as concurrent.futures says of what is cancelled"
    assert future in concurrent.futures.wait([future], timeout=1).done


def test_what_runs_is_asked_to_end(timed, muster_server):  # semantics 91
    nap = [{"op": "sleep", "seconds": 600}]
    deaf = timed.submit("test.program", [{"op": "swallow_cancel", "body": nap}, {"op": "return", "value": "stays"}])
    while deaf.info().state != "RUNNING":
        time.sleep(0.001)
    assert deaf.cancel() is False
    assert deaf.result(30) == "stays" and not deaf.cancelled() and deaf.cancel() is False


def test_what_has_not_left_is_withdrawn(client):
    blocked = threading.Event()
    client._loop.call_soon_threadsafe(blocked.wait)
    future = client.submit("echo", 1, group="never")
    cancelled = []
    canceller = threading.Thread(target=lambda: cancelled.append(future.cancel()))
    canceller.start()
    blocked.set()
    canceller.join()
    assert cancelled == [True] or future.result(30) == 1


def test_gather_gives_results_in_order(client):  # semantics 44, 46, 47
    good = [client.submit("echo", at) for at in range(3)]
    bad = client.submit("fail", {"type": "KeyError", "message": "k"})
    assert client.gather(*good, good[0]) == [0, 1, 2, 0] and client.gather() == []
    with pytest.raises(KeyError):
        client.gather(*good, bad)
    values = client.gather(good[0], bad, return_exceptions=True)
    assert values[0] == 0 and isinstance(values[1], KeyError)
    forever = client.submit("sleep", 600)
    with pytest.raises(KeyError):
        client.gather(forever, bad, timeout=30)
    assert not forever.done()
    forever.cancel()
    assert isinstance(client.gather(forever, return_exceptions=True)[0], concurrent.futures.CancelledError)


def test_an_empty_wait_is_two_empty_sets(client):  # semantics 23
    assert client.wait([]) == (set(), set())
    assert list(client.as_completed([])) == []


def test_map_is_bounded_and_in_order(client):
    assert list(client.map("echo", range(3000), window=50)) == list(range(3000))
    assert sorted(client.map("echo", range(3000), ordered=False)) == list(range(3000))
    taken = itertools.count()
    results = client.map("echo", taken, window=10)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    time.sleep(0.1)
    assert next(taken) <= 5 + 3 * 10, "a window under way, and a window of results"
    results.close()
    with pytest.raises(ValueError):
        list(client.map("fail", [{"type": "ValueError", "message": "v"}] * 3))
    with pytest.raises(muster.InvalidRequestError):
        client.map("echo", [], window=0)


def test_promises_and_handles(client, live_server, muster_namespace):  # semantics 2
    promise = client.create_promise(name="mine")
    with muster.Client(live_server.address, namespace=muster_namespace) as other:
        there = other.future(pickle.loads(pickle.dumps(promise)))
        promise.set_result({"a": 1})
        assert there.result(30) == promise.result(30) == {"a": 1}
    with pytest.raises(concurrent.futures.InvalidStateError):
        promise.set_result(2)
    failed = client.create_promise()
    failed.set_exception(LookupError("lost"))
    with pytest.raises(LookupError, match="lost"):
        failed.result(30)
    assert isinstance(failed.exception(), muster.RemoteError)
    with pytest.raises(muster.FutureNotFoundError):
        client.delete(promise)
        client.future(promise.handle()).result(30)


def test_many_threads_share_a_client(client):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda at: client.submit("echo", at).result(30), range(500)))
    assert results == list(range(500))


def test_a_callback_must_not_block(client):
    errors = queue.SimpleQueue()
    future = client.submit("sleep", 0.5)  # so that it ends on the client's own thread, where callbacks must not block

    def block(_):
        try:
            errors.put(client.call("echo"))
        except muster.MusterError as error:
            errors.put(error)

    future.add_done_callback(block)
    with pytest.raises(muster.WrongLoopError, match="must not block"):  # it may come after result() returns
        raise errors.get(timeout=30)


def test_a_closed_client(live_server, muster_namespace):
    client = muster.Client(live_server.address, namespace=muster_namespace)
    future = client.submit("sleep", 600, name="left")
    id_ = future.accepted()
    client.close()
    client.close()
    assert client.closed
    with pytest.raises(muster.ClientClosedError):
        future.result(1)
    for use in (lambda: client.submit("echo"), lambda: client.info(id_), lambda: client.create_promise()):
        with pytest.raises(muster.ClientClosedError):
            use()
    with muster.Client(live_server.address, namespace=muster_namespace) as another:
        assert another.info(id_).state == "RUNNING"
        assert set(another.cancel(id_)) <= {"CANCELLED", "REQUESTED"}


def test_a_client_that_cannot_be_opened_leaves_no_thread():
    before = threading.active_count()
    with pytest.raises(muster.UnavailableError):
        muster.Client("127.0.0.1:1", retry=muster.RetryPolicy(attempts_max=1))
    assert threading.active_count() == before


def test_futures_of_two_clients_are_not_mixed(client, timed):  # semantics 52
    here, there = client.submit("echo"), timed.submit("echo")
    for use in (client.wait, client.as_completed, lambda fs: client.gather(*fs)):
        with pytest.raises(muster.MixedServersError):
            use([here, there])
        with pytest.raises(muster.NotARemoteFutureError):
            use([concurrent.futures.Future()])


def test_what_the_server_knows(client):
    job = client.submit("echo", 1, group="g")
    job.result()
    assert [one.id for one in client.list(group="g")] == [job.id]
    assert "echo" in [one.name for one in client.functions()]
    assert client.server.limits.set_max == 100_000
    assert client.cancel(job) == ["ALREADY_DONE"] and client.delete(job) == 1


# --- Executor -------------------------------------------------------------------------------------------------------


def test_it_is_an_executor(live_server):
    with muster.Executor(live_server.address, retention=60) as pool:
        assert isinstance(pool, concurrent.futures.Executor)
        one = pool.submit("echo", 1)
        nap = pool.submit("sleep", seconds=0.01)
        assert concurrent.futures.wait([one, nap], 30).not_done == set()
        assert one.result() == 1 and nap.result() is None and pool.submit("echo").result() is None
        assert list(pool.map("echo", range(100))) == list(range(100))
        info = one.info()
        assert (info.expire_time - info.end_time).total_seconds() == 60
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit("echo")
    assert pool.client.closed


def test_a_python_callable_is_refused(live_server):
    with muster.Executor(live_server.address) as pool:
        with pytest.raises(muster.PayloadError, match="len is no name.*remote workers"):
            pool.submit(len, [1])
        with pytest.raises(muster.PayloadError, match="2 positional"):
            pool.submit("echo", 1, 2)
        with pytest.raises(muster.PayloadError, match="1 positional and 1 keyword"):
            pool.submit("echo", 1, a=2)


def test_shutdown_waits_or_does_not(live_server):
    pool = muster.Executor(live_server.address)
    nap = pool.submit("sleep", 0.3)
    pool.shutdown(wait=False)
    assert not nap.done() and nap.result(30) is None
    while not pool.client.closed:
        time.sleep(0.01)
    pool = muster.Executor(live_server.address)
    nap = pool.submit("sleep", 0.2)
    pool.shutdown()
    assert nap.done() and nap.result() is None


def test_shutdown_cancels_when_asked_to(client):
    pool = muster.Executor(client)
    naps = [pool.submit("sleep", 600) for _ in range(3)]
    pool.shutdown(cancel_futures=True)
    assert all(one.cancelled() for one in naps)
    assert client.call("echo", 1) == 1, "a client that was given stays open"
