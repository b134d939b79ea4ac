"""What a cluster has to be told, from a YAML or TOML file; what the file leaves out comes from Dask's own
configuration (`~/.config/dask/jobqueue.yaml`), what that leaves out from here."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from hbm_model.errors import InputError


@dataclass(frozen=True)
class Settings:
    """Settings of a cluster; the names are those of the file. None: as Dask's configuration says."""

    workers: int = 4  # jobs of the batch system at most, when --jobs does not say
    cores: int | None = None  # of a job of the batch system = runs side by side in it
    memory: str | None = None  # of a job of the batch system: 4GB
    walltime: str | None = None  # of a job of the batch system: 04:00:00 (LSF: 04:00)
    queue: str | None = None  # partition or queue
    account: str | None = None  # who pays; LSF: the project
    interface: str | None = None  # network that runner and workers share: eth0, ib0, lo
    python: str | None = None  # the interpreter as a node sees it
    local_directory: str | None = None  # scratch of a worker on its node
    prologue: tuple[str, ...] = ()  # lines of shell before the worker: module load gcc
    directives: tuple[str, ...] = ()  # more lines for the batch system: --exclusive
    skip_directives: tuple[str, ...] = ()  # generated lines to leave out: --mem
    pass_environment: tuple[str, ...] = ()  # variables that runs get from here, beside HBM_* and those of the tools
    wait_s: float = 3600.0  # without any worker up for so long, the list ends with an error
    retries: int = 2  # how often a lost run is repeated
    source: str = field(default="", metadata={"key": False})  # the file, for messages


# Used where neither file nor Dask's configuration say anything.
CORES, MEMORY = 1, "2GB"
WALLTIME = {"slurm": "04:00:00", "lsf": "04:00"}

_TIME = {
    "slurm": (re.compile(r"(\d+-)?\d+(:\d\d?){0,2}"), "minutes, hours:minutes:seconds or days-hours"),
    "lsf": (re.compile(r"\d+(:\d\d)?"), "minutes or hours:minutes"),
}
_MEMORY = re.compile(r"\d+(\.\d+)? ?([kMGT]i?B|B)", re.IGNORECASE)
_LEAST = {"workers": 1, "cores": 1, "wait_s": 1, "retries": 0}


def read_settings(system: str, path: Path | None) -> Settings:
    """The settings of a file, checked; without one the defaults. InputError names file, key and what is expected."""
    if path is None:
        return Settings()
    given = _load(path)
    known = {each.name: each for each in fields(Settings) if each.metadata.get("key", True)}
    for key in given:
        if key not in known:
            raise InputError(f"{path}: {key} is no setting of a cluster; there are {', '.join(known)}")
    values = {key: _typed(path, key, str(known[key].type), value) for key, value in given.items()}
    settings = Settings(**values, source=str(path))
    if settings.walltime is not None and not _TIME[system][0].fullmatch(settings.walltime):
        raise InputError(f"{path}: walltime {settings.walltime} is not understood by {system}: {_TIME[system][1]}")
    if settings.memory is not None and not _MEMORY.fullmatch(settings.memory):
        raise InputError(f"{path}: memory {settings.memory}: a number with its unit is needed, as in 4GB")
    return settings


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        given = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InputError(f"{path}: lines of `key: value` are needed")
    return {str(key): value for key, value in given.items()}


def _typed(path: Path, key: str, kind: str, value: object) -> Any:
    """`value` as the field of that type holds it."""
    if kind.startswith("tuple"):
        lines = [value] if isinstance(value, str) else value
        if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
            return tuple(lines)
        raise InputError(f"{path}: {key} is a list of lines of text")
    if kind.startswith("str"):
        if key == "walltime" and isinstance(value, int) and not isinstance(value, bool):
            # YAML reads 10:00:00 without quotes as a number to the base of 60.
            raise InputError(f'{path}: put the walltime into quotes: "04:00:00"')
        if isinstance(value, str) and value and "\n" not in value:
            return value
        raise InputError(f"{path}: {key} is a line of text")
    whole = kind.startswith("int")
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value < _LEAST[key]:
        raise InputError(f"{path}: {key} is a {'whole ' if whole else ''}number, at least {_LEAST[key]}")
    return value


def described() -> list[tuple[str, str]]:
    """Every setting and its default, as the page on scale-out lists them (a test compares)."""
    out = []
    for each in fields(Settings):
        if each.metadata.get("key", True):
            out.append((each.name, "" if each.default in (None, ()) else str(each.default)))
    return out
