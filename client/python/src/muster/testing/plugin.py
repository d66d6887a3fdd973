"""The pytest fixtures. pytest finds them by the package's entry point; it is no need of the package's own."""

from __future__ import annotations

import re
import uuid
from typing import Any, Iterator

import pytest

from muster.testing.server import Server


@pytest.fixture(scope="session")
def muster_server() -> Iterator[Server]:
    """One musterd for the session, its clock moved by hand. The program is the one that MUSTERD names, or the PATH."""
    with Server() as server:
        yield server


@pytest.fixture
def muster_namespace(request: Any) -> str:
    """A namespace of the test's own, so that none sees another's futures."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].strip("-")
    return f"{name}-{uuid.uuid4().hex[:8]}" if name else uuid.uuid4().hex
