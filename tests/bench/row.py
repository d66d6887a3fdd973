"""What a row of the results is, and how its samples are taken.

A measurement gives one row or more. In each round it measures Muster, then the reference, so that both see the same
machine; a row takes one number from each sample. A sample is a dict; `operations_total`, `server_cpu_us` and the like
are shown where it has them.
"""

import contextlib
import dataclasses
from typing import Callable, Optional


def rate(sample):
    return sample["rate"]


def p50(sample):
    return sample["p50_us"]


def p99(sample):
    return sample["p99_us"]


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    value: Callable  # of Muster's sample
    unit: str
    reference: str  # what the reference is, in words; "" when there is none
    reference_value: Optional[Callable]  # of the reference's sample
    goal: Optional[str]  # of the ratio if there is a reference, else of the value; None: shown beside the others
    about: str
    quick: bool = True


@dataclasses.dataclass(frozen=True)
class Sides:
    """What one round calls: each returns a sample."""

    ours: Callable
    theirs: Optional[Callable] = None  # None: there is no reference


class Measurement:
    """One way of measuring: has `rows`, and may have
    - rounds_max: no more rounds than that, for what takes long.
    - is_peer: the reference is what a user would pick instead; `./dev bench --peers` measures these.
    """

    is_peer = False

    def missing(self, rig):
        """Why it cannot be measured on this machine, or None."""
        del rig

    def builds(self, rig):
        """{name: {"version": ...}} of what it runs on beside the libraries that every row names."""
        del rig
        return {}

    @contextlib.contextmanager
    def open(self, rig):
        """Gives the Sides; what they run on lives as long."""
        raise NotImplementedError


def describe_round(row, ours, theirs):
    value = row.value(ours)
    return f"{value / row.reference_value(theirs):.2f}" if theirs is not None else f"{value:.4g} {row.unit}"


def measure(measurement, wanted, rig, rounds, said):
    """[(Muster's sample, the reference's or None)] of each round; said(text) hears of each."""
    rounds = min(rounds, getattr(measurement, "rounds_max", rounds))
    samples = []
    with measurement.open(rig) as sides:
        for number in range(rounds):
            ours = sides.ours()
            theirs = sides.theirs() if sides.theirs is not None else None
            samples.append((ours, theirs))
            said(f"round {number + 1} of {rounds}: " + ", ".join(describe_round(row, ours, theirs) for row in wanted))
    return samples
