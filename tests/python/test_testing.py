"""muster.testing: a private server, and time that is skipped."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

import muster
from muster import testing
from worlds import raised_by


async def test_time_is_skipped_and_not_slept(m, muster_server):
    began = time.monotonic()
    nap = m.submit("sleep", 7200)
    waiting = asyncio.ensure_future(muster.wait_for(m.submit("sleep", 999_999), 3600))
    await asyncio.sleep(0)
    await muster_server.advance(3600)
    assert isinstance(await raised_by(waiting), asyncio.TimeoutError) and not nap.done()
    await muster_server.advance(3600)
    assert nap.done() and await nap is None, "it is known here when advance comes back"
    assert time.monotonic() - began < 60


async def test_without_an_event_loop_too(muster_server, muster_namespace):
    def script():
        with muster.Client(muster_server.address, namespace=muster_namespace) as client:
            nap = client.submit("sleep", 3600)
            client.flush()
            muster_server.advance_blocking(3600)
            return nap.result(10)

    assert await asyncio.get_running_loop().run_in_executor(None, script) is None


def test_the_machines_clock_cannot_be_moved(live_server):
    with pytest.raises(testing.ServerError, match="clock='manual'"):
        live_server.advance_blocking(1)
    with pytest.raises(ValueError, match="'manual' or 'system'"):
        testing.Server(clock="lunar")


def test_time_goes_forward(muster_server):
    with pytest.raises(ValueError, match="forward"):
        muster_server.advance_blocking(-1)
    with pytest.raises(muster.InvalidRequestError, match="by is 'soon'"):
        muster_server.advance_blocking("soon")


def test_what_is_durable_is_there_again_after_a_crash():  # semantics 101
    with testing.Server(durability="async") as server:
        address = server.address
        with muster.Client(address) as client:
            job = client.submit("echo", "kept")
            assert job.result(30) == "kept"
            handle = job.handle()
        server.kill()
        server.start()
        assert server.address == address
        with muster.Client(address) as client:
            assert client.future(handle).result(30) == "kept"
        assert os.path.isdir(server.files) and server.pid > 0 and "{" in server.log()
        folder = os.path.dirname(server.files)
    assert not os.path.exists(folder), "its folder goes with it"


def test_a_server_that_does_not_start_says_why():
    with pytest.raises(testing.ServerError, match="no-such-option"):
        testing.Server(flags=["--no-such-option"]).start()
    for use in (lambda: testing.Server().address, lambda: testing.Server().log(), lambda: testing.Server().pid):
        with pytest.raises(testing.ServerError, match="with `with`"):
            use()


def test_finding_the_program(monkeypatch, tmp_path):
    with pytest.raises(testing.ServerError, match="no program"):
        testing.find_musterd(str(tmp_path / "none"))
    monkeypatch.setenv("MUSTERD", str(tmp_path / "none"))
    with pytest.raises(testing.ServerError, match="the variable MUSTERD"):
        testing.find_musterd()
    monkeypatch.delenv("MUSTERD")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(testing.ServerError, match="PATH"):
        testing.find_musterd()
    program = tmp_path / "musterd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert testing.find_musterd() == str(program)


USERS_TEST = """
import asyncio, muster

def test_a_nap(muster_server, muster_namespace):
    async def main():
        async with muster.connect(muster_server.address, namespace=muster_namespace) as m:
            nap = m.submit("sleep", 3600)
            await muster_server.advance(3600)
            assert await nap is None
    asyncio.run(main())
"""


def test_the_fixtures_work_for_a_user(tmp_path):
    (tmp_path / "test_mine.py").write_text(USERS_TEST)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "muster.testing.plugin", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
