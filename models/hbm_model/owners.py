"""Which RTL module enforces which rule, read from the `Enforces:` line in the header comment of each module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def claims_of(text: str) -> list[str]:
    """Names after `Enforces:` in the header comment, to the end of the sentence.

    Words before a colon and text in parentheses are remarks.
    """
    header = re.match(r"(?://[^\n]*\n)+", text)
    if header is None:
        return []
    words = " ".join(line.removeprefix("//").strip() for line in header[0].splitlines())
    found = re.search(r"Enforces: (.*?)\.(?=\s|$)", words)
    if found is None:
        return []
    listed = re.sub(r"\([^)]*\)", "", found[1])
    return [name.split(":")[-1].strip() for name in re.split(r"[,;]", listed) if name.strip()]


def claims(rtl: Path) -> dict[str, list[str]]:
    """Name in a header -> modules below `rtl` that list it."""
    found: dict[str, list[str]] = {}
    for path in sorted(rtl.rglob("*.sv")):
        for name in claims_of(path.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(path.stem)
    return found


def owners(rule: str, claimed: Mapping[str, list[str]]) -> list[str]:
    """Modules that list the full name of `rule`, else its longest leading part (tRAS owns tRAS_PREA)."""
    parts = rule.split("_")
    for length in range(len(parts), 0, -1):
        name = "_".join(parts[:length])
        if name in claimed:
            return claimed[name]
    return []
