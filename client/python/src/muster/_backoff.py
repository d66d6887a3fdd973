"""Whether a failed attempt is made again, and after which pause."""

from __future__ import annotations

import random
from typing import Optional

from muster.errors import UnavailableError
from muster.options import RetryPolicy

# An attempt that held at least this long before it failed had been accepted: a connect that is refused fails at once.
ACCEPTED_AFTER = 1.0


class Backoff:
    """One for each thing in progress. `now` is a loop's clock."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._accepted = False
        self._attempts = 0  # failed, since the last accepted()
        self._outage_began: Optional[float] = None

    @property
    def failing(self) -> bool:
        """Between a failure and the next accepted()."""
        return self._attempts > 0

    def next(self, failure: Exception, now: float) -> Optional[float]:
        """Seconds until the next try; None when the failure is final or patience is at its end."""
        if not isinstance(failure, UnavailableError):
            return None
        self._attempts += 1
        if self._outage_began is None:
            self._outage_began = now
        policy = self._policy
        if self._accepted:
            if now - self._outage_began > policy.outage_max:
                return None
        elif self._attempts >= policy.attempts_max:
            return None
        pause = min(policy.pause_max, policy.initial * 2.0 ** min(self._attempts - 1, 30))
        pause *= random.uniform(1 - policy.jitter, 1 + policy.jitter)
        return max(pause, failure.retry_delay or 0.0)

    def accepted(self) -> None:
        """The server has taken what was asked: from now on an outage is sat out for `outage_max`."""
        self._accepted = True
        self._attempts = 0
        self._outage_began = None
