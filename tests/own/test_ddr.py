"""Words -> real pins -> words, both ways, in every generation: random words, and those of runs of the exact model."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hbm_model import mode_regs
from hbm_model.addrmap import named_map
from hbm_model.commands import CMD_DTYPE, COLUMN_COMMANDS, Cmd, CmdArray
from hbm_model.controller import Policy, Setup, simulate
from hbm_model.encoding import ARFU_LEVEL, Command, encoding
from hbm_model.presets import preset
from hbm_model.requests import RequestTrace
from hbm_tb import sim
from hbm_tb.own_board import Place, columns, unwritten
from hbm_tb.own_run import run

HERE = Path(__file__).resolve().parent


class Case(NamedTuple):
    """How a preset is tested."""

    ck_ps: int  # length of CK in the loop
    shift: int  # first clock edge of the host in CK; 2: cycles of the device begin in the middle of its own
    device: int  # the device answers; else the bench only listens
    skews_ps: str = ""  # below the limit of a strobe, which is half a unit interval, and beyond it


PRESETS = {
    "hbm2_2000_eng": Case(1000, 1, 0, "240 260"),
    "hbm3_6400_eng": Case(625, 2, 1, "70 86"),
    "hbm4_8000_eng": Case(1000, 2, 1),
}
QUIET = 24  # cycles of each step of the power-up


@functools.cache
def built(name: str) -> sim.Build:
    """The test top for the geometry of a preset."""
    design = sim.Design([HERE / "hdl" / f"{part}.sv" for part in ("ddr_wire", "ddr_loop", "ddr_top")])
    case = PRESETS[name]
    parameters = {"CkPs": case.ck_ps, "Shift": case.shift, "Device": case.device}
    return sim.build(preset(name).geometry.name, "ddr_top", design=design, parameters=parameters, opt="-O0")


def run_commands(name: str) -> CmdArray:
    """Commands of the exact model for random traffic: what the channel puts on its pins, cycle for cycle."""
    params = preset(name)
    rng = np.random.default_rng(5)
    count = 160
    address_map = named_map("peers", params.geometry)
    trace = RequestTrace(
        rng.random(count) < 0.5,
        rng.choice(rng.integers(0, address_map.channel_bytes // 32, 40), count).astype(np.uint64) * np.uint64(32),
        np.zeros(count, np.int64),
    )
    return simulate(Setup(params, Policy.of(params)), trace, address_map).commands


def data_of(number: int) -> bytes:
    """What write `number` of a run writes."""
    return np.random.default_rng([7, number]).bytes(32)


def words_of(name: str, commands: CmdArray) -> tuple[list[str], int]:
    """Lines of the word file - power-up, mode registers, commands with their write data - and the line of time 0."""
    params = preset(name)
    generation = params.generation.number
    code = encoding(generation)
    idle_row, idle_col = code.encode(Command("RNOP")), code.encode(Command("CNOP"))
    modes = mode_regs.values(generation, {key: float(params[key]) for key in ("RL", "WL", "WR", "RAS", "RP", "RTP")})
    before = 4 * QUIET * (len(modes) + 1)  # edges: each mode register in a time of its own
    edges = before + int(commands["time"].max()) + 4 * params.count("RL") + 32
    edges += -edges % 4
    row = list(idle_row * (edges // len(idle_row)))
    col = list(idle_col * (edges // 2))
    lanes: dict[tuple[int, int], bytes] = {}  # (CK, PC) -> the 16 bytes of that CK
    for number, (ma, op) in enumerate(sorted(modes.items())):
        col[4 * QUIET * number : 4 * QUIET * number + 2] = code.encode(Command("MRS", ma=ma, op=op))
    writes = 0
    for record in commands:
        kind = Cmd(int(record["cmd"]))
        command = Command(
            kind.name,
            pc=int(record["pc"]),
            sid=int(record["sid"]),
            ba=int(record["bg"]) * params.count("banks") + int(record["bank"]),
            row=int(record["row"]),
            col=int(record["col"]),
        )
        at = before + int(record["time"])
        bus = col if kind in COLUMN_COMMANDS else row
        for step, word in enumerate(code.encode(command)):
            bus[at + step] = word
        if kind in (Cmd.WR, Cmd.WRA):
            for half in range(2):
                due = at // 2 + params.count("WL") + half
                lanes[due, command.pc] = data_of(writes)[16 * half : 16 * half + 16]
            writes += 1
    asleep = code.encode(Command("PDE"))[0] if generation != 2 else idle_row[0]

    def line(row4: list[int], col4: list[int], reset_n: int, ck_en: int, cke: int, ck: int = -2) -> str:
        value = oe = 0
        for pc in (1, 0):
            for phase in (1, 0):
                data = lanes.get((ck + phase, pc))
                oe = oe << 1 | (data is not None)
                value = value << 128 | int.from_bytes(data or bytes(16), "little")
        value |= oe << 512
        value = value << 4 | reset_n << 3 | ck_en << 2 | cke
        for edge in reversed(range(4)):
            apar = code.apar(row4[edge], col4[edge]) if generation != 2 else 1
            value = value << 21 | ARFU_LEVEL << 20 | apar << 19 | col4[edge] << 10 | row4[edge]
        return f"{value:x}"

    rest = [asleep] * 4 if generation != 2 else list(idle_row) * 2
    still = list(idle_col) * 2
    lines = [line(rest, still, 0, 0, 0)] * QUIET + [line(rest, still, 1, 0, 0)] * QUIET
    lines += [line(rest, still, 1, 1, 0)] * QUIET
    awake = list(idle_row * (4 // len(idle_row)))
    cke = 3 if generation == 2 else 0
    lines += [line(awake, still, 1, 1, cke)] * QUIET
    start = len(lines) + before // 4
    lines += [line(row[at : at + 4], col[at : at + 4], 1, 1, cke, at // 2) for at in range(0, edges, 4)]
    return lines, start


def check_reads(name: str, commands: CmdArray, start: int, folder: Path) -> int:
    """Every read of the run brought the right 32 bytes, exactly RL after its command; their number."""
    params = preset(name)
    memory: dict[Place, bytes] = {}
    cycles = [line.split() for line in (folder / "reads.hex").read_text().splitlines()]
    reads = writes = 0
    for write, place, ck in columns(commands):
        if write:
            memory[place] = data_of(writes)
            writes += 1
            continue
        due = 2 * start + int(ck) + params.count("RL")
        got = b"".join(int(cycles[at // 2][2 * place.pc + at % 2], 16).to_bytes(16, "little") for at in (due, due + 1))
        assert got == memory.get(place, unwritten(0, place)), f"read {reads} at {place}, CK {ck:g}"
        reads += 1
    return reads


@pytest.mark.sim
@pytest.mark.parametrize("name", PRESETS)
def test_words_survive_the_pins(name: str, tmp_path: Path) -> None:
    """Every CK of random words comes back as it was, and the recorder behind the pins sees the run's own commands."""
    commands = run_commands(name)
    lines, start = words_of(name, commands)
    (tmp_path / "words.hex").write_text("\n".join(lines) + "\n")
    result = sim.run(
        built(name),
        str(HERE / "ddr_tests.py"),
        "words_come_back",
        run_dir=tmp_path,
        plusargs=[f"+words={tmp_path / 'words.hex'}"],
        env={"DDR_SHIFT": str(PRESETS[name].shift)},
        timeout=300,
    )
    assert result.passed, f"{result.reason} (log: {result.log})"
    seen = np.load(tmp_path / "commands.npy")
    seen = seen[seen["cmd"] != Cmd.MRS]
    assert len(seen) == len(commands) > 150
    shift = int(seen["time"][0]) - int(commands["time"][0])
    expected = np.sort(comparable(commands), order=("time", "cmd", "pc"))
    found = np.sort(comparable(seen, shift), order=("time", "cmd", "pc"))
    assert (expected == found).all()
    if PRESETS[name].device:
        assert check_reads(name, commands, start, tmp_path) > 30


def comparable(commands: CmdArray, shift: int = 0) -> CmdArray:
    """Only what the pins say: no row of column commands; times from the first command on."""
    out = np.zeros(len(commands), CMD_DTYPE)
    for field in ("time", "cmd", "pc", "sid", "bg", "bank", "col", "row"):
        out[field] = commands[field]
    out["time"] -= np.uint64(shift)
    out["row"][np.isin(out["cmd"], COLUMN_COMMANDS)] = 0
    return out


@pytest.mark.sim
@pytest.mark.parametrize("name", [name for name, case in PRESETS.items() if case.skews_ps])
def test_strobes_may_leave_the_middle_of_their_word(name: str, tmp_path: Path) -> None:
    """CK, WDQS and RDQS, with their lanes or without, early or late by less than half a unit interval of the lanes."""
    (tmp_path / "words.hex").write_text("")
    result = sim.run(
        built(name),
        str(HERE / "ddr_tests.py"),
        "strobes_may_be_early_or_late",
        run_dir=tmp_path,
        plusargs=[f"+words={tmp_path / 'words.hex'}"],
        env={"DDR_SKEWS": PRESETS[name].skews_ps},
        timeout=300,
    )
    assert result.passed, result.reason


def listened(test: str, commands: CmdArray | None, folder: Path, *plusargs: str) -> sim.Result:
    """A test of listen_tests.py behind the pins that carry `commands`; None: that carry nothing."""
    folder.mkdir(exist_ok=True)
    lines = words_of("hbm2_2000_eng", commands)[0] if commands is not None else []
    (folder / "words.hex").write_text("".join(f"{line}\n" for line in lines))
    return run(
        built("hbm2_2000_eng"),
        HERE / "listen_tests.py",
        f"{test}$",
        folder=folder,
        plusargs=[f"+words={folder / 'words.hex'}", *plusargs],
        env={"HBM_MODEL_JIT": "0"},
        timeout=300,
    )


@pytest.mark.sim
def test_a_bench_that_listens_passes_on_its_commands(tmp_path: Path) -> None:
    """Nobody tells of requests: legality and coverage, with settings as they come; a CK too early is told."""
    commands = run_commands("hbm2_2000_eng")
    result = listened("Listen", commands, tmp_path / "right")
    assert result.passed, f"{result.reason} (log: {result.log})"
    record = json.loads((result.run_dir / "result.json").read_text())
    assert record["checked"]["commands"] > len(commands) and not record["checked"]["read_beats"]
    assert json.loads((result.run_dir / "coverage_Listen.json").read_text())["points"]["dram.command"]
    assert "<script" in (result.run_dir / "report.html").read_text()

    early = commands.copy()
    read = int(np.flatnonzero(early["cmd"] == Cmd.RD)[0])
    same = (early["cmd"] == Cmd.ACT) & (early["time"] < early["time"][read])
    for field in ("pc", "sid", "bg", "bank"):
        same &= early[field] == early[field][read]
    act = int(np.flatnonzero(same)[-1])
    early["time"][read] = early["time"][act] + 2 * (preset("hbm2_2000_eng").count("RCDRD") - 1)
    result = listened("Listen", early, tmp_path / "wrong")
    assert not result.passed and "breaks tRCDRD after ACT" in result.reason, result.reason


@pytest.mark.sim
def test_silence_is_no_pass_for_a_bench_that_listens(tmp_path: Path) -> None:
    """Pins that never move, and pins that stop; a test that expects silence says so."""
    result = listened("Listen", None, tmp_path / "silent")
    assert not result.passed and "the recorder saw no command at all" in result.reason, result.reason
    result = listened("ListenOn", run_commands("hbm2_2000_eng"), tmp_path / "stopped")
    assert not result.passed and "no request and no command for" in result.reason, result.reason
    assert listened("ExpectNothing", None, tmp_path / "expected").passed


@pytest.mark.sim
@pytest.mark.parametrize(
    ("plusarg", "told"),
    [
        ("+bench_ck_ps=800", "0.8000 ns"),
        ("+host_ck_ps=1100", "1.1000 ns"),
    ],
)
def test_a_wrong_length_of_ck_is_told(plusarg: str, told: str, tmp_path: Path) -> None:
    """One line names what the pins carry and what the bench was told."""
    result = listened("Listen", run_commands("hbm2_2000_eng"), tmp_path, plusarg)
    assert not result.passed
    assert f"the period of CK is {told}, expected 1.0000 ns: parameter CkNs" in result.reason, result.reason
