"""A list of a user's own test on our channel, with a parameter file, from a folder outside of the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hbm_tb import regress
from hbm_tb.job_list import ListOptions

TEST = """\
import numpy as np
import pyuvm
from hbm_tb import traffic
from hbm_tb.test_base import HbmTest
from my_help import ADDRESSES


@pyuvm.test()
class Mine(HbmTest):
    async def body(self) -> None:
        assert self.config.params.count("RP") == 17
        await self.play(traffic.write(self.config.rng(), np.arange(ADDRESSES) * 32))
        await self.play(traffic.read(np.arange(ADDRESSES) * 32))
"""
LIST = """\
runs:
  - name: mine
    tests: my_tests.py
    presets: part.yaml
"""


@pytest.mark.sim
def test_own_tests_on_our_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has the values of the file, record and coverage; it is repeated only after a change of what it reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(regress, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(regress, "_write_site", lambda: None)
    for name, text in {
        "my_tests.py": TEST,
        "my_help.py": "ADDRESSES = 64\n",
        "part.yaml": "base: hbm2_2000_eng\nRP: 17\n",
        "own.yaml": LIST,
    }.items():
        (tmp_path / name).write_text(text)
    folder = tmp_path / "results" / "own" / "mine" / "part"

    def run() -> tuple[int, float]:
        code = regress.regress_command(ListOptions(jobs=1, replay=False), "own.yaml")
        return code, (folder / "outcome.json").stat().st_mtime

    code, first = run()
    assert code == 0, (folder / "outcome.json").read_text()
    result = json.loads((folder / "result.json").read_text())
    assert (result["status"], result["timing"], result["checked"]["read_beats"]) == ("pass", {"RP": 17}, 64)
    assert (folder / "coverage_Mine.json").exists()
    assert run() == (0, first)
    (tmp_path / "my_help.py").write_text("ADDRESSES = -1\n")
    code, second = run()
    assert code == 1 and second > first
