"""The replay of a failed simulation with waves around its failure (docs/debugging.md).

`replay(folder)` repeats the simulation of a run folder from what `sim.run` left there, the failed test alone, in the
folder `replay/` below it; the waves begin some CK before the failure and end soon after it was found. They come to
stand beside the failure, with set-ups for two viewers that point at the failing CK and show the commands that the exact
model expected beside the real ones. The verdict of the run stays what it was. A replay that does not fail in the same
way is told: the run cannot be reproduced.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from hbm_model.command_line import typed
from hbm_model.errors import InputError
from hbm_model.run_folder import read_object

from hbm_tb import failure, sim
from hbm_tb.failure import Failure, read_failure

BEFORE_CK: Final = 2000
AFTER_CK: Final = 200
MOST: Final = 3  # replays of a list, unless somebody wants more
LIMIT_S: Final = 300.0  # a run that took longer is not replayed by itself
ENVIRONMENT: Final = "HBM_REPLAYS"  # how many failures of a list (or of `make test`) are replayed; 0: none
FILE: Final = "replay.json"
FOLDER: Final = "replay"
WAVES: Final = "waves.fst"
# What a run leaves for others, and a replay must not touch.
_NOT_AGAIN: Final = ("HBM_RUN_RECORD", "HBM_COVERAGE_DIR")

NEEDED: Final = ("build", "module", "filter", "seed", "env", "plusargs", "timeout", "wall_s")  # of sim.AGAIN


@dataclass(frozen=True)
class Replay:
    """What came of a replay."""

    reproduced: bool
    note: str  # one sentence
    waves: str = ""  # file name in the run folder; empty: none
    ck: float | None = None  # where the marker stands
    first_ck: int = 0  # the window
    last_ck: int = 0
    wall_s: float = 0.0
    signature: str = ""  # of the failure that was replayed

    def lines(self, folder: Path) -> list[str]:
        """For a person, with the command that opens the viewer."""
        if not self.waves:
            return [self.note]
        command = opens(folder)
        where = f"CK {self.first_ck:,} to {self.last_ck:,}, marker at {self.ck:g}" if self.ck is not None else ""
        told = [f"waves: {shown(folder / self.waves)} ({where}; {self.wall_s:.1f} s)", f"open: {command}"]
        return told if self.reproduced else [self.note, *told]


def shown(path: Path) -> str:
    """A path as a user would type it here."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def command_of(folder: Path) -> str:
    """The command that replays the run of a folder."""
    return typed(f"hbm replay {shown(folder)}")


def opens(folder: Path) -> str:
    """The command that shows the waves of a folder."""
    return typed(f"hbm waves --run {shown(folder)}")


def marker_of(folder: Path) -> float | None:
    """CK at which the set-ups of a folder point: that of its replay, else of its failure."""
    made, found = read_replay(folder), read_failure(folder)
    return made.ck if made is not None else found.ck if found is not None else None


def why_of(folder: Path, found: Failure) -> str:
    """The command that asks the exact model what waited for what at the failure."""
    place = f" --at {found.ck:g}" if found.ck is not None else ""
    bank = ".".join(str(found.bank[name]) for name in ("sid", "bg", "bank")) if found.bank else ""
    words = f" --pc {found.pc}" if found.pc is not None else ""
    return typed(f"hbm why {shown(folder)}{place}{words}{f' --bank {bank}' if bank else ''}")


def allowed() -> int:
    """How many failures are replayed by themselves."""
    given = os.environ.get(ENVIRONMENT, "")
    return int(given) if given.isdigit() else MOST


def read_replay(folder: Path) -> Replay | None:
    """What an earlier replay of the folder left."""
    try:
        given = json.loads((folder / FILE).read_text())
        return Replay(**{each.name: given[each.name] for each in fields(Replay) if each.name in given})
    except (OSError, ValueError, TypeError):
        return None


def _again(folder: Path) -> dict[str, Any]:
    given = read_object(folder / sim.AGAIN)
    if not given:
        raise InputError(f"{shown(folder)}: holds no {sim.AGAIN}; only runs of a simulation can be replayed")
    if missing := [key for key in NEEDED if key not in given]:
        raise InputError(f"{shown(folder / sim.AGAIN)}: has no {missing[0]}; run it again")
    return given


def _build_of(given: dict[str, Any]) -> sim.Build:
    try:
        about = dict(given["build"])
        build = sim.Build(**{**about, "folder": Path(about["folder"]), "fresh": False})
    except (TypeError, ValueError, KeyError):
        raise InputError(f"{sim.AGAIN}: names no build; run it again") from None
    if not build.sim.exists():
        raise InputError(
            f"{build.folder.name}: the build of this run is gone, the sources have changed since; run it again"
        )
    return build


def _environment(given: dict[str, Any], target: Path) -> dict[str, str]:
    """The settings of the run; where it was told to write into its folder, it writes into that of the replay."""
    env = {key: value for key, value in given["env"].items() if key not in _NOT_AGAIN}
    bench = json.loads(env.get("HBM_BENCH", "{}"))
    job = bench.get("job")
    if isinstance(job, dict):
        for key in ("out", "progress"):
            if job.get(key):
                job[key] = str(target if key == "out" else target / key)
        env["HBM_BENCH"] = json.dumps(bench)
        stimulus = job.get("stimulus")
        if stimulus and not Path(stimulus).exists():
            from hbm_tb.run_job import stimulus_of

            job["stimulus"] = str(stimulus_of(job["options"], target / "stimulus"))
            env["HBM_BENCH"] = json.dumps(bench)
    return env


def window_of(found: Failure, before: int = BEFORE_CK, after: int = AFTER_CK) -> tuple[int, int]:
    """(first, last) CK of the waves. The failure must be seen again within them: checks look once a batch."""
    seen = 2 * (found.seen_cycle or found.cycle or 0)
    places = [ck for ck in (found.ck, found.difference_ck, found.command_ck) if ck is not None]
    first = min(places) if places else seen
    return max(0, int(first) - before), max(int(max([*places, first])) + after, seen + 64)


def _has_time(found: Failure) -> bool:
    """Whether there is a place around which waves can be written."""
    return found.ck is not None or bool(found.seen_cycle)


def replay(folder: Path, *, before: int = BEFORE_CK, after: int = AFTER_CK, timeout: float | None = None) -> Replay:
    """Repeat the failed run of a folder with waves; leaves waves, set-ups and replay.json in it."""
    folder = folder.resolve()
    given = _again(folder)
    found = read_failure(folder)
    if found is None:
        read_object(folder / failure.FILE)  # tells of a file that is damaged
        raise InputError(f"{shown(folder)}: this run did not fail, there is nothing to replay")
    if not _has_time(found):
        return Replay(False, f"no replay: {found.headline} has no place in time")
    build = _build_of(given)
    target = folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    first, last = window_of(found, before, after)
    expected = folder / f"expected_{found.test}.txt"
    plusargs = [*given["plusargs"], *([f"+expected={expected}"] if expected.exists() else [])]
    plusargs += [f"+waves_resets={found.resets}"] if found.resets else []
    started = time.monotonic()
    result = sim.run(
        build,
        given["module"],
        rf"\b{re.escape(found.test)}$" if found.test else given["filter"],
        seed=given["seed"],
        run_dir=target,
        waves=(first, last),
        env=_environment(given, target),
        plusargs=plusargs,
        timeout=timeout or given["timeout"] * 10,
    )
    made = _judge(found, read_failure(target), result, first, last, time.monotonic() - started)
    waves = target / WAVES
    if waves.exists():
        os.replace(waves, folder / WAVES)
        made = _with_setups(folder, made, found)
    (folder / FILE).write_text(json.dumps(asdict(made), indent=1) + "\n")
    shutil.rmtree(target / "stimulus", ignore_errors=True)
    return made


def _judge(found: Failure, again: Failure | None, result: sim.Result, first: int, last: int, wall_s: float) -> Replay:
    same = again is not None and (again.signature, again.ck, again.cycle) == (found.signature, found.ck, found.cycle)
    if same:
        note = "the failure is the same again"
    elif again is not None:
        note = f"NOT REPRODUCIBLE: the replay failed in another way: {again.headline} ({again.signature})"
    else:
        note = f"NOT REPRODUCIBLE: the replay did not fail up to CK {last:,} ({result.status}); see {shown(result.log)}"
    marker = found.ck if found.ck is not None else 2.0 * (found.seen_cycle or 0)
    return Replay(same, note, WAVES, marker, first, last, wall_s, found.signature)


def _with_setups(folder: Path, made: Replay, found: Failure) -> Replay:
    """Set-ups beside the waves; where the window is empty there is nothing to show."""
    from hbm_tb.waves import write_setups

    try:
        write_setups(folder / WAVES, made.ck)
    except InputError as problem:
        return Replay(made.reproduced, f"{made.note}; {problem}", "", made.ck, signature=found.signature)
    return made


def isolate(folder: Path, test: str) -> Path:
    """A folder of its own for one failed test of several that shared a process; what it left is copied there."""
    own = folder / test
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    for path in (folder / sim.AGAIN, *folder.glob(f"*_{test}.*")):
        if path.is_file():
            shutil.copy(path, own)
    with suppress(FileNotFoundError):
        shutil.copy(folder / failure.file_of_test(test), own / failure.FILE)
    return own


# ---------------------------------------------------------------- by itself


def try_replay(folder: Path, limit_s: float = LIMIT_S) -> Replay | None:
    """Replay a run that has just failed; None where it left nothing to replay. Never raises: the verdict stands."""
    try:
        given = _again(folder)
        found = read_failure(folder)
        if found is None:
            return None
        if given["wall_s"] > limit_s:
            return Replay(
                False, f"not replayed by itself, the run took {given['wall_s']:.0f} s; {command_of(folder)} does it"
            )
        return replay(folder, timeout=max(60.0, 5 * given["wall_s"]))
    except (InputError, sim.SimError, OSError, ValueError, KeyError, TypeError) as problem:
        print(f"replay: {type(problem).__name__}: {problem}", file=sys.stderr, flush=True)
        return None


def choose(folders: Sequence[Path], most: int) -> list[Path]:
    """Of the failed runs of a list those that are replayed: the first of each bucket, in the order given. A list gives
    them as its buckets do (job_buckets.in_order), so that the waves are those of the run that stands first there.
    A failure without a place in time takes no place of another.
    """
    first: dict[str, Path] = {}
    for folder in folders:
        found = read_failure(folder)
        if found is not None and _has_time(found) and (folder / sim.AGAIN).exists():
            first.setdefault(found.signature, folder)
    return list(first.values())[:most]


def replay_failures(folders: Sequence[Path], most: int | None = None) -> list[tuple[Path, Replay]]:
    """At the end of a list: replay one failed run of each bucket, at most `most`; those with waves already are not."""
    out = []
    for folder in choose(folders, allowed() if most is None else most):
        found, before = read_failure(folder), read_replay(folder)
        if before is not None and found is not None and before.signature == found.signature:
            out.append((folder, before))
        elif (made := try_replay(folder)) is not None:
            out.append((folder, made))
    return out


def of_folder(folder: Path) -> str:
    """One line on waves for the message of a failure: what is there, or the command that makes them."""
    made = read_replay(folder)
    if made is not None and made.waves:
        return "; ".join(made.lines(folder))
    return f"waves: {command_of(folder)}"
