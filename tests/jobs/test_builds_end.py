"""A build that is interrupted or killed leaves no compiler behind: the next one begins at once in the same folder."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from hbm_tb import sim
sim._make(Path(sys.argv[1]), os.environ, 1, "-O0", ["libverilated.a"], sim._Progress("fake"))
"""
# In place of a compiler: says who it is, and goes on for longer than the test waits.
MAKEFILE = "libverilated.a:\n\t@echo $$$$ > pid.new; mv pid.new pid; exec sleep 300\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_compiler_is_left(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C, kill and kill -9 of the process that builds end make and what it started."""
    (tmp_path / "hx.mk").write_text(MAKEFILE)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], env=env, stderr=subprocess.DEVNULL)
    file = tmp_path / "pid"
    end = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None and time.monotonic() < end, "the build did not begin"
        time.sleep(0.02)  # a file that another process writes tells nobody that it has come
    compiler = os.pidfd_open(int(file.read_text()))
    ended = select.poll()
    ended.register(compiler, select.POLLIN)
    try:
        assert not ended.poll(0), "the compiler is not even there"
        process.send_signal(how)
        assert process.wait(60) != 0
        assert ended.poll(10_000), "the compiler goes on"
    finally:
        os.close(compiler)
