"""Starting and stopping a musterd, and moving its clock."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any, Optional, Sequence, Type, Union

from muster._spec import seconds
from muster.client import open_clients
from muster.errors import MusterError

__all__ = ["Server", "ServerError", "find_musterd"]

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class ServerError(MusterError):
    """The server cannot be started, stopped or told the time; the message has the end of its log."""


def find_musterd(program: Optional[str] = None) -> str:
    """The program: as given, else the variable MUSTERD, else `musterd` on the PATH."""
    for given, where in ((program, "program"), (os.environ.get("MUSTERD"), "the variable MUSTERD")):
        if given:
            if not os.access(given, os.X_OK):
                raise ServerError(f"{where} is {given!r}, which is no program that can be run")
            return os.path.abspath(given)
    found = shutil.which("musterd")
    if found is None:
        raise ServerError("there is no musterd on the PATH: build one, and name it in the variable MUSTERD")
    return found


class Server:
    """A musterd on free ports of 127.0.0.1, with a folder of its own that goes with it.

    `clock` is "manual" or "system"; `durability` "none", "async" or "sync"; `flags` are further ones of musterd's.
    `environment` is added to the server's.
    """

    def __init__(
        self,
        program: Optional[str] = None,
        *,
        clock: str = "manual",
        durability: str = "none",
        flags: Sequence[str] = (),
    ) -> None:
        if clock not in ("manual", "system"):
            raise ValueError(f"clock is {clock!r}; it must be 'manual' or 'system'")
        self._program = program
        self._clock = clock
        self._flags = [f"--clock={clock}", f"--durability={durability}", *flags]
        if not any(flag.startswith("--drain-grace") for flag in flags):
            self._flags.append("--drain-grace=0")  # a test that is over has no interest in what still runs
        self._folder: Optional[str] = None
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._address = ""
        self._admin = ""

    @property
    def address(self) -> str:
        """What `muster.connect` takes. The same again after `kill` and `start`."""
        self._running()
        return self._address

    @property
    def admin_address(self) -> str:
        """Where metrics and health are served, over HTTP."""
        self._running()
        return self._admin

    @property
    def files(self) -> str:
        """The folder that the functions `file.*` may use."""
        return os.path.join(self._of_folder(), "files")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def _of_folder(self) -> str:
        if self._folder is None:
            raise ServerError("the server has not been started: use it with `with`")
        return self._folder

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerError("the server does not run: use it with `with`, or `start()` it")
        return self._process

    # --- starting and stopping --------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Starts it and waits until it takes work; after `kill` or `stop` on the same address and store again."""
        if self._process is not None:
            raise ServerError("the server runs already")
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="muster-")
            os.mkdir(self.files)
        ready = os.path.join(self._folder, "ready.json")
        if os.path.exists(ready):
            os.unlink(ready)
        argv = [
            find_musterd(self._program),
            f"--grpc-listen={self._address or '127.0.0.1:0'}",
            "--admin-listen=127.0.0.1:0",
            "--log-format=json",
            f"--files-root={self.files}",
            f"--store-dir={os.path.join(self._folder, 'store')}",
            f"--ready-file={ready}",
            *self._flags,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        with open(os.path.join(self._folder, "log"), "ab") as log:
            # Nothing is inherited that is not meant to be (PEP 446), and leaving it at that lets Python 3.9 spawn instead
            # of fork: gRPC's own handlers were seen to abort a forked child before it became musterd (grpcio 1.80).
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, close_fds=False
            )
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(ready):
            status = self._process.poll()
            if status is not None or time.monotonic() > end:
                text = self.log()
                self.kill()
                self._remove()
                why = f"ended with status {status}" if status is not None else f"is not ready after {START_SECONDS} s"
                raise ServerError(f"{' '.join(argv)} {why}:\n{text}")
            time.sleep(0.01)
        with open(ready, encoding="utf-8") as file:
            addresses = json.load(file)
        self._address, self._admin = addresses["grpc"], addresses["admin"]
        return self

    def stop(self) -> None:
        """Asks it to end, and waits. ServerError when it does not end well: what a test server says at its end is part
        of the test."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            status: Any = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            status = f"none within {STOP_SECONDS} s"
        self._process = None
        if status != 0:
            raise ServerError(f"musterd ended with status {status}:\n{self.log()}")

    def kill(self) -> None:
        """As in a crash. What it had made durable is there again after `start()`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _remove(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            self.stop()
        except ServerError:
            if error is None:
                raise
        finally:
            self._remove()

    def log(self) -> str:
        """The end of what it has logged."""
        with open(os.path.join(self._of_folder(), "log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-20_000:]

    # --- time -------------------------------------------------------------------------------------------------------

    async def advance(self, by: Union[int, float, datetime.timedelta]) -> None:
        """Moves the server's clock, and comes back when the server is quiet again: timers have fired in their order,
        and what they set off has run. What clients of this event loop have submitted arrives first, and what the server
        sent them since has been read."""
        for client in open_clients(self.address):
            await client.flush()
        await asyncio.get_running_loop().run_in_executor(None, self.advance_blocking, by)
        for client in open_clients(self.address):
            # Whatever it was told before this answer is read before it.
            await client.functions()
        await asyncio.sleep(0)

    def advance_blocking(self, by: Union[int, float, datetime.timedelta]) -> None:
        """The same for a test without an event loop; submits of a `Client` are flushed by `client.flush()`."""
        if self._clock != "manual":
            raise ServerError("the server's clock is the machine's: start it with clock='manual' to move it")
        micros = round(seconds(by, "by") * 1e6)
        if micros < 0:
            raise ValueError(f"by is {by}; time goes forward only")
        self._post(f"/clock/advance/{micros}us")

    def _post(self, path: str) -> str:
        request = urllib.request.Request(f"http://{self.admin_address}{path}", method="POST", data=b"")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return str(answer.read().decode("utf-8"))
        except urllib.error.HTTPError as error:
            raise ServerError(f"{path}: {error.read().decode('utf-8', 'replace').strip()}") from None
        except OSError as error:
            raise ServerError(f"{path}: the server does not answer: {error}") from None
