"""Block tests of the PHY interface: pin words, data lanes, initialisation commit, mode registers (bench: blk_phy)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge
from hbm_model import mode_regs
from hbm_model.commands import Cmd
from hbm_model.encoding import FALLING, Command, CycleWords, Encoding, all_encodings
from hbm_model.encoding import encoding as encoding_of
from hbm_model.presets import PRESET_NAMES, preset

ENCODINGS = all_encodings()
NAMES = ("hbm2", "wide", "hbm3", "hbm4")  # spelling in the bench
INIT_SHIFT = 14  # of the bench
PHASE_BITS = 128

STATES = ("idle", "reset", "fuse", "clock", "wake", "mode", "run", "drain", "close", "settle", "load")


def block(dut: Any) -> Any:
    """The block, whether it is the top or one of several in a bench."""
    return getattr(dut, "u_phy", dut)


async def start(dut: Any) -> Any:
    """Reset the block with every input at rest."""
    blk = block(dut)
    await FallingEdge(blk.clk)
    for name in ("act", "slot", "col", "mrs", "wr_en", "wr_data", "wr_mask", "rd_en", "pin_dq", "rd_delay", "error",
                 "registered", "timing", "rl", "start", "commit", "idle", "ma"):  # fmt: skip
        getattr(blk, name + "_drv").value = 0
    blk.state_drv.value = 0b110
    blk.block_rst_drv.value = 1
    await FallingEdge(blk.clk)
    await FallingEdge(blk.clk)
    blk.block_rst_drv.value = 0
    return blk


def words_of(value: int, width: int) -> tuple[int, ...]:
    """Four words, p0 rise first."""
    return tuple(value >> width * i & (1 << width) - 1 for i in range(4))


# ---------------------------------------------------------------- encoders


@dataclass(frozen=True)
class Drive:
    """One cycle of commands; columns and slots as [p0, p1]."""

    act: Command | None = None
    slots: tuple[Command | None, Command | None] = (None, None)
    columns: tuple[Command | None, Command | None] = (None, None)
    power_down: bool = False

    def apply(self, blk: Any) -> None:
        """Drive the bench."""
        act = self.act
        blk.act_drv.value = 0 if act is None else 1 << 22 | act.pc << 21 | act.sid << 19 | act.ba << 15 | act.row
        slots = columns = 0
        for phase in (0, 1):
            slot = self.slots[phase]
            if slot is not None:
                slots |= (1 << 12 | Cmd[slot.name] << 7 | slot.pc << 6 | slot.sid << 4 | slot.ba) << 13 * phase
            column = self.columns[phase]
            if column is not None and column.name != "MRS":
                word = 1 << 17 | Cmd[column.name] << 12 | column.pc << 11 | column.sid << 9 | column.ba << 5
                columns |= (word | column.col) << 18 * phase
        blk.slot_drv.value = slots
        blk.col_drv.value = columns
        mrs = self.columns[0]
        blk.mrs_drv.value = 1 << 13 | mrs.ma << 8 | mrs.op if mrs is not None and mrs.name == "MRS" else 0
        blk.state_drv.value = 0b110 | self.power_down


def random_command(rng: random.Random, name: str, pc: int | None = None) -> Command:
    """Any field values; MRS has its own fields."""
    if name == "MRS":
        return Command("MRS", ma=rng.randrange(16), op=rng.randrange(256))
    command = Command(name, rng.randrange(2) if pc is None else pc, rng.randrange(4), rng.randrange(16))
    if name == "ACT":
        return replace(command, row=rng.randrange(1 << 15))
    if name in ("RD", "RDA", "WR", "WRA"):
        return replace(command, col=rng.randrange(32))
    return command


def random_drive(rng: random.Random, generation: int) -> Drive:
    """A cycle that M1.3 allows."""
    shorts = ["PRE", "PREA", "REF", "REFSB"] + (["RFM", "RFMSB"] if generation > 2 else [])
    if rng.random() < 0.15:
        return Drive(columns=(random_command(rng, "MRS"), None))
    columns = tuple(
        random_command(rng, rng.choice(["RD", "RDA", "WR", "WRA"]), pc) if rng.random() < 0.7 else None for pc in (0, 1)
    )
    if rng.random() < 0.4:
        pre = random_command(rng, rng.choice(["PRE", "PREA"])) if generation > 2 and rng.random() < 0.5 else None
        return Drive(random_command(rng, "ACT"), (None, pre), (columns[0], columns[1]))
    slots = tuple(random_command(rng, rng.choice(shorts)) if rng.random() < 0.6 else None for _ in (0, 1))
    return Drive(None, (slots[0], slots[1]), (columns[0], columns[1]))


def narrowed(drive: Drive, encoding: Encoding) -> Drive:
    """The drive without the bits that the encoding has no pins for."""
    one_sid = encoding.generation == 2 and encoding.row_pins == 6

    def cut(command: Command | None) -> Command | None:
        if command is None:
            return None
        # SID stays on its HBM2 pins in all-bank commands; the second SID bit has none in a narrow part.
        return replace(command, sid=command.sid & 1) if one_sid else command

    (slot_a, slot_b), (column0, column1) = drive.slots, drive.columns
    return Drive(cut(drive.act), (cut(slot_a), cut(slot_b)), (cut(column0), cut(column1)), drive.power_down)


def observed(blk: Any, index: int, encoding: Encoding) -> tuple[CycleWords, int, int]:
    """Words of encoder `index`, its ARFU bits and CKE."""
    name = NAMES[index]
    side = int(blk.side.value) >> 10 * index
    row = words_of(int(getattr(blk, "row_" + name).value), encoding.row_pins)
    col = words_of(int(getattr(blk, "col_" + name).value), encoding.col_pins)
    return CycleWords(row, col, words_of(side & 0xF, 1)), side >> 4 & 0xF, side >> 8 & 3


def expected(drive: Drive, encoding: Encoding) -> CycleWords:
    """Words by the Python tables."""
    cut = narrowed(drive, encoding)
    return encoding.cycle(cut.act, cut.slots, cut.columns, cut.power_down)


def directed_drives() -> Iterator[Drive]:
    """Idle, power-down, each command alone, and each field bit of it walking."""
    yield Drive()
    yield Drive(power_down=True)
    for name in ("ACT", "PRE", "PREA", "REF", "REFSB"):
        fields = {"pc": 1, "sid": 2, "ba": 4} | ({"row": 15} if name == "ACT" else {})
        for command in _walk(name, fields):
            if name == "ACT":
                yield Drive(act=command)
            else:
                yield Drive(slots=(command, None))
                yield Drive(slots=(None, command))
    for name in ("RD", "RDA", "WR", "WRA"):
        for command in _walk(name, {"sid": 2, "ba": 4, "col": 5}):
            yield Drive(columns=(command, None))
            yield Drive(columns=(None, replace(command, pc=1)))
    for command in _walk("MRS", {"ma": 4, "op": 8}):
        yield Drive(columns=(command, None))


def _walk(name: str, fields: dict[str, int]) -> Iterator[Command]:
    yield Command(name)
    yield Command(name, **{key: (1 << width) - 1 for key, width in fields.items()})
    for key, width in fields.items():
        for bit in range(width):
            yield Command(name, **{key: 1 << bit})


@cocotb.test()
async def encoders_match_the_tables(dut: Any) -> None:
    """Every encoder gives the words of the Python tables, with good parity, and the decoder reads the commands back."""
    blk = await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    checked = dict.fromkeys(NAMES, 0)
    drives = [(drive, 0) for drive in directed_drives()]
    drives += [(random_drive(rng, generation), generation) for generation in (2, 3) for _ in range(400)]
    for drive, generation in drives:
        drive.apply(blk)
        await FallingEdge(blk.clk)
        for index, (name, encoding) in enumerate(zip(NAMES, ENCODINGS.values(), strict=True)):
            # A cycle drawn for HBM3/4 may break the slot rules of HBM2.
            if generation == 3 and encoding.generation == 2:
                continue
            words, arfu, cke = observed(blk, index, encoding)
            want = expected(drive, encoding)
            assert words == want, f"{name}: {drive}: {words} instead of {want}"
            assert encoding.parity_errors(words) == [], f"{name}: parity, {drive}"
            assert arfu == 0xF
            assert cke == (0 if drive.power_down and encoding.generation == 2 else 3)
            checked[name] += 1
    assert min(checked.values()) > 600, checked


@cocotb.test()
async def hbm34_precharges_stand_on_the_falling_edge(dut: Any) -> None:
    """M1.2: PRE in slot A at p0.fall, in slot B at p1.fall, also behind an ACT; others on the rise."""
    blk = await start(dut)
    idle = (1 << 10) - 1
    for name in ("hbm3", "hbm4"):
        row = getattr(blk, "row_" + name)
        for command in ("PRE", "PREA", "REFSB", "REF", "RFM", "RFMSB"):
            for phase in (0, 1):
                slots = (Command(command, pc=1), None) if phase == 0 else (None, Command(command, pc=1))
                Drive(slots=slots).apply(blk)
                await FallingEdge(blk.clk)
                busy = [edge for edge, word in enumerate(words_of(int(row.value), 10)) if word != idle]
                assert busy == [2 * phase + (command in FALLING)], f"{name} {command} {busy}"
        Drive(Command("ACT"), (None, Command("PRE", pc=1, ba=3))).apply(blk)
        await FallingEdge(blk.clk)
        busy = [edge for edge, word in enumerate(words_of(int(row.value), 10)) if word != idle]
        assert busy == [0, 1, 2, 3], f"{name}: {busy}"


@cocotb.test()
async def commands_reach_dfi_and_pins_in_time(dut: Any) -> None:
    """M8.1: commands of cycle C stand on the DFI in C+1 and on the pins in C+2; RESET_n, CK and CKE go with them."""
    blk = await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    await FallingEdge(blk.clk)
    row_pins, col_pins = len(blk.dfi_row) // 4, len(blk.dfi_col) // 4
    generation, rows, sids = (int(blk.geometry.value) >> 8 * i & 255 for i in range(3))
    encoding, seen = encoding_of(generation, row_pins), 0
    blk.registered_drv.value = 1

    def fitted(command: Command | None) -> Command | None:
        if command is None:
            return None
        return replace(command, row=command.row & (1 << rows) - 1, sid=command.sid & (1 << sids) - 1)

    last_dfi = None
    for _ in range(400):
        drive = random_drive(rng, generation)
        drive.apply(blk)
        state = rng.randrange(8) & ~drive.power_down | 0b110 * (rng.random() < 0.5)
        blk.state_drv.value = state
        await FallingEdge(blk.clk)
        # The rising edge between took the drive of this turn.
        (slot_a, slot_b), (column0, column1) = drive.slots, drive.columns
        columns = (fitted(column0), fitted(column1))
        want = Drive(fitted(drive.act), (fitted(slot_a), fitted(slot_b)), columns, bool(state & 1))
        words = expected(want, encoding)
        assert words_of(int(blk.dfi_row.value), row_pins) == words.row
        assert words_of(int(blk.dfi_col.value), col_pins) == words.col
        cke = 0 if state & 1 and generation == 2 else 3
        assert int(blk.dfi_state.value) == cke << 2 | (state >> 1 & 1) << 1 | state >> 2
        if last_dfi is not None:
            assert int(blk.pin_bits.value) == last_dfi
            seen += 1
        last_dfi = int(blk.dfi_bits.value)
    assert seen == 399
    blk.block_rst_drv.value = 1
    await FallingEdge(blk.clk)
    # In reset: NOP on both buses, CKE, CK and RESET_n low.
    assert int(blk.dfi_state.value) == 0
    assert all(word == (1 << row_pins) - 1 for word in words_of(int(blk.dfi_row.value), row_pins))
    assert int(blk.pin_bits.value) == int(blk.dfi_bits.value)


# ---------------------------------------------------------------- data lanes


@cocotb.test()
async def write_lanes_are_one_cycle(dut: Any) -> None:
    """M8.2: data, mask and enable of both PCs one cycle later; DBI and parity at rest; data holds while not enabled."""
    blk = await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    driven = [0, 0]
    for _ in range(300):
        enable, data, mask = rng.randrange(16), rng.getrandbits(512), rng.getrandbits(64)
        blk.wr_en_drv.value, blk.wr_data_drv.value, blk.wr_mask_drv.value = enable, data, mask
        await FallingEdge(blk.clk)
        assert int(blk.pin_oe.value) == enable
        assert int(blk.pin_rest.value) == 0
        for pc in (0, 1):
            if enable >> 2 * pc & 3:
                assert int(blk.pin_dq.value) >> 256 * pc & (1 << 256) - 1 == data >> 256 * pc & (1 << 256) - 1
                assert int(blk.pin_dm.value) >> 32 * pc & (1 << 32) - 1 == mask >> 32 * pc & (1 << 32) - 1
                driven[pc] += 1
    assert min(driven) > 100


@cocotb.test()
async def read_lanes_deliver_every_phase_in_time(dut: Any) -> None:
    """M8.3: data enabled in D comes back in D+2+delay, in its phase, nothing else is valid; any delay and pattern."""
    blk = await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    for delay in range(8):
        blk.rd_delay_drv.value = delay
        density = rng.choice([0.2, 0.6, 1.0])
        enables: list[int] = []
        pins: list[int] = []
        checked = 0
        for turn in range(120):
            enable = 0
            if turn < 100:
                enable = sum((rng.random() < density) << bit for bit in range(4))
            data = rng.getrandbits(512)
            blk.rd_en_drv.value, blk.pin_dq_drv.value = enable, data
            enables.append(enable)
            pins.append(data)
            # Cycle `turn` up to here; outputs of cycle `turn` are read before its closing edge.
            origin = turn - 2 - delay
            due = enables[origin] if origin >= 0 else 0
            assert int(blk.rd_valid.value) == due, f"delay {delay} turn {turn}"
            for bit in range(4):
                if due >> bit & 1:
                    want = pins[origin + 1] >> PHASE_BITS * bit & (1 << PHASE_BITS) - 1
                    assert int(blk.rd_data.value) >> PHASE_BITS * bit & (1 << PHASE_BITS) - 1 == want
                    checked += 1
            await FallingEdge(blk.clk)
        assert checked == sum(enable.bit_count() for enable in enables) > 0


@cocotb.test()
async def pin_errors_become_pulses(dut: Any) -> None:
    """M8.4: AERR and each DERR, in either phase, one cycle later and one cycle long."""
    blk = await start(dut)
    for code in (*(1 << bit for bit in range(6)), 0b111111, 0b100001):
        blk.error_drv.value = code
        await FallingEdge(blk.clk)
        want = (code & 3 != 0) | (code >> 2 & 3 != 0) << 1 | (code >> 4 != 0) << 2
        assert int(blk.error.value) == want
        blk.error_drv.value = 0
        await FallingEdge(blk.clk)
        assert int(blk.error.value) == 0


# ---------------------------------------------------------------- initialisation, commit, mode registers


@dataclass(frozen=True)
class Seen:
    """Outputs of one initialisation sequence in one cycle."""

    state: str
    mrs: tuple[int, int] | None
    reset_n: int
    ck_en: int
    power_down: int
    enable: int
    quiesce: int
    close: int
    load: int
    done: int
    busy: int

    @classmethod
    def of(cls, blk: Any, generation: int) -> Seen:
        """Unpack the observation vector."""
        word = int(blk.init_obs.value) >> 27 * (generation - 2) & (1 << 27) - 1
        low = [word >> bit & 1 for bit in range(9)]
        mrs = (word >> 17 & 31, word >> 9 & 255) if word >> 22 & 1 else None
        return cls(STATES[word >> 23], mrs, low[8], low[7], low[6], low[5], low[4], low[3], low[2], low[1], low[0])


TIMING_ORDER = ("WL", "WR", "RAS", "RP", "RTP", "RFC", "MRD", "MOD")


def drive_timing(blk: Any, timing: dict[str, int]) -> None:
    """Put a shadow set on the bench."""
    blk.timing_drv.value = sum(timing[key] << 16 * i for i, key in enumerate(TIMING_ORDER))
    blk.rl_drv.value = timing["RL"]


def timing_of(name: str) -> dict[str, int]:
    """The values of a preset that reach the mode registers and the sequence, in CK."""
    params = preset(name)
    return {key: params.count(key) for key in (*TIMING_ORDER, "RL")}


def runs(states: list[Seen]) -> list[tuple[str, int]]:
    """(state, cycles) in order."""
    result: list[tuple[str, int]] = []
    for seen in states:
        if result and result[-1][0] == seen.state:
            result[-1] = (seen.state, result[-1][1] + 1)
        else:
            result.append((seen.state, 1))
    return result


def half(ck: int) -> int:
    """CK as cycles, rounded up, at least one."""
    return max(1, (ck + 1) // 2)


NS = {"tINIT1": 200_000, "tINIT3": {2: 500_000, 3: 4_000_000, 4: 4_000_000}, "tINIT5": 200}
CK_MHZ = {2: 1800, 3: 2450, 4: 3250}


def cycles(ns: int, generation: int) -> int:
    """Nanoseconds in cycles of two CK at the fastest clock, rounded up."""
    return -(-ns * CK_MHZ[generation] // 2000)


@cocotb.test()
async def unshortened_waits_are_long_enough(dut: Any) -> None:
    """The counts of a build with InitShift 0, typed from the sources: 200 us, 500 us or 4 ms, 200 ns."""
    blk = await start(dut)
    await FallingEdge(blk.clk)
    value = int(blk.waits.value)
    got = [[value >> 32 * (3 * g + i) & 0xFFFFFFFF for i in range(3)] for g in range(3)]
    assert got == [[180_000, 450_000, 180], [245_000, 4_900_000, 245], [325_000, 6_500_000, 325]]


async def powered_up(blk: Any, timing: dict[str, int]) -> dict[int, list[Seen]]:
    """Start all three sequences and watch until each has been running for ten cycles."""
    drive_timing(blk, timing)
    await FallingEdge(blk.clk)
    log: dict[int, list[Seen]] = {2: [], 3: [], 4: []}
    blk.start_drv.value = 1
    for turn in range(6000):
        await FallingEdge(blk.clk)
        for generation, seen in log.items():
            seen.append(Seen.of(blk, generation))
        if turn == 0:
            blk.start_drv.value = 0
        if all(len(seen) > 10 and seen[-10].state == "run" for seen in log.values()):
            return log
    raise AssertionError("initialisation did not end")


def check_modes(states: list[Seen], generation: int, timing: dict[str, int]) -> None:
    """Mode registers of one pass: all, in order, with the right values and distances; commands only after MOD."""
    writes = [(turn, seen.mrs) for turn, seen in enumerate(states) if seen.mrs is not None]
    want = mode_regs.values(generation, timing)
    assert [mrs for _, mrs in writes] == list(want.items())
    turns = [turn for turn, _ in writes]
    assert {b - a for a, b in zip(turns, turns[1:], strict=False)} == {half(timing["MRD"])}
    first_run = next(turn for turn, seen in enumerate(states) if turn > turns[0] and seen.state == "run")
    assert first_run - turns[-1] == half(timing["MOD"])
    assert all(seen.enable == 0 and seen.quiesce == 1 for seen in states[turns[0] : first_run])


@cocotb.test()
async def power_up_follows_the_sequence(dut: Any) -> None:
    """M7.1, M7.2 for each generation: states in order and as long as stated, pins per state, mode registers, run."""
    blk = await start(dut)
    for _ in range(20):
        await FallingEdge(blk.clk)
        assert {Seen.of(blk, g).state for g in (2, 3, 4)} == {"idle"}
    timing = timing_of("hbm4_8000_eng") | {"MRD": 15, "MOD": 9}
    log = await powered_up(blk, timing)
    for generation, states in log.items():
        modes = len(mode_regs.addresses(generation))
        init3 = NS["tINIT3"][generation]  # type: ignore[index]
        assert runs(states)[:-1] == [
            ("reset", cycles(200_000, generation) >> INIT_SHIFT),
            ("fuse", cycles(init3, generation) >> INIT_SHIFT),
            ("clock", 5),
            ("wake", cycles(200, generation)),
            ("mode", (modes - 1) * half(15) + half(9)),
        ]
        check_modes(states, generation, timing)
        levels = {"reset": (0, 0, 1), "fuse": (1, 0, 1), "clock": (1, 1, 1)}
        for seen in states:
            assert (seen.reset_n, seen.ck_en, seen.power_down) == levels.get(seen.state, (1, 1, 0))
            assert seen.enable == (seen.state == "run") and seen.quiesce == (seen.state != "run")
            assert seen.busy == (seen.state != "run")
            assert not seen.close
        assert states[-1].done and not states[0].done
        # The start loads the set once, in the cycle in which it is seen; the log begins one cycle later.
        assert sum(seen.load for seen in states) == 0


@cocotb.test()
async def commit_waits_loads_and_writes_again(dut: Any) -> None:
    """M7.3: refuse, drain, close, settle with the old RFC, load, mode registers of the new set, run; enable as M7.4."""
    blk = await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    old = timing_of("hbm3_6400_eng")
    await powered_up(blk, old)
    presets = sorted(PRESET_NAMES)
    for turn in range(6):
        new = timing_of(rng.choice(presets))
        new |= {"MRD": rng.randrange(1, 20), "MOD": rng.randrange(1, 40), "RFC": rng.randrange(2, 300)}
        drive_timing(blk, new)
        for _ in range(5):
            await FallingEdge(blk.clk)
            assert all(Seen.of(blk, g).state == "run" for g in (2, 3, 4)), "a changed shadow set alone does nothing"
        blk.idle_drv.value = 0b11111 if turn == 0 else 0
        blk.commit_drv.value = 1
        await FallingEdge(blk.clk)
        blk.commit_drv.value = 0
        log: dict[int, list[Seen]] = {g: [Seen.of(blk, g)] for g in (2, 3, 4)}
        assert all(seen[0].state == "run" and seen[0].busy for seen in log.values())
        drain, close = rng.randrange(1, 30), rng.randrange(1, 30)
        # Each flag of an idle set rises in turn; the last one ends the wait.
        order = [0, 1, 2]
        rng.shuffle(order)
        for step in range(1, 1200):
            flags = 0b111 if step > drain else sum(1 << bit for bit in order[:2])
            flags |= (0b11 if step > drain + 20 + close else 0b01) << 3
            if turn:
                blk.idle_drv.value = flags
            await FallingEdge(blk.clk)
            for generation, seen in log.items():
                seen.append(Seen.of(blk, generation))
            if step > 40 and all(seen[-1].state == "run" for seen in log.values()):
                break
        else:
            raise AssertionError("the commit did not end")
        for generation, states in log.items():
            modes = len(mode_regs.addresses(generation))
            drained = 4 if turn == 0 else max(4, drain)
            closed = 4 if turn == 0 else max(4, drain + 20 + close - drained)
            assert runs(states)[:-1] == [
                ("run", 1),
                ("drain", drained),
                ("close", closed),
                ("settle", half(old["RFC"])),
                ("load", 1),
                ("mode", (modes - 1) * half(new["MRD"]) + half(new["MOD"])),
            ]
            check_modes(states[1:], generation, new)
            for seen in states:
                assert seen.enable == (seen.state in ("run", "drain", "close"))
                assert seen.close == (seen.state == "close") and seen.load == (seen.state == "load")
                assert seen.done and (seen.reset_n, seen.ck_en, seen.power_down) == (1, 1, 0)
        old = new


@cocotb.test()
async def commit_during_a_commit_is_not_lost(dut: Any) -> None:
    """A commit before the load is served by it; one after the load causes a second pass; none causes none."""
    blk = await start(dut)
    blk.idle_drv.value = 0b11111
    timing = timing_of("hbm2_2000_eng") | {"RFC": 20}
    await powered_up(blk, timing)
    for when, passes in (("close", 1), ("load", 1), ("mode", 2)):
        loads = 0
        sent = False
        blk.commit_drv.value = 1
        for _ in range(1500):
            await FallingEdge(blk.clk)
            seen = Seen.of(blk, 2)
            loads += seen.load
            blk.commit_drv.value = int(not sent and seen.state == when)
            sent = sent or seen.state == when
        assert loads == passes, f"commit in {when}: {loads} loads"
        assert Seen.of(blk, 2).state == "run"


@cocotb.test()
async def mode_registers_match_the_table(dut: Any) -> None:
    """The value of every mode register for every preset and for values at and beyond the ends of the fields."""
    blk = await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    sets = [timing_of(name) for name in sorted(PRESET_NAMES)]
    base = timing_of("hbm2_2000_eng")
    for key in ("RL", "WL", "WR", "RAS", "RP", "RTP"):
        sets += [base | {key: value} for value in (1, 2, 3, 15, 16, 17, 31, 32, 33, 34, 63, 64, 65, 66, 90, 91, 255)]
    sets += [base | {key: rng.randrange(256) for key in ("RL", "WL", "WR", "RAS", "RP", "RTP")} for _ in range(50)]
    checked = 0
    for timing in sets:
        drive_timing(blk, timing)
        want = {generation: mode_regs.values(generation, timing) for generation in (2, 3, 4)}
        for ma in range(20):
            blk.ma_drv.value = ma
            await FallingEdge(blk.clk)
            value = int(blk.op_obs.value)
            for generation in (2, 3, 4):
                if ma in want[generation]:
                    got = value >> 8 * (generation - 2) & 255
                    assert got == want[generation][ma], f"HBM{generation} MR{ma} {timing}: {got:#x}"
                    checked += 1
    assert checked == len(sets) * (9 + 16 + 20)
