"""The report page: its data, and (with a browser) that it opens from disk, draws, zooms and holds millions of
commands.
"""

import base64
import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed (apt-get install chromium)")

ACT, PRE, RD, REFSB = (KINDS.index(name) for name in ("ACT", "PRE", "RD", "REFSB"))


def stream(rounds: int) -> np.ndarray:
    """ACT, four RD, PRE, one bank after the other, on both PCs; now and then a refresh."""
    number = np.arange(rounds)
    bank = number % 16
    parts = []
    for pc in (0, 1):
        start = 40 + 64 * number + 2 * pc
        steps = [(1, ACT)] + [(30 + 4 * i, RD) for i in range(4)] + [(60, PRE)]
        for step, (offset, cmd) in enumerate(steps):
            rows = np.zeros(rounds, COMMAND)
            rows["time"], rows["cmd"], rows["pc"] = start + offset, cmd, pc
            rows["bg"], rows["bank"], rows["col"], rows["row"] = bank // 4, bank % 4, step, number % 16384
            parts.append(rows)
        refresh = parts[-1][::50].copy()
        refresh["cmd"] = REFSB
        refresh["time"] += 3
        parts.append(refresh)
    out = np.concatenate(parts)
    return out[np.argsort(out["time"], kind="stable")]


def example(rounds: int = 2000, **changes: object) -> Report:
    commands = stream(rounds)
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
    commands = stream(2000)
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

# Runs after the page's own script: moves about as a user does and leaves what it saw in attributes of the page.
PROBE = """
<script>
(async () => {
  const root = document.documentElement, seen = {}, pause = (ms) => new Promise((r) => setTimeout(r, ms));
  while (root.dataset.ready === undefined) await pause(20);
  // Virtual time may never serve an animation frame. `pending` is the page's redraw flag.
  window.requestAnimationFrame = (draw) => setTimeout(draw, 0);
  const frame = async () => { await pause(30); while (pending) await pause(10); };
  pending = false; redraw(); await frame();
  const canvas = document.getElementById("timeline"), box = () => canvas.getBoundingClientRect();
  const at = (type, x, y, more) => canvas.dispatchEvent(new (type === "wheel" ? WheelEvent : PointerEvent)(type,
    { clientX: box().left + x, clientY: box().top + y, bubbles: true, cancelable: true, ...more }));
  const ink = (id) => {
    const c = document.getElementById(id), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 3; i < d.length; i += 4) if (d[i]) n++;
    return n;
  };
  seen.whole = root.dataset.view; seen.detail0 = root.dataset.detail; seen.all = root.dataset.drawn;
  seen.ink = ["bandwidth", "latency", "histogram", "rows", "timeline", "overview"].map(ink);
  for (let i = 0; i < 40 && root.dataset.detail !== "1"; i++) {
    at("wheel", 600, 100, { deltaY: -300 }); await frame();
  }
  seen.zoomed = root.dataset.view; seen.detail1 = root.dataset.detail;
  at("pointerdown", 600, 100, {}); at("pointermove", 500, 100, {}); at("pointerup", 500, 100, {}); await frame();
  seen.panned = root.dataset.view;
  location.hash = "#ck=2000-2100";
  for (let i = 0; i < 200 && !root.dataset.view.startsWith("2000.0 "); i++) await frame();
  seen.hash = root.dataset.view; seen.drawn = root.dataset.drawn;
  const tip = document.getElementById("tip");
  for (let x = 100; x < box().width - 10 && !seen.tip; x += 3) {
    at("pointermove", x, 20 + 15 * 15, {});
    if (tip.style.display === "block") seen.tip = tip.textContent;
  }
  document.getElementById("all").click(); await frame();
  seen.again = root.dataset.view;
  document.getElementById("theme").click(); await frame();
  seen.theme = root.dataset.theme; seen.background = getComputedStyle(document.body).backgroundColor;
  seen.badge = document.getElementById("verdict").textContent;
  const jump = document.querySelector("#failure button");
  if (jump) { jump.click(); await frame(); seen.jump = root.dataset.view; }
  root.dataset.seen = JSON.stringify(seen);
})().catch((e) => { document.documentElement.dataset.seen = JSON.stringify({ error: String(e) }); });
</script>
</body>"""


def browse(page: Path, tmp_path: Path) -> dict[str, object]:
    """Open a page from disk in a headless browser with the probe added; returns what the probe saw."""
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("</body>", PROBE, 1))
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--window-size=1400,1200", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=60000", "--dump-dom", probed.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found, f"the page did not finish: {done.stdout[:300]} {done.stderr[-500:]}"
    seen: dict[str, object] = json.loads(
        found.group(1).replace("&quot;", '"').replace("&lt;", "<").replace("&amp;", "&")
    )
    assert "error" not in seen, seen
    return seen


def span(view: object) -> tuple[float, float]:
    low, high = str(view).split()
    return float(low), float(high)


@needs_browser
def test_the_page_opens_zooms_and_explains(tmp_path: Path) -> None:
    report = example(violations=[Violation(2500, "tRCDRD: too early")], verdict="fail", failure="legality")
    write_report(tmp_path / "report.html", report)
    seen = browse(tmp_path / "report.html", tmp_path)
    end = int(report.commands["time"].max()) // 2 + 2
    assert span(seen["whole"]) == span(seen["again"]) == (0.0, float(end))
    assert (seen["detail0"], seen["detail1"]) == ("0", "1")
    assert seen["all"] == str(report.commands.size)
    assert all(int(pixels) > 500 for pixels in seen["ink"])  # type: ignore[attr-defined]
    low, high = span(seen["zoomed"])
    assert high - low < end / 2
    assert span(seen["panned"])[0] > low  # dragging to the left shows later times
    assert span(seen["hash"]) == (2000.0, 2100.0)
    inside = np.count_nonzero((report.commands["time"] >= 4000) & (report.commands["time"] < 4200))
    assert seen["drawn"] == str(inside)
    assert re.match(r"(ACT|RD|PRE) at CK 2,\d\d\d", str(seen["tip"]))
    assert seen["theme"] == "dark"
    assert seen["background"] == "rgb(18, 22, 28)"
    assert seen["badge"] == "fail"
    assert span(seen["jump"]) == (2400.0, 2600.0)


@needs_browser
def test_five_million_commands_are_all_there(tmp_path: Path) -> None:
    """Aggregated, not dropped; the page stays below 10 bytes a command."""
    report = example(rounds=5_000_000 // 12)
    write_report(tmp_path / "report.html", report)
    assert (tmp_path / "report.html").stat().st_size < 10 * report.commands.size
    seen = browse(tmp_path / "report.html", tmp_path)
    assert report.commands.size > 5_000_000
    assert seen["all"] == str(report.commands.size)
    assert seen["detail1"] == "1"
