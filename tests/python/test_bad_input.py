"""What a user may get wrong, and a server that is not as one hopes: each an exception of its own, which says what to do."""

import asyncio
import socket
import threading

import grpc
import pytest

import muster
from muster.testing import Server
from muster.v1 import future_service_pb2 as pb
from worlds import raised_by

QUICK = muster.RetryPolicy(attempts_max=2, initial=0.01, pause_max=0.05, outage_max=0.3)


async def local():
    return 1


async def each_function(members):
    """Every function that takes futures, given these."""
    for call in (
        lambda: muster.wait(members()),
        lambda: muster.gather(*members()),
        lambda: muster.as_completed(members()),
        lambda: muster.shield(members()[0]),
        lambda: muster.wait_for(members()[0], 1),
    ):
        try:
            made = call()
            await made
        except BaseException as error:  # noqa: B036
            yield error
        else:
            raise AssertionError(f"{made} is no error")


async def test_coroutines_and_local_tasks_are_refused(m):  # semantics 25
    task = asyncio.ensure_future(local())
    wrong = {
        "coroutine": lambda: [local()],
        "Task": lambda: [task],
        "Future": lambda: [asyncio.get_running_loop().create_future()],
        "str": lambda: ["016fnwy60000000004000000s3jn"],
        "int": lambda: [7],
        "NoneType": lambda: [None],
    }
    for kind, members in wrong.items():
        async for error in each_function(members):
            assert isinstance(error, muster.NotARemoteFutureError) and isinstance(error, TypeError), error
            assert kind in str(error)
    assert "client.future(id)" in str(await raised_by(muster.wait(["an id"])))
    assert "asyncio.wait" in str(await raised_by(muster.wait([task])))
    assert isinstance(await raised_by(muster.wait(m.submit("echo"))), muster.NotARemoteFutureError)
    assert isinstance(await raised_by(muster.wait(local())), muster.NotARemoteFutureError)
    assert isinstance(await raised_by(m.submit_gather(task)), muster.NotARemoteFutureError)
    with pytest.raises(muster.NotARemoteFutureError, match="id or Handle"):
        m.future(7)


async def test_futures_of_two_servers_are_not_mixed(m, live, muster_server):  # semantics 52
    here, there = m.submit("echo"), live.submit("echo")
    for error in (
        await raised_by(muster.wait([here, there])),
        await raised_by(m.submit_gather(here, there)),
        await raised_by(m.info(there)),
    ):
        assert isinstance(error, muster.MixedServersError) and isinstance(error, ValueError)
        assert m.address in str(error) and live.address in str(error)
    async with muster.connect(muster_server.address, namespace="another") as other:
        with pytest.raises(muster.MixedServersError, match="another"):
            muster.gather(here, other.submit("echo"))
    async with muster.connect(muster_server.address, namespace=m.namespace) as same:
        assert await muster.gather(here, same.submit("echo", 2)) == [None, 2]
    await asyncio.gather(here, there)


async def test_a_closed_client_says_so(muster_server, muster_namespace):
    client = muster.connect(muster_server.address, namespace=muster_namespace)
    for use in (lambda: client.submit("echo"), lambda: client.create_promise(), lambda: client.map("echo", []), lambda: client.server):
        with pytest.raises(muster.ClientClosedError, match="async with"):
            use()
    await client.open()
    pending = client.submit("sleep", 3600)
    waiting = asyncio.ensure_future(muster.wait_for(pending, None))
    await pending.accepted()
    await client.close()
    await client.close()
    error = await raised_by(waiting)
    assert isinstance(error, muster.ClientClosedError) and "goes on" in str(error)
    for use in (lambda: client.submit("echo"), lambda: client.create_promise(), lambda: client.map("echo", [])):
        with pytest.raises(muster.ClientClosedError, match="closed"):
            use()
    assert isinstance(await raised_by(client.info(pending.id)), muster.ClientClosedError)
    assert isinstance(await raised_by(client.open()), muster.ClientClosedError)
    async with muster.connect(muster_server.address, namespace=muster_namespace) as another:
        assert (await another.info(pending.id)).state == "RUNNING", "semantics 98"


async def test_a_handle_of_a_closed_client_says_so(muster_server, muster_namespace):
    async with muster.connect(muster_server.address, namespace=muster_namespace) as client:
        handle, promise = client.future(await client.submit("sleep", 3600).accepted()), client.create_promise()
        await promise.accepted()
    for future in (handle, promise):
        assert isinstance(await raised_by(future), muster.ClientClosedError)
    with pytest.raises(muster.ClientClosedError):
        promise.set_result(1)
    assert handle.cancel() is False


async def test_another_loops_client_says_so(m):
    future, pending = m.submit("echo"), m.submit("sleep", 60)
    await future
    errors = []

    def elsewhere():
        async def main():
            for use in (lambda: m.submit("echo"), lambda: m.create_promise(), lambda: m.future(future.id), lambda: muster.gather(future)):
                try:
                    use()
                except muster.MusterError as error:
                    errors.append(error)
            errors.append(await raised_by(m.info(future.id)))
            errors.append(await raised_by(muster.wait([future])))

        asyncio.run(main())
        try:
            m.submit("echo")  # no loop at all
        except muster.MusterError as error:
            errors.append(error)
        try:
            pending.cancel()
        except muster.MusterError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.01)
    assert [type(error) for error in errors] == [muster.WrongLoopError] * 8
    assert isinstance(errors[0], RuntimeError) and "muster.Client" in str(errors[0])


async def test_values_that_cannot_travel(m):
    for use in (
        lambda: m.submit("echo", {"a": object()}),
        lambda: m.submit(print, 1),
        lambda: m.create_promise().set_result({1, 2}),
    ):
        with pytest.raises(muster.PayloadError):
            use()
    with pytest.raises(TypeError, match="takes an exception"):
        m.create_promise().set_exception("text")
    with pytest.raises(muster.LimitError, match="4194304") as caught:
        m.submit("echo", b"x" * (4 << 20))
    assert caught.value.reason == "PAYLOAD_TOO_LARGE"
    error = await raised_by(m.submit("echo", b"x" * (2 << 20)))
    assert isinstance(error, muster.InvalidRequestError) and error.reason == "PAYLOAD_TOO_LARGE"
    assert await m.submit("echo", b"x" * 1_000_000) == b"x" * 1_000_000


async def test_what_the_server_refuses_is_typed(m):
    error = await raised_by(m.submit("ecko", 1))
    assert isinstance(error, muster.UnknownFunctionError) and isinstance(error, LookupError)
    assert (error.code, error.reason) == ("NOT_FOUND", "UNKNOWN_FUNCTION") and "echo" in str(error)
    error = await raised_by(m.submit("echo", delay=-1))
    assert isinstance(error, muster.InvalidRequestError) and error.reason == "INVALID_DURATION" and "delay" in str(error)
    assert isinstance(await raised_by(m.future("no id at all")), muster.InvalidRequestError)
    error = await raised_by(m.submit("echo", name="n" * 300))
    assert "255" in str(error)
    error = await raised_by(m.submit("echo", min_durability="sync"))
    assert error.reason == "DURABILITY_UNAVAILABLE"
    with pytest.raises(muster.InvalidRequestError, match="BUSY"):
        [one async for one in m.list(states=["BUSY"])]
    with pytest.raises(ValueError, match="return_when"):
        await muster.wait([m.future("x")], return_when="SOON")


async def test_nobody_at_the_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        error = await raised_by(muster.connect(address, retry=QUICK).open())
    assert isinstance(error, muster.UnavailableError) and isinstance(error, ConnectionError)
    assert address in str(error) and error.code == "UNAVAILABLE"
    for wrong in ("", None, 7411):
        with pytest.raises(muster.InvalidRequestError, match="host:port"):
            await muster.connect(wrong)


class Stranger(grpc.GenericRpcHandler):
    """Answers GetServerInfo as it is told, and nothing else."""

    def __init__(self, version):
        self._version = version

    def service(self, details):
        if self._version is None or not details.method.endswith("/GetServerInfo"):
            return None
        answer = pb.GetServerInfoResponse(version=self._version).SerializeToString()
        return grpc.unary_unary_rpc_method_handler(lambda *_: answer)


@pytest.mark.parametrize("version, says", [(None, "no musterd that this package knows"), ("0.0.9", "0.0.9"), ("", "unknown")])
def test_a_server_of_another_kind_or_too_old(version, says):
    from concurrent import futures

    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Stranger(version)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        error = asyncio.run(raised_by(muster.connect(f"127.0.0.1:{port}").open()))
    finally:
        server.stop(None)
    assert isinstance(error, muster.IncompatibleServerError) and says in str(error)


async def test_a_server_that_is_gone():
    with Server(clock="system") as server:
        client = await muster.connect(server.address, retry=QUICK, close_timeout=0.2)
        pending = client.submit("sleep", 3600)
        await pending.accepted()
        server.kill()
        error = await raised_by(pending)
        assert isinstance(error, muster.UnavailableError), "once outage_max is over"
        assert isinstance(await raised_by(client.submit("echo")), muster.UnavailableError)
        assert isinstance(await raised_by(client.info(pending.id)), muster.UnavailableError)
        assert isinstance(await raised_by(client.create_promise()), muster.UnavailableError)
        await client.close()


async def test_what_was_not_acknowledged_is_not_lost_in_silence():
    with Server(clock="system") as server:
        client = await muster.connect(server.address, close_timeout=0.2)
        server.kill()
        lost = client.submit("echo")
        with pytest.raises(muster.UnavailableError, match="1 submits were not acknowledged within 0.2 s"):
            await client.close()
        assert isinstance(lost.exception(), muster.ClientClosedError)


async def test_a_server_that_drains():
    with Server(clock="system", flags=["--drain-grace=20s"]) as server:
        async with muster.connect(server.address, retry=QUICK, close_timeout=0.2) as client:
            job = client.submit("sleep", 0.8)
            await job.accepted()
            stopping = asyncio.get_running_loop().run_in_executor(None, server.stop)
            while (error := await probe(client)) is None:
                await asyncio.sleep(0.01)
            assert isinstance(error, muster.DrainingError) and error.reason == "DRAINING"
            assert isinstance(await raised_by(client.create_promise()), muster.UnavailableError)
            assert await job is None, "what runs is let go on"
            assert isinstance(await raised_by(client.submit("echo")), muster.UnavailableError)
            await stopping


async def probe(client):
    """What a new submit meets that is made once."""
    try:
        request = pb.CreatePromiseRequest(namespace=client.namespace)
        await client._core.channel.once("CreatePromise", request, pb.CreatePromiseResponse, 5)
    except muster.ServiceError as error:
        return error
    return None


async def test_the_backlog_is_bounded(muster_server, muster_namespace):
    async with muster.connect(muster_server.address, namespace=muster_namespace, backlog_max=10) as client:
        futures = [client.submit("echo", at) for at in range(10)]
        with pytest.raises(muster.BacklogFullError, match="backlog_max is 10"):
            client.submit("echo", 11)
        assert await muster.gather(*futures) == list(range(10))
        assert await client.submit("echo", 12) == 12


async def test_files_of_tls_that_are_not_there(tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for tls, says in (
        (muster.Tls(ca_file=str(tmp_path / "none.pem")), "cannot be read"),
        (muster.Tls(ca_file=str(empty)), "is empty"),
        (muster.Tls(cert_file=str(empty)), "both its cert_file and its key_file"),
    ):
        with pytest.raises(muster.InvalidRequestError, match=says):
            await muster.connect("localhost:1", tls=tls)
