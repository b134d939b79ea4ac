"""From a planted defect to the waves that show it: ten defects in ten modules, with one command each.

A defect is run by itself and told as `hbm run` tells a failure; the command for waves is taken from what was printed
and carried out in a shell, and what it leaves is examined: the window of the waves holds the failure and the first
difference, both set-ups point at it, and the waves show that difference: a command beside the other one that the exact
model expected, or the handshake or response at the port.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hbm_tb import faults, faults_job, replay, run_job
from hbm_tb.failure import Failure, read_failure
from hbm_tb.faults_cmd import FOLDER, QUICK_BUILD, defect_items
from hbm_tb.job_view import print_line
from hbm_tb.lockstep import RESPONSES
from hbm_tb.replay import WAVES
from hbm_tb.waves import PS_PER_CK, TOP, open_file, origin_of

HOME = FOLDER / "replay"
LIMIT_S = 60.0  # of the command, the build being there
# One defect of each module; the checks that tell of them are all kinds.
TEN = (
    "rtp-absent", "ccdl-last-command-only", "faw-twice-too-long", "both-in-slot-a", "refresh-lost-under-load",
    "read-tag-of-next", "row-bit", "order-within-id", "strobes-of-earlier-beats-lost", "exclusive-not-disarmed",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What became of one defect."""

    id: str
    module: str
    signature: str
    headline: str
    command: str  # as printed
    run_s: float  # the failing run
    replay_s: float  # the command
    problem: str  # empty: all is as it should be


def examine(folder: Path, found: Failure, on_pins: bool = True) -> str:
    """What is wrong with the waves of a replay; empty: nothing. `on_pins`: what failed was really on the pins, and no
    fault of the bench behind them.
    """
    made = replay.read_replay(folder)
    if made is None or not made.reproduced:
        return made.note if made is not None else "no replay was made"
    if made.ck is None or found.ck is None:
        return "the failure has no place in time"
    file = folder / WAVES
    origin = origin_of(file)
    signals = {var.full_name: list(var.tv) for var in open_file(file).all_vars() if _EXAMINED.fullmatch(var.full_name)}
    cycles = signals[f"{TOP}cycle_q"]
    first, last = (2 * int(cycles[at][1]) for at in (0, -1))
    for name, ck in (("failure", found.ck), ("first difference", found.difference_ck), ("command", found.command_ck)):
        if ck is not None and not first <= ck <= last:
            return f"the waves hold CK {first} to {last}, the {name} is at CK {ck:g}"
    marker = origin + round(found.ck * PS_PER_CK)
    for name, text in (("waves.gtkw", f"*-15.000000 {marker} "), ("waves.surfer.sucl", f"cursor_set {marker}")):
        if text not in (folder / name).read_text():
            return f"{name} has no marker at CK {found.ck:g}"
    if not on_pins:
        return ""
    if found.command_ck is not None:
        if not _differs(signals[f"{TOP}u_model.differs"], origin, found.command_ck):
            return f"expected and real commands are shown as equal at CK {found.command_ck:g}"
        return ""
    return _port_problem(signals, origin, found.difference or found.headline)


_EXAMINED = re.compile(rf"{re.escape(TOP)}(cycle_q|u_model\.differs|g_port\[\d\]\.u_master\.\w+_[io](\.(id|resp))?)")
_PORT = re.compile(r"(AR|AW|W|R|B) of port (\d): expected (.*), got (.*)")


def _at(changes: Sequence[tuple[int, int]], when: int) -> int:
    """Value of a signal at a time."""
    value = 0
    for since, now in changes:
        if int(since) > when:
            break
        value = int(now)
    return value


def _port_problem(signals: Mapping[str, Sequence[tuple[int, int]]], origin: int, told: str) -> str:
    """What the waves show otherwise than a difference at a port says; empty: nothing."""
    if (match := _PORT.search(told)) is None:
        return f"no difference that waves can show: {told}"
    channel, port, expected, got = match.groups()
    place = re.search(r"in cycle (\d+)", got) or re.search(r"in cycle (\d+)", expected)
    if place is None:
        return f"no cycle: {told}"
    when = origin + int(place[1]) * 2 * PS_PER_CK + 1  # the cycle has begun
    master, name = f"{TOP}g_port[{port}].u_master.", channel.lower()
    ours, theirs = ("i", "o") if channel in "RB" else ("o", "i")  # VALID and what comes with it, READY
    shown = all(_at(signals[f"{master}{name}_{each}"], when) for each in (f"valid_{ours}", f"ready_{theirs}"))
    if shown != ("in cycle" in got):
        return f"the waves {'show a' if shown else 'show no'} handshake in cycle {place[1]}: {told}"
    if shown and (given := re.match(r"id (\d+) (\w+)", got)) is not None:
        real = tuple(_at(signals[f"{master}{name}_i.{each}"], when) for each in ("id", "resp"))
        if real != (int(given[1]), RESPONSES.index(given[2])):
            return f"the waves show id {real[0]} {RESPONSES[real[1] & 3]} in cycle {place[1]}: {told}"
    return ""


def _differs(changes: Sequence[tuple[int, int]], origin: int, ck: float) -> bool:
    """The wave says that the commands of this CK differ; they are shown a cycle later."""
    begin = origin + (int(ck) // 2 + 1) * 2 * PS_PER_CK
    return _at(changes, begin + PS_PER_CK) == 1


def fail(defect: faults.Defect, folder: Path, seed: int) -> tuple[Failure | None, str]:
    """Run a defect: its failure, and what is printed of it."""
    failed: Failure | None = None
    for item in defect_items(defect):  # later workloads stand in for earlier ones that did not show it
        caught, _ = faults_job.simulate(QUICK_BUILD, [item], folder, seed=seed)
        failed = read_failure(folder)
        if failed is not None or caught[0].check != faults_job.MISSED:
            break
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run_job.tell_failure(folder, again=False)
    return failed, printed.getvalue()


def show(defect: faults.Defect, folder: Path, seed: int = 1, limit_s: float = LIMIT_S) -> Found:
    """Run a defect, then the command that its failure prints."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    failed, printed = fail(defect, folder, seed)
    run_s = time.monotonic() - began
    told = re.search(r"^waves: (.*\breplay .*)$", printed, re.MULTILINE)
    command = told[1] if told is not None else ""
    if failed is None or not command:
        problem = "the defect was not caught" if failed is None else "the failure prints no command for its waves"
        known = (failed.signature, failed.headline) if failed is not None else ("", "")
        return Found(defect.id, defect.file, *known, command, run_s, 0.0, problem)
    began = time.monotonic()
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    replay_s = time.monotonic() - began
    problem = examine(folder, failed) if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]
    if not problem and replay_s >= limit_s:
        problem = f"{replay_s:.0f} s, expected less than {limit_s:.0f}"
    return Found(defect.id, defect.file, failed.signature, failed.headline, command, run_s, replay_s, problem)


def show_all(names: Sequence[str] = TEN, seed: int = 1) -> list[Found]:
    """All of them, one after the other."""
    by_id = {defect.id: defect for defect in faults.of_build(QUICK_BUILD)}
    faults.build(QUICK_BUILD)
    return [show(by_id[name], HOME / name, seed) for name in names]


def replay_command(names: Sequence[str], seed: int) -> int:
    """`hbm faults --replay`: the table; 0 when every window shows its defect in less than LIMIT_S."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=max(140, Console().width))
    table = Table(title="from a planted defect to its waves", title_justify="left")
    for name in ("defect", "module", "bucket"):
        table.add_column(name, overflow="fold")
    for name in ("run s", "waves s"):
        table.add_column(name, justify="right")
    table.add_column("shown")
    rows = show_all(names or TEN, seed)
    for row in rows:
        good = Text(row.problem, style="red") if row.problem else Text("yes")
        table.add_row(row.id, row.module, Text(row.signature), f"{row.run_s:.1f}", f"{row.replay_s:.1f}", good)
    console.print(table)
    for row in rows:
        print_line(console, f"{row.id}: {row.headline}\n  {row.command}")
    shown = sum(not row.problem for row in rows)
    console.print(f"{shown} of {len(rows)} shown in less than {LIMIT_S:.0f} s", highlight=False)
    return int(shown < len(rows) or not rows)
