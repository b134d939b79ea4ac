"""From a planted defect to the waves that show it: ten defects in ten modules, with one command each.

A defect is run by itself, as any failing test; the command that its failure prints is then carried out as printed, in a
shell, and what it leaves is examined: the window of the waves holds the failing CK, both set-ups point at it, and the
commands that the exact model expected stand beside the real ones.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hbm_tb import faults, faults_job, replay
from hbm_tb.failure import Failure, read_failure
from hbm_tb.faults_cmd import FOLDER, QUICK_BUILD, defect_items
from hbm_tb.job_view import print_line
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
    command: str
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
    signals = {var.full_name: list(var.tv) for var in open_file(file).all_vars() if var.full_name in _EXAMINED}
    cycles = signals[f"{TOP}cycle_q"]
    first, last = (2 * int(cycles[at][1]) for at in (0, -1))
    if not first <= found.ck <= last:
        return f"the waves hold CK {first} to {last}, the failure is at CK {found.ck:g}"
    marker = origin + round(found.ck * PS_PER_CK)
    for name, text in (("waves.gtkw", f"*-15.000000 {marker} "), ("waves.surfer.sucl", f"cursor_set {marker}")):
        if text not in (folder / name).read_text():
            return f"{name} has no marker at CK {found.ck:g}"
    place = found.ck if found.kind == "difference" and "command" in found.where else None
    if found.difference.startswith("PC"):  # of commands, not of a port
        place = found.difference_ck
    if on_pins and place is not None and not _differs(signals[f"{TOP}u_model.differs"], origin, place):
        return f"expected and real commands are shown as equal at CK {place:g}"
    return ""


_EXAMINED = (f"{TOP}cycle_q", f"{TOP}u_model.differs")


def _differs(changes: Sequence[tuple[int, int]], origin: int, ck: float) -> bool:
    """The wave says that the commands of this CK differ; they are shown a cycle later."""
    begin = origin + (int(ck) // 2 + 1) * 2 * PS_PER_CK
    value = 0
    for when, now in changes:
        if int(when) > begin + PS_PER_CK:
            break
        value = int(now)
    return value == 1


def show(defect: faults.Defect, folder: Path, seed: int = 1) -> Found:
    """Run a defect, then the command that its failure prints."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    failed: Failure | None = None
    for item in defect_items(defect):  # later workloads stand in for earlier ones that did not show it
        caught, _ = faults_job.simulate(QUICK_BUILD, [item], folder, seed=seed)
        failed = read_failure(folder)
        if failed is not None or caught[0].check != faults_job.MISSED:
            break
    run_s = time.monotonic() - began
    command = replay.command_of(folder)
    if failed is None:
        return Found(defect.id, defect.file, "", "", command, run_s, 0.0, "the defect was not caught")
    began = time.monotonic()
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    replay_s = time.monotonic() - began
    problem = examine(folder, failed) if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]
    return Found(defect.id, defect.file, failed.signature, failed.headline, command, run_s, replay_s, problem)


def show_all(names: Sequence[str] = TEN, seed: int = 1) -> list[Found]:
    """All of them, one after the other."""
    by_id = {defect.id: defect for defect in faults.of_build(QUICK_BUILD)}
    faults.build(QUICK_BUILD)
    return [show(by_id[name], HOME / name, seed) for name in names]


def replay_command(names: Sequence[str], seed: int) -> int:
    """`hbm faults --replay`: the table; 0 when every window shows its defect in time."""
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
        good = "yes" if not row.problem else f"[red]{row.problem}[/]"
        table.add_row(row.id, row.module, Text(row.signature), f"{row.run_s:.1f}", f"{row.replay_s:.1f}", good)
    console.print(table)
    late = [row for row in rows if row.replay_s > LIMIT_S]
    for row in rows:
        print_line(console, f"{row.id}: {row.headline}\n  {row.command}")
    for row in late:
        console.print(f"{row.id}: {row.replay_s:.0f} s, more than {LIMIT_S:.0f}", highlight=False)
    return int(any(row.problem for row in rows) or bool(late))
