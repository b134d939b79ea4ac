"""What a bank, a request or a PC waits for at some CK, asked of the exact model (`hbm why`, docs/debugging.md).

Reasons of the controller name their paragraph of docs/microarchitecture.md, distances between commands their rule of
docs/rules.md, with the CK until which they hold and the command that they count from. All CK are those of the pins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model._columns import find_conflicts, is_held, is_kept
from hbm_model.asked import PIPE, Asked, Rerun, Saved, first_difference
from hbm_model.binding import BUS, command_at, history_before
from hbm_model.commands import COLUMN_COMMANDS, Cmd, CmdArray, ck_text
from hbm_model.errors import InputError
from hbm_model.tightness import grid_of

I64 = npt.NDArray[np.int64]
Bank = tuple[int, int, int]  # sid, bg, bank

# Counter -> what a PC does in a cycle that counts there (M9.3).
CAUSES: Final = {
    m.N_STALL_HAZARD: "every request waits for an older one to the same 32 bytes (hazard)",
    m.N_STALL_BANK: "the banks of all requests are not ready (bank)",
    m.N_STALL_ACTIVATE: "tRRD or tFAW hold the ACTs back (activate)",
    m.N_STALL_REFRESH: "refresh (refresh)",
    m.N_STALL_TURN: "the data bus turns (turn)",
    m.N_STALL_COLUMN: "column commands are too close (column)",
    m.N_STALL_EMPTY: "nothing is asked of it (empty)",
    m.N_STALL_OFF: "no commands are allowed yet (off)",
    m.N_BUSY: "a column command is picked (busy)",
}


# What can come in the place of a command; an auto-precharge closes a row too.
_SAME_KIND: Final = {
    Cmd.RD: (Cmd.RD, Cmd.RDA),
    Cmd.WR: (Cmd.WR, Cmd.WRA),
    Cmd.PRE: (Cmd.PRE, Cmd.PREA, Cmd.RDA, Cmd.WRA),
}


@dataclass(frozen=True)
class Reason:
    """One thing that is waited for."""

    text: str
    rule: str  # of docs/rules.md, or paragraph
    until: float | None = None  # CK; None: not known, it depends on what others do


def bank_text(bank: Bank) -> str:
    """0.2.1: SID, bank group, bank."""
    return ".".join(str(each) for each in bank)


def brief(command: np.void) -> str:
    """`ACT 0.2.1 row 5 at CK 12`, `PREA at CK 9`."""
    cmd = Cmd(int(command["cmd"]))
    place = f" {command['sid']}.{command['bg']}.{command['bank']}" if cmd not in (Cmd.PREA, Cmd.REF, Cmd.MRS) else ""
    row = f" row {command['row']}" if cmd is Cmd.ACT else ""
    return f"{cmd.name}{place}{row} at CK {ck_text(int(command['time']))}"


class Why:
    """One channel at one CK."""

    def __init__(self, asked: Asked, ck: float) -> None:
        self.asked, self.ck = asked, float(ck)
        self.channel = asked.state(ck)
        self.cycle = int(self.channel.clock[0])
        shape = asked.params.geometry
        self._shape = (shape.sids, shape.bgs, shape.banks)
        self.after = self.channel.copy()  # the same, one cycle on
        self.decided: CmdArray = self.after.step(self.cycle + 1).commands
        self.x = [self.channel.state[pc].copy() for pc in range(2)]
        for x in self.x:
            find_conflicts(x, self.channel.k)  # who is masked, kept and claimed in this cycle
        self.binding, self.before = history_before(asked.commands, self.time, asked.params)

    @property
    def time(self) -> int:
        """First half CK of the cycle on the pins."""
        return 4 * (self.cycle + PIPE)

    # ------------------------------------------------------------------ places

    def bank(self, number: int) -> Bank:
        """SID, group, bank of a bank's number in its PC."""
        _, bgs, banks = self._shape
        return number // (bgs * banks), number // banks % bgs, number % banks

    def number(self, bank: Bank) -> int:
        """Its number; InputError for one that does not exist."""
        if any(not 0 <= each < most for each, most in zip(bank, self._shape, strict=True)):
            most = ".".join(str(each - 1) for each in self._shape)
            raise InputError(f"--bank {bank_text(bank)}: this channel has the banks 0.0.0 to {most}")
        return (bank[0] * self._shape[1] + bank[1]) * self._shape[2] + bank[2]

    def entries(self, pc: int) -> Iterator[tuple[int, int]]:
        """(queue, rank) of all entries of a PC, reads first, oldest first."""
        for d in range(2):
            for rank in range(m.RANKS):
                if (int(self.x[pc][m.ALL + d]) >> rank) & 1:
                    yield d, rank

    def entry_name(self, pc: int, d: int, rank: int) -> str:
        """The request of an entry."""
        return self.asked.request_name(self.channel, pc, d, rank)

    # ------------------------------------------------------------------ one entry

    def wanted(self, pc: int, d: int, rank: int) -> Cmd:
        """The next command that an entry needs."""
        x, e = self.x[pc], d * 64 + rank
        opened = int(x[m.B_ROW + int(x[m.E_BANK + e])])
        if opened < 0:
            return Cmd.ACT
        if opened != x[m.E_ROW + e]:
            return Cmd.PRE
        return Cmd.RD if d == m.READ else Cmd.WR

    def distances(self, cmd: Cmd, pc: int, number: int, row: int = 0) -> list[Reason]:
        """Rules that forbid a command in this cycle, the one that holds longest first."""
        sid, bg, bank = self.bank(number)
        candidate = command_at(cmd, self.time, pc, sid, bg, bank, row=row)
        grid = grid_of(cmd, pc, self.asked.params.generation.number)
        # The last slot of the cycle: what is legal there can be sent.
        slot = self.time + grid.first + (grid.step * ((4 - grid.first - 1) // grid.step) if grid.step < 4 else 0)
        out = []
        for bound in self.binding.bounds(candidate):
            if bound.earliest <= slot or bound.rule in BUS.values():
                continue
            first = grid.at_or_after(bound.earliest)
            later = f" (first slot CK {ck_text(first)})" if first != bound.earliest else ""
            since = f"since {brief(self.asked.commands[bound.earlier])} ({self.asked.place(bound.earlier)})"
            out.append(
                Reason(f"{bound.rule} until CK {ck_text(bound.earliest)}{later}, {since}", bound.rule, first / 2)
            )
        return out

    def reasons(self, pc: int, d: int, rank: int) -> list[Reason]:
        """Everything that keeps an entry from its next command in this cycle; the weightiest first."""
        x, k, e = self.x[pc], self.channel.k, d * 64 + rank
        number = int(x[m.E_BANK + e])
        cmd = self.wanted(pc, d, rank)
        column = cmd in (Cmd.RD, Cmd.WR)
        out = []
        if x[m.E_WAITS + e]:
            older = ", ".join(self._older(pc, d, rank))
            out.append(Reason(f"hazard: {older} goes first, to the same 32 bytes", "M3.2"))
        if (int(x[m.RAW + d]) >> rank) & 1:
            out.append(Reason("a write of a part of 32 bytes, whose read has not started", "M3.3"))
        elif not (int(x[m.WHOLE + d]) >> rank) & 1:
            out.append(Reason("a write of a part of 32 bytes, whose read is under way", "M3.3"))
        if is_held(x, k, number):
            out.append(Reason(self._held(pc), "M6"))
        if cmd is Cmd.PRE and is_kept(x, number):
            hits = self._hits(pc, number)
            out.append(Reason(f"row {x[m.B_ROW + number]} stays open for {hits}", "M5.2"))
        if column and x[m.DIRECTION] != d:
            out.append(Reason(self._turn(pc), "M4.4"))
        if column and d == m.READ and x[m.GAP] == self.cycle:
            out.append(Reason("the data of a forwarded read takes the place", "M3.6"))
        out += self._masked(pc, d, rank, number)
        out += self.distances(cmd, pc, number, int(x[m.E_ROW + e]))
        return out

    def _older(self, pc: int, d: int, rank: int) -> list[str]:
        """Entries that an entry waits for (M3.2)."""
        x = self.x[pc]
        follow = m.E_NEXT_R if d == m.READ else m.E_NEXT_W
        return [
            self.entry_name(pc, other, each)
            for other, each in self.entries(pc)
            if (int(x[follow + other * 64 + each]) >> rank) & 1
        ]

    def _held(self, pc: int) -> str:
        x = self.x[pc]
        owed = f"{int(x[m.DEBT])} refreshes owed"
        if x[m.ALL_HELD]:
            return f"all banks are held for REF, {owed}"
        left = [bank_text(self.bank(int(x[m.SET]) * int(self.channel.k[m.K_PER_SID]) + b)) for b in _bits(x[m.HELD])]
        return f"held for REFSB with {', '.join(left[:4])}{' ...' if len(left) > 4 else ''}, {owed}"

    def _hits(self, pc: int, number: int) -> str:
        x = self.x[pc]
        names = [
            self.entry_name(pc, d, rank)
            for d, rank in self.entries(pc)
            if x[m.E_BANK + d * 64 + rank] == number and (int(x[m.HIT + d]) >> rank) & 1
        ]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

    def _turn(self, pc: int) -> str:
        x = self.x[pc]
        serving = "writes" if x[m.DIRECTION] else "reads"
        counts = [sum(1 for d, _ in self.entries(pc) if d == each) for each in range(2)]
        ready = [bin(int(x[m.HIT + each] & x[m.FREE + each] & x[m.WHOLE + each])).count("1") for each in range(2)]
        return (
            f"PC{pc} serves {serving}: {counts[0]} reads in the queue, {ready[0]} of them ready; {counts[1]} writes, "
            f"{ready[1]} ready"
        )

    def _masked(self, pc: int, d: int, rank: int, number: int) -> list[Reason]:
        """Reordering: the champion and urgent conflicts."""
        x = self.x[pc]
        bit = 1 << rank
        if int(x[m.CHAMP + d]) & bit:
            return []
        if x[m.SERVED]:
            return [Reason("the champion, the longest waiting request, is served alone", "M4.7")]
        if x[m.CLAIMED] == number:
            return [Reason("the champion claims the bank for another row", "M4.7")]
        if x[m.CONFLICTS] and x[m.B_CONFLICT + number] and not int(x[m.URGENT + d]) & bit:
            return [Reason("an urgent request wants another row of the bank", "M4.5")]
        return []

    def turn_of_others(self, pc: int, d: int, rank: int) -> str:
        """Nothing forbids the command: it is chosen, under way, or others went before it."""
        x = self.x[pc]
        number = int(x[m.E_BANK + d * 64 + rank])
        cmd = self.wanted(pc, d, rank)
        mine = [each for each in self.decided if int(each["pc"]) == pc]
        column = [each for each in mine if int(each["cmd"]) in COLUMN_COMMANDS]
        row = [each for each in mine if int(each["cmd"]) not in COLUMN_COMMANDS]
        name = cmd.name
        if cmd in (Cmd.RD, Cmd.WR):
            if column:
                same = self.number(_bank_of(column[0])) == number and column[0]["col"] == x[m.E_COL + d * 64 + rank]
                return (
                    f"{name} is picked in this cycle: {brief(column[0])}"
                    if same
                    else f"{name} may come; {brief(column[0])} goes first (M4.2: the oldest whose command is legal)"
                )
            return f"{name} may come; the data path or the slot of its PC is taken (M3.5, M1.2)"
        picked = x[m.P_ACT] and int(x[m.P_ACT_BANK]) if cmd is Cmd.ACT else x[m.P_SHORT] and int(x[m.P_SHORT_BANK])
        chosen = bool(x[m.P_ACT]) if cmd is Cmd.ACT else int(x[m.P_SHORT]) == Cmd.PRE
        if chosen and picked == number:
            sent = next((each for each in row if self.number(_bank_of(each)) == number), None)
            if sent is not None:
                return f"{name} is granted in this cycle: {brief(sent)}"
            others = ", ".join(brief(each) for each in self.decided if int(each["cmd"]) not in COLUMN_COMMANDS)
            goes = f"; it goes to {others}" if others else ""
            return f"{name} is picked and waits for a row slot (M5.3){goes}"
        if chosen:
            other = bank_text(self.bank(int(picked)))
            return f"{name} may come; {name} {other} is picked before it (M5.5, M5.6: the oldest first)"
        return f"{name} may come; it is picked in one of the next cycles (M5.4)"

    def coming(self, cmd: Cmd, pc: int, bank: Bank) -> str:
        """When the run really sent the command: at or after this CK."""
        rows = self.asked.commands
        kinds = _SAME_KIND.get(cmd, (cmd,))
        start = int(np.searchsorted(rows["time"], self.time))
        part = rows[start:]
        here = (part["pc"] == pc) & np.isin(part["cmd"], kinds)
        mine = (part["sid"] == bank[0]) & (part["bg"] == bank[1]) & (part["bank"] == bank[2])
        found = np.flatnonzero(here & (mine | (part["cmd"] == Cmd.PREA)))
        if not len(found):
            return f"{cmd.name} did not come any more"
        at = start + int(found[0])
        return f"{Cmd(int(rows[at]['cmd'])).name} came at CK {ck_text(int(rows[at]['time']))} ({self.asked.place(at)})"

    def entry_lines(self, pc: int, d: int, rank: int) -> list[str]:
        """All on one entry: one sentence, then further reasons."""
        x, e = self.x[pc], d * 64 + rank
        number = int(x[m.E_BANK + e])
        bank = self.bank(number)
        cmd = self.wanted(pc, d, rank)
        head = f"PC{pc} bank {bank_text(bank)}: {self.entry_name(pc, d, rank)}"
        found = self.reasons(pc, d, rank)
        came = self.coming(cmd, pc, bank)
        if not found:
            return [f"{head}: {self.turn_of_others(pc, d, rank)}; {came}"]
        first = found[0]
        tag = f" ({first.rule})" if first.rule.startswith("M") else ""
        lines = [f"{head} waits for {cmd.name}: {first.text}{tag}; {came}"]
        return lines + [
            f"  and: {each.text}{f' ({each.rule})' if each.rule.startswith('M') else ''}" for each in found[1:]
        ]

    # ------------------------------------------------------------------ a bank, a PC

    def bank_lines(self, pc: int, bank: Bank) -> list[str]:
        """State of a bank and what its requests wait for."""
        number = self.number(bank)
        x = self.x[pc]
        opened = int(x[m.B_ROW + number])
        state = f"row {opened} open" if opened >= 0 else "closed"
        last = self._last_of(pc, bank)
        lines = [f"PC{pc} bank {bank_text(bank)} at CK {self.ck:g} (cycle {self.cycle}): {state}{last}"]
        if is_held(x, self.channel.k, number):
            lines.append(f"  {self._held(pc)} (M6)")
        mine = [(d, rank) for d, rank in self.entries(pc) if x[m.E_BANK + d * 64 + rank] == number]
        for d, rank in mine:
            lines += self.entry_lines(pc, d, rank)
        if not mine:
            lines.append("  no request for it is in the queues")
        return lines

    def _last_of(self, pc: int, bank: Bank) -> str:
        rows = self.asked.commands[: self.before]
        mine = (rows["pc"] == pc) & (rows["sid"] == bank[0]) & (rows["bg"] == bank[1]) & (rows["bank"] == bank[2])
        found = np.flatnonzero(mine & (rows["cmd"] != Cmd.MRS))
        if not len(found):
            return ", no command yet"
        at = int(found[-1])
        return f", last command {brief(rows[at])} ({self.asked.place(at)})"

    def pc_lines(self, pc: int, most: int = 6) -> list[str]:
        """State of a PC, why no column command goes, and what its oldest requests wait for."""
        x = self.x[pc]
        serving = "writes" if x[m.DIRECTION] else "reads"
        counts = [sum(1 for d, _ in self.entries(pc) if d == each) for each in range(2)]
        lines = [
            f"PC{pc} at CK {self.ck:g} (cycle {self.cycle}): serves {serving}, {counts[0]} reads and {counts[1]} "
            f"writes in the queues, {int(x[m.OPEN])} banks open, refreshes owed {int(x[m.DEBT])}"
        ]
        was, now = self.channel.state[pc], self.after.state[pc]
        lines += [f"  this cycle: {text} (M9.3)" for place, text in CAUSES.items() if now[place] != was[place]]
        shown = list(self.entries(pc))
        for d in range(2):
            mine = [entry for entry in shown if entry[0] == d]
            for entry in mine[: most // 2]:
                lines += self.entry_lines(pc, *entry)
            if len(mine) > most // 2:
                lines.append(f"  ... {len(mine) - most // 2} more {'writes' if d else 'reads'}; --bank shows them")
        return lines

    # ------------------------------------------------------------------ a request

    def request_lines(self, number: int) -> list[str]:
        """Where request `number` (from 1) of the trace is and what it waits for."""
        source = self.asked.source
        if not isinstance(source, Rerun):
            raise InputError("--request: this run has no request trace; use --bank or --pc")
        if not 1 <= number <= len(source.trace):
            raise InputError(f"--request {number}: the trace has the requests 1 to {len(source.trace)}")
        pcs, writes = source.ports
        at = number - 1
        pc, write = int(pcs[at]), bool(writes[at])
        nth = int(np.searchsorted(source.of_port(pc, write), at))
        name = f"request {number} ({'write' if write else 'read'} of port {pc})"
        seen, now = source.whole, int(self.ck) // 2  # the ports are not behind the pins
        offered, taken, done = (int(each[at]) for each in (seen.offered, seen.taken, seen.done))
        if now < offered or offered < 0:
            return [f"{name} is not offered yet; {self._before_offer(source, at, pc, offered)}"]
        if now < taken or taken < 0:
            why = self._port_full(pc, write)
            return [f"{name} stands at the port since CK {2 * offered}: {why}; taken at CK {2 * taken}"]
        for d, rank in self.entries(pc):
            x = self.x[pc]
            entry = int(x[m.E_REQ + d * 64 + rank])
            if (d == m.WRITE) != write or entry < 0:
                continue
            same = entry >> 1 == nth if write else int(x[p.S_BURST + (entry & (m.EXPRESS_NAME - 1))]) == nth
            if same:
                answered = f"  its B went at CK {2 * done} (M2.8)" if write and 0 <= done <= now else ""
                return [*self.entry_lines(pc, d, rank), *([answered] if answered else [])]
        return self._after_or_before(name, pc, write, nth, done)

    def _before_offer(self, source: Rerun, at: int, pc: int, offered: int) -> str:
        pcs, _ = source.ports
        mine = np.flatnonzero(pcs[:at] == pc)
        if not len(mine):
            return f"its VALID rises at CK {2 * offered}"
        taken = int(source.whole.taken[mine[-1]])
        if taken >= int(self.ck) // 2:
            return f"request {int(mine[-1]) + 1} of its port is taken first, at CK {2 * taken} (order of the trace)"
        return f"its VALID rises at CK {2 * offered}"

    def _port_full(self, pc: int, write: bool) -> str:
        x = self.channel.state[pc]
        if write:
            return (
                f"bursts of AW held {x[p.AWS]} of {p.AW_DEPTH}, between AW and B {x[p.WRITES]} of {p.B_DEPTH}, "
                f"credits of the write queue {x[p.CREDIT]} (M2.2)"
            )
        queue = f"read queue {x[m.HOST]} of {int(self.channel.k[m.K_READ_ENTRIES])}"
        return f"bursts of AR held {x[p.HELD]} of {p.AR_DEPTH}, {queue}, slots {x[p.USED]} of {p.SLOTS} (M2.1)"

    def _after_or_before(self, name: str, pc: int, write: bool, nth: int, done: int) -> list[str]:
        """Taken, and in no queue: before it, under way, or waiting for the order of responses."""
        x = self.channel.state[pc]
        end = f"answered at CK {2 * done}"
        answered = 0 <= done <= int(self.ck) // 2
        if write:
            if answered:
                return [f"{name} was {end} (B), and its WR has gone"]
            return [f"{name} is between its port and the write queue (M2.2), or its WR has gone; {end}"]
        if answered:
            return [f"{name} was {end}"]
        slot = self._slot(x, nth)
        queue = f"the read queue holds {x[m.HOST]} of {int(self.channel.k[m.K_READ_ENTRIES])}"
        if slot is None:
            return [f"{name} is between its port and the read queue (M2.1): {queue}; {end}"]
        flying = [i for i in range(int(x[m.FLY_N])) if _slot_at(x, i) == slot]
        if flying:
            back = int(x[m.FLY_AT + ((int(x[m.FLY]) + flying[0]) & 255)])
            return [f"{name}: its RD has gone, the data is back at CK {2 * back} (M8.3); {end}"]
        if slot in (int(x[p.REG]), int(x[p.REG_X])):
            return [f"{name} stands before the read queue (M2.1): {queue}; {end}"]
        oldest = int(x[p.ID_OLD + int(x[p.S_ID + slot])])
        if oldest != slot:
            first = int(x[p.S_BURST + oldest])
            found = self.asked.source.request(pc, False, first)
            ident = x[p.S_ID + slot]
            return [f"{name}: its data is here; request {found} of the same id {ident} goes first (M2.5); {end}"]
        return [f"{name}: its data is here or forwarded, the R channel serves others first (M2.5); {end}"]

    @staticmethod
    def _slot(x: I64, nth: int) -> int | None:
        """Slot of the nth read of the port, of those in use."""
        free = {int(x[p.SLOT_FREE + i]) for i in range(p.SLOTS - int(x[p.USED]))}
        found = [slot for slot in range(p.SLOTS) if slot not in free and int(x[p.S_BURST + slot]) == nth]
        return found[0] if found else None


def _slot_at(x: I64, i: int) -> int:
    """Slot of the i-th read under way; below 0: of a merge."""
    name = int(x[m.FLY_REQ + ((int(x[m.FLY]) + i) & 255)])
    return name if name < 0 else name & (m.EXPRESS_NAME - 1)


def _bits(value: object) -> list[int]:
    number = int(value)  # type: ignore[call-overload]
    return [bit for bit in range(64) if (number >> bit) & 1]


def _bank_of(command: np.void) -> Bank:
    return int(command["sid"]), int(command["bg"]), int(command["bank"])


def answer(asked: Asked, ck: float, *, pc: int | None = None, bank: Bank | None = None, request: int = 0) -> list[str]:
    """The lines of `hbm why`."""
    why = Why(asked, ck)
    lines = []
    differs = first_difference(asked, ck)
    if differs is not None:
        lines.append(f"note: the run differs from the exact model from CK {differs:g} on; this is what the model knows")
    if isinstance(asked.source, Saved):
        lines.append("note: asked of the model as it was before the failure, fed with what the outside did")
    if request:
        return lines + why.request_lines(request)
    pcs = range(2) if pc is None else (pc,)
    for each in pcs:
        lines += why.bank_lines(each, bank) if bank is not None else why.pc_lines(each)
    return lines
