"""`hbm regress` itself: what it shows, and the site that it writes at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_tb import regress, site
from hbm_tb.job_list import ListOptions
from hbm_tb.job_store import About, JobStore
from hbm_tb.jobs import Job
from hbm_tb.list_file import LISTS, Overrides
from hbm_tb.results import Results
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


def test_a_shortened_list_does_not_count_as_the_list(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer seeds, presets or transactions make it a part; another first seed does not."""
    monkeypatch.setattr(regress, "_write_site", lambda: None)
    for overrides in (Overrides(), Overrides(seeds=1), Overrides(presets=("p",)), Overrides(transactions=8)):
        assert regress.regress_command(ListOptions(jobs=2, fresh=True), overrides=overrides) == 0
    assert regress.regress_command(ListOptions(jobs=2, fresh=True), overrides=Overrides(seed=7)) == 0
    with Results(bench.folder / "smoke") as results:
        assert [one.complete for one in results.regressions()] == [True, False, False, False, True]


def test_a_folder_is_of_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is called like one of ours, or like another one with results, is refused; a moved one is not."""
    monkeypatch.setattr(regress, "FOLDER", tmp_path / "regress")
    files = []
    for name in ("one/mine.yaml", "two/mine.yaml", "one/nightly.yaml"):
        files.append(tmp_path / name)
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].touch()
    with pytest.raises(InputError, match="nightly is the name of a list of the repository; rename the file"):
        regress.folder_of(str(files[2]))
    assert (
        regress.folder_of("nightly") == regress.folder_of(str(LISTS / "nightly.yaml")) == tmp_path / "regress/nightly"
    )
    with JobStore(tmp_path / "regress" / "nightly") as store:  # of another checkout with the same build folder
        store.begin({"a": "key"}, {}, About("nightly", options={regress.FILE: str(files[2])}))
    assert regress.folder_of("nightly") == tmp_path / "regress" / "nightly"
    mine = regress.folder_of(str(files[0]))
    with JobStore(mine) as store:
        store.begin({"a": "key"}, {}, About("mine", options={regress.FILE: str(files[0])}))
    assert regress.folder_of(str(files[0])) == mine
    with pytest.raises(InputError, match=f"has the results of {files[0]}; rename one of the files"):
        regress.folder_of(str(files[1]))
    files[0].unlink()
    assert regress.folder_of(str(files[1])) == mine


def test_show_runs_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries and numbers; and options that make no sense are told."""
    assert regress.regress_command(ListOptions(), show=True) == 0
    assert "smoke" in capsys.readouterr().out and not bench.starts()
    with pytest.raises(InputError, match="--seeds is at least 1"):
        regress.regress_command(ListOptions(), overrides=Overrides(seeds=0))
