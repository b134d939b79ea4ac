#!/usr/bin/env python3
"""Stand-in for bsub, bjobs and bkill, by the name that it is called by: jobs are processes of this machine.

It knows what the engine uses of LSF and refuses everything else; it cannot show that a real LSF does the same.
State: a folder with one file a job (number), which holds process and name.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

STATE = Path(os.environ["FAKE_LSF"])


def jobs(name: str) -> dict[int, int]:
    """Number -> process of the jobs of that name that are alive."""
    found = {}
    for each in STATE.glob("[0-9]*"):
        pid, job_name = each.read_text().split()
        with suppress(OSError):
            alive = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
            if alive and job_name == name:
                found[int(each.name)] = int(pid)
    return found


def bsub(words: list[str]) -> None:
    script = sys.stdin.read()
    given = dict(re.findall(r"^#BSUB -(\w+) ?(.*)$", script, re.MULTILINE))
    if words or not script.startswith("#!") or given.keys() - set("JeonRMWqPx") - {"rn"}:
        sys.exit(f"bsub: not understood: {words} {given}")
    if given.get("q") == "nowhere":
        print("nowhere: No such queue. Job not submitted.", file=sys.stderr)
        sys.exit(255)
    limit = STATE / "limit"
    if limit.exists() and len(jobs(given["J"])) >= int(limit.read_text()):
        with (STATE / "refused").open("a") as file:
            file.write("once\n")
        print("User has reached the job slot limit. Job not submitted.", file=sys.stderr)
        sys.exit(255)
    number = len(list(STATE.glob("[0-9]*"))) + 101
    path = STATE / f"script-{number}"
    path.write_text(script)
    path.chmod(0o755)
    out, err = (Path(given[key].replace("%J", str(number))).open("w") for key in "oe")
    process = subprocess.Popen([str(path)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
    (STATE / str(number)).write_text(f"{process.pid} {given['J']}\n")
    print(f"Job <{number}> is submitted to default queue <normal>.")


def bjobs(words: list[str]) -> None:
    match words:
        case ["-noheader", "-J", name, "-o", "jobid stat pend_reason delimiter='|'"]:
            found = jobs(name)
            for number in found:
                print(f"{number}|RUN|-")
            if not found:
                print(f"Job <{name}> is not found", file=sys.stderr)
                sys.exit(255)
        case _:
            sys.exit(f"bjobs: not understood: {words}")


def bkill(words: list[str]) -> None:
    match words:
        case ["-J", name, "0"]:
            chosen = list(jobs(name).values())
        case [number] if number.isdigit():
            chosen = [int((STATE / number).read_text().split()[0])]
        case _:
            sys.exit(f"bkill: not understood: {words}")
    for pid in chosen:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)


with (STATE / "lock").open("w") as one_at_a_time:
    fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
    {"bsub": bsub, "bjobs": bjobs, "bkill": bkill}[Path(sys.argv[0]).name](sys.argv[1:])
