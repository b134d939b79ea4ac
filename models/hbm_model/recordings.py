"""The committed recordings in `traces/`: what each holds, and how to make it again.

`traces/manifest.json` is the record: program, arguments, recorder options and the expected counts of each trace.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbm_model.errors import InputError
from hbm_model.home import SOURCES
from hbm_model.record import CacheConfig, Progress, RecordOptions, record
from hbm_model.requests import RequestTrace, read_bytes, write_requests

TRACES = SOURCES / "traces"
MANIFEST = TRACES / "manifest.json"
COMPILE = ("gcc", "-O2", "-o")


@dataclass(frozen=True)
class Recording:
    """One committed trace."""

    name: str
    about: str
    arguments: tuple[str, ...]
    options: RecordOptions
    reads: int
    writes: int
    footprint: int  # bytes
    sha256: str  # of the uncompressed text

    @property
    def path(self) -> Path:
        return TRACES / f"{self.name}.trace.zst"

    @property
    def source(self) -> Path:
        return TRACES / "programs" / f"{self.name}.c"


def _options(entry: dict[str, Any]) -> RecordOptions:
    settings = dict(entry)
    caches = CacheConfig(**settings.pop("caches", {}))
    return RecordOptions(caches=caches, **settings)


def recordings() -> list[Recording]:
    """All entries of the manifest."""
    entries = json.loads(MANIFEST.read_text())
    return [
        Recording(
            entry["name"],
            entry["about"],
            tuple(entry["arguments"]),
            _options(entry["record"]),
            entry["reads"],
            entry["writes"],
            entry["footprint"],
            entry["sha256"],
        )
        for entry in entries
    ]


def text_digest(path: Path) -> str:
    """SHA-256 of the uncompressed content of a trace."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def rebuild(recording: Recording, folder: Path, progress: Progress | None = None) -> tuple[Path, RequestTrace]:
    """Compile the program of a recording, record it again and write the trace into `folder`."""
    if shutil.which(COMPILE[0]) is None:
        raise InputError(f"`{COMPILE[0]}` is needed to build {recording.source.name}")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / recording.name
    done = subprocess.run([*COMPILE, str(program), str(recording.source), "-lm"], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{recording.source.name} does not compile: {done.stderr.strip().splitlines()[0]}")
    trace, _ = record([str(program), *recording.arguments], recording.options, progress)
    header = (recording.about, f"program: traces/programs/{recording.name}.c, gcc -O2", *trace.header)
    path = folder / recording.path.name
    write_requests(path, trace, header, level=19)
    return path, trace


def update_manifest(name: str, trace: RequestTrace, digest: str) -> None:
    """Write the counts of a new recording into the manifest."""
    entries = json.loads(MANIFEST.read_text())
    for entry in entries:
        if entry["name"] == name:
            entry.update(reads=trace.reads, writes=trace.writes, footprint=trace.footprint, sha256=digest)
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n")
