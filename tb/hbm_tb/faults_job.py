"""Runs of planted defects: several in one simulator process, each as a test of its own, and what told first.

Kind of job (hbm_tb.jobs). Arguments: geometry, planted (the build with all defects or the plain one), items (see
`Item`), seed, timeout_s, waves, reproduce. A run passes when every defect among its items was caught by one of the
checks that its entry names, and every item without a defect passed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hbm_tb import faults, sim, sources
from hbm_tb.jobs import DIED, FAIL, PASS, STOPPED, TIMEOUT, Outcome
from hbm_tb.sim_job import log_of, reproduce_environment, set_up_waves, window_of

KIND = "hbm_tb.faults_job"
CONTENT = ("geometry", "planted")
MODULE = "planted_tests"
CAUGHT = "caught.json"
PRESETS = {"hbm2_s1": "hbm2_2000_eng", "hbm3_s2": "hbm3_6400_eng", "hbm4_s2": "hbm4_8000_eng"}

MISSED = "missed"
WATCHDOG = "watchdog"  # a time-out: catches nothing by itself
CRASH = "crash"  # the bench broke: no verdict on the defect

# Beginning of a message, or a part of it -> what told. The order decides.
_SIGNS: tuple[tuple[str, str], ...] = (
    (r"no progress for \d+ cycles", WATCHDOG),
    (r"^the timed side reports(.|\n)*?: (R beat|B without|RLAST|valid fell|APB access)", "protocol"),
    (r"^the timed side reports(.|\n)*?: (write data is due|data lanes driven|two bursts meet)", "data"),
    (r"^the timed side reports", "device"),
    (r"^DRAM command rules violated|^not a command trace", "legality"),
    (r"^channel and exact model differ|^counters, snapshot of cycle", "exactness"),
    (r"^wrong read data|^beats of one 32-byte|^device memory differs", "data"),
    (r"answers to no (read|write) request|^surplus|^RLAST is|^RRESP is|^B has id|^BRESP is|^B before", "protocol"),
    (r"^[AW][RW]? handshake|names bank|^handshake with id", "protocol"),
    (r"^the test ended with open work|counted \d+ errors", "end of test"),
)


@dataclass(frozen=True)
class Item:
    """One test of a process: a defect (or none) under a workload. The traffic depends on workload and seed only."""

    name: str  # of the test class
    defect: str  # id; empty: none
    number: int  # of the defect, 0: none
    expect: tuple[str, ...]  # checks that may tell first; empty: it must pass
    workload: str
    how: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)  # BenchConfig fields
    instead: str = ""  # the item that is judged when this one passed: a larger step (nothing moved), another workload
    title: str = ""  # for reports


@dataclass(frozen=True)
class Caught:
    """What became of an item."""

    item: str
    check: str  # of faults.CHECKS, or what else ended the test; MISSED: it passed
    detail: str  # rule or first words of the message
    cycles: int  # controller cycles from the start of the traffic to the end of the batch in which it was told
    transactions: int  # AXI transactions accepted until then
    message: str

    def good(self, item: Item) -> bool:
        """As the item expects."""
        return self.check in item.expect if item.expect else self.check == MISSED


def what_told(message: str) -> tuple[str, str]:
    """(check, detail) of the message with which a test ended."""
    if not message:
        return MISSED, ""
    for sign, check in _SIGNS:
        if re.search(sign, message, flags=re.MULTILINE if not sign.startswith("^") else 0):
            return check, _detail(check, message)
    return CRASH, message.splitlines()[0][:100]


def _detail(check: str, message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if check == "legality" and len(lines) > 1:
        return lines[1].split(":")[0]
    decided = re.search(r"^\s*decided by (.*?)(?: \(docs/.*)?$", message, re.MULTILINE)
    if check == "exactness" and decided:
        return decided[1][:100]
    if lines[0].startswith("counters, snapshot") and len(lines) > 1:
        return f"M9, {lines[1].split(':')[0]}"
    if lines[0].startswith("the timed side") and len(lines) > 1:
        return re.sub(r"^CK [\d.]+: ", "", lines[1])[:80]
    return lines[0][:80]


def simulate(
    geometry: str,
    items: Sequence[Item],
    folder: Path,
    *,
    planted: bool = True,
    seed: int = 1,
    timeout: float = 600.0,
    waves: bool | tuple[int | None, int | None] = False,
    reproduce: str = "",
) -> tuple[list[Caught], sim.Result]:
    """Run the items one after the other in one process; what became of each, in order."""
    built = faults.build(geometry) if planted else sim.build(geometry)
    record = folder / "planted.jsonl"
    record.unlink(missing_ok=True)
    given = []
    for item in items:
        config = {"preset": PRESETS[geometry], "seed": seed, **item.config}
        given.append({**asdict(item), "config": config})
    env = {"HBM_PLANTED": json.dumps(given)}
    if reproduce:
        env |= reproduce_environment(reproduce)
    # Assertions of the RTL would end the process before the bench has seen a thing: it must see by itself.
    result = sim.run(
        built, MODULE, None, seed=seed, run_dir=folder, env=env, timeout=timeout, waves=waves,
        plusargs=["+verilator+noassert"],
    )  # fmt: skip
    return read_record(items, record, result), result


def read_record(items: Sequence[Item], record: Path, result: sim.Result) -> list[Caught]:
    """What the tests wrote down, completed by their verdicts: a test without a line did not end as it should."""
    lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    by_name = {line["name"]: line for line in lines}
    log = result.log.read_text(errors="replace") if result.log.exists() else ""
    out = []
    for item in items:
        line = by_name.get(item.name)
        verdict = result.tests.get(item.name, "")
        if line is None:
            out.append(Caught(item.name, CRASH, result.reason[:200] or "the test wrote no record", 0, 0, result.reason))
            continue
        check, detail = what_told(line["message"])
        if check == MISSED and verdict != "pass":
            check, detail = CRASH, f"the test says {verdict or 'nothing'}: {result.reason}"[:200]
        if item.number and f"{faults.CHOSEN} {item.number}\n" not in log:
            check, detail = CRASH, "the simulator never chose the defect"
        cycles = max(0, line["cycle"] - line["begun"])
        out.append(Caught(item.name, check, detail, cycles, line["transactions"], line["message"]))
    return out


def judge(items: Sequence[Item], found: Sequence[Caught]) -> list[tuple[Item, Caught]]:
    """The items that count, with what became of them: the smallest step that moved something."""
    by_name = {item.name: (item, caught) for item, caught in zip(items, found, strict=True)}
    later = {item.instead for item in items}
    out = []
    for item in items:
        if item.name in later:
            continue
        pair = by_name[item.name]
        while pair[0].instead and pair[1].check == MISSED:
            pair = by_name[pair[0].instead]
        out.append(pair)
    return out


def read_caught(folder: Path) -> list[Caught]:
    """What a run left in its folder; nothing where it did not get so far."""
    file = folder / CAUGHT
    return [Caught(**entry) for entry in json.loads(file.read_text())] if file.exists() else []


# ---------------------------------------------------------------- kind of job


def content(arguments: dict[str, Any]) -> str:
    """Build and Python sources."""
    geometry = arguments["geometry"]
    built = faults.build(geometry) if arguments["planted"] else sim.build(geometry)
    return f"{built.folder.name} {sources.digest(MODULE)}"


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """Run the items and judge them."""
    items = [Item(**{**item, "expect": tuple(item["expect"])}) for item in arguments["items"]]
    found, result = simulate(
        arguments["geometry"], items, folder,
        planted=arguments["planted"], seed=arguments["seed"], timeout=arguments["timeout_s"],
        waves=window_of(arguments), reproduce=arguments["reproduce"],
    )  # fmt: skip
    (folder / CAUGHT).write_text(json.dumps([asdict(caught) for caught in found], indent=1) + "\n")
    set_up_waves(folder)
    judged = judge(items, found)
    bad = [(item, caught) for item, caught in judged if not caught.good(item)]
    status, reason = PASS, ""
    if result.status == "stopped":
        status, reason = STOPPED, result.reason
    elif result.status == DIED:
        status, reason = DIED, result.reason
    elif result.status == "timeout" and len([c for c in found if c.check == CRASH]):
        status, reason = TIMEOUT, result.reason
    elif bad:
        item, caught = bad[0]
        want = " or ".join(item.expect) or "a pass"
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        status, reason = FAIL, f"{item.name}: {caught.check}, expected {want}: {caught.detail}{more}"
    counts = {"runs": len(items), "caught": sum(caught.good(item) for item, caught in judged if item.expect)}
    return Outcome(status, reason, counts, result.wall_s, result.cpu_s, log_of(result))
