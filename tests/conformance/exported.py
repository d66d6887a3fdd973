"""Programs as files, each with what asyncio makes of it: for drivers in languages whose tests have no Python beside them.

A file holds what a driver reads (driver.py `task`) and, as "expected", the trace that asyncio gives.
"""

import json
import os
from typing import Any, Iterator, List, Tuple

import hypothesis
from hypothesis import HealthCheck, Phase, given

import local_world
from driver import task
from generate import programs
from program import Program
from trace import Trace


def generated(count: int, seed: int) -> List[Program]:
    """The first programs of a seed."""
    made: List[Program] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
    )
    @given(programs())
    def collect(program: Program) -> None:
        made.append(program)

    collect()
    return made[:count]


def write(folder: str, count: int, seed: int) -> int:
    os.makedirs(folder, exist_ok=True)
    for number, program in enumerate(generated(count, seed), 1):
        local = local_world.run(program)
        content = {**task(program, local), "expected": local.to_json()}
        with open(os.path.join(folder, f"{seed}-{number:05}.json"), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
    return count


def read(folder: str) -> Iterator[Tuple[str, Program, Any, Trace]]:
    """(name, program, what a driver reads of it, what asyncio gave)"""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            content = json.load(file)
        expected = Trace.from_json(content.pop("expected"))
        yield name, Program.from_steps(content["program"]), content, expected
