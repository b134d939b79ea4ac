"""`hbm site`: the report site, static pages in build/site that open from disk without network.

Overview, plan, coverage, rules, performance, failures, runs, and a page for each run and module. The pages are Jinja
templates (site_templates), with one style sheet, one script and Plotly's for charts. Pages of runs hold all commands
of the run; those that are as they should be are not written again.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.home import BUILD
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hbm_tb import sim
from hbm_tb import site_views as views
from hbm_tb.coverage_rtl import KINDS
from hbm_tb.job_list import revision
from hbm_tb.job_view import duration, note
from hbm_tb.site_data import Site, gather
from hbm_tb.site_runs import write_runs

FOLDER: Final = BUILD / "site"
TEMPLATES: Final = Path(__file__).with_name("site_templates")
PLOTLY: Final = "plotly.min.js"
KEYS: Final = "pages.json"
NAVIGATION: Final = (
    ("index", "index.html", "Overview"),
    ("plan", "plan.html", "Plan"),
    ("coverage", "coverage.html", "Coverage"),
    ("rules", "rules.html", "Rules"),
    ("performance", "performance.html", "Performance"),
    ("buckets", "buckets.html", "Failures"),
    ("runs", "runs.html", "Runs"),
)
RUN_COLUMNS: Final = (
    ("status", "t"), ("list", "t"), ("run", "t"), ("preset", "t"), ("test", "t"), ("seed", "n"), ("commands", "n"),
    ("cycles", "n"), ("time", "n"), ("cycles/s", "n"),
)  # fmt: skip
MOST_ROWS: Final = 500  # of the table of runs, until the reader asks for all


def environment() -> Environment:
    """Jinja with the site's words for numbers and times."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=views.number, percent=views.percent, when=views.when, duration=duration)
    return made


def pages_of(site: Site) -> dict[str, dict[str, Any]]:
    """Template -> what it is given."""
    lists = views.list_views(site)
    rows = [views.run_row(one, run) for one in site.lists for run in one.runs]
    rows.sort(key=lambda row: row["status"] == "pass")  # what did not pass first
    bench = site.benches[-1][1] if site.benches else None
    traffic = views.traffic_rows(site.benches)
    fairness = views.fairness_rows(bench) if bench else []
    plan_statuses = sorted({f["status"] for f in site.plan["features"]}) if site.plan else []
    measured = {
        "plan": site.plan,
        "coverage": site.coverage,
        "tight": views.tight_view(site.tight),
        "tight_problems": site.tight_problems,
        "changed": site.changed,
        "kinds": KINDS,
        "bench": bench,
        "bench_when": views.when(site.benches[-1][0]) if site.benches else "",
    }
    return {
        "index.html": {
            **measured,
            "lists": lists,
            "fresh": [(one, bucket) for one in lists for bucket in one["fresh"]],
            "trend": views.pass_rate(site),
            "targets": views.targets_of(traffic, fairness),
            "notes": site.notes,
        },
        "plan.html": {**measured, "statuses": plan_statuses},
        "coverage.html": {**measured, "modules": views.module_views(site.coverage)},
        "rules.html": measured,
        "performance.html": {
            **measured,
            "history": site.benches,
            "traffic": traffic,
            "speed": views.speed_rows(bench) if bench else [],
            "fairness": fairness,
            "charts": views.bench_charts(site.benches),
            "regress_charts": views.regression_charts(site),
        },
        "buckets.html": {"lists": lists},
        "runs.html": {
            "rows": rows,
            "columns": RUN_COLUMNS,
            "most": MOST_ROWS,
            "statuses": sorted({row["status"] for row in rows}),
            "choices": views.choices_of(rows),
        },
    }


def source_lines(module: dict[str, Any], root: Path) -> list[tuple[int, str, str]]:
    """(number, text, holes) of the source of a module."""
    path = root / module["file"]
    if not path.is_file():
        return []
    holes: dict[int, list[str]] = {}
    for hole in module["holes"]:
        holes.setdefault(int(hole["line"]), []).append(
            f"{hole['kind']}: {hole['what']}" if hole["what"] else hole["kind"]
        )
    text = path.read_text(errors="replace").splitlines()
    return [(n, line, "; ".join(holes.get(n, ()))) for n, line in enumerate(text, start=1)]


def render(site: Site, out: Path, root: Path = sim.ROOT) -> Path:
    """Write all pages of a site; the path of its first. `root`: where the sources of the RTL are."""
    from plotly.offline import get_plotlyjs

    out.mkdir(parents=True, exist_ok=True)
    templates = environment()
    shared = {"navigation": NAVIGATION, "made": views.when(time.time()), "revision": revision()}
    for name in ("site.css", "site.js"):
        shutil.copyfile(TEMPLATES / name, out / name)
    (out / PLOTLY).write_text(get_plotlyjs(), encoding="utf-8")
    for name, given in pages_of(site).items():
        text = templates.get_template(name).render(**shared, **given, page=name.removesuffix(".html"), root="")
        (out / name).write_text(text, encoding="utf-8")
    shutil.rmtree(out / "coverage", ignore_errors=True)
    for module in views.module_views(site.coverage):
        page = out / module["href"]
        page.parent.mkdir(exist_ok=True)
        given = {"module": module, "lines": source_lines(module, root), "kinds": KINDS}
        text = templates.get_template("module.html").render(**shared, **given, page="coverage", root="../")
        page.write_text(text, encoding="utf-8")
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = json.loads((out / KEYS).read_text())
    (out / KEYS).write_text(json.dumps(write_runs(out, site.lists, known)))
    return out / "index.html"


def write_site(out: Path = FOLDER, build: Path = BUILD) -> Path:
    """Write the site from what is below a build folder; the path of its first page.

    What cannot be read is told there and on stderr. InputError where the folder cannot be written.
    """
    found = gather(build)
    for line in found.notes:
        note(f"left out of the site: {line}")
    try:
        return render(found, out)
    except OSError as error:
        raise InputError(f"{out}: the site cannot be written: {error.strerror or error}") from None
