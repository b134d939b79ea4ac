"""Which failures are one: the signature of a failure and the buckets that a list's failures fall into.

A run that knows its own failure writes it into failure.json, with a signature that names the first difference or the
broken rule and no number that varies from run to run. For all others the first line of the reason stands in, with its
numbers taken out, so that the same assertion at another time on another seed is the same bucket.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from hbm_tb.jobs import FAIL, Outcome

LENGTH = 160  # characters of a signature

# Applied in this order; what is left of a line is the same for all runs that failed in the same way. The same assertion
# in another test is no other bug.
_GENERAL: tuple[tuple[str, str], ...] = (
    (r"^(?!\w*(?:Error|Exception)\b)[\w.]+(/\w+=\S+)*: (?=\S)", ""),  # the test
    (r"\x1b\[[0-9;]*m", ""),
    (r"(/[\w.+@=~-]+)+/([\w.+=-]+)", r"\2"),  # folders
    (r"\b0x[0-9a-fA-F]+\b|\b\d+'h[0-9a-fA-F]+\b", "*"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", "*"),
    (r"(?<!ended with code )(?<!ended with code -)\b\d[\d,.]*(?=\D|$)", "*"),
    (r"(?<=[A-Za-z_])\d+\b", "*"),  # seed_7, port1, PC0: which of several, not what
    (r"(\*[ ,;/x-]*)+\*", "*"),  # lists of numbers have any length
    (r"\s+", " "),
)


def generalised(text: str) -> str:
    """The first line of a text without what differs between runs: numbers, folders, the name of the test."""
    line = (text.strip().splitlines() or [""])[0]
    for pattern, by in _GENERAL:
        line = re.sub(pattern, by, line)
    return line.strip()[:LENGTH]


def signature_of(outcome: Outcome) -> str:
    """What a failure has in common with others of its bucket; empty for a pass."""
    if outcome.passed:
        return ""
    given = outcome.failure.get("signature")
    if isinstance(given, str) and given.strip():
        return " ".join(given.split())[:LENGTH]
    text = generalised(outcome.reason)
    return f"{outcome.status}: {text}" if text or outcome.status != FAIL else "fail: without a reason"


def headline_of(outcome: Outcome) -> str:
    """The failure in one line, with its numbers."""
    if outcome.passed:
        return ""
    given = outcome.failure.get("headline")
    if isinstance(given, str) and given.strip():
        return " ".join(given.split())
    return (outcome.reason.strip().splitlines() or [outcome.status])[0]


@dataclass(frozen=True)
class Bucket:
    """Failures with one signature."""

    signature: str
    names: tuple[str, ...]  # of the runs, the cheapest to repeat first
    headline: str  # of the first one
    new: bool  # not seen in the complete regression before

    @property
    def count(self) -> int:
        """How many runs failed so."""
        return len(self.names)


def work_of(failure: Mapping[str, object], counts: Mapping[str, int]) -> float:
    """What it takes to repeat a failure, in cycles; infinite where that is not known. Never a time, which varies."""
    cycle = failure.get("cycle") or counts.get("cycles")
    return float(cycle) if isinstance(cycle, int | float) and cycle > 0 else math.inf


def in_order(failures: Iterable[tuple[str, str, float]]) -> dict[str, list[str]]:
    """Signature -> names, of (signature, name, work): the largest bucket first, in it the cheapest to repeat first."""
    found: dict[str, list[tuple[float, str]]] = {}
    for signature, name, work in failures:
        found.setdefault(signature, []).append((work, name))
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return {signature: [name for _, name in sorted(members)] for signature, members in ordered}


def buckets_of(results: Mapping[str, Outcome], before: Collection[str] | None) -> list[Bucket]:
    """Failures by signature, the largest bucket first. `before`: signatures of the regression before; None: no such."""
    failures = (
        (signature_of(outcome), name, work_of(outcome.failure, outcome.counts))
        for name, outcome in results.items()
        if not outcome.passed
    )
    return [
        Bucket(signature, tuple(names), headline_of(results[names[0]]), before is not None and signature not in before)
        for signature, names in in_order(failures).items()
    ]
