"""Executor: Muster behind the standard library's interface.

    with muster.Executor("localhost:7411") as pool:
        future = pool.submit("http.request", url="https://example.com/")
        print(future.result()["status"])
        for digest in pool.map("checksum", texts):
            print(digest)
"""

from __future__ import annotations

import concurrent.futures
import threading
from typing import Any, Set, Union

from muster import errors
from muster.blocking import Client
from muster.blocking_future import BlockingFuture

__all__ = ["Executor"]


class Executor(concurrent.futures.Executor):
    """A `concurrent.futures.Executor` whose functions are names on the server.

    `options` are those of every submit (`AsyncClient.submit`): `retention`, `run_timeout`, `group`, ... `map` submits all
    of its inputs at once, as every Executor's does; `Client.map` takes a window at a time.
    """

    def __init__(self, client: Union[str, Client] = "localhost:7411", **options: Any) -> None:
        """`client` is an address, and then the connection is closed with the executor, or a Client that stays open."""
        self._owned = not isinstance(client, Client)
        self._client = client if isinstance(client, Client) else Client(client)
        self._options = options
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._pending: Set[BlockingFuture] = set()
        self._shut = False

    @property
    def client(self) -> Client:
        """The client that it submits through."""
        return self._client

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> BlockingFuture:
        """Calls the function of the server that is named `fn`. Its input is the one positional argument, or the keyword
        arguments as a JSON object."""
        if not isinstance(fn, str):
            name = getattr(fn, "__name__", type(fn).__name__)
            raise errors.PayloadError(
                f"{name} is no name: a function here is a name on the server; Python callables come with remote workers"
            )
        if len(args) > 1 or (args and kwargs):
            raise errors.PayloadError(
                f"{fn} was given {len(args)} positional and {len(kwargs)} keyword arguments: a function of the server "
                "takes one input, as one positional argument or as keywords that make an object"
            )
        given = args[0] if args else (kwargs or None)
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = self._client.submit(fn, given, **self._options)
            self._pending.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Any) -> None:
        with self._lock:
            self._pending.discard(future)
            if self._pending:
                return
            self._idle.notify_all()
            close = self._shut and self._owned
        if close:
            # On the client's own thread, which closing waits for: somebody else has to.
            threading.Thread(target=self._client.close, name="muster-executor-close", daemon=True).start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes nothing new. Waits until all futures have ended, unless told not to; `cancel_futures` cancels those
        that have not started, and asks those that have to end."""
        with self._lock:
            self._shut = True
            pending = list(self._pending)
        if cancel_futures:
            for future in pending:
                future.cancel()
        if wait:
            with self._lock:
                self._idle.wait_for(lambda: not self._pending)
        if self._owned and (wait or not pending):
            self._client.close()

    def __repr__(self) -> str:
        return f"<muster.Executor of {self._client.address}>"
