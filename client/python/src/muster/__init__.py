"""Muster: asyncio's own words over remote futures.

    import asyncio, muster

    async def main():
        async with muster.connect("localhost:7411") as m:
            a = m.submit("sleep", {"seconds": 1}, name="a nap")
            b = m.submit("echo", {"hello": "world"})
            async for future in muster.as_completed([a, b]):
                print(future.get_name(), await future)

    asyncio.run(main())

A function here is a name on the server (`await m.functions()` lists them). Python callables come with remote workers.
"""

from muster.blocking import Client
from muster.blocking_future import BlockingFuture, BlockingPromise
from muster.client import AsyncClient, connect
from muster.combine import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    as_completed,
    gather,
    shield,
    wait,
    wait_for,
)
from muster.errors import *  # noqa: F403
from muster.errors import __all__ as _errors
from muster.executor import Executor
from muster.future import Handle, RemoteFuture, RemotePromise
from muster.info import Function, FutureInfo, Limits, Progress, ServerInfo
from muster.options import Options, RetryPolicy, Tls
from muster.payload import Payload

__version__ = "0.1.0"

__all__ = [
    "ALL_COMPLETED",
    "AsyncClient",
    "BlockingFuture",
    "BlockingPromise",
    "Client",
    "Executor",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "Function",
    "FutureInfo",
    "Handle",
    "Limits",
    "Options",
    "Payload",
    "Progress",
    "RemoteFuture",
    "RemotePromise",
    "RetryPolicy",
    "ServerInfo",
    "Tls",
    "__version__",
    "as_completed",
    "connect",
    "gather",
    "shield",
    "wait",
    "wait_for",
]
__all__ += _errors
