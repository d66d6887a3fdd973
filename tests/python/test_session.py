"""What the library does on its own: batches, reconnects, resumption, closing."""

import asyncio
import os
import subprocess
import sys

import pytest

import muster
from muster.testing import Server
from muster.v1 import future_service_pb2 as pb
from worlds import raised_by

QUICK = muster.RetryPolicy(initial=0.02, pause_max=0.1)


def metrics(server):
    """/metrics as {name with labels: value}."""
    import urllib.request

    with urllib.request.urlopen(f"http://{server.admin_address}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and line[0] != "#"}


def counted(server, name, method):
    """A gRPC counter of one method."""
    return sum(v for k, v in metrics(server).items() if k.startswith(name + "{") and f'grpc_method="{method}"' in k)


async def test_submits_of_one_turn_travel_together(live, live_server):
    await live.submit("echo")
    before = counted(live_server, "grpc_server_msg_received_total", "Run")
    started = counted(live_server, "grpc_server_started_total", "Run")
    assert await muster.gather(*[live.submit("echo", at) for at in range(500)]) == list(range(500))
    assert counted(live_server, "grpc_server_msg_received_total", "Run") - before == 1
    assert counted(live_server, "grpc_server_started_total", "Run") == started
    assert counted(live_server, "grpc_server_started_total", "Submit") == 0


async def test_handles_of_one_turn_share_a_stream_and_many_streams_become_few(live, live_server):
    promises = [live.create_promise() for _ in range(30)]
    ids = [await promise.accepted() for promise in promises]
    before = counted(live_server, "grpc_server_started_total", "AsCompleted")
    together = asyncio.ensure_future(muster.wait([live.future(one) for one in ids]))
    await asyncio.sleep(0.05)
    assert counted(live_server, "grpc_server_started_total", "AsCompleted") - before == 1
    waits = []
    for one in ids:
        waits.append(asyncio.ensure_future(muster.wait([live.future(one)])))
        await asyncio.sleep(0)
    again = [live.create_promise() for _ in range(30)]
    for one in again:
        waits.append(asyncio.ensure_future(muster.wait([one])))
        await one.accepted()
        await asyncio.sleep(0.002)
    assert len(live._core.watcher._streams) <= 8
    await asyncio.gather(*[one.set_result(1) for one in [*promises, *again]])
    await asyncio.gather(together, *waits)
    assert live._core.watcher.left() == []
    while live._core.watcher._streams:  # its last message is on the way
        await asyncio.sleep(0.001)


async def test_more_than_there_are_credits_for(muster_namespace):
    with Server(flags=["--limits-run-credits=10"]) as server:
        async with muster.connect(server.address, namespace=muster_namespace) as client:
            sleepers = [client.submit("sleep", 60) for _ in range(100)]
            await asyncio.wait_for(client.flush(), 10)
            assert len({one.id for one in sleepers}) == 100
            assert await asyncio.wait_for(client.submit("echo", 1), 10) == 1, "sleepers keep nobody from starting"
            await server.advance(60)
            assert await muster.gather(*sleepers) == [None] * 100
            assert await muster.gather(*[client.submit("echo", at) for at in range(100)]) == list(range(100))


async def test_a_crash_of_the_server_is_sat_out(muster_namespace):  # semantics 42, 101, 102
    with Server(clock="system", durability="async") as server:
        async with muster.connect(server.address, namespace=muster_namespace, retry=QUICK) as client:
            nap = client.submit("sleep", 1)
            promise = client.create_promise()
            handle = client.future(await promise.accepted())
            waiting = asyncio.ensure_future(muster.wait([nap, handle, promise]))
            coming = muster.as_completed([nap, handle])
            await nap.accepted()
            server.kill()
            meanwhile = [client.submit("echo", at) for at in range(50)]
            await asyncio.sleep(0.1)
            server.start()
            assert await muster.gather(*meanwhile) == list(range(50))
            await client.promise(promise.id).set_result("kept")
            done, pending = await waiting
            assert done == {nap, handle, promise} and not pending
            assert nap.result() is None and handle.result() == "kept"
            assert {one async for one in coming} == {nap, handle}


class Proxy:
    """Bytes between a client and a server, until it cuts them."""

    def __init__(self, address):
        self._host, port = address.rsplit(":", 1)
        self._port = int(port)
        self._open = []
        self._serving = set()
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    def cut(self):
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader, writer):
        self.connections += 1
        self._serving.add(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        self._open += [writer, there_writer]
        await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))

    async def _copy(self, reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.close()
        except OSError:
            pass


async def test_nothing_is_made_twice_when_the_connection_is_cut(live_server, muster_namespace):  # semantics 102
    async with Proxy(live_server.address) as proxy:
        async with muster.connect(proxy.address, namespace=muster_namespace, retry=QUICK) as client:
            futures = []
            for at in range(20):
                futures += [client.submit("echo", (at, one), group="once") for one in range(100)]
                futures += [client.submit("sleep", 0.05, group="once")]
                await asyncio.sleep(0.01)
                while proxy.connections <= at // 3:  # on a slow machine it comes back later than that
                    await asyncio.sleep(0.01)
                proxy.cut()
            results = await muster.gather(*futures)
            assert [one for one in results if one is not None] == [[at, one] for at in range(20) for one in range(100)]
            assert proxy.connections > 5
            made = [one async for one in client.list(group="once")]
            assert len(made) == len(futures) and all(one.attempt == 1 for one in made)


async def test_map_goes_on_when_the_connection_is_cut(live_server, muster_namespace):
    async with Proxy(live_server.address) as proxy:
        async with muster.connect(proxy.address, namespace=muster_namespace, retry=QUICK) as client:
            got = []
            async for one in client.map("echo", range(3000), window=200):
                got.append(one)
                if len(got) % 500 == 250:
                    proxy.cut()
                    await asyncio.sleep(0)
            assert got == list(range(3000)) and proxy.connections > 3


async def test_a_cancel_that_was_cut_off_arrives(live_server, muster_namespace):
    async with Proxy(live_server.address) as proxy:
        async with muster.connect(proxy.address, namespace=muster_namespace, retry=QUICK) as client:
            job, unsent = client.submit("sleep", 60), client.submit("sleep", 60)
            await job.accepted()
            proxy.cut()
            job.cancel("cut")
            late = client.submit("sleep", 60)
            late.cancel("late")
            unsent.cancel("cut too")
            assert (await raised_by(job)).args == ("cut",)
            assert (await raised_by(unsent)).args == ("cut too",)
            assert (await raised_by(late)).args == ("late",)


async def test_an_unknown_id_spoils_nothing_for_others(m):
    good = [m.create_promise() for _ in range(5)]
    ids = [await one.accepted() for one in good]
    await m.delete(gone := (await started(m)).id)
    handles = [m.future(one) for one in [*ids[:2], gone, *ids[2:]]]
    waiting = asyncio.ensure_future(muster.gather(*handles, return_exceptions=True))
    await asyncio.sleep(0.02)
    for at, one in enumerate(good):
        await one.set_result(at)
    values = await waiting
    assert isinstance(values.pop(2), muster.FutureNotFoundError) and values == [0, 1, 2, 3, 4]


async def started(m):
    done = m.submit("echo")
    await done
    return done


async def test_two_handles_of_one_future(m):
    promise = m.create_promise()
    one, two = m.future(await promise.accepted()), m.future(promise.id)
    waiting = asyncio.ensure_future(muster.gather(one, two, promise))
    await asyncio.sleep(0.02)
    await promise.set_result("both")
    assert await waiting == ["both"] * 3


async def test_a_gather_too_large_for_a_message(m):
    members = [m.submit("echo", b"x" * 900_000) for _ in range(12)]
    gathered = await m.submit_gather(*members)
    assert [len(one) for one in await gathered] == [900_000] * 12
    assert [len(one) for one in await m.future(gathered.id)] == [900_000] * 12


async def test_closing_waits_until_submits_are_acknowledged(m, muster_server, muster_namespace):
    async with muster.connect(muster_server.address, namespace=muster_namespace) as client:
        futures = [client.submit("sleep", 60, group="left") for _ in range(100)]
        promise = client.create_promise(group="left")
        settled = promise.set_result(1)
    assert settled.done() and settled.exception() is None
    assert all(isinstance(one.exception(), muster.ClientClosedError) for one in futures)
    assert len([one async for one in m.list(group="left")]) == 101


@pytest.mark.complaints("the carrier of submits failed")
async def test_a_fault_of_the_library_leaves_nobody_waiting(m, monkeypatch):
    await m.submit("echo")
    monkeypatch.setattr(m._core.carrier, "_fill", lambda: 1 / 0)
    assert isinstance(await raised_by(m.submit("echo")), ZeroDivisionError)
    monkeypatch.undo()
    assert await m.submit("echo", 1) == 1


async def test_a_fault_in_one_answer_is_that_futures_alone(m, monkeypatch):
    from muster import payload

    decode = payload.decode

    def fussy(message):
        value = decode(message)
        if value == 3:
            raise RuntimeError("three")
        return value

    monkeypatch.setattr(payload, "decode", fussy)
    values = await muster.gather(*[m.submit("echo", at) for at in range(5)], return_exceptions=True)
    assert isinstance(values.pop(3), RuntimeError) and values == [0, 1, 2, 4]


async def test_an_error_in_the_body_is_not_covered_by_closing():
    with Server(clock="system") as server:
        with pytest.raises(KeyError):
            async with muster.connect(server.address, close_timeout=0.1) as client:
                server.kill()
                client.submit("echo")
                raise KeyError("mine")


async def test_nothing_is_left_at_the_server(live_server, muster_namespace):  # semantics 36, 98
    async with muster.connect(live_server.address, namespace=muster_namespace) as client:
        promise = client.create_promise()
        await promise.accepted()
        waits = [asyncio.ensure_future(muster.wait([client.future(promise.id)], timeout=60)) for _ in range(3)]
        await asyncio.sleep(0.05)
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    for _ in range(200):
        at = metrics(live_server)
        left = {name: value for name, value in at.items() if name.startswith(("muster_waits_open", "muster_streams_open")) and value}
        if not left:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(left)


REBUILD = """
import asyncio, pickle, sys, muster
async def main():
    handle = pickle.loads(bytes.fromhex(sys.argv[1]))
    async with muster.connect(handle.server, namespace=handle.namespace) as m:
        print(await m.future(handle))
        await m.promise(sys.argv[2]).set_result("from afar")
asyncio.run(main())
"""


async def test_another_process_rebuilds_it(live):
    import pickle

    job, promise = live.submit("echo", "across"), live.create_promise()
    await job.accepted()
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    argv = [sys.executable, "-c", REBUILD, pickle.dumps(job).hex(), await promise.accepted()]
    other = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, env=environment)
    assert await promise == "from afar"
    assert (await other.communicate())[0] == b"across\n"


async def test_a_batch_is_the_same_future_as_a_runs_item(m):  # semantics 102
    """What was sent by Run and again by SubmitBatch, as when a stall follows a cut, is one future."""
    future = m.submit("echo", 1, labels={"a": "b"})
    spec = future._spec
    await future.accepted()
    request = pb.SubmitBatchRequest(namespace=m.namespace)
    request.futures.add().ParseFromString(spec)
    request.futures[0].options.request_id = f"{m._core.carrier.session}/{future._tag}"
    item = (await m._core.channel.unary("SubmitBatch", request, pb.SubmitBatchResponse)).items[0]
    assert item.deduplicated and item.id == future.id
