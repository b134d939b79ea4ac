"""The readable story of the first difference between a channel and its exact model.

What differs, the last commands of both sides, the paragraph of the contract that decides, and what the model believes
to be in the queues at that cycle: what blocks each candidate, by which rule, until when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model._columns import find_conflicts, is_held, is_kept
from hbm_model.commands import COLUMN_COMMANDS, Cmd, CmdArray, ck_text, describe
from hbm_model.controller import Channel, in_order

SHOWN: Final = 10  # commands of each side before the difference
PIPE: Final = 3  # cycles from the decision on a command to its word on the pins (M1.6, M8.1)


@dataclass(frozen=True)
class Difference:
    """The first place where two command lists differ, number `at` of both.

    Of the two commands there the earlier one counts, and on the other side the next one of the same PC and bus (row or
    column) from there on: what that side did in its place; None where it did nothing more.
    """

    at: int
    seen: np.void | None
    foreseen: np.void | None

    @property
    def time(self) -> int:
        """Half CK on the pins of the earlier of the two."""
        return min(int(each["time"]) for each in (self.seen, self.foreseen) if each is not None)

    @property
    def cycle(self) -> int:
        """Controller cycle in which the earlier of the two commands was granted or picked."""
        return self.time // 4 - PIPE

    @property
    def pcs(self) -> list[int]:
        """The PCs of the two commands."""
        return sorted({int(each["pc"]) for each in (self.seen, self.foreseen) if each is not None})


def comparable(commands: CmdArray) -> CmdArray:
    """Commands in one order, without what only one side records."""
    out = in_order(commands).copy()
    out["row"][(out["cmd"] != Cmd.ACT) & (out["cmd"] != Cmd.MRS)] = 0
    return out


def first_difference(seen: CmdArray, foreseen: CmdArray, until: int | None = None) -> Difference | None:
    """First difference of two lists; with `until` (half CK) what lies beyond it does not count."""
    left, right = comparable(seen), comparable(foreseen)
    if until is not None:
        left, right = left[left["time"] < until], right[right["time"] < until]
    common = min(len(left), len(right))
    unequal = np.flatnonzero(left[:common] != right[:common])
    if len(unequal):
        at = int(unequal[0])
    elif len(left) == len(right):
        return None
    else:
        at = common
    return difference_at(left, right, at)


def difference_at(left: CmdArray, right: CmdArray, at: int) -> Difference:
    """The difference of two lists in pin order, number `at` of which differs."""
    ours = at < len(right) and (at >= len(left) or right["time"][at] <= left["time"][at])
    first, others = (right[at], left[at:]) if ours else (left[at], right[at:])
    same = (others["pc"] == first["pc"]) & (
        np.isin(others["cmd"], COLUMN_COMMANDS) == (first["cmd"] in COLUMN_COMMANDS)
    )
    found = np.flatnonzero(same)
    other = others[found[0]] if len(found) else None
    return Difference(at, other, first) if ours else Difference(at, first, other)


def words(command: np.void) -> str:
    """A command with the fields that it uses; of MRS the register and what is written into it."""
    if command["cmd"] == Cmd.MRS:
        place, value = int(command["row"]) >> 8, int(command["row"]) & 255
        return f"MRS MR{place} = {value:#04x} at CK {ck_text(int(command['time']))}"
    return describe(command)


def paragraph(seen: np.void | None, foreseen: np.void | None) -> str:
    """Which paragraph of the contract decides between two commands."""
    kinds = {Cmd(int(each["cmd"])) for each in (seen, foreseen) if each is not None}
    if seen is not None and foreseen is not None:
        place = [
            tuple(int(each[key]) for key in ("time", "pc", "sid", "bg", "bank", "col")) for each in (seen, foreseen)
        ]
        if kinds in ({Cmd.RD, Cmd.RDA}, {Cmd.WR, Cmd.WRA}) and place[0] == place[1]:
            return "M4.3, the page policy"
    if Cmd.MRS in kinds:
        return "M7.2, the mode registers, and M7.1 or M7.3, when they are written"
    if kinds & {Cmd.REFSB, Cmd.REF, Cmd.PREA}:
        return "M6, refresh, and M5.6, the order of short commands"
    if kinds <= set(COLUMN_COMMANDS):
        if kinds & {Cmd.RD, Cmd.RDA} and kinds & {Cmd.WR, Cmd.WRA}:
            return "M4.4, the direction"
        return "M4.1 and M4.2, the column selection"
    if kinds == {Cmd.ACT}:
        return "M5.5, the choice of the ACT, and M5.3, the grant"
    if Cmd.PRE in kinds:
        return "M5.6 (4) and M5.2, the choice of the PRE"
    return "M1.3, M1.5 and M5.3, slots, distances and grant"


# ------------------------------------------------------------------ what the model believes


def bank_name(channel: Channel, bank: int) -> str:
    """`sid0 bg1 bank2` of a bank's number in its PC."""
    shape = channel.setup.params.geometry
    return f"sid{bank // (shape.bgs * shape.banks)} bg{bank // shape.banks % shape.bgs} bank{bank % shape.banks}"


def _blocks(channel: Channel, pc: int, d: int, rank: int) -> list[tuple[str, int]]:
    """(rule, first CK on the controller's grid that it allows) of the next command that an entry needs."""
    x, k = channel.state[pc], channel.k
    shape = channel.setup.params.geometry
    bank = int(x[m.E_BANK + d * 64 + rank])
    group, sid, opened = bank // shape.banks, bank // (shape.bgs * shape.banks), int(x[m.B_ROW + bank])
    if opened < 0:
        return [
            ("ACT: tRC, tRP or tRFCsb of the bank", int(x[m.B_ACT + bank])),
            ("ACT: tRRD_L of the group", int(x[m.G_ACTS + group])),
            ("ACT: tRRD_S, tRREFD or tRFC of the PC", int(x[m.T_ACT])),
            ("ACT: tFAW of the PC", int(x[m.WINDOW + x[m.WINDOW_AT]] + k[m.K_FAW])),
        ]
    if opened != x[m.E_ROW + d * 64 + rank]:
        return [
            ("PRE: tRAS, tRTP or tWR of the bank", int(x[m.B_PRE + bank])),
            ("PRE: tPPD of the PC", int(x[m.T_PRE])),
        ]
    if d == m.READ:
        return [
            ("RD: tRCDRD of the bank", int(x[m.B_RD + bank])),
            ("RD: tCCD_L or tWTR_L of the group", int(x[m.G_RD + group])),
            ("RD: tCCD_R of the SID", int(x[m.S_RD + sid])),
            ("RD: tCCD_S or tWTR_S of the PC", int(x[m.T_COL])),
        ]
    return [
        ("WR: tRCDWR of the bank", int(x[m.B_WR + bank])),
        ("WR: tCCD_L of the group", int(x[m.G_WR + group])),
        ("WR: tCCD_S or tRTW of the PC", int(x[m.T_COL_W])),
    ]


def queue_text(channel: Channel, pc: int) -> list[str]:
    """What the model believes to be in the queues of a PC, and what keeps each entry from its next command.

    CK are those of the pins: a decision of cycle n shows from CK 2 (n + PIPE) on.
    """
    x, n = channel.state[pc].copy(), int(channel.clock[0])
    find_conflicts(x, channel.k)  # who is masked, kept and claimed in this cycle
    now = 2 * n
    held = "all banks held" if x[m.ALL_HELD] else f"held banks {int(x[m.HELD]):#x}" if x[m.HELD] else "no bank held"
    picked = []
    if x[m.P_ACT]:
        picked.append(f"ACT {bank_name(channel, int(x[m.P_ACT_BANK]))} row {x[m.P_ACT_ROW]}")
    if x[m.P_SHORT]:
        picked.append(f"{Cmd(int(x[m.P_SHORT])).name} {bank_name(channel, int(x[m.P_SHORT_BANK]))}")
    lines = [
        f"PC{pc} in cycle {n} (CK {now + 2 * PIPE} on the pins): serves {'writes' if x[m.DIRECTION] else 'reads'}, "
        f"refreshes owed {x[m.DEBT]} (ahead: below 0), {held}, picked: {', '.join(picked) or 'nothing'}; "
        "oldest entries first"
    ]
    for d, kind in enumerate("RW"):
        for rank in range(m.RANKS):
            if not (int(x[m.ALL + d]) >> rank) & 1:
                continue
            e = d * 64 + rank
            bank = int(x[m.E_BANK + e])
            opened = int(x[m.B_ROW + bank])
            hits = opened == x[m.E_ROW + e]
            notes = ["closed" if opened < 0 else "hit" if hits else f"conflict with row {opened}"]
            notes += [f"waits for {x[m.E_WAITS + e]} older (M3.2)"] if x[m.E_WAITS + e] else []
            notes += ["unstarted (M3.3)"] if (int(x[m.RAW + d]) >> rank) & 1 else []
            if (int(x[m.URGENT + d]) >> rank) & 1:
                notes.append("starved (M4.5)" if (int(x[m.STARVED + d]) >> rank) & 1 else "high (M4.5)")
            if (int(x[m.CHAMP + d]) >> rank) & 1:
                notes.append("champion, served (M4.7)" if x[m.SERVED] else "champion (M4.7)")
            elif x[m.SERVED]:
                notes.append("the champion is served (M4.7)")
            notes += ["bank claimed by the champion (M4.7)"] if x[m.CLAIMED] == bank else []
            notes += ["bank held (M6)"] if is_held(x, channel.k, bank) else []
            notes += ["other direction (M4.4)"] if hits and x[m.DIRECTION] != d else []
            notes += ["a forwarded read takes the place (M3.6)"] if hits and d == m.READ and x[m.GAP] == n else []
            notes += ["row kept by hits (M5.2)"] if opened >= 0 and not hits and is_kept(x, bank) else []
            notes += [
                f"{rule} until CK {since + 2 * PIPE}"
                for rule, since in _blocks(channel, pc, d, rank)
                if since > now + 1
            ]
            lines.append(
                f"  {kind} {bank_name(channel, bank)} row {x[m.E_ROW + e]} col {x[m.E_COL + e]}: {', '.join(notes)}"
            )
    return lines if len(lines) > 1 else [*lines, "  no entry"]


def port_text(channel: Channel, port: int) -> list[str]:
    """What the model believes of a port: what decides its READYs and its next response."""
    x = channel.state[port]
    answer = f"{x[p.R_LEFT]} beats of id {x[p.R_ID]}" if x[p.R_LEFT] else "empty"
    before, express = ("taken" if x[place] >= 0 else "empty" for place in (p.REG, p.REG_X))
    return [
        f"port {port}: bursts of AR held {x[p.HELD]} of {p.AR_DEPTH}, register before the read queue {before}, "
        f"read queue {x[m.HOST]} of {m.HOST_ENTRIES}, slots {x[p.USED]} of {p.SLOTS}, ready lists D {x[p.D_N]} "
        f"F {x[p.F_N]} E {int(x[p.E_SLOT] >= 0)}, R register {answer} (M2.1, M2.5)",
        f"  express lane: bursts {x[p.HELD_X]} of {p.EXPRESS_DEPTH}, register {express}, entries {x[m.EXPRESS]} of "
        f"{m.EXPRESS_ENTRIES}; reads under way by forwarding {x[p.FORWARD_N]} of {p.FORWARDS} (M2.10, M3.6)",
        f"  bursts of AW held {x[p.AWS]} of {p.AW_DEPTH}, between AW and B {x[p.WRITES]} of {p.B_DEPTH}, credits "
        f"{x[p.CREDIT]}, beat register {'taken' if x[p.BEAT] else 'empty'}, B waiting {x[p.B_N]} (M2.2, M2.8)",
    ]


# ------------------------------------------------------------------ the story


def side_by_side(seen: CmdArray, foreseen: CmdArray, at: int, after: int = 4) -> list[str]:
    """Commands of both sides around number `at`; `!` marks lines that differ."""
    left, right = comparable(seen), comparable(foreseen)
    lines = [f"  {'seen':<50}foreseen"]
    for i in range(max(0, at - SHOWN), min(at + after, max(len(left), len(right)))):
        both = [words(each[i]) if i < len(each) else "-" for each in (left, right)]
        same = i < len(left) and i < len(right) and left[i] == right[i]
        lines.append(f"{'  ' if same else '! '}{both[0]:<50}{both[1]}")
    return lines


def story(seen: CmdArray, foreseen: CmdArray, found: Difference, belief: Channel | None = None) -> str:
    """The first difference in words. `belief`: a channel that has run up to `found.cycle`."""
    lines = [
        f"first difference at command {found.at}, CK {ck_text(found.time)}: {paragraph(found.seen, found.foreseen)}",
        *side_by_side(seen, foreseen, found.at),
    ]
    if belief is not None:
        for pc in found.pcs:
            lines += queue_text(belief, pc)
    return "\n".join(lines)
