"""Talks to a driver: a program in any language that runs programs against a server. README.md says in which words.

The driver lives as long as the run: a program goes in as a line of JSON, its trace comes out as one.
"""

import contextlib
import json
import os
import select
import subprocess
from typing import Any, Dict, List, Tuple

from program import Program
from trace import Trace

LINE_SECONDS = 90  # without an answer the driver is taken for hung, and started again
STOP_SECONDS = 30


def task(program: Program, local: Trace) -> Dict[str, Any]:
    """What a driver has to know: the program, and when to stop. Not what comes of it."""
    return {"program": program.to_steps(), "instants_us": local.instants, "cleared": local.cleared}


class Driver:
    def __init__(self, command: List[str], server: str, admin: str) -> None:
        self._command = command
        self._environment = dict(os.environ, MUSTER_SERVER=server, MUSTER_ADMIN=admin)
        self._process: Any = None
        self._heard = b""

    def run(self, asked: Dict[str, Any]) -> Tuple[Trace, List[str]]:
        """The trace, and why the program could not be brought to its end, if so."""
        if self._process is None:
            self._heard = b""
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            said = json.loads(self._line())
            broke = said.get("broke")
            return Trace.from_json(said), ["the run over the wire broke:", *broke.splitlines()] if broke else []
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._process.kill()
            status = self._process.wait()
            self._forget()
            return Trace(), [f"the driver {self._command[0]} gave no trace ({error!r}); it ended with {status}"]

    def _line(self) -> bytes:
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._heard:
            if not select.select([pipe], [], [], LINE_SECONDS)[0]:
                raise OSError(f"nothing for {LINE_SECONDS} seconds")
            read = os.read(pipe, 1 << 20)
            if not read:
                raise OSError("the end of its output")
            self._heard += read
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _forget(self) -> None:
        with contextlib.suppress(OSError):  # what it did not read any more
            self._process.stdin.close()
        self._process.stdout.close()
        self._process = None

    def close(self) -> None:
        """The end of its input is the end of the driver."""
        if self._process is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()
