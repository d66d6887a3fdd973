"""Fixtures, and the running of `async def` tests: each on a loop of its own, within LIMIT seconds.

The server is the one that the variable MUSTERD names; MUSTER_TEST_LOOPS is its number of event loops.
"""

import asyncio
import gc
import inspect
import os

# Tests start programs while gRPC is at work, and its handlers of fork() abort one now and then under Python 3.9.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import pytest

import muster
from muster.testing import Server
from worlds import LIMIT, Local, remote

pytest_plugins = ["muster.testing.plugin"]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    complaints = []

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        opened = []
        try:
            for name, given in wanted.items():
                if isinstance(given, Later):
                    opened.append(given.make())
                    wanted[name] = await opened[-1].__aenter__()
            await asyncio.wait_for(pyfuncitem.obj(**wanted), LIMIT)
        finally:
            for one in reversed(opened):
                await one.__aexit__(None, None, None)
        wanted.clear()
        await asyncio.sleep(0)

    asyncio.run(run())
    gc.collect()
    pyfuncitem.complaints = complaints
    allowed = pyfuncitem.get_closest_marker("complaints")
    if complaints and allowed is None:
        pytest.fail(f"the event loop was told of: {complaints}")
    if allowed is not None:
        pyfuncitem.config.complaints = complaints
        assert any(allowed.args[0] in str(one) for one in complaints), f"no complaint of {allowed.args[0]!r}: {complaints}"
    return True


def pytest_configure(config):
    config.addinivalue_line("markers", "complaints(words): the loop's exception handler is told of this")


def pytest_terminal_summary(terminalreporter):
    """The line that the project's count of tests reads."""
    stats = terminalreporter.stats
    failed = len(stats.get("failed", ())) + len(stats.get("error", ()))
    terminalreporter.write_line("")
    terminalreporter.write_line(f"{len(stats.get('passed', ()))} passed, {failed} failed, {len(stats.get('skipped', ()))} skipped")


LOOPS = f"--loops={os.environ.get('MUSTER_TEST_LOOPS', '1')}"


@pytest.fixture(scope="session")
def muster_server():
    """As the plugin's, with as many event loops as was asked for."""
    with Server(flags=[LOOPS]) as server:
        yield server


class Later:
    """A fixture's value that is opened on the test's loop."""

    def __init__(self, make):
        self.make = make


class _Plain:
    def __init__(self, value):
        self.value = value

    async def __aenter__(self):
        return self.value

    async def __aexit__(self, *_):
        return None


@pytest.fixture(params=["asyncio", "muster"])
def world(request, muster_server, muster_namespace):
    """Each of the two worlds in turn."""
    if request.param == "asyncio":
        return Later(lambda: _Plain(Local()))
    return Later(lambda: remote(muster_server, muster_namespace))


@pytest.fixture
def there(muster_server, muster_namespace):
    """Muster's world alone."""
    return Later(lambda: remote(muster_server, muster_namespace))


@pytest.fixture
def m(muster_server, muster_namespace):
    """A client of the server whose clock is moved by hand."""
    return Later(lambda: muster.connect(muster_server.address, namespace=muster_namespace))


@pytest.fixture(scope="session")
def live_server():
    """A server whose clock is the machine's, and whose futures are durable against a crash of the process."""
    with Server(clock="system", durability="async", flags=[LOOPS]) as server:
        yield server


@pytest.fixture
def live(live_server, muster_namespace):
    """A client of it."""
    return Later(lambda: muster.connect(live_server.address, namespace=muster_namespace))
