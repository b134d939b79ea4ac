"""One cache of compiled code for model, checker and bench; a long wait is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hbm_model import startup
from hbm_model._jit import CACHE

# Prints the folder of every compiled function.
FOLDERS = """
import sys
first, second = [(lambda: __import__("hbm_model._run")), (lambda: __import__("hbm_tb.port_kernel"))][::int(sys.argv[1])]
first(), second()
from hbm_model import _csv, _run, _scan, _tight, legality, memory, record, tightness
from hbm_model._jit import compiled
from hbm_tb import axi, lockstep_kernel, port_kernel, traffic
made = [compiled(_scan.scan), compiled(_tight.measure)]
for module in (_csv, _run, memory, record, axi, lockstep_kernel, port_kernel, traffic):
    made += [each for each in vars(module).values() if getattr(getattr(each, "_cache", None), "cache_path", None)]
print(len(made), *{each._cache.cache_path for each in made}, sep="\\n")
"""


@pytest.mark.parametrize("order", ["1", "-1"], ids=["model_first", "bench_first"])
def test_one_cache(order: str) -> None:
    """Whoever asks first, all machine code stands in build/numba: `hbm sim` and the bench compile the model once."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA", "HBM_MODEL_JIT"))}
    done = subprocess.run(
        [sys.executable, "-c", FOLDERS, order], env=environment, capture_output=True, text=True, check=True
    )
    count, *folders = done.stdout.split()
    assert int(count) > 40 and folders
    assert all(folder.startswith(f"{CACHE}/") for folder in folders), folders
    assert {os.path.basename(folder).rpartition("_")[0] for folder in folders} == {"hbm_model", "hbm_tb"}


def test_a_long_wait_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of a short one, a line with the seconds of a long one."""
    with startup.waiting("short"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(startup, "AFTER_S", 0.0)
    told, end = "", time.monotonic() + 30
    with startup.waiting("compiling"):
        while not told:
            assert time.monotonic() < end
            told = capsys.readouterr().err
            time.sleep(0.01)  # between two looks at what the other thread wrote
    assert told == "compiling: 0 s\n"
