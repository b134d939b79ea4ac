"""A kind of job for tests: does what its arguments say, and leaves a line in a diary for each start and each end."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from hbm_tb.jobs import FAIL, PASS, Outcome


def content(arguments: dict[str, Any]) -> str:
    """Text of the file that stands for build and sources."""
    return Path(arguments["content"]).read_text()


def _write(diary: Path, what: str, folder: Path) -> None:
    with diary.open("a") as file:  # one short write: lines of several processes do not mix
        file.write(f"{what} {folder.name} {os.getpid()}\n")


def _started(diary: Path) -> list[str]:
    return [words[1] for words in map(str.split, diary.read_text().splitlines()) if words[0] == "start"]


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """`do`: pass, fail, raise, exit, kill, kill_once, liar, hang, hang_once, fail_once, edit (the sources), and what a
    disk can do to a worker: no_disk, no_disk_once (its folder goes), torn (half an outcome), full, full_once (no more
    byte).

    `reason`: why it fails; `failure`: content of failure.json; `leaves`: files to leave; `files`: such with their text.
    `meet`: end not before so many jobs have started; `last`: seconds of work, so that a signal meets jobs under way.
    """
    diary = Path(arguments["diary"])
    _write(diary, "start", folder)
    if arguments["do"] == "edit":
        Path(arguments["content"]).write_text("edited meanwhile")
    starts = _started(diary).count(folder.name)
    while len(_started(diary)) < arguments.get("meet", 0):
        time.sleep(0.01)  # between two looks at the diary; the limit of the job ends a wait in vain
    time.sleep(arguments.get("last", 0.0))  # stands for work: the signal of the test is to come in the middle of it
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
    if do == "no_disk" or (do == "no_disk_once" and starts == 1):
        shutil.rmtree(folder)  # what it writes from now on goes nowhere
    if do == "hang" or (do == "hang_once" and starts == 1):
        signal.pause()  # for good: only somebody else can end it
    if do == "torn":  # the machine goes down while the outcome of a pass is on its way to the disk
        given = json.loads((folder / "job.json").read_text())
        whole = json.dumps({"attempt": given["attempt"], "status": PASS, "reason": "", "counts": {"commands": 1}})
        (folder / "outcome.json").write_text(whole[: len(whole) // 2])
        os._exit(0)
    for name in arguments.get("leaves", ()):
        (folder / name).write_text("left")
    for name, text in arguments.get("files", {}).items():
        (folder / name).write_text(text)
    if "failure" in arguments:
        (folder / "failure.json").write_text(json.dumps(arguments["failure"]))
    counts = {"commands": arguments.get("commands", 1)}
    _write(diary, "end", folder)
    if do == "full" or (do == "full_once" and starts == 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))  # the outcome does not fit any more
    reason = arguments.get("reason", "CK 12: wrong\n  more")
    wrong = do == "fail" or (do == "fail_once" and starts == 1)
    return Outcome(FAIL, reason, counts) if wrong else Outcome(PASS, "", counts)
