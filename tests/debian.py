"""Programs of Debian packages that tests drive: a browser, a batch system, valgrind."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

INSTALL_S = 600.0  # Chromium is a hundred megabytes


def needs(tools: Iterable[str], packages: Iterable[str]) -> None:
    """Have all tools in PATH: as root on Debian they are installed; others are told how, and the test is skipped, since
    what a machine has is not for a test to change without that right.
    """
    tools, packages = list(tools), list(packages)
    if _found(tools):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip(f"needs {', '.join(tools)} (as root: apt-get install {' '.join(packages)})")
    # One test process at a time; the others find what it installed.
    with (Path(tempfile.gettempdir()) / "hbm-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _found(tools):
            return
        # RUNLEVEL=1: no service starts; tests start their own.
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        said = ""
        for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "-qq", *words], env=env, capture_output=True, text=True, timeout=INSTALL_S, check=False
            )
            said += done.stderr
    if not _found(tools):
        errors = [line for line in said.splitlines() if line.startswith("E:")]
        pytest.fail(f"apt-get install {' '.join(packages)}: {(errors or ['no such program came'])[0]}")


def needs_recorder() -> None:
    """What `hbm record` and the programs that it records want."""
    needs(["valgrind", "gcc"], ["valgrind", "gcc", "libc6-dev"])


def _found(tools: Iterable[str]) -> bool:
    return all(map(shutil.which, tools))
