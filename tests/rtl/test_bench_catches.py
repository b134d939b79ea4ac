"""No run passes that did not do its work: nothing offered, no closing line, a dead or hanging simulator or bench.

Planted faults of channel and device: test_faults.py. The verdict from its parts: test_sim.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hbm_tb import sim
from hbm_tb.failure import read_failure

pytestmark = pytest.mark.sim

# Test of tb/tests/dying_tests.py -> status, what the reason must match, exit code (None: not looked at).
ENDS: dict[str, tuple[str, str, int | None]] = {
    "Good": ("pass", r"^$", 0),
    "Killed": ("died", r"^simulator ended with code -9", -9),
    "EndsEarly": ("fail", r"^no results\.xml: the simulation ended early$", 0),
    "Silent": ("fail", r"^the closing line of Silent is missing$", 0),
    "Hangs": ("timeout", r"^not finished after 12 s$", None),
    "MonitorBreaks": ("fail", r"^MonitorBreaks: .*planted in the heartbeat", None),
    "NothingOffered": ("fail", r"^NothingOffered: .*\n.*nothing was checked: no read beat and no write response", None),
    "ReadNobodyAnswers": ("fail", r"no progress for \d+ cycles; waiting for ARREADY of port 0", None),
    "NothingCompared": ("fail", r"^NothingCompared: nothing was compared with the exact model: \d+ commands, 0 ", None),
    "NoExactModel": ("pass", r"^$", 0),
    "RegisterAccessFails": (
        "fail",
        r"RuntimeError: register write to 0xffc was answered with an error \(dying_tests\.py:\d+\)$",
        None,
    ),
}

# The bucket of each that does not pass (failure.json).
SIGNATURES: dict[str, str] = {
    "Killed": r"error:simulator ended with code -9 \(killed; out of memory\?\)",
    "EndsEarly": r"error:no results\.xml: the simulation ended early",
    "Silent": r"error:the closing line of Silent is missing",
    "Hangs": r"hang:time-out of the run",
    "MonitorBreaks": r"error:.*planted in the heartbeat.*",
    "NothingOffered": r"error:end:nothing was checked: no read beat and no write response",
    "ReadNobodyAnswers": r"hang:waiting for ARREADY",
    "NothingCompared": r"error:nothing was compared with the exact model: # commands, # responses",
    "RegisterAccessFails": r"error:RuntimeError: register write to # was answered with an error",
}


@pytest.mark.parametrize("test", ENDS)
def test_no_pass_without_its_proof(test: str, tmp_path: Path) -> None:
    """Status, reason and exit code of a run that ends in this way."""
    status, reason, code = ENDS[test]
    # Long enough for a good run on a loaded machine; only the run that hangs uses it up.
    timeout = 12 if test == "Hangs" else 300
    result = sim.run(sim.build("hbm2_s1"), "dying_tests", rf"\.{test}$", run_dir=tmp_path, timeout=timeout)
    assert result.status == status and result.passed == (status == "pass"), f"{result.status}: {result.reason}"
    assert re.search(reason, result.reason), result.reason
    assert code is None or result.returncode == code, f"exit code {result.returncode}"
    assert test == "Hangs" or result.wall_s < timeout
    # The log has the traceback of what no check raised, and of nothing else.
    traced = re.findall(r"^(\w+): Traceback", result.log.read_text(), re.M)
    assert traced == [test] * ("RuntimeError: " in result.reason), (traced, result.reason)
    found = read_failure(tmp_path)
    assert (found is None) == (status == "pass")
    assert found is None or re.fullmatch(SIGNATURES[test], found.signature), found


def test_the_last_line_tells_what_was_compared(tmp_path: Path) -> None:
    """Counts of the lock-step in the closing line, and `exact=off` where there was none."""
    result = sim.run(sim.build("hbm2_s1"), "dying_tests", r"\.(Good|NoExactModel)$", run_dir=tmp_path, timeout=300)
    assert result.passed, result.reason
    lines = re.findall(rf"^{sim.CLOSING} (\w+) (.*)$", result.log.read_text(), re.M)
    said = {name: dict(word.split("=") for word in line.split()) for name, line in lines}
    good = {name: int(value) for name, value in said["Good"].items()}
    assert good["exact_commands"] == good["commands"] > 0
    assert good["exact_responses"] == good["exact_handshakes"] == good["read_beats"] == 16
    assert said["NoExactModel"]["exact"] == "off" and "exact_commands" not in said["NoExactModel"]


def test_every_end_is_looked_at() -> None:
    """The table names all tests of the file."""
    text = (sim.ROOT / "tb" / "tests" / "dying_tests.py").read_text()
    assert set(re.findall(r"^@pyuvm\.test\(\)\nclass (\w+)", text, re.M)) == set(ENDS)
