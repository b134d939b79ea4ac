"""Patterns in plan and exclusions: `*` any text, `{3..7}` one of the numbers, `{a,b}` one of the words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache


@cache
def regex(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression; everything else in it stands for itself, brackets too."""
    out = []
    for part in re.split(r"(\*|\{[^{}]*\})", pattern):
        if part == "*":
            out.append(".*")
        elif part.startswith("{"):
            numbers = re.fullmatch(r"\{(\d+)\.\.(\d+)\}", part)
            words = [str(n) for n in range(int(numbers[1]), int(numbers[2]) + 1)] if numbers else part[1:-1].split(",")
            out.append(f"(?:{'|'.join(re.escape(word) for word in words)})")
        else:
            out.append(re.escape(part))
    return re.compile("".join(out))


def select(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that match, in their order."""
    return [name for name in names if regex(pattern).fullmatch(name)]
