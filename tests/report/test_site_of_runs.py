"""From simulations to the site: a list with a passing and a failing run, and what a reader finds of them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Watched
from hbm_tb.config import BenchConfig
from hbm_tb.job_list import ListOptions, run_list
from hbm_tb.sim_job import sim_job
from hbm_tb.site import write_site

TEST, PRESET, SEED = "ShortRandom", "hbm2_2000_eng", 3
GOOD, BAD = "short/good", "short/bad"
AGAIN = "hbm regress --list short --only "


@pytest.mark.sim
def test_a_list_of_simulations_becomes_a_site(tmp_path: Path, tab: Watched) -> None:
    """Commands, latency, bandwidth and causes of both; the failing one is followed to the CK and the command."""
    config = BenchConfig(preset=PRESET, seed=SEED)
    # Reads too early after ACT: the registers say less than the checkers hold true.
    settings = {GOOD: config, BAD: config.with_(program_only={"RCDRD": 9})}
    jobs = [sim_job(name, "smoke_tests", TEST, how, reproduce=AGAIN + name) for name, how in settings.items()]
    folder = tmp_path / "build" / "regress" / "short"
    found = run_list("short", folder, jobs, ListOptions(replay=False))
    assert found.code == 1 and {name: one.status for name, one in found.results.items()} == {GOOD: "pass", BAD: "fail"}
    write_site(tmp_path / "site", tmp_path / "build")

    # What the simulation counted is what the page holds.
    counts = found.results[GOOD].counts
    commands = np.load(folder / GOOD / "commands.npz")["commands"]
    assert len(commands) == counts["commands"] > 1000
    told: dict[str, Any] = {}
    for name in (GOOD, BAD):
        text = (tmp_path / "site" / "runs" / "short" / f"{name}.html").read_text()
        told[name] = json.loads(re.search(r'id="meta">(.*?)</script>', text, re.S).group(1))  # type: ignore[union-attr]
        causes = [sum(share for _, share in stack["parts"]) for stack in told[name]["stacks"]]
        assert causes == [pytest.approx(100)] * 2, "every cycle has a cause"
        assert not told[name]["missing"]
    assert told[GOOD]["commands"] == len(commands)
    reads = json.loads((folder / GOOD / "result.json").read_text())["latency_ck"]["count"]
    assert sum(sum(bars) for bars in told[GOOD]["histogram"]["counts"]) == reads > 100
    assert 0 < told[BAD]["commands"] < len(commands)
    failure = json.loads((folder / BAD / "failure.json").read_text())
    assert failure["rule"] == "tRCDRD"

    page = tab.open(tmp_path / "site" / "buckets.html")
    assert page.locator("section.bucket code").first.inner_text() == failure["signature"]
    with page.expect_navigation():
        page.get_by_role("link", name=BAD).click()
    page.wait_for_selector("html[data-ready='1']", state="attached")
    assert page.locator("#reproduce").inner_text() == AGAIN + BAD
    page.locator("#failure ol button").click()
    # The failure is near the end of what was recorded, beyond which the view does not go.
    in_view = "(ck) => { const [a, b] = view; return b - a < 201 && a <= ck && ck <= b; }"
    page.wait_for_function(in_view, arg=failure["ck"])
    assert page.locator("#timeline").is_visible() and page.locator("#stacks .stack").count() == 2
    page = tab.open(tmp_path / "site" / "runs" / "short" / f"{GOOD}.html")
    assert page.locator("#verdict").inner_text() == "pass"
    assert page.locator("html").get_attribute("data-drawn") == str(len(commands))
