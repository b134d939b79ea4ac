"""The report page: its data, and (with a browser) that it opens from disk, draws, zooms and holds millions of
commands.
"""

import base64
import gzip
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import site_example
from browser import Watched
from hbm_model.errors import InputError
from hbm_model.report import (
    COMMAND,
    KINDS,
    Report,
    Series,
    Violation,
    commands_of_csv,
    histogram,
    pack_commands,
    render,
    report_of_folder,
    series_of,
    write_report,
)
from playwright.sync_api import Page


def example(rounds: int = 2000, **changes: object) -> Report:
    commands = site_example.commands(rounds)
    windows = int(commands["time"][-1]) // 2 // 64 + 1
    ones = np.ones(windows, np.int64)
    series = [
        Series(64, 128 * ones, 0 * ones, 4 * 50 * ones, 4 * ones, 90 * ones, 3 * ones, ones, 0 * ones) for _ in (0, 1)
    ]
    counts = np.bincount(np.array([50, 50, 52, 90, 400]))
    report = Report("stream on hbm2", "pass", commands, 1, 4, 4, tck_ns=1.0, series=series, latency_ck=[counts, counts])
    for name, value in changes.items():
        setattr(report, name, value)
    return report


def unpacked(report: Report) -> dict[str, np.ndarray]:
    """The planes of a packed page, taken apart as the page's script does."""
    n = report.commands.size
    plane = np.frombuffer(gzip.decompress(base64.b64decode(pack_commands(report))), np.uint8).reshape(10, n)
    gaps = sum(plane[i].astype(np.int64) << (8 * i) for i in range(4))
    return {
        "time": np.cumsum(gaps),
        "row": plane[4].astype(np.int64) | plane[5].astype(np.int64) << 8,
        "col": plane[6],
        "cmd": plane[7],
        "bank": plane[8],
        "pc": plane[9],
    }


def test_every_command_is_packed_unchanged() -> None:
    """Also when they come unsorted."""
    report = example()
    expected = report.commands
    shuffled = example(commands=np.random.default_rng(1).permutation(expected))
    got = unpacked(shuffled)
    assert np.array_equal(got["time"], expected["time"])
    order = np.lexsort((got["pc"], got["time"]))
    sorted_expected = expected[np.lexsort((expected["pc"], expected["time"]))]
    for name in ("row", "col", "cmd", "pc"):
        assert np.array_equal(got[name][order], sorted_expected[name])
    assert np.array_equal(got["bank"][order], sorted_expected["bg"] * 4 + sorted_expected["bank"])


def test_text_from_data_cannot_close_the_script() -> None:
    page = render(
        example(title="a </script><script>alert(1)</script>", failure="</script> & <b>", reproduce="make <x>")
    )
    assert page.count("</script>") == render(example()).count("</script>")
    meta = json.loads(re.search(r'id="meta">(.*?)</script>', page, re.S).group(1))  # type: ignore[union-attr]
    assert meta["failure"] == "</script> & <b>"


def test_the_page_needs_no_network() -> None:
    page = render(example())
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert re.findall(r"<link [^>]*>", page) == ['<link rel="icon" href="data:,">']


def test_the_histogram_counts_every_read() -> None:
    rng = np.random.default_rng(2)
    counts = [np.bincount(rng.integers(20, 900, 5000)), np.bincount(rng.exponential(200, 3000).astype(np.int64))]
    out = histogram(counts)
    assert [sum(bars) for bars in out["counts"]] == [5000, 3000]
    assert len(out["counts"][0]) <= 96
    assert histogram([np.zeros(4, np.int64)])["counts"] == []
    small = histogram([np.bincount([3, 3, 4])])
    assert small["bin_ck"] == 1
    assert small["counts"][0][3:5] == [2, 1]


def test_impossible_commands_are_refused() -> None:
    report = example()
    report.commands["bg"][5] = 7
    with pytest.raises(InputError, match="outside the geometry"):
        render(report)
    report = example()
    report.commands["time"][-1] = 1 << 33
    with pytest.raises(InputError, match="longer than 2\\^31 CK"):
        render(report)


def test_an_empty_run_still_has_a_page() -> None:
    page = render(
        example(commands=np.zeros(0, COMMAND), series=[], latency_ck=[], verdict="fail", failure="no traffic")
    )
    assert '"commands":0' in page


def test_a_run_folder_becomes_a_page(tmp_path: Path) -> None:
    """With the files that a run writes: result.json, commands as npz or csv, series.npz."""
    result = {
        "name": "spmv", "preset": "hbm2_2000_eng", "status": "pass", "seed": 7, "cycles": 64100, "tck_ns": 1.0,
        "requests": 8000, "read_requests": 8000, "write_requests": 0, "bytes": {"read": 256000, "write": 0},
        "latency_ck": {"mean": 61.5, "p50": 60, "p99": 90, "max": 120},
        "row": {"hit": 6000, "closed": 2000, "conflict": 0},
        "row_hit_rate": 0.75, "violations": 0, "refreshes": 80, "reproduce": "make run SEED=7",
        "checked": {"read_beats": 8000}, "versions": {"verilator": "5.052"},
    }  # fmt: skip
    (tmp_path / "result.json").write_text(json.dumps(result))
    commands = site_example.commands(2000)
    np.savez_compressed(tmp_path / "commands.npz", commands=commands)
    windows = 1000
    names = ("read_bytes", "write_bytes", "latency_max_ck", "reads_done", "row_hit", "row_closed", "row_conflict")
    arrays: dict[str, Any] = {name: np.ones((2, windows), np.int64) for name in names}
    arrays["latency_mean_ck"] = np.full((2, windows), 61.5)
    arrays["latency_histogram"] = np.stack([np.bincount([30, 31, 45], minlength=4096)] * 2)
    arrays["bucket_ck"] = np.array(128)
    np.savez_compressed(tmp_path / "series.npz", **arrays)
    report = report_of_folder(tmp_path)
    assert report.verdict == "pass"
    assert report.latency_ck[0][60] == report.latency_ck[0][62] == report.latency_ck[0][90] == 1
    page = render(report)
    for text in ("spmv on hbm2_2000_eng", "make run SEED=7", "61.5 CK", "6,000, 2,000, 0", "checked: read beats"):
        assert text in page
    (tmp_path / "commands.npz").unlink()
    lines = ["cycle,cmd,pc,sid,bg,bank,row,col"]
    lines += [
        f"{int(c['time']) / 2:g},{KINDS[c['cmd']]},{c['pc']},{c['sid']},{c['bg']},{c['bank']},{c['row']},{c['col']}"
        for c in commands[:500]
    ]
    (tmp_path / "commands.csv").write_text("\n".join(lines) + "\n")
    assert np.array_equal(report_of_folder(tmp_path).commands, commands[:500])
    (tmp_path / "commands.csv").write_text(lines[0] + "\n12,ACT,0,0,0,0,1,\n13,JUMP,0,0,0,0,1,0\n")
    with pytest.raises(InputError, match=r"commands\.csv:3: not a command: 13,JUMP"):
        commands_of_csv(tmp_path / "commands.csv")
    with pytest.raises(InputError, match="no run folder"):
        report_of_folder(tmp_path / "none")
    assert len(series_of(arrays)[0]) == 2


# ---------------------------------------------------------------------- in a browser

# Dots that a chart has drawn.
INK = """(id) => {
  const c = document.getElementById(id), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  let dots = 0;
  for (let i = 3; i < d.length; i += 4) if (d[i]) dots++;
  return dots;
}"""
CHARTS = ("bandwidth", "latency", "histogram", "rows", "timeline", "overview")
# Shows a range, given as shares of the run, and resolves when it is drawn, with the milliseconds that it took.
# Without a range: when everything that was asked for is drawn.
DRAWN = """(range) => new Promise((done) => {
  const begin = performance.now(), wait = () => pending ? setTimeout(wait, 1) : done(performance.now() - begin);
  if (range) show(range[0] * end, range[1] * end);
  wait();
})"""


def seen(page: Page, name: str) -> str:
    """What the page says of itself when it has drawn everything."""
    page.evaluate(DRAWN)
    return str(page.evaluate(f"document.documentElement.dataset.{name}"))


def span(page: Page) -> tuple[float, float]:
    """The time range in view, CK."""
    low, high = seen(page, "view").split()
    return float(low), float(high)


def zoom_in(page: Page) -> None:
    """With the wheel over the commands, until they stand alone."""
    page.locator("#timeline").scroll_into_view_if_needed()
    page.locator("#timeline").hover(position={"x": 600, "y": 100})
    for _ in range(40):
        if seen(page, "detail") == "1":
            return
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(20)  # the event reaches the page after the call


def test_the_page_opens_zooms_and_explains(tab: Watched, tmp_path: Path) -> None:
    report = example(violations=[Violation(2500, "tRCDRD: too early")], verdict="fail", failure="legality")
    report.reproduce = "hbm run --seed 7"
    write_report(tmp_path / "report.html", report)
    page = tab.open(tmp_path / "report.html")
    end = int(report.commands["time"].max()) // 2 + 2
    assert span(page) == (0.0, float(end))
    assert (seen(page, "detail"), seen(page, "drawn")) == ("0", str(report.commands.size))
    assert all(page.evaluate(INK, chart) > 500 for chart in CHARTS)
    zoom_in(page)
    low, high = span(page)
    assert seen(page, "detail") == "1" and high - low < end / 2
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 600, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 100, steps=4)
    page.mouse.up()
    assert span(page)[0] > low  # dragging to the left shows later times
    page.keyboard.press("+")
    assert span(page)[1] - span(page)[0] < high - low
    page.evaluate("location.hash = '#ck=2000-2100'")
    page.wait_for_function("document.documentElement.dataset.view.startsWith('2000.0 ')")
    assert span(page) == (2000.0, 2100.0)
    inside = np.count_nonzero((report.commands["time"] >= 4000) & (report.commands["time"] < 4200))
    assert seen(page, "drawn") == str(inside)
    tip = page.locator("#tip")
    for x in range(100, int(box["width"]) - 10, 3):
        page.locator("#timeline").dispatch_event(
            "pointermove", {"clientX": box["x"] + x, "clientY": page.locator("#timeline").bounding_box()["y"] + 245}
        )  # type: ignore[index]
        if tip.is_visible():
            break
    assert re.match(r"(ACT|RD|WR|PRE) at CK 2,\d\d\d", str(tip.text_content()))
    page.locator("#all").click()
    assert span(page) == (0.0, float(end))
    page.locator("#failure ol button").click()
    assert span(page) == (2400.0, 2600.0)
    assert page.locator("#verdict").text_content() == "fail"
    assert page.locator("#failure #reproduce").text_content() == "hbm run --seed 7"


def test_the_page_follows_the_browser_and_keeps_the_choice(dark_tab: Watched, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", example())
    page = dark_tab.open(tmp_path / "report.html")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(18, 22, 28)"
    page.locator("#theme").click()
    assert page.evaluate(background) == "rgb(246, 247, 249)"
    again = dark_tab.open(tmp_path / "report.html")
    assert again.evaluate(background) == "rgb(246, 247, 249)"


def test_what_was_not_measured_is_said_and_not_drawn(tab: Watched, tmp_path: Path) -> None:
    nothing = example(commands=np.zeros(0, COMMAND), series=[], latency_ck=[], verdict="died", failure="gone")
    nothing.missing = ["Commands: not measured."]
    write_report(tmp_path / "report.html", nothing)
    page = tab.open(tmp_path / "report.html")
    assert page.locator("#missing").text_content() == "Commands: not measured."
    for chart in ("#bandwidth", "#timeline", "#latency", "#histogram"):
        assert not page.locator(chart).is_visible(), chart


def test_a_run_that_a_window_ended_is_no_failure(tab: Watched, tmp_path: Path) -> None:
    """It says how it ended; the words and the colour of a failure are for failures."""
    for verdict, heading, style in (("stopped", "How the run ended", "note"), ("fail", "What went wrong", "story")):
        page_file = tmp_path / f"{verdict}.html"
        write_report(page_file, example(rounds=3, verdict=verdict, failure="ended at CK 9 by --waves-to"))
        page = tab.open(page_file)
        assert page.locator("#failure h2").inner_text() == heading
        assert page.locator(f"#failure .{style}").inner_text() == "ended at CK 9 by --waves-to"


def test_a_million_commands_are_all_there(tab: Watched, tmp_path: Path) -> None:
    """Aggregated, not dropped; quick to open and to move in (docs/viewing.md has the numbers of five million)."""
    report = example(rounds=1_000_000 // 12)
    write_report(tmp_path / "report.html", report)
    assert report.commands.size > 1_000_000
    assert (tmp_path / "report.html").stat().st_size < 10 * report.commands.size
    begin = time.monotonic()
    page = tab.open(tmp_path / "report.html")
    assert seen(page, "drawn") == str(report.commands.size)
    assert time.monotonic() - begin < 5
    # Every command is in some bar, whatever the zoom.
    counted = "[...shares.sums].reduce((a, b) => a + b, 0)"
    assert page.evaluate(counted) == report.commands.size
    took = page.evaluate(DRAWN, [0.25, 0.5])
    assert 0 < took < 2000
    middle = page.evaluate("[firstAt(end / 4), firstAt(end / 2)]")
    assert page.evaluate(counted) == middle[1] - middle[0] > 200_000
    zoom_in(page)
    assert seen(page, "detail") == "1"
