"""`hbm regress`: a declarative list of runs (tb/lists), brought to its end; `hbm results`: what is known of it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.run_folder import shown_path

from hbm_tb.coverage_files import FUNCTIONAL
from hbm_tb.job_list import ListOptions, run_list, shown
from hbm_tb.job_view import duration, note
from hbm_tb.jobs import Job, select
from hbm_tb.list_file import LISTS, Overrides, find_list, jobs_of, list_names, read_list
from hbm_tb.own_job import KIND as OWN_JOB
from hbm_tb.results import FOLDER, Results

DEFAULT_LIST: Final = "smoke"
FILE: Final = "file"  # among the options of a regression: the path of its list
COUNTS: Final = ("read_beats", "writes", "commands", "cycles")
COVERAGE: Final = "coverage.json"
COVERAGE_PART: Final = "coverage-part.json"  # of a part of the list


def folder_of(name: str) -> Path:
    """Where the results of a list are, by its name or the path of its file; InputError when they are of another list.

    A list has its folder by the name of its file, so two files of one name in two places would share history, buckets
    and verdict.
    """
    file = find_list(name).resolve()
    folder: Path = FOLDER / file.stem
    if file.stem in list_names():
        if file != (LISTS / f"{file.stem}.yaml").resolve():
            raise InputError(
                f"{shown_path(file)}: {file.stem} is the name of a list of the repository; rename the file"
            )
        return folder  # also with results of another checkout that shares the folder
    other = _list_of(folder)
    if other is not None and other != file and other.is_file():
        raise InputError(f"{shown_path(file)}: {folder} has the results of {other}; rename one of the files")
    return folder


def _list_of(folder: Path) -> Path | None:
    """The file of the list that has its results in a folder; None where that is not known."""
    with suppress(InputError, OSError, sqlite3.Error), Results(folder) as results:
        files = [str(one.options[FILE]) for one in results.regressions() if one.options.get(FILE)]
        return Path(files[-1]) if files else None
    return None


def regress_command(
    options: ListOptions, name: str = DEFAULT_LIST, overrides: Overrides | None = None, show: bool = False
) -> int:  # fmt: skip
    """Run a list, tell its buckets and write the report site; 0 when all passed."""
    overrides = overrides or Overrides()
    for value, what in ((overrides.seeds, "--seeds"), (overrides.transactions, "--transactions")):
        if value is not None and value < 1:
            raise InputError(f"{what} is at least 1")
    folder = folder_of(name)
    given = read_list(find_list(name))
    jobs = jobs_of(given, options, overrides, name)
    if show:
        _show(given.name, given.about, select(jobs, options.only))
        return 0
    file = given.file.resolve()
    told: dict[str, Any] = {"list": name, FILE: str(file), "seed": overrides.seed, "overrides": overrides.words()}
    home = file.parent
    found = run_list(given.name, folder, jobs, options, counts=COUNTS, about=told, home=home, whole=overrides.whole)
    if found.results and options.window is None:  # a run for its waves leaves all of the list's as it is
        passed = {name for name, outcome in found.results.items() if outcome.passed}
        whole = overrides.whole and len(found.results) == len(jobs)
        _write_coverage(folder / (COVERAGE if whole else COVERAGE_PART), [job for job in jobs if job.name in passed])
        _write_site()
    return found.code


def _write_coverage(path: Path, passed: Sequence[Job]) -> None:
    """Functional coverage of the runs of a DUT together: the plan of `hbm coverage` is of our channel."""
    files = [path.parent / job.name / file for job in passed if job.kind == OWN_JOB for file in job.leaves]
    files = [file for file in files if file.match(FUNCTIONAL)]
    if not files:
        return
    from hbm_tb.own_coverage import headline, merged

    coverage = merged(files)
    path.write_text(json.dumps(coverage, indent=1) + "\n")
    print(f"coverage: {headline(coverage)}; {shown(path)}")


def _show(name: str, about: str, jobs: Sequence[Job]) -> None:
    """What a list would run."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{name}: {about}" if about else name, title_justify="left")
    for column in ("entry", "runs", "presets", "about"):
        table.add_column(column, justify="left" if column == "entry" else "right")
    runs = Counter(job.name.partition("/")[0] for job in jobs)
    for entry, count in runs.items():
        mine = [job for job in jobs if job.name.partition("/")[0] == entry]
        presets = {job.arguments.get("bench", {}).get("preset") or job.name.split("/")[1] for job in mine}
        table.add_row(entry, str(count), str(len(presets)), duration(sum(job.cost for job in mine)))
    table.add_section()
    table.add_row("all", str(len(jobs)), "", duration(sum(job.cost for job in jobs)), style="bold")
    console = Console(width=max(100, Console().width))
    console.print(table)
    lists = f" Lists: {', '.join(list_names())}" if list_names() else ""
    console.print(f"about: time on one processor.{lists}", highlight=False)


def _write_site() -> None:
    """The report site; a page that cannot be written changes no verdict."""
    try:
        from hbm_tb import site

        page = site.write_site()
    except Exception as error:  # whatever it is: the regression has its result
        note(f"the report site was not written: {type(error).__name__}: {error}")
        return
    print(f"report: {shown(page)}")
