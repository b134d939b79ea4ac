"""The line that repeats a run: its words, and as it works in the user's shell."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hbm_model.command_line import typed
from hbm_model.simulate import SimOptions
from hbm_tb.run_job import RunOptions, reproduce_line, verdict_of


def test_words_of_options() -> None:
    """What differs from the defaults, flags that are not the field's name, lists, switches; the seed always."""
    given = SimOptions("spmv", settings=("RP=20", "page.page=1"), fmt="stl", fold=True, load=12.50)
    assert shlex.join(given.words()) == "hbm sim spmv --set RP=20 --set page.page=1 --from stl --fold --load 12.5"
    assert SimOptions("").words() == ["hbm", "sim"]
    assert reproduce_line(RunOptions()) == "hbm run --seed 1"
    run = RunOptions(trace="a b", map_name="x.map", waves=True, waves_to=90, settings=("RP=20",), params=Path("p.json"))
    assert reproduce_line(run) == (
        "hbm run --trace 'a b' --params p.json --map x.map --seed 1 --set RP=20 --waves --waves-to 90"
    )


def test_a_window_that_ended_a_run_says_what_was_evaluated() -> None:
    """The CK of the last batch that was looked at, which may be long before the end; or that there was none."""
    plan: Any = SimpleNamespace(options=RunOptions(waves_to=900))
    ended: Any = SimpleNamespace(status="stopped")
    for numbers, text in (({"evaluated_ck": 816}, "evaluated up to CK 816"), ({}, "no traffic was evaluated")):
        status, reason = verdict_of(plan, ended, numbers)
        assert status == "stopped" and reason.startswith("ended at CK 900 by --waves-to") and reason.endswith(text)


def test_the_line_works_without_hbm_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the path of the script where PATH has none; as it is where it has, and other lines always."""
    monkeypatch.setenv("PATH", str(tmp_path))
    line = typed("hbm presets --densities")
    script = shlex.split(line)[0]
    assert Path(script).resolve() == Path(sys.executable).with_name("hbm").resolve()
    done = subprocess.run(line, shell=True, executable="/bin/sh", env={**os.environ}, capture_output=True, text=True)
    assert done.returncode == 0 and "24576" in done.stdout
    assert typed("make test TEST=x") == "make test TEST=x"
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert shutil.which("hbm") and typed("hbm run --seed 1") == "hbm run --seed 1"
