"""Fenced blocks of a page: files that it tells to save, commands that it tells to run, in one bash script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"(?:^<!-- exit (?P<exit>\d+)(?:, prints: (?P<prints>[^\n]*?))? -->\n)?"
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = "tutorial-block"


@dataclass(frozen=True)
class Block:
    """A fenced block: a file to save (with a title) or commands to run, with the exit code that the page tells of."""

    language: str
    title: str
    text: str
    exit: int
    prints: str


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(m["language"], m["title"] or "", m["text"], int(m["exit"] or 0), m["prints"] or "")
        for m in _FENCE.finditer(text)
    ]


def script_of(blocks: list[Block]) -> str:
    """One bash script: blocks with a title become files in the folder that the shell is in, shell blocks run.

    A command that fails ends the script, unless the block is meant to fail.
    """
    lines = ["set -euo pipefail"]
    for number, block in enumerate(blocks):
        lines.append(f"echo {_MARK} {number}")
        if block.title:
            lines += [f"cat > {block.title} <<'END_OF_FILE'", block.text + "END_OF_FILE"]
        elif block.exit:
            lines += ["code=0", "{", block.text + "} || code=$?", f'[ "$code" = {block.exit} ]']
        else:
            lines.append(block.text)
    return "\n".join([*lines, f"echo {_MARK} end", ""])


def outputs_of(stdout: str) -> list[str]:
    """What each block printed."""
    return re.split(rf"^{_MARK} \S+\n", stdout, flags=re.MULTILINE)[1:]


def run_page(page: Path, folder: Path, home: Path) -> list[tuple[Block, str]]:
    """Run a page in `folder`, with a home of its own; each block with what it printed. Fails where the page does."""
    blocks = blocks_of(page.read_text())
    env = {name: value for name, value in os.environ.items() if name not in ("SEED", "WAVES", "PRESET", "HBM_RUNS")}
    scripts = str(Path(sys.executable).parent)
    env |= {"HOME": str(home), "MAKEFLAGS": "", "PYTHON": sys.executable, "PATH": f"{scripts}:{env['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script_of(blocks)], cwd=folder, env=env, capture_output=True, text=True, timeout=1500
    )
    printed = outputs_of(done.stdout)
    last = printed[-1] if printed else ""
    assert done.returncode == 0, f"block {len(printed)} of {page.name}: {last[-2000:]}\n{done.stderr[-2000:]}"
    assert len(printed) == len(blocks) + 1
    for block, text in zip(blocks, printed, strict=False):
        assert block.prints in text
        assert text.strip() or not re.search(r"^(hbm|make) ", block.text, re.MULTILINE), f"silent: {block.text}"
    return list(zip(blocks, printed, strict=False))
