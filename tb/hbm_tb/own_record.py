"""The run folder of a test around a controller that is not ours, in the form of docs/run-folder.md."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from hbm_model.commands import CmdArray
from hbm_model.controller import Prediction
from hbm_model.requests import RequestTrace
from hbm_model.sim_summary import Outcome, numbers_of, series_of_outcome
from hbm_model.trace import write_commands

from hbm_tb.own_board import AccessBoard
from hbm_tb.own_config import OwnConfig
from hbm_tb.run_record import COMMANDS, RESULT, SERIES, UNFINISHED


def outcome_of(config: OwnConfig, board: AccessBoard, commands: CmdArray, cycles: int) -> Outcome:
    """What was carried out, in the words that the summary of a run is made from; reads without data are left out."""
    done = [entry for entry in board.log if entry.request.write or entry.answered_ck is not None]
    write = np.array([entry.request.write for entry in done], np.bool_)
    taken = np.array([int(entry.request.ck) // 2 for entry in done], np.int64)
    end = np.array(
        [int(entry.request.ck if entry.answered_ck is None else entry.answered_ck) // 2 for entry in done], np.int64
    )
    pc = np.array([entry.request.place.pc for entry in done], np.int64)
    zeros = np.zeros(len(done), np.int64)
    trace = RequestTrace(write, zeros.astype(np.uint64), zeros, config.test)
    return Outcome(config.params, trace, Prediction(commands, taken, taken, end, pc, cycles))


def save(
    folder: Path, config: OwnConfig, board: AccessBoard, commands: CmdArray, failure: str, violations: int, cycles: int
) -> None:
    """Write result.json, commands.csv, commands.npz and series.npz; the verdict is the starter's (run_record.finish).

    failure: the first sentence, or empty; violations: of rules, as many as were found.
    """
    outcome = outcome_of(config, board, commands, cycles)
    result: dict[str, Any] = {
        "schema": 1,
        "status": UNFINISHED,
        "reason": failure,
        "test": config.test,
        "preset": config.preset,
        "geometry": config.geometry,
        "timing": config.timing,
        "seed": config.seed,
        **numbers_of(outcome),
        "checked": {"read_beats": board.checked, "write_responses": board.writes, "commands": len(commands)},
        "violations": violations,
        "reproduce": config.reproduce,
    }
    series: dict[str, Any] = dict(series_of_outcome(outcome))
    np.savez_compressed(folder / SERIES, **series)
    np.savez_compressed(folder / COMMANDS, commands=commands)
    write_commands(folder / "commands.csv", commands)
    (folder / RESULT).write_text(json.dumps(result, indent=1) + "\n")


def versions_line() -> str:
    """Versions of what the test runs on."""
    import cocotb

    names = ", ".join(f"{name} {metadata.version(name)}" for name in ("cocotb", "pyuvm", "numpy"))
    return f"{cocotb.SIM_NAME} {cocotb.SIM_VERSION}, {names}, python {sys.version.split()[0]}"
