"""A kind of job for tests: does what its arguments say, and leaves a line in a diary for each start."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from hbm_tb.jobs import FAIL, PASS, Outcome


def content(arguments: dict[str, Any]) -> str:
    """Text of the file that stands for build and sources."""
    return Path(arguments["content"]).read_text()


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """`do`: pass, fail, raise, exit, kill, kill_once, liar, hang; `sleep` seconds before."""
    diary = Path(arguments["diary"])
    with diary.open("a") as file:
        file.write(f"{folder.name} {os.getpid()}\n")
    starts = sum(line.split()[0] == folder.name for line in diary.read_text().splitlines())
    time.sleep(arguments.get("sleep", 0.0))
    do = arguments["do"]
    if do == "kill" or (do == "kill_once" and starts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "liar":  # somebody else's outcome lies there when the worker dies
        (folder / "outcome.json").write_text(json.dumps({"attempt": "of another time", "status": PASS}))
        os._exit(0)
    if do == "exit":
        os._exit(0)
    if do == "raise":
        raise RuntimeError("the kind is broken")
    if do == "hang":
        time.sleep(1000)
    counts = {"commands": arguments.get("commands", 1)}
    return Outcome(FAIL, "CK 12: wrong\n  more", counts) if do == "fail" else Outcome(PASS, "", counts)
