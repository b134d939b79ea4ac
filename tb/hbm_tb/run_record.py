"""What a run page shows, left by any system test in its run folder: result.json, series.npz and commands.npz.

The simulation writes them when the environment variable RECORD is set (runs of lists, `hbm test`), also when a check
failed: they then hold what came before. Their verdict is `unfinished` until the process that started the simulation
has drawn its own (`finish`): the simulation alone cannot know it. Several tests in one simulation share a folder; the
first that failed stays, else the last.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hbm_model.counters import as_result

if TYPE_CHECKING:
    from hbm_tb.env import HbmEnv

RECORD: Final = "HBM_RUN_RECORD"
RESULT, SERIES, COMMANDS = "result.json", "series.npz", "commands.npz"
UNFINISHED: Final = "unfinished"
# Of result.json: what the commands' times mean for somebody who did not see the settings.
_SETTINGS: Final = ("preset", "seed", "test", "geometry", "map_name", "timing", "policy")

_kept_failure = False  # of this process


def save(env: HbmEnv, failure: BaseException | None, folder: Path | None = None) -> None:
    """Write the record of a test that ended, or was ended by `failure`."""
    global _kept_failure
    from hbm_tb import stats

    if _kept_failure:
        return
    _kept_failure = failure is not None
    home = folder or Path.cwd()
    checks, config = env.checks, env.config
    result: dict[str, Any] = {
        "schema": 1,
        "status": UNFINISHED,
        # Where a check outside the test's own coroutine failed, `failure` only says that the test was cancelled.
        "reason": (checks.board.failure or str(failure) or type(failure).__name__) if failure is not None else "",
        **{name.removesuffix("_name"): getattr(config, name) for name in _SETTINGS},
        **stats.collect(checks.board, config),
        "cycles": env.rings.cycle(),
        "reproduce": config.reproduce,
    }
    if checks.exact is not None:
        result["exact"] = dict(checks.exact.compared)
    if env.counts:
        result["counters"] = as_result(env.counts)
    elif checks.exact is not None:
        # The run ended before it read its own counters: those of the exact model up to there.
        result |= {"counters": as_result(checks.exact.channel.counters()), "counters_of": "exact model"}
    np.savez_compressed(home / SERIES, **stats.series(checks.board))  # type: ignore[arg-type]
    np.savez_compressed(home / COMMANDS, commands=checks.commands)
    (home / RESULT).write_text(json.dumps(result, indent=1) + "\n")


def try_to_save(env: HbmEnv, failure: BaseException | None) -> None:
    """`save`, but a record that cannot be written says so in the log and changes no verdict."""
    try:
        save(env, failure)
    except Exception as problem:
        print(f"run record: not written: {type(problem).__name__}: {problem}", file=sys.stderr, flush=True)


def finish(folder: Path, status: str, reason: str, name: str = "", **more: Any) -> Mapping[str, Any] | None:
    """Put name and verdict into the record of a run; its content, None where the run left none.

    Without a name that of the job of the folder is taken.
    """
    path = folder / RESULT
    if not name:
        try:
            name = str(json.loads((folder / "job.json").read_text())["name"])
        except (OSError, ValueError, KeyError):
            name = folder.name
    try:
        result: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    result |= {"name": name, "status": status, "reason": reason, **more}
    path.write_text(json.dumps(result, indent=1) + "\n")
    return result
