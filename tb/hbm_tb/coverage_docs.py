"""docs/verification-plan.md: the verification plan as a page. `hbm plan --write` writes it; a test holds it fresh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hbm_tb import sim
from hbm_tb.coverage import POINTS
from hbm_tb.coverage_plan import Feature, wanted

PAGE: Final = sim.ROOT / "docs" / "verification-plan.md"
_HEAD = """# Verification plan

Written by `hbm plan --write` from `tb/plan.yaml`; do not edit. What a feature is, and how its status is found:
[Coverage](coverage.md). `hbm plan` prints the status after the last `make coverage`.

{features} features, {tests} tests, {points} cover points with {bins} bins that must be hit.
"""


def page_of(features: Sequence[Feature]) -> str:
    """The text of the page."""
    needed = wanted(features)
    tests = {test.name for feature in features for test in feature.tests}
    bins = sum(map(len, needed.values()))
    out = [_HEAD.format(features=len(features), tests=len(tests), points=len(needed), bins=f"{bins:,}")]
    for feature in features:
        out.append(f"## {feature.title}\n\n`{feature.name}` {feature.text}\n")
        rows = []
        if feature.paragraphs:
            rows.append(("[Contract](microarchitecture.md)", ", ".join(feature.paragraphs)))
        if feature.rules:
            rows.append(("[Rules](rules.md)", ", ".join(f"`{rule}`" for rule in feature.rules)))
        rows.append(("Tests", ", ".join(f"`{test.name}`" for test in feature.tests)))
        for use in feature.points:
            share = f"{len(use.bins)} of {len(POINTS[use.name].bins)} bins"
            often = f", each {use.at_least} times" if use.at_least > 1 else ""
            rows.append((f"`{use.name}`", f"{POINTS[use.name].title}: {share}{often}"))
        out.append("| | |\n|---|---|\n" + "\n".join(f"| {left} | {right} |" for left, right in rows) + "\n")
    return "\n".join(out)


def write_page(features: Sequence[Feature], path: Path = PAGE) -> bool:
    """Write the page; True if it changed."""
    text = page_of(features)
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True
