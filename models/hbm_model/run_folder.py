"""Run folders (docs/run-folder.md): made in a staging folder and put in place with one rename, so that a run that was
interrupted leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.home import BUILD, SOURCES

ROOT: Final = SOURCES
RUNS = Path(os.environ.get("HBM_RUNS") or BUILD / "runs").resolve()  # HBM_RUNS: another folder of run folders
STAGING: Final = ".staging-"
TESTS_NAME: Final = "test"
CSV_LIMIT: Final = 1_000_000  # commands; longer runs keep commands.npz
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_ENDINGS: Final = re.compile(r"(\.(trace|txt|csv|stl|rstl|gz|zst))+$")


def check_name(name: str) -> str:
    """Return a name that a user gave to a run, or say why it cannot be one."""
    if not _NAME.fullmatch(name):
        raise InputError(f"--name {name}: use letters, digits and . _ + - only")
    if name == TESTS_NAME:
        raise InputError(f"--name {name}: the system tests keep their runs there")
    return name


def name_part(text: str) -> str:
    """A text as part of a name: without the endings of trace files, strange characters replaced."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", _ENDINGS.sub("", text))


def shown_path(path: Path) -> str:
    """A path as a user would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def failure_ck(folder: Path) -> float | None:
    """CK of the failure of a run; of the batch that told of it where the failure has no place; None without one.

    Raises InputError for a failure.json that cannot be read.
    """
    found = read_object(folder / "failure.json")
    ck, seen = found.get("ck"), found.get("seen_cycle")
    if isinstance(ck, int | float):
        return float(ck)
    return 2.0 * seen if isinstance(seen, int | float) and seen > 0 else None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file of a run folder; empty where there is none."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{shown_path(path)}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{shown_path(path)}: expected a JSON object")
    return found


@contextmanager
def staging_folder(runs: Path) -> Iterator[Path]:
    """A folder for a run in the making; gone when the run fails or is interrupted, like those of killed runs."""
    runs.mkdir(parents=True, exist_ok=True)
    for left in runs.glob(f"{STAGING}*"):
        pid = left.name.removeprefix(STAGING)
        if not pid.isdigit() or not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)
    staging = runs / f"{STAGING}{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def put_in_place(staging: Path, final: Path) -> None:
    """Give a finished folder its name; an earlier run of that name goes away."""
    old = staging.with_name(f"{staging.name}-old")
    if final.exists():
        final.rename(old)
    staging.rename(final)
    shutil.rmtree(old, ignore_errors=True)
