#!/usr/bin/env python3
"""The Python client as a driver: reads a program a line, runs it against the server, prints its trace as a line.

README.md says what a driver reads and prints; this is the one that every run uses unless --drive names another.
MUSTER_SERVER and MUSTER_ADMIN are the addresses of a server whose clock is moved by hand.
"""

import asyncio
import json
import os
import sys
import traceback
from typing import Any, Dict, List, Tuple

import wire_world
from program import Program

PROGRAM_SECONDS = 60  # that one may take, before it counts as hung


def main() -> int:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda _, __: None)  # failures that no program retrieves
    stage = wire_world.Stage(os.environ["MUSTER_SERVER"], os.environ["MUSTER_ADMIN"])
    loop.run_until_complete(stage.open())

    def answer(task: Dict[str, Any]) -> Dict[str, Any]:
        cleared: List[Tuple[int, str]] = [(at, name) for at, name in task["cleared"]]
        run = wire_world.WireRun(stage, task["instants_us"], cleared)
        try:
            loop.run_until_complete(asyncio.wait_for(run.run(Program.from_steps(task["program"])), PROGRAM_SECONDS))
        except Exception:
            broke = traceback.format_exc()
            loop.run_until_complete(stage.reopen())
            return {**run.trace.to_json(), "broke": broke}
        return run.trace.to_json()

    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
    loop.run_until_complete(stage.client.close())
    loop.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
