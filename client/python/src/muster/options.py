"""How to reach a server, and how patient to be with it. Everything has a default; times are seconds."""

from __future__ import annotations

import dataclasses
from typing import Optional

__all__ = ["Options", "RetryPolicy", "Tls"]


@dataclasses.dataclass(frozen=True)
class Tls:
    """Which files (PEM) prove who is who. `cert_file` and `key_file` go together, for servers that ask clients for theirs."""

    ca_file: Optional[str] = None  #: The authorities; None: the system's.
    cert_file: Optional[str] = None
    key_file: Optional[str] = None
    server_name: Optional[str] = None  #: When the certificate's name differs from the address.


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """Only UNAVAILABLE is tried again, with the same request id, so that nothing is made twice (semantics 102).

    The pause doubles from `initial` to `pause_max`, give or take `jitter`, and is never shorter than the server asks.
    """

    attempts_max: int = 5  #: 1: never again.
    initial: float = 0.1
    pause_max: float = 5.0
    jitter: float = 0.2
    outage_max: float = 60.0  #: What the server had accepted sits out an outage of at most this.

    def __post_init__(self) -> None:
        if self.attempts_max < 1:
            raise ValueError(f"attempts_max is {self.attempts_max}; it must be at least 1")
        if not 0 <= self.initial <= self.pause_max:
            raise ValueError(f"initial is {self.initial}; it must be from 0 to pause_max, which is {self.pause_max}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is {self.jitter}; it must be from 0 to 1")


@dataclasses.dataclass(frozen=True)
class Options:
    """What `connect` and `Client` take as keyword arguments too."""

    namespace: str = "default"
    tls: Optional[Tls] = None
    deadline: float = 30.0  #: Of every request that is no wait, retries included; none is unbounded.
    retry: RetryPolicy = RetryPolicy()
    keepalive: float = 30.0
    message_bytes_max: int = 64 << 20  #: Of one answer.
    backlog_max: int = 1_000_000  #: Submits that may wait to be acknowledged; past it `submit` raises.
    close_timeout: float = 5.0  #: How long closing waits for submits that are not acknowledged yet.

    def __post_init__(self) -> None:
        for name in ("deadline", "keepalive", "close_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be more than 0 seconds")
        for name in ("message_bytes_max", "backlog_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
