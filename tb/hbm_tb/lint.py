"""All linters over the repository: Verilator -Wall and slang for each geometry, Verible, ruff, mypy.

A check passes on positive evidence only: the tool came to its end and said so.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hbm_tb.sim import ROOT, find_verilator, rtl_files

LINT = ROOT / "rtl" / "lint"
WAIVERS = LINT / "waivers.vlt"
TOP = "hbm_channel"
TIME_LIMIT = 900  # seconds per tool


@dataclass(frozen=True)
class Outcome:
    """What one linter said about one thing."""

    tool: str
    what: str
    ok: bool
    seconds: float
    findings: list[str] = field(default_factory=list)


def geometries() -> list[str]:
    """Generated geometries, by folder name."""
    return sorted(path.parent.name for path in (ROOT / "rtl" / "gen").glob("*/hbm_geometry_pkg.sv"))


def _script(name: str) -> str:
    """A tool that pip installed beside this interpreter."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def _relative(files: Iterable[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file) for file in files]


def _run(command: Sequence[str | Path], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Return code and all output; a tool that is missing or hangs is a failure with a reason."""
    try:
        out = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT,
        )
    except FileNotFoundError:
        return 127, f"{command[0]} is not installed; run `make setup`"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} ran longer than {TIME_LIMIT} s"
    return out.returncode, out.stdout


def _judge(tool: str, what: str, code: int, text: str, evidence: str, start: float) -> Outcome:
    """Pass: code 0 and the line that the tool prints when it came to its end. Findings: what it printed otherwise."""
    done = re.search(evidence, text, re.MULTILINE) is not None
    lines = [line for line in text.splitlines() if line.strip()]
    if code == 0 and not done:
        lines.append(f"{tool} ended without its closing line")
    return Outcome(tool, what, code == 0 and done, time.monotonic() - start, [] if code == 0 and done else lines)


def verilator(files: Sequence[Path], top: str, what: str) -> Outcome:
    """`verilator -Wall` with the reasoned waivers; any warning fails."""
    start = time.monotonic()
    tool = find_verilator()
    command = [str(tool.executable), "--lint-only", "-Wall", *_relative([WAIVERS, *files]), "--top-module", top]
    code, text = _run(command, tool.env())
    return _judge("verilator", what, code, text, r"^- Verilator: Built from", start)


def slang_options() -> list[str]:
    """Warning switches of rtl/lint/slang.rules; each must carry its reason."""
    options = []
    for line in (LINT / "slang.rules").read_text().splitlines():
        name, _, reason = line.partition("#")
        if name.strip():
            if not reason.strip():
                raise ValueError(f"slang.rules: {name.strip()} has no reason")
            options.append(f"-W{name.strip()}")
    return options


_SLANG = """
import sys
from pyslang import driver
d = driver.Driver()
d.addStandardArgs()
ok = d.parseCommandLine(sys.argv[1]) and d.processOptions() and d.parseAllSources()
if ok:
    compilation = d.createCompilation()
    d.reportCompilation(compilation, False)
    d.runAnalysis(compilation)
    ok = d.reportDiagnostics(False)
sys.exit(0 if ok else 1)
"""


def slang(files: Sequence[Path], top: str, what: str) -> Outcome:
    """`slang -Weverything` less rtl/lint/slang.rules; any warning fails, except on signals named `unused_...`."""
    start = time.monotonic()
    options = ["-Weverything", *slang_options(), "--error-limit", "0", "--top", top, "-DSYNTHESIS"]
    # The register block is PeakRDL's text, not ours.
    options += ["--suppress-warnings", "rtl/gen/hbm_csr_regs.sv"]
    line = " ".join(["slang", *_relative(files), *options])
    code, text = _run([sys.executable, "-c", _SLANG, line])
    outcome = _judge("slang", what, code, text, r"^Build succeeded: 0 errors", start)
    warnings = [line for line in text.splitlines() if " warning: " in line and "variable 'unused_" not in line]
    if outcome.ok and warnings:
        return Outcome("slang", what, False, outcome.seconds, warnings)
    return outcome


def verible(files: Sequence[Path], rules: Path, what: str) -> Outcome:
    """Verible's style rules. It prints nothing when all is well, so the evidence is that it found every file."""
    start = time.monotonic()
    missing = [str(file) for file in files if not file.exists()]
    if missing or not files:
        return Outcome("verible", what, False, 0.0, [f"no such file: {name}" for name in missing] or ["no files"])
    command = [_script("verible-verilog-lint"), f"--rules_config={rules}", *_relative(files)]
    code, text = _run(command)
    return _judge("verible", what, code, text, r"\A\s*\Z", start)


def python_style(paths: Sequence[Path]) -> Outcome:
    """ruff with the rules of pyproject.toml."""
    start = time.monotonic()
    code, text = _run([_script("ruff"), "check", "--output-format", "concise", *_relative(paths)])
    return _judge("ruff", "Python", code, text, r"^All checks passed!", start)


def python_types(paths: Sequence[Path]) -> Outcome:
    """mypy --strict."""
    start = time.monotonic()
    code, text = _run([_script("mypy"), "--strict", *_relative(paths)])
    return _judge("mypy", "Python", code, text, r"^Success: no issues found in \d+ source files?", start)


def rtl_sources() -> list[Path]:
    """Hand-written RTL."""
    return sorted(file for file in (ROOT / "rtl").rglob("*.sv") if "gen" not in file.parts)


def bench_sources() -> list[Path]:
    """Hand-written SystemVerilog of the bench, of tests and of examples."""
    folders = [ROOT / name for name in ("tb/hdl", "tests", "examples")]
    return sorted(file for folder in folders for file in folder.rglob("*.sv") if not {"gen", "build"} & set(file.parts))


def checks(only: str = "") -> list[Callable[[], Outcome]]:
    """All checks whose tool name starts with `only`."""
    found: list[tuple[str, Callable[[], Outcome]]] = []
    for geometry in geometries():
        found.append(("verilator", lambda g=geometry: verilator(rtl_files(g), TOP, g)))  # type: ignore[misc]
    for geometry in geometries():
        found.append(("slang", lambda g=geometry: slang(rtl_files(g), TOP, g)))  # type: ignore[misc]
    found += [
        ("verible", lambda: verible(rtl_sources(), LINT / "verible.rules", "rtl")),
        ("verible", lambda: verible(bench_sources(), LINT / "verible_bench.rules", "bench")),
        ("ruff", lambda: python_style([ROOT / name for name in ("models", "tb", "tests", "examples")])),
        ("mypy", lambda: python_types([ROOT / "models", ROOT / "tb" / "hbm_tb"])),
    ]
    return [check for tool, check in found if tool.startswith(only)]


def main(only: str = "", shown: int = 20) -> int:
    """Run the linters, print a table and the findings, write build/lint/lint.json; 0 when all are clean."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    outcomes = []
    for check in checks(only):
        outcome = check()
        outcomes.append(outcome)
        state = "[green]clean[/]" if outcome.ok else f"[red]{len(outcome.findings)} lines[/]"
        console.print(f"{outcome.tool:10s} {outcome.what:12s} {state}  {outcome.seconds:.1f} s")
    table = Table(title="lint")
    for name in ("tool", "on", "result"):
        table.add_column(name)
    for outcome in outcomes:
        table.add_row(outcome.tool, outcome.what, "clean" if outcome.ok else "FAILED")
        if not outcome.ok:
            console.rule(f"{outcome.tool} {outcome.what}")
            for line in outcome.findings[:shown]:
                console.print(line, markup=False, highlight=False)
            if len(outcome.findings) > shown:
                console.print(f"... {len(outcome.findings) - shown} more lines in build/lint/lint.json")
    console.print(table)
    folder = ROOT / "build" / "lint"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lint.json").write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=1) + "\n")
    if not outcomes:
        console.print(f"no linter is called {only}")
        return 2
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
