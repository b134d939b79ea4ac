"""`hbm regress` itself: what it shows, and the site that it writes at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_tb import regress, site
from hbm_tb.job_list import ListOptions
from hbm_tb.jobs import Job
from hbm_tb.list_file import Overrides
from test_jobs import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Fakes in place of the runs of a list."""
    found = Bench(tmp_path)

    def fakes(*_: object) -> list[Job]:
        return [found.job("g/a"), found.job("g/b")]

    monkeypatch.setattr(regress, "jobs_of", fakes)
    monkeypatch.setattr(regress, "folder_of", lambda name: tmp_path / name)
    return found


def test_the_site_is_written_at_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the results are in the database; where it lies is told."""

    def write() -> Path:
        assert (bench.folder / "smoke" / "results.sqlite").exists()
        return bench.folder / "site" / "index.html"

    monkeypatch.setattr(site, "write_site", write)
    assert regress.regress_command(ListOptions(jobs=2)) == 0
    assert f"report: {bench.folder / 'site' / 'index.html'}" in capsys.readouterr().out


def test_a_site_that_cannot_be_written_changes_no_verdict(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr."""

    def write() -> Path:
        raise OSError("no space")

    monkeypatch.setattr(site, "write_site", write)
    assert regress.regress_command(ListOptions(jobs=2)) == 0
    assert "the report site was not written: OSError: no space" in capsys.readouterr().err


def test_show_runs_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries and numbers; and options that make no sense are told."""
    assert regress.regress_command(ListOptions(), show=True) == 0
    assert "smoke" in capsys.readouterr().out and not bench.starts()
    with pytest.raises(InputError, match="--seeds is at least 1"):
        regress.regress_command(ListOptions(), overrides=Overrides(seeds=0))
