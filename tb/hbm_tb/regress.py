"""`hbm regress`: the random system tests over a matrix of presets and seeds, several simulations side by side."""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hbm_model.errors import InputError

from hbm_tb import sim

FOLDER = sim.ROOT / "build" / "regress"
PRESETS = (
    "hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng", "peers_hbm2", "hbm3_6400_eng", "hbm4_8000_eng",
)  # fmt: skip
SEEDS = 4
TRANSACTIONS = 20_000
TEST = "RandomSoak"
TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Cell:
    """One run of the matrix."""

    preset: str
    seed: int

    @property
    def folder(self) -> Path:
        """Where it runs."""
        return FOLDER / self.preset / f"seed_{self.seed}"


def _run(cell: Cell, build: sim.Build, transactions: int) -> sim.Result:
    from hbm_tb.config import BenchConfig

    config = BenchConfig(preset=cell.preset, seed=cell.seed, batch=1024, keep_commands=False)
    env = config.with_(job={"transactions": transactions}).to_environment()
    env["HBM_REPRODUCE"] = f"hbm regress --preset {cell.preset} --seed {cell.seed} --seeds 1"
    return sim.run(
        build, "random_tests", f"{TEST}$", seed=cell.seed, run_dir=cell.folder, env=env, timeout=TIMEOUT_S
    )  # fmt: skip


def _junit(results: dict[Cell, sim.Result]) -> None:
    failures = sum(not result.passed for result in results.values())
    suite = ET.Element("testsuite", name="hbm regress", tests=str(len(results)), failures=str(failures))
    for cell, result in results.items():
        name = f"{TEST}[{cell.preset}-{cell.seed}]"
        case = ET.SubElement(suite, "testcase", name=name, classname="regress", time=f"{result.wall_s:.1f}")
        if not result.passed:
            ET.SubElement(case, "failure", message=result.reason)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.ElementTree(root).write(FOLDER / "results.xml", encoding="utf-8", xml_declaration=True)


def regress_command(
    seed: int = 1,
    seeds: int = SEEDS,
    jobs: int = 0,
    presets: tuple[str, ...] = PRESETS,
    transactions: int = TRANSACTIONS,
) -> int:
    """Run the matrix; 0 when all passed."""
    from hbm_model.presets import preset
    from rich.console import Console
    from rich.table import Table

    if seeds < 1 or transactions < 1:
        raise InputError("--seeds and --transactions are at least 1")
    geometries = {name: preset(name).geometry.name for name in presets}
    try:
        builds = {geometry: sim.build(geometry) for geometry in sorted(set(geometries.values()))}
    except sim.SimError as error:
        print(f"hbm: {error}", file=sys.stderr)
        return 1
    cells = [Cell(name, number) for number in range(seed, seed + seeds) for name in presets]
    results: dict[Cell, sim.Result] = {}
    pool = ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0)))
    try:
        running = {cell: pool.submit(_run, cell, builds[geometries[cell.preset]], transactions) for cell in cells}
        for cell, future in running.items():
            results[cell] = future.result()
            found = results[cell]
            print(f"{cell.preset} seed {cell.seed}: {found.status} ({found.wall_s:.0f} s) {found.reason}", flush=True)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        print("\nhbm: interrupted", file=sys.stderr)
        return 130
    pool.shutdown()
    table = Table(title=f"{TEST}, {transactions:,} transactions", title_justify="left")
    table.add_column("preset")
    for number in range(seed, seed + seeds):
        table.add_column(f"seed {number}", justify="center")
    for name in presets:
        row = [results[Cell(name, number)] for number in range(seed, seed + seeds)]
        table.add_row(name, *("[green]pass[/]" if r.passed else f"[red]{r.status}[/]" for r in row))
    console = Console()
    console.print(table)
    failed = [(cell, result) for cell, result in results.items() if not result.passed]
    for cell, result in failed:
        console.print(f"{cell.preset} seed {cell.seed}: {result.reason}", markup=False)
        console.print(f"  log: {result.log.relative_to(sim.ROOT)}", markup=False)
        console.print(f"  again: hbm regress --preset {cell.preset} --seed {cell.seed} --seeds 1", markup=False)
    _junit(results)
    written = (FOLDER / "results.xml").relative_to(sim.ROOT)
    console.print(f"{len(results) - len(failed)} of {len(results)} passed; {written}")
    return 1 if failed else 0
