"""The small controller as a design of the library: its sources, its build, its runs.

Also `python small.py [TEST] [BUG] [SEED] [--waves]`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

# The checker runs as plain Python: these runs are short, and compiling it would take longer.
os.environ.setdefault("HBM_MODEL_JIT", "0")

from hbm_model.presets import preset
from hbm_tb.own_run import Build, Design, Result, build, run

HERE = Path(__file__).resolve().parent
PRESET = "hbm2_2000_eng"
RTL = ("small_pkg", "small_encode", "small_controller", "small_io", "small_hbm")
# Parameter of small_top -> timing of the preset.
TIMINGS = ("RL", "WL", "RCDRD", "RCDWR", "RP", "RC", "RTP", "WR", "RTW", "MRD", "MOD", "RFC", "REFI")


def _tests() -> list[str]:
    """Names of the tests of small_tests.py."""
    return re.findall(r"@pyuvm\.test\(.*\)\nclass (\w+)", (HERE / "small_tests.py").read_text())


def _bugs() -> list[str]:
    """Names that `+bug=` takes: those that the controller compares with."""
    return re.findall(r'bug == "(\w+)"', (HERE / "rtl" / "small_controller.sv").read_text())


def build_small(top: str = "small_top", coverage: bool = False) -> Build:
    """The simulation at the pins (small_top) or at the DFI (small_dfi_top), with the timings of the preset.

    `coverage`: lines, branches and toggles of the controller are counted too.
    """
    values = preset(PRESET)
    parameters = {name: values.count(name) for name in TIMINGS} | {"WTR": values.count("WTRL")}
    sources = [HERE / "rtl" / f"{name}.sv" for name in RTL] + [HERE / "tb" / f"{top}.sv"]
    design = Design(sources, defines=["PLANT_BUGS"])
    return build(design, top, PRESET, parameters=parameters, coverage=coverage)


def run_small(
    test: str, bug: str = "", seed: int = 1, folder: Path | None = None, waves: bool = False, top: str = "small_top"
) -> Result:
    """One test in a folder of its own."""
    return run(
        build_small(top),
        HERE / "small_tests.py",
        f"{test}$",
        folder=folder or Path("build") / "runs" / (f"{test}-{bug}" if bug else test),
        settings={"preset": PRESET},
        seed=seed,
        plusargs=[f"+bug={bug}"] if bug else [],
        waves=waves,
        reproduce=f"python {HERE / 'small.py'} {{test}} {bug or '-'} {{seed}}",
    )


if __name__ == "__main__":
    import argparse

    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("test", nargs="?", default="RandomTraffic", choices=_tests())
    # A name that is not known would be a run without a bug: its pass would say nothing.
    words.add_argument("bug", nargs="?", default="-", choices=["-", *_bugs()], help="planted bug; -: none")
    words.add_argument("seed", nargs="?", type=int, default=1)
    words.add_argument("--waves", action="store_true", help="write waves.fst")
    given = words.parse_args()
    outcome = run_small(given.test, given.bug.removeprefix("-"), given.seed, waves=given.waves)
    print(f"{outcome.status} {outcome.reason}\n  {outcome.run_dir / 'report.html'}")
    sys.exit(0 if outcome.passed else 1)
