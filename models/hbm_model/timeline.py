"""The commands of a stretch of a run by bank, with what bound each: on the terminal and as a picture (`hbm timeline`).

An arrow leads from an earlier command to the one that stands at the first slot that a rule allows after it; the rule is
written at the arrow. A command without an arrow was free to come before: it waited for its request or its turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from hbm_model.asked import Asked, open_run
from hbm_model.binding import Tight, tight_commands
from hbm_model.commands import COLUMN_COMMANDS, PC_COMMANDS, Cmd, CmdArray, ck_text
from hbm_model.errors import InputError
from hbm_model.run_folder import failure_ck
from hbm_model.why import Bank, bank_text, brief

SPAN_CK: Final = 200
MOST: Final = 3000  # commands in a picture
WIDTH: Final = 150  # characters of a lane
LETTERS: Final = {
    Cmd.ACT: "A", Cmd.PRE: "P", Cmd.PREA: "P", Cmd.RD: "R", Cmd.RDA: "r", Cmd.WR: "W", Cmd.WRA: "w", Cmd.REF: "F",
    Cmd.REFSB: "f", Cmd.MRS: "M",
}  # fmt: skip
STYLES: Final = {"A": "yellow", "P": "magenta", "R": "green", "r": "green", "W": "blue", "w": "blue", "F": "red",
                 "f": "red"}  # fmt: skip
CLOSING: Final = (Cmd.PRE, Cmd.RDA, Cmd.WRA)
Lane = tuple[int, Bank | None]  # PC, bank; None: commands to all banks


@dataclass(frozen=True)
class Item:
    """A command of the stretch."""

    number: int
    command: np.void
    lane: Lane
    tight: Tight

    @property
    def cmd(self) -> Cmd:
        """Its kind."""
        return Cmd(int(self.command["cmd"]))

    @property
    def time(self) -> int:
        """First edge, half CK."""
        return int(self.command["time"])


@dataclass(frozen=True)
class Stretch:
    """Commands between two CK, by lane."""

    asked: Asked
    first: int  # half CK
    last: int
    items: tuple[Item, ...]
    lanes: tuple[Lane, ...]
    open_rows: dict[Lane, tuple[tuple[int, int, int], ...]]  # lane -> (from, to, row), half CK

    def bound_text(self, item: Item) -> str:
        """`tRC since ACT 0.0.0 row 1 at CK 14 (line 2)`."""
        texts = [
            f"{bound.rule} since {brief(self.asked.commands[bound.earlier])} ({self.asked.place(bound.earlier)})"
            for bound in item.tight.bounds
        ]
        return "; ".join(texts) or "free before: its request or its turn came now"


def lane_of(command: np.void) -> Lane:
    """Where a command is drawn."""
    if Cmd(int(command["cmd"])) in PC_COMMANDS or Cmd(int(command["cmd"])) is Cmd.MRS:
        return int(command["pc"]), None
    return int(command["pc"]), (int(command["sid"]), int(command["bg"]), int(command["bank"]))


def lane_text(lane: Lane) -> str:
    """`PC0 0.2.1`, `PC0 all`."""
    return f"PC{lane[0]} {'all' if lane[1] is None else bank_text(lane[1])}"


def _open_rows(commands: CmdArray, first: int, last: int) -> dict[Lane, tuple[tuple[int, int, int], ...]]:
    """When rows are open, from the commands up to `last`; an auto-precharge counts at its column command."""
    since: dict[Lane, tuple[int, int]] = {}
    out: dict[Lane, list[tuple[int, int, int]]] = {}

    def close(lane: Lane, time: int) -> None:
        if lane in since:
            began, row = since.pop(lane)
            if time >= first:
                out.setdefault(lane, []).append((max(began, first), time, row))

    # A row that is open at `first` was opened at most 9 x tREFI before: refresh closes it.
    for command in commands:
        cmd, time, lane = Cmd(int(command["cmd"])), int(command["time"]), lane_of(command)
        if cmd is Cmd.ACT:
            since[lane] = (time, int(command["row"]))
        elif cmd in CLOSING:
            close(lane, time)
        elif cmd is Cmd.PREA:
            for each in [each for each in since if each[0] == lane[0]]:
                close(each, time)
    for lane in list(since):
        close(lane, last)
    return {lane: tuple(found) for lane, found in out.items()}


def stretch_of(
    asked: Asked, first_ck: float, last_ck: float, bank: Bank | None = None, pc: int | None = None
) -> Stretch:
    """The commands between two CK, of one bank or PC if asked; no more than SPAN_CK beyond the last command."""
    if not (math.isfinite(first_ck) and first_ck < last_ck):
        raise InputError(f"--from {first_ck:g} --to {last_ck:g}: expected --from below --to")
    end_ck = int(asked.commands["time"].max(initial=0)) / 2 + SPAN_CK
    if first_ck > end_ck:
        raise InputError(f"--from {first_ck:g}: the run's commands end at CK {end_ck - SPAN_CK:g}")
    last_ck = min(last_ck, end_ck)
    first, last = int(2 * first_ck), int(2 * last_ck)
    times = asked.commands["time"].astype(np.int64)
    begin, end = (int(np.searchsorted(times, at)) for at in (first, last))
    if end - begin > MOST:
        raise InputError(f"{end - begin:,} commands from CK {first_ck:g} to {last_ck:g}: choose at most {MOST:,}")
    items = []
    for tight in tight_commands(asked.commands, asked.params, begin, end):
        command = asked.commands[tight.number]
        lane = lane_of(command)
        if (pc is None or lane[0] == pc) and (bank is None or lane[1] in (bank, None)):
            items.append(Item(tight.number, command, lane, tight))
    back = int(np.searchsorted(times, max(0, first - 2 * 9 * asked.params.count("REFI"))))
    opened = _open_rows(asked.commands[back:end], first, last)
    lanes = {item.lane for item in items} | {
        lane for lane in opened if (pc is None or lane[0] == pc) and (bank is None or lane[1] == bank)
    }
    order = sorted(lanes, key=lambda lane: (lane[0], lane[1] or (-1, 0, 0)))
    return Stretch(asked, first, last, tuple(items), tuple(order), {lane: opened.get(lane, ()) for lane in order})


# ------------------------------------------------------------------ terminal


def lane_letters(stretch: Stretch, lane: Lane, per: int) -> str:
    """One character for `per` half CK: the command that begins there, `=` while a row is open, else a point."""
    count = -(-(stretch.last - stretch.first) // per)
    out = ["."] * count
    for begin, end, _ in stretch.open_rows[lane]:
        for at in range((begin - stretch.first) // per, min(count, -(-(end - stretch.first) // per))):
            out[at] = "="
    for item in stretch.items:
        if item.lane == lane:
            out[(item.time - stretch.first) // per] = LETTERS.get(item.cmd, "?")
    return "".join(out)


def print_stretch(stretch: Stretch) -> None:
    """Lanes, then the list of commands with what bound each."""
    from rich.console import Console
    from rich.text import Text

    per = 2
    while (stretch.last - stretch.first) > WIDTH * per:
        per *= 2
    console = Console(width=max(WIDTH + 16, Console().width))
    console.print(
        f"CK {ck_text(stretch.first)} to {ck_text(stretch.last)}, {per / 2:g} CK a character; A ACT, R RD, W WR, "
        "r w with auto-precharge, P PRE, f REFSB, F REF, = row open",
        highlight=False,
    )
    marks = list(" " * (-(-(stretch.last - stretch.first) // per)))
    for at in range(0, len(marks), 20):
        label = ck_text(stretch.first + at * per)
        marks[at : at + len(label)] = list(label)
    console.print(f"{'':<12}{''.join(marks)}", highlight=False, markup=False)
    for lane in stretch.lanes:
        line = Text(f"{lane_text(lane):<12}")
        for letter in lane_letters(stretch, lane, per):
            line.append(letter, style=STYLES.get(letter, "dim" if letter == "." else ""))
        console.print(line)
    for item in stretch.items:
        name = brief(item.command).rpartition(" at CK ")[0]
        column = f" col {item.command['col']}" if item.cmd in COLUMN_COMMANDS else ""
        console.print(
            f"CK {ck_text(item.time):>8} PC{item.lane[0]} {name + column:<24} {stretch.bound_text(item)}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


# ------------------------------------------------------------------ picture

_LANE: Final = 22  # px
_LEFT: Final = 90
_TOP: Final = 34
_STYLE: Final = """
:root{color-scheme:light dark}
.tl{font:11px system-ui,sans-serif;background:#fff}
.tl text{fill:#222}.tl .grid{stroke:#ddd}.tl .open{fill:#e8eef7}.tl .arrow{stroke:#888;fill:none}
.tl .rule{fill:#555;font-size:9px}.tl .A{fill:#f2c14e}.tl .P{fill:#c58fd0}.tl .R{fill:#6fbf73}.tl .W{fill:#6f9fd8}
.tl .F{fill:#e07a6f}.tl .M{fill:#bbb}.tl .mark{stroke:#d00;stroke-dasharray:3 2}
.tl .cmd:hover{stroke:#000}.tl .cmd text{fill:#111;pointer-events:none}
@media (prefers-color-scheme:dark){.tl{background:#16181c}.tl text{fill:#ddd}.tl .grid{stroke:#333}
.tl .open{fill:#26303d}.tl .arrow{stroke:#999}.tl .rule{fill:#aaa}}
"""


def svg_of(stretch: Stretch, mark_ck: float | None = None) -> str:
    """The picture as SVG."""
    px = max(3.0, min(8.0, 1600 / max(1, (stretch.last - stretch.first) / 2)))  # per CK
    width = _LEFT + (stretch.last - stretch.first) / 2 * px + 20
    height = _TOP + _LANE * len(stretch.lanes) + 16
    row = {lane: _TOP + _LANE * i for i, lane in enumerate(stretch.lanes)}

    def x(time: int) -> float:
        return _LEFT + (time - stretch.first) / 2 * px

    out = [
        f'<svg class="tl" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="DRAM commands by bank">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" orient="auto">'
        '<path d="M0 0 6 3 0 6z" fill="#888"/></marker></defs>',
    ]
    step = 10 if px >= 5 else 20
    start = -(-(stretch.first // 2) // step) * step
    for ck in range(start, stretch.last // 2 + 1, step):
        at = x(2 * ck)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 6}" y2="{height - 14}"/>')
        out.append(f'<text x="{at:.1f}" y="{_TOP - 12}" text-anchor="middle">{ck}</text>')
    for lane in stretch.lanes:
        out.append(f'<text x="4" y="{row[lane] + 14}">{lane_text(lane)}</text>')
        out += [
            f'<rect class="open" x="{x(a):.1f}" y="{row[lane] + 2}" width="{max(1.0, x(b) - x(a)):.1f}" '
            f'height="{_LANE - 6}"><title>row {number} open</title></rect>'
            for a, b, number in stretch.open_rows[lane]
        ]
    places = {item.number: item for item in stretch.items}
    for item in stretch.items:
        for bound in item.tight.bounds[:1]:
            earlier = places.get(bound.earlier)
            y = row[item.lane] + _LANE / 2 - 2
            x1 = x(earlier.time) if earlier is not None else _LEFT - 6
            y1 = row[earlier.lane] + _LANE / 2 - 2 if earlier is not None else y
            x2 = x(item.time)
            bend = min(14.0, (x2 - x1) / 4) if y1 == y else 0.0
            out.append(
                f'<path class="arrow" marker-end="url(#tip)" d="M{x1:.1f} {y1:.1f}Q{(x1 + x2) / 2:.1f} '
                f'{(y1 + y) / 2 - bend:.1f} {x2:.1f} {y:.1f}"><title>{escape(stretch.bound_text(item))}</title></path>'
            )
            out.append(
                f'<text class="rule" x="{(x1 + x2) / 2:.1f}" y="{(y1 + y) / 2 - bend / 2 - 1:.1f}" '
                f'text-anchor="middle">{bound.rule}</text>'
            )
    for item in stretch.items:
        letter = LETTERS.get(item.cmd, "M")
        tip = f"{brief(item.command)} ({stretch.asked.place(item.number)}): {stretch.bound_text(item)}"
        out.append(
            f'<g class="cmd"><title>{escape(tip)}</title><rect class="{letter.upper()}" x="{x(item.time):.1f}" '
            f'y="{row[item.lane] + 1}" width="{max(7.0, px * 1.5):.1f}" height="{_LANE - 4}" rx="2"/>'
            f'<text x="{x(item.time) + max(7.0, px * 1.5) / 2:.1f}" y="{row[item.lane] + 14}" '
            f'text-anchor="middle">{letter}</text></g>'
        )
    if mark_ck is not None and stretch.first <= 2 * mark_ck <= stretch.last:
        at = x(int(2 * mark_ck))
        out.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 6}" y2="{height - 14}">'
                   f"<title>CK {mark_ck:g}: the failure</title></line>")  # fmt: skip
    return "\n".join([*out, "</svg>", ""])


def html_of(stretch: Stretch, title: str, mark_ck: float | None = None) -> str:
    """The picture in a page of its own."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{margin:8px;overflow:auto}@media (prefers-color-scheme:dark){body{background:#16181c;color:#ddd}}"
        f"</style><h3>{escape(title)}</h3>{svg_of(stretch, mark_ck)}"
        "<p>Arrows lead from the command that a rule counts from; a command without one was free before.</p></html>\n"
    )


def timeline_job(
    folder: Path,
    first: float | None,
    last: float | None,
    bank: Bank | None,
    pc: int | None,
    output: Path | None,
    text: bool,
) -> int:
    """`hbm timeline`: the terminal and the picture; the exit code."""
    asked = open_run(folder)
    if not len(asked.commands):
        raise InputError(f"{folder}: holds no commands")
    mark = failure_ck(folder)
    if first is None:
        begin, end = (int(asked.commands["time"][at]) / 2 for at in (0, -1))
        first = max(0.0, min(mark, end) - SPAN_CK / 2) if mark is not None else begin
    if last is None:
        last = first + SPAN_CK
    path = output or folder / "timeline.html"
    if path.suffix not in (".svg", ".html"):
        raise InputError(f"--output {path}: expected a name that ends in .svg or .html")
    stretch = stretch_of(asked, first, last, bank, pc)
    if not stretch.items:
        raise InputError(f"no command from CK {first:g} to {last:g}; the run's commands end at CK "
                         f"{ck_text(int(asked.commands['time'][-1]))}")  # fmt: skip
    if text:
        print_stretch(stretch)
    title = f"{folder.name}: CK {first:g} to {stretch.last / 2:g}"
    try:
        path.write_text(svg_of(stretch, mark) if path.suffix == ".svg" else html_of(stretch, title, mark))
    except OSError as error:
        raise InputError(f"--output {path}: cannot be written ({error.strerror})") from None
    print(f"picture: {path}")
    return 0
