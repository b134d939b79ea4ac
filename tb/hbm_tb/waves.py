"""Set-ups for wave viewers: a GTKWave save file and a Surfer command file beside `waves.fst`.

Both are made from the names that the wave file really holds, picked and grouped by the table below; what a build does
not have is left out. Commands and states show as mnemonics: the wave file carries the tables of all enums.

CK 0 is where the cycle counter of the bench begins; the length of a CK is read from that counter too. It is 1 ns in our
test top.
"""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbm_model.errors import InputError

TOP = "tb_top."
PS_PER_CK = 1000  # of our test top
SHOWN_CK = 2  # from the pins to the decoded commands

# A row: what to look for below the test top (a regular expression, whole path), the name shown, GTKWave's data format.
# `{p}` is the port or PC; groups of the expression are available as \1, \2. Order of rows is order on the screen.
Rows = Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Group:
    """Signals under one heading. per_pc: once for each port or PC; closed: folded at first (GTKWave)."""

    title: str
    rows: Rows
    per_pc: bool = False
    closed: bool = False


# Slots of the row and column bus in a cycle; hbm_wave_view shows the real commands, hbm_wave_model the expected ones.
_SLOTS = ("row_p0_rise", "row_p0_fall", "row_p1_rise", "row_p1_fall", "col_p0", "col_p1")


def _shown(slot: str) -> str:
    return slot.replace("_", " ")


GROUPS: Sequence[Group] = (
    Group(
        "Clock and run",
        (
            ("clk", "clk", "bin"),
            ("rst_n", "rst_n", "bin"),
            ("cycle(?:_q)?", "cycle", "dec"),
            (r"u_channel\.u_init\.state_o", "init state", "hex"),
            (r"u_channel\.(init_busy|init_done|quiesce)", r"\1", "bin"),
        ),
    ),
    Group(
        "Commands on the pins",
        (
            *(
                row
                for slot in _SLOTS
                for row in (
                    (rf"u_view\.{slot}", _shown(slot), "hex"),
                    (rf"u_model\.{slot}", f"{_shown(slot)} expected", "hex"),
                )
            ),
        ),
    ),
    Group(
        "Real and expected",
        (
            (r"u_model\.(differs|known)", r"\1", "bin"),
            *(
                row
                for slot in _SLOTS
                for row in (
                    (rf"u_model\.real_{slot}", _shown(slot), "text"),
                    (rf"u_model\.model_{slot}", f"{_shown(slot)} expected", "text"),
                )
            ),
        ),
    ),
    Group(
        "AXI port {p}",
        (
            (r"g_port\[{p}\]\.u_master\.ar_(valid|ready)_[io]", r"ar \1", "bin"),
            (r"g_port\[{p}\]\.u_master\.ar_o\.(addr|id|len|size|burst|lock|qos)", r"ar \1", "hex"),
            (r"g_port\[{p}\]\.u_master\.aw_(valid|ready)_[io]", r"aw \1", "bin"),
            (r"g_port\[{p}\]\.u_master\.aw_o\.(addr|id|len|size|burst|lock|qos)", r"aw \1", "hex"),
            (r"g_port\[{p}\]\.u_master\.w_(valid|ready)_[io]", r"w \1", "bin"),
            (r"g_port\[{p}\]\.u_master\.w_o\.(last|strb|data)", r"w \1", "hex"),
            (r"g_port\[{p}\]\.u_master\.r_(valid|ready)_[io]", r"r \1", "bin"),
            (r"g_port\[{p}\]\.u_master\.r_i\.(id|resp|last|data)", r"r \1", "hex"),
            (r"g_port\[{p}\]\.u_master\.b_(valid|ready)_[io]", r"b \1", "bin"),
            (r"g_port\[{p}\]\.u_master\.b_i\.(id|resp)", r"b \1", "hex"),
        ),
        per_pc=True,
    ),
    Group(
        "Requests and queues PC{p}",
        (
            (r"u_channel\.g_pc\[{p}\]\.rd_req_(valid|ready)", r"read request \1", "bin"),
            (r"u_channel\.g_pc\[{p}\]\.rd_req\.(?:addr\.)?(sid|bg|ba|row|col|tag)", r"read request \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.wr_(req_valid|credit)", r"write \1", "bin"),
            (r"u_channel\.g_pc\[{p}\]\.wr_req\.addr\.(sid|bg|ba|row|col)", r"write request \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.(rd|wr)_level", r"\1 queue level", "dec"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.(rd|wr)_(valid|hit|urgent)", r"\1 entries \2", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.writing", "direction: writing", "bin"),
            (r"u_channel\.g_pc\[{p}\]\.rd_rsp\.(valid|tag)", r"read data \1", "hex"),
        ),
        per_pc=True,
    ),
    Group(
        "Reorder slots PC{p}",
        (
            (r"u_channel\.g_pc\[{p}\]\.u_port\.u_reorder\.u_free\.count_q", "free slots", "dec"),
            (r"u_channel\.g_pc\[{p}\]\.u_port\.u_reorder\.(take_i|slot_o)", r"given \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_port\.u_reorder\.rsp_i\.(valid|tag)", r"data of \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_port\.u_reorder\.(send|send_slot)", r"sent \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_port\.u_reorder\.u_order\.u_(direct|follow)\.count_q", r"ready \1", "dec"),
        ),
        per_pc=True,
    ),
    Group(
        "Selection PC{p}",
        (
            (r"u_channel\.col\[{p}\]\.(valid|cmd)", r"column \1", "hex"),
            (r"u_channel\.col\[{p}\]\.addr\.(sid|bg|ba|col)", r"column \1", "hex"),
            (r"u_channel\.act\[{p}\]\.(valid)", r"ACT wanted \1", "hex"),
            (r"u_channel\.act\[{p}\]\.addr\.(sid|bg|ba|row)", r"ACT wanted \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.act_gnt_i", "ACT granted", "bin"),
            (r"u_channel\.short_cmd\[{p}\]\.(valid|cmd)", r"short \1", "hex"),
            (r"u_channel\.short_cmd\[{p}\]\.addr\.(sid|bg|ba)", r"short \1", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.short_gnt_(a|b)_i", r"short granted slot \1", "bin"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.debt.*", "refresh debt", "dec"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.(stop|idle_o|closed_o)", r"\1", "bin"),
        ),
        per_pc=True,
    ),
    Group(
        "Banks PC{p}",
        (
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.u_banks\.ok_o\.(open|pre_ok0|idle_ok0|rd_ok|wr_ok)", r"banks \1", "bin"),
            (r"u_model\.bank_pc{p}\[(\d+)\]", r"bank \1 state", "hex"),
            (r"u_channel\.g_pc\[{p}\]\.u_pc\.u_banks\.rows_q\.?\[(\d+)\]", r"bank \1 row", "hex"),
        ),
        per_pc=True,
    ),
    Group(
        "Row bus",
        (
            (r"u_channel\.row_bus\.(act|slot_a|slot_b)\.(valid|cmd)", r"\1 \2", "hex"),
            (r"u_channel\.row_bus\.(act|slot_a|slot_b)_pc", r"\1 pc", "bin"),
            (r"u_channel\.row_bus\.(act|slot_a|slot_b)\.addr\.(sid|bg|ba|row)", r"\1 \2", "hex"),
        ),
    ),
    Group(
        "Pins",
        (
            (r"u_view\.g_phase\[(\d)\]\.(r|c)_(rise|fall)", r"\2 p\1 \3", "bin"),
            (r"u_view\.g_phase\[(\d)\]\.cke", r"cke p\1", "bin"),
            (r"u_view\.g_phase\[(\d)\]\.(wr_oe|wr_dq|rd_dq)_(pc\d)", r"\2 \3 p\1", "hex"),
        ),
        closed=True,
    ),
    Group(
        "Decoded by the device",
        (
            (r"u_device\.row_o\[(\d)\]\.(pc|sid|bg|bank|row)", r"row slot \1 \2", "hex"),
            (r"u_device\.col_o\[(\d)\]\.(pc|sid|bg|bank|col)", r"column slot \1 \2", "hex"),
        ),
        closed=True,
    ),
)


@dataclass(frozen=True)
class Signal:
    """One signal of a wave file; `path` has the bit range of GTKWave's names left out."""

    path: str
    bits: int
    enum: tuple[tuple[str, str], ...] = ()  # (binary value, mnemonic)
    ranged: bool = True

    @property
    def gtkwave(self) -> str:
        """Name as GTKWave wants it: vectors carry their range, numbers of a C kind (longint) none."""
        return f"{self.path}[{self.bits - 1}:0]" if self.bits > 1 and self.ranged else self.path


@dataclass(frozen=True)
class Shown:
    """A signal with the name and format it is shown with."""

    signal: Signal
    name: str
    fmt: str


def open_file(path: str | Path) -> Any:
    import pywellen

    try:
        return pywellen.Waveform(str(path))
    except Exception as error:  # the library raises no type of its own
        raise InputError(f"{path}: not a readable wave file ({' '.join(str(error).split())})") from error


def bench_of(names: Iterable[str]) -> str:
    """Scope of the bench, with its dot: our test top, or the word bench inside a foreign one (docs/own-dut.md)."""
    for name in names:
        if name.startswith(TOP):
            return TOP
        if ".u_view." in name:
            return name[: name.index("u_view.")]
    return TOP


@dataclass(frozen=True)
class Time:
    """The time of the (last) run in a wave file, told by changes of the cycle counter of the bench."""

    changes: Sequence[tuple[int, int]]  # (ps, cycle), at least one

    @property
    def ps_per_ck(self) -> float:
        """Length of one CK, the mean of the last 64 cycles; that of our test top where the file has one cycle only."""
        (begin, low), (end, high) = self.changes[-65:][0], self.changes[-1]
        return (end - begin) / (2 * (high - low)) if high > low else PS_PER_CK

    def ps_of(self, ck: float) -> int:
        """When a CK begins: counted from the last change before it, as CK may jitter."""
        when, cycle = self.changes[max(0, bisect_right(self.changes, ck / 2, key=lambda change: change[1]) - 1)]
        return when + round((ck - 2 * cycle) * self.ps_per_ck)


def time_of(path: str | Path) -> Time:
    """The time of the (last) run in a wave file."""
    every = list(open_file(path).all_vars())
    bench = bench_of(var.full_name for var in every)
    for var in every:
        if var.full_name in (f"{bench}cycle_q", f"{bench}cycle"):
            counted = [(int(when), int(cycle)) for when, cycle in var.tv if cycle]
            begins = [at for at in range(1, len(counted)) if counted[at][1] <= counted[at - 1][1]]
            if counted:
                changes = counted[begins[-1] if begins else 0 :]
                # The first may be what stood where the waves begin, and no change.
                return Time(changes[1:] if len(changes) > 2 else changes)
    raise InputError(f"{path}: holds no running {bench}cycle_q")


def origin_of(path: str | Path) -> int:
    """Time, in ps of the wave file, at which CK 0 of the (last) run begins."""
    return time_of(path).ps_of(0)


def signals_of(path: str | Path) -> list[Signal]:
    """All signals of a wave file, in its order."""
    wave = open_file(path)
    out = []
    for var in wave.all_vars():
        if var.var_type == "Parameter":
            continue
        enum = var.enum_type
        table = tuple((str(value), str(text)) for value, text in enum[1]) if enum else ()
        ranged = var.var_type not in ("Integer", "Int", "LongInt", "ShortInt", "Byte")
        out.append(Signal(var.full_name, var.bitwidth or 1, table, ranged))
    return out


def _rank(part: str, words: dict[str, int]) -> tuple[int, str]:
    """Sort key of one group of a match: numbers by value, words in the order that the pattern names them."""
    return (int(part), "") if part.isdigit() else (words.get(part, 0), "" if part in words else part)


def _compact(path: str, bench: str) -> str:
    """Path below the bench in one spelling: array elements as `name[1]`."""
    return path.removeprefix(bench).replace(".[", "[")


def arrange(signals: Iterable[Signal], pcs: int = 2) -> Iterator[tuple[Group, str, list[Shown]]]:
    """Groups with their titles and the signals found for them, in table order; empty groups are left out."""
    every = list(signals)
    bench = bench_of(signal.path for signal in every)
    known = {_compact(signal.path, bench): signal for signal in every if signal.path.startswith(bench)}
    if bench != TOP:  # a foreign test top: its own signals first
        own = [Shown(each, each.path.partition(".")[2], "hex") for each in every if each.path.count(".") == 1]
        if own:
            yield Group("Test top", ()), "Test top", own
    for group in GROUPS:
        for pc in range(pcs) if group.per_pc else (0,):
            shown: list[Shown] = []
            for pattern, name, fmt in group.rows:
                regex = re.compile(pattern.replace("{p}", str(pc)))
                found = [(path, match) for path in known if (match := regex.fullmatch(path))]
                wanted = _alternatives(pattern)
                found.sort(key=lambda item: ([_rank(part or "", wanted) for part in item[1].groups()], item[0]))
                shown += [Shown(known[path], match.expand(name).strip(), fmt) for path, match in found]
            if shown:
                yield group, group.title.replace("{p}", str(pc)), shown


def _alternatives(pattern: str) -> dict[str, int]:
    """Rank of each word of the pattern's (a|b|c) groups, so that they are shown in the order written."""
    rank: dict[str, int] = {}
    for inside in re.findall(r"\(([a-z_|]+)\)", pattern):
        for place, word in enumerate(inside.split("|")):
            rank.setdefault(word, place)
    return rank


# Flags of GTKWave's save files (hexadecimal in front of what they hold for).
_FORMAT = {"hex": 0x2, "dec": 0x4, "bin": 0x8, "text": 0x800}
_RIGHT, _BLANK, _COLLAPSED, _CLOSED, _BEGIN, _END = 0x20, 0x200, 0x1000, 0x400000, 0x800000, 0x1000000
_ENUM = 1 << 32  # >= 3.3.107: show the text of the wave file's enum table, which it looks up in binary


def write_gtkwave(
    path: str | Path,
    waves: str | Path,
    signals: Sequence[Signal],
    marker_ps: int | None = None,
    ps_per_ck: float = PS_PER_CK,
) -> None:
    """Write a GTKWave save file."""
    start = 0 if marker_ps is None else max(0, marker_ps - round(80 * ps_per_ck))
    marker = -1 if marker_ps is None else marker_ps
    lines = [
        f'[dumpfile] "{Path(waves).resolve()}"',
        f'[savefile] "{Path(path).resolve()}"',
        f"[timestart] {start}",
        "[size] 1600 1000",
        # Zoom exponent -15: about 200 CK on a screen, so that single commands can be read.
        # Marker A: where the commands of the marked CK are decoded and shown.
        f"*-15.000000 {marker} {marker + round(SHOWN_CK * ps_per_ck) if marker >= 0 else -1}" + " -1" * 25,
        f"[treeopen] {bench_of(signal.path for signal in signals)}",
        "[sst_width] 200",
        "[signals_width] 260",
        "[sst_expanded] 0",
    ]
    for group, title, shown in arrange(signals):
        lines += [f"@{_BEGIN | _BLANK | (_CLOSED if group.closed else 0):x}", f"-{title}"]
        flags = 0
        for item in shown:
            wanted = _RIGHT | (_FORMAT["bin"] | _ENUM if item.signal.enum else _FORMAT[item.fmt])
            if wanted != flags:
                lines.append(f"@{wanted:x}")
                flags = wanted
            lines.append(f"+{{{item.name}}} {item.signal.gtkwave}")
        lines += [f"@{_END | _BLANK | (_CLOSED | _COLLAPSED if group.closed else 0):x}", f"-{title}"]
    Path(path).write_text("\n".join(lines) + "\n")


def write_surfer(path: str | Path, waves: str | Path, signals: Sequence[Signal], marker_ps: int | None = None) -> None:
    """Write a Surfer command file: `surfer waves.fst --command-file waves.surfer.sucl`. Enums show as text by
    themselves.
    """
    lines = []
    for _, title, shown in arrange(signals):
        lines.append(f"divider_add {title.replace(' ', '_')}")
        lines += [f"variable_add {item.signal.path}" for item in shown]
    if marker_ps is not None:
        lines.append(f"cursor_set {marker_ps}")
    lines.append("zoom_fit")
    Path(path).write_text("\n".join(lines) + "\n")


def setups_of(waves: str | Path) -> tuple[Path, Path]:
    """The set-ups of GTKWave and Surfer beside a wave file."""
    return Path(waves).with_suffix(".gtkw"), Path(waves).with_suffix(".surfer.sucl")


def write_setups(waves: str | Path, marker_ck: float | None = None) -> tuple[Path, Path]:
    """Write both set-ups beside a wave file; marker_ck: a CK to point at (of the first failure, say)."""
    file = Path(waves)
    signals = signals_of(file)
    time = None if marker_ck is None else time_of(file)
    marker = None if time is None or marker_ck is None else time.ps_of(marker_ck)
    gtkw, surfer = setups_of(file)
    write_gtkwave(gtkw, file, signals, marker, time.ps_per_ck if time else PS_PER_CK)
    write_surfer(surfer, file, signals, marker)
    return gtkw, surfer


def can_show() -> bool:
    """A viewer is installed and has a display to open on."""
    import os
    import shutil

    viewer = shutil.which("surfer") or shutil.which("gtkwave")
    return bool(viewer) and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def open_viewer(waves: str | Path) -> list[str]:
    """Start a viewer on a wave file with its set-up (Surfer if installed, else GTKWave); returns the command."""
    import shutil

    file = Path(waves)
    if not file.exists():
        raise InputError(f"{file} does not exist; record waves with WAVES=1")
    gtkw, surfer = setups_of(file)
    if not (gtkw.exists() and surfer.exists()):
        write_setups(file)
    if shutil.which("surfer"):
        command = ["surfer", str(file), "--command-file", str(surfer)]
    elif shutil.which("gtkwave"):
        command = ["gtkwave", str(gtkw)]
    else:
        raise InputError(
            "no wave viewer found: install surfer >= 0.7.0 (cargo, brew) or gtkwave (apt-get install gtkwave)"
        )
    subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    return command
