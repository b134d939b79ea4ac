"""The report site: what it says of an example build folder, and that a reader finds the way in a real browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import site_example
from browser import Watched
from hbm_model.errors import InputError
from hbm_tb import bench_history
from hbm_tb.results import RunResult
from hbm_tb.site import MOST_ROWS, NAVIGATION, write_site
from hbm_tb.site_data import gather
from hbm_tb.site_runs import report_of_run
from hbm_tb.site_views import bucket_slug, percent, run_href
from playwright.sync_api import Locator, Page

FAILING = "soak/hbm3_6400_eng/seed_1"
AGAIN = f"hbm regress --list nightly --only {FAILING} --waves"
PAGES = [href for _, href, _ in NAVIGATION]


def shown(page: Page, table: str = "runs") -> int:
    """Rows of a table that a reader sees."""
    return page.locator(f"#{table} tbody tr:visible").count()


def texts(page: Page, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_text_contents()]


def follow(page: Page, link: Locator, key: str = "") -> None:
    """Click a link (or press a key on it) and wait until the page behind it is ready."""
    with page.expect_navigation():
        link.press(key) if key else link.click()
    page.wait_for_selector("html[data-ready]", state="attached")


# ---------------------------------------------------------------- without a browser


def test_every_link_leads_to_a_page_and_an_anchor(site: Path) -> None:
    """Of every page, those of runs and modules included; and nothing comes from outside."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == len(PAGES) + 2 + 23  # two modules, 23 runs
    followed = 0
    for page in pages:
        text = page.read_text()
        assert not re.search(r'(src|href)="(https?:)?//|@import|url\(', text), page
        links = re.findall(r'href="([^"]+)"', text)
        if (meta := re.search(r'id="meta">(.*?)</script>', text, re.S)) is not None:
            data = json.loads(meta.group(1))
            links += [href for _, href in (*data["crumbs"], *data["links"])]
        for link in links:
            if link.startswith("data:"):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.is_file(), f"{page}: {link}"
            if anchor and "=" not in anchor and anchor != "main":
                assert f'id="{anchor}"' in target.read_text(), f"{page}: {link}"
            followed += 1
    assert followed > 200


def test_without_results_nothing_is_green(tmp_path: Path) -> None:
    """Every page says what was not measured, and by which command it is."""
    write_site(tmp_path / "site", tmp_path / "build")
    commands = {
        "index.html": ("make regress", "make coverage", "make tight", "make bench"),
        "plan.html": ("make coverage",),
        "coverage.html": ("make coverage",),
        "rules.html": ("make tight",),
        "performance.html": ("make bench", "make regress"),
        "buckets.html": ("make regress",),
        "runs.html": ("make regress",),
    }
    for name, expected in commands.items():
        text = (tmp_path / "site" / name).read_text()
        for command in expected:
            assert f"<code>{command}</code>" in text, (name, command)
        assert "not measured" in text
        for green in ("badge pass", "badge complete", "badge met", "100 %", "No run failed", "no failure"):
            assert green not in text, (name, green)


def test_a_list_that_did_not_come_to_its_end_is_not_green(tmp_path: Path) -> None:
    from hbm_tb.job_store import About, JobStore

    listed = site_example.jobs(1)
    with JobStore(tmp_path / "build" / "regress" / "nightly") as store:
        store.begin({each.name: each.key("c") for each in listed}, {}, About("nightly"))
        store.add(listed[0], site_example.outcome(None, 1, "c"))
    write_site(tmp_path / "site", tmp_path / "build")
    text = (tmp_path / "site" / "index.html").read_text()
    assert 'badge interrupted">interrupted' in text
    assert f"<small> of {len(listed)} passed" in text
    assert "No run failed" not in (tmp_path / "site" / "buckets.html").read_text()


def test_a_run_page_is_written_again_only_when_something_changed(tmp_path: Path) -> None:
    build, out = tmp_path / "build", tmp_path / "site"
    site_example.build_lists(build, seeds=1, rounds=10)
    write_site(out, build)
    pages = sorted((out / "runs").rglob("*.html"))
    before = {page: page.stat().st_mtime_ns for page in pages}
    write_site(out, build)
    assert {page: page.stat().st_mtime_ns for page in pages} == before
    [nightly] = [one for one in gather(build).lists if one.title == "nightly"]
    changed = nightly.runs[0]
    (changed.folder / "waves.fst").write_bytes(b"waves")
    (out / "runs" / "nightly" / "gone.html").write_text("of a run that is no more")
    write_site(out, build)
    after = {page: page.stat().st_mtime_ns for page in sorted((out / "runs").rglob("*.html"))}
    assert [page for page in pages if after[page] != before[page]] == [out / run_href(nightly, changed.name)]
    assert sorted(after) == pages
    assert "waves.fst" in (out / run_href(nightly, changed.name)).read_text()


def test_a_folder_of_another_result_is_not_shown_for_a_run(tmp_path: Path) -> None:
    """An older result keeps its verdict; what the folder holds now belongs to a newer one."""
    from hbm_tb.job_store import About, JobStore

    build = tmp_path / "build"
    site_example.build_lists(build, seeds=1, rounds=10, regressions=1)
    listed = site_example.jobs(1)
    with JobStore(build / "regress" / "nightly") as store:  # only one run of the list, so no new whole regression
        store.begin({listed[0].name: listed[0].key("new")}, {}, About("nightly", complete=False))
        store.add(listed[0], site_example.outcome(site_example.FAILURE, 1, "new"))
    write_site(tmp_path / "site", build)
    text = (tmp_path / "site" / "runs" / "nightly" / f"{listed[0].name}.html").read_text()
    assert '"commands":0' in text and "holds another result" in text and '"verdict":"pass"' in text


def test_buckets_that_differ_in_punctuation_have_anchors_of_their_own(tmp_path: Path) -> None:
    site_example.build_lists(tmp_path, seeds=1, rounds=10)
    one = gather(tmp_path).lists[0]
    assert len({bucket_slug(one, text) for text in ("fail: ids * < *", "fail: ids * > *", "fail:ids * < *")}) == 3


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/site: the site cannot be written: Not a directory"):
        write_site(tmp_path / "file" / "site", tmp_path / "build")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    build = tmp_path / "build"
    site_example.build_coverage(build)
    (build / "coverage" / "coverage.json").write_text("{")
    write_site(tmp_path / "site", build)
    text = (tmp_path / "site" / "index.html").read_text()
    assert "coverage.json cannot be read" in text


def test_benches_are_kept_with_their_dates(tmp_path: Path) -> None:
    bench = tmp_path / "build" / "bench" / "bench.json"
    bench.parent.mkdir(parents=True)
    for at, speed in ((1_795_000_000.0, 100), (1_795_100_000.0, 200)):
        bench.write_text(json.dumps({"speed": {"bare_cycles_per_s": speed}, "about": {}}))
        assert bench_history.keep(bench, at).is_file()
    (bench.parent / bench_history.HISTORY / "notes.json").write_text("no bench")
    found = gather(tmp_path / "build").benches
    assert [(at, document["speed"]["bare_cycles_per_s"]) for at, document in found] == [
        (1_795_000_000.0, 100),
        (1_795_100_000.0, 200),
    ]


def test_a_share_below_all_is_never_100_percent() -> None:
    assert percent(100.0) == "100 %"
    assert percent(99.9999) == "99.99 %"
    assert percent(None) == "–"


# ---------------------------------------------------------------- in a browser


def test_overview_tells_what_is_verified_and_what_broke(site: Path, tab: Watched) -> None:
    page = tab.open(site / "index.html")
    assert texts(page, "#list-nightly .badge") == ["fail"]
    assert texts(page, "#list-quick .badge") == ["pass"]
    assert "13 of 20 passed (65.0 %)" in page.locator("#list-nightly").inner_text()
    assert "2 new since the last regression" in page.locator("#list-nightly").inner_text()
    tiles = {name: page.get_by_label(name, exact=True).inner_text() for name in ("plan", "coverage", "rules")}
    assert "1 of 2 features complete" in tiles["plan"] and "1 failed" in tiles["plan"]
    assert all(share in tiles["coverage"] for share in ("99.33 %", "100 %", "94.0 %", "91.7 %"))
    assert "1 of 2 reachable bounds met" in tiles["rules"]
    assert "0 of 1 targets met" in page.get_by_label("performance", exact=True).inner_text()
    parts = page.locator("#list-nightly .meter i")
    assert [parts.nth(n).get_attribute("class") for n in range(parts.count())] == ["above", "below"]
    assert "65.00%" in str(parts.nth(0).get_attribute("style")) and "35.00%" in str(parts.nth(1).get_attribute("style"))
    page.wait_for_selector(".chart[data-drawn='2'] .main-svg")  # the pass rate of both lists
    assert page.evaluate("document.querySelector('.chart').layout.yaxis.range") == [0, 100]
    # One regression alone: a day around it, and not half a millisecond.
    page.evaluate(
        """() => { const at = document.querySelector(".chart"), chart = JSON.parse(at.dataset.chart);
        chart.series = [{ name: "one", x: ["2026-01-02 12:00:00"], y: [50] }];
        at.dataset.chart = JSON.stringify(chart); }"""
    )
    page.locator("#theme").click()
    page.wait_for_selector(".chart[data-drawn='1']")
    span = page.evaluate("document.querySelector('.chart').layout.xaxis.range")
    assert span == ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]


def test_a_reader_comes_from_a_red_line_to_the_command_that_repeats_it(site: Path, tab: Watched) -> None:
    """Overview, bucket, run, the CK of the first difference; the bucket names the first differing command."""
    page = tab.open(site / "index.html")
    follow(page, page.locator("#list-nightly").get_by_role("link", name="3 buckets"))
    bucket = page.get_by_label(f"bucket {site_example.SIGNATURE}")
    facts = dict(zip(texts(bucket, ".facts th"), texts(bucket, ".facts td"), strict=True))  # type: ignore[arg-type]
    assert facts["expected"] == site_example.FAILURE["expected"] and facts["got"] == "nothing"
    assert facts["first differing DRAM command"] == site_example.FAILURE["command"]
    assert (facts["CK"], facts["PC"], facts["bank"]) == ("1,500", "1", "sid 0, bg 1, bank 2")
    assert texts(bucket, ".badge") == ["new"]  # type: ignore[arg-type]
    commands = texts(bucket, ".command code")  # type: ignore[arg-type]
    assert commands[0] == AGAIN
    assert re.fullmatch(rf"(\.venv/bin/)?hbm replay \S+/{FAILING}", commands[1])
    assert re.fullmatch(rf"(\.venv/bin/)?hbm why \S+/{FAILING} --at 1500 --pc 1 --bank 0.1.2", commands[2])
    follow(page, bucket.get_by_role("link", name=FAILING))
    assert texts(page, "#verdict") == ["fail"]
    assert texts(page, "#reproduce") == [AGAIN]
    assert texts(page, "#failure .command code") == commands
    page.locator("#failure ol button").click()
    page.wait_for_function("document.documentElement.dataset.view === '1400.0 1600.0'")
    follow(page, page.get_by_role("link", name="bucket difference"))
    assert "#bucket-nightly-difference-row-expected-act-got-none-m5-5-" in page.url


def test_runs_are_searched_filtered_and_sorted(site: Path, tab: Watched) -> None:
    page = tab.open(site / "runs.html")
    assert shown(page) == 23
    search = page.get_by_label("search")
    search.fill("hbm3 seed_2")
    assert shown(page) == 2
    search.fill("m5.5")  # in the signature, which no column shows
    assert shown(page) == 5
    page.get_by_role("button", name="clear").click()
    page.wait_for_function("document.querySelector('.count').textContent === '23 runs'")
    page.get_by_label("status").select_option("!pass")
    assert shown(page) == 7
    page.get_by_label("preset").select_option("hbm2_2000_eng")
    page.get_by_label("test").select_option("RandomSoak")
    page.get_by_label("seed").fill("3")
    assert texts(page, "#runs tbody tr:visible a") == ["soak/hbm2_2000_eng/seed_3"]
    assert page.locator(".count").inner_text() == "1 of 23 runs"
    again = tab.open(site / "runs.html", page.url[page.url.index("#") :])  # the selection is in the address
    assert shown(again) == 1
    page.get_by_role("button", name="clear").click()
    for direction, expected in (("descending", sorted), ("ascending", lambda x: sorted(x, reverse=True))):
        page.get_by_role("button", name="cycles", exact=True).click()
        assert page.locator("#runs th[aria-sort]").nth(7).get_attribute("aria-sort") == direction
        values = [int(text.replace(",", "")) for text in texts(page, "#runs tbody td:nth-child(8)")]
        order: Callable[[list[int]], list[int]] = expected
        assert values == order(values)[::-1]


def test_thousands_of_runs_are_found_though_not_all_are_shown(tmp_path: Path, tab: Watched) -> None:
    site_example.build_lists(tmp_path / "build", seeds=126, rounds=0, regressions=1)
    page = tab.open(write_site(tmp_path / "site", tmp_path / "build").parent / "runs.html")
    assert shown(page) == MOST_ROWS == 500
    assert page.locator(".count").inner_text() == "507 runs, the first 500 shown"
    page.get_by_label("search").fill("errors hbm3 seed_126")  # the last of the list, not among those shown
    assert shown(page) == 1
    page.get_by_role("button", name="clear").click()
    page.get_by_role("button", name="list", exact=True).click()
    page.get_by_role("button", name="list", exact=True).click()  # descending: the other list comes first
    assert texts(page, "#runs tbody tr:visible td:nth-child(2)")[:4] == ["quick"] * 3 + ["nightly"]
    assert shown(page) == 500
    page.get_by_role("button", name="show all").click()
    assert shown(page) == 507
    assert page.locator(".count").inner_text() == "507 runs"


def test_the_overview_links_to_the_failed_runs(site: Path, tab: Watched) -> None:
    page = tab.open(site / "index.html")
    follow(page, page.get_by_role("link", name="7 failed"))
    assert shown(page) == 7
    assert set(texts(page, "#runs tbody tr:visible .badge")) == {"fail", "timeout"}


def test_a_run_page_shows_timeline_latency_bandwidth_and_stall_causes(site: Path, tab: Watched) -> None:
    page = tab.open(site / "runs" / "nightly" / "errors" / "hbm3_6400_eng" / "seed_4.html")
    assert texts(page, "#verdict") == ["pass"]
    for chart in ("#timeline", "#histogram", "#bandwidth", "#latency", "#stacks"):
        assert page.locator(chart).is_visible(), chart
    assert page.locator("#missing").is_hidden()
    assert len(texts(page, "#stacks .stack")) == 2
    history = texts(page, ".card:has(h2:text-is('History')) tr")
    assert len(history) == 4  # the head and three regressions
    before = page.evaluate("document.documentElement.dataset.view")
    page.locator("#zoomin").click()
    page.wait_for_function(f"document.documentElement.dataset.view !== '{before}'")
    follow(page, page.get_by_role("link", name="nightly", exact=True))
    assert shown(page) == 20


@pytest.mark.parametrize(("kind", "told"), [("hbm_tb.own_job", []), ("hbm_tb.sim_job", ["Stall causes"])])
def test_counters_are_missed_only_where_there_are_some(tmp_path: Path, kind: str, told: list[str]) -> None:
    """A foreign controller has none: its page does not say that its run ended before it read them."""
    site_example.run_folder(tmp_path / "a", "hbm2_2000_eng", 2, with_counters=False)
    run = RunResult(1, "a", "pass", "", "", "", {}, {}, 1.0, 1.0, 1, "", tmp_path / "a", {}, kind, "", "", 0.0)
    view: Any = SimpleNamespace(current={"a"}, history={"a": [run]}, title="t", slug="t")
    missing = report_of_run(view, run, tmp_path / "a.html", tmp_path).missing
    assert [line.split(":")[0] for line in missing] == told


def test_a_run_without_a_record_says_so(site: Path, tab: Watched) -> None:
    page = tab.open(site / "runs" / "nightly" / "soak" / "hbm2_2000_eng" / "seed_2.html")
    assert texts(page, "#verdict") == ["timeout"]
    assert "not measured" in page.locator("#missing").inner_text()
    assert page.locator("#timeline").is_hidden()
    page.get_by_text("end of the log").click()
    assert "the last line" in page.locator("#failure pre").inner_text()


def test_plan_and_coverage_lead_to_the_holes(site: Path, tab: Watched) -> None:
    page = tab.open(site / "plan.html")
    page.get_by_label("status").select_option("!complete")
    assert shown(page, "features") == 1
    page.locator("#features summary:visible").click()
    assert "holes: id 63" in page.locator("#features tbody tr:visible").inner_text()
    follow(page, page.get_by_role("link", name="Coverage"))
    assert [text.split(":")[0] for text in texts(page, ".unmeasured")] == [
        "Design or bench have changed since these data",
        "12 runs of other sources left out",
        "Exclusions that are wrong",
    ]
    follow(page, page.get_by_role("link", name="hbm_gap_timer"))
    assert texts(page, "#holes td:first-child") == ["12", "20"]
    page.locator("#holes a").first.click()
    line = page.locator("#L12")
    assert line.get_attribute("class") == "hole" and line.get_attribute("title") == "line"
    assert page.locator("tr.hole").count() == 2
    source = (Path(__file__).parents[2] / "rtl" / "sched" / "hbm_gap_timer.sv").read_text().splitlines()
    assert page.locator("#L12 code").text_content() == source[11]


def test_rules_and_performance(site: Path, tab: Watched) -> None:
    page = tab.open(site / "rules.html")
    assert [text.split(":")[0] for text in texts(page, ".unmeasured")] == [
        "tightness of hbm2_2000_eng is of other sources (which one it does not say)",
        "tightness of hbm2e_3200_eng, hbm2e_3600_eng, hbm3_6400_eng, hbm4_8000_eng is not measured",
    ]
    assert shown(page, "rules") == 2
    page.get_by_label("show").select_option("hole")
    assert texts(page, "#rules tbody tr:visible td:first-child") == ["tRCDRD"]
    assert texts(page, "#rules .chip.hole") == ["PC1 slack 1: slack 0"]
    page = tab.open(site / "performance.html")
    assert texts(page, "#traffic .badge") == ["missed"]
    assert texts(page, "#traffic td:last-child") == ["-3.00"]
    page.wait_for_selector(".chart[data-drawn] .main-svg")
    assert page.evaluate("[...document.querySelectorAll('.chart')].every((c) => c.querySelector('.main-svg'))")
    # Zoom a chart as a reader does, by dragging over it.
    chart = page.locator(".chart").first
    chart.scroll_into_view_if_needed()
    before = page.evaluate("document.querySelector('.chart').layout.xaxis.range")
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 60, steps=5)
    page.mouse.up()
    page.wait_for_function(f"document.querySelector('.chart').layout.xaxis.range[0] !== {json.dumps(before[0])}")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_in_the_dark_without_an_error(site: Path, dark_tab: Watched, name: str) -> None:
    page = dark_tab.open(site / name)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert page.locator("nav a[aria-current=page]").get_attribute("href") == name
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), "the page is wider than the window"
    if name == "index.html":  # the choice holds on the other pages, those of runs included
        page.locator("#theme").click()
        for other in ("runs.html", f"runs/nightly/{FAILING}.html"):
            light = dark_tab.open(site / other).evaluate("getComputedStyle(document.body).backgroundColor")
            assert light == "rgb(246, 247, 249)", other


def test_the_keyboard_alone_does(site: Path, tab: Watched) -> None:
    page = tab.open(site / "runs.html")
    page.keyboard.press("Tab")  # out of the search, which has the focus
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("hbm3 seed_5 m5.5")
    assert shown(page) == 1
    page.locator("#runs th button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#runs th").first.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "text"
    follow(page, page.locator("#runs tbody tr:visible a"), "Enter")
    view = page.evaluate("document.documentElement.dataset.view")
    page.keyboard.press("+")
    page.wait_for_function(f"document.documentElement.dataset.view !== '{view}'")
