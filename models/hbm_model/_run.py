"""The loop of the exact controller model: both PCs and their ports, cycle by cycle (docs/microarchitecture.md M1.6).

A cycle n is decided from the state S(n) at its start. `run` skips cycles in which nothing can happen.
"""

from __future__ import annotations

from typing import Final

from hbm_model import _control as c7
from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model._counts import count_cycle
from hbm_model._hot import Cells, Table, count, hot
from hbm_model._pages import watch_rows
from hbm_model._pc import apply_pc, quiet, step_pc
from hbm_model._port import all_taken, next_valid, port_step, port_still
from hbm_model._queues import classify, enqueue, forwards, start_merge
from hbm_model._refresh import count_due, decide_held
from hbm_model._rows import grant, pick_act, pick_short

# Places of `clock`.
CYCLE: Final = 0  # next cycle
FIRST: Final = 1  # M5.3: the PC that is first on the row bus
TO_THE_END: Final = 2  # stop when everything that was offered is answered
COMMANDS: Final = 3  # out: commands made
EVENT: Final = 4  # next event, and how many there are
EVENTS: Final = 5
ENDED: Final = 6  # out: everything is answered
CLEARED: Final = 7  # M9: cycle of the last clear, and out: cycles at the last snapshot, and how many were taken
SNAPSHOT: Final = 8
SNAPSHOTS: Final = 9
CLOCK_SIZE: Final = 10

# Columns of events: cycle from which it holds, kind, a, b.
EV_COLUMNS: Final = 4
EV_REGISTER: Final = c7.EV_REGISTER
EV_READY: Final = 3
EV_SEED: Final = 4

PER_CYCLE: Final = 8  # at most this many commands a cycle


@hot
def take_write(x: Cells, k: Cells) -> None:
    """M3.1: the write that the port hands over enters its queue. Its name is odd if it has all strobes (M3.6)."""
    part = x[p.OFF_PART]
    name = x[p.SERIAL] << 1 | 1 - part
    x[p.SERIAL] += 1
    merges = k[m.K_MERGE] == 1 and part == 1
    r = enqueue(x, k, m.WRITE, x[p.OFF_BANK], x[p.OFF_ROW], x[p.OFF_COL], name, merges, False)
    classify(x, k, m.WRITE, r, x[p.OFF_QOS])


@hot
def take_read(x: Cells, k: Cells, n: int) -> None:
    """M3.1, M3.6: the read that is accepted in n enters its queue, or takes its data from a write."""
    bank = x[p.GOT_BANK]
    row = x[p.GOT_ROW]
    col = x[p.GOT_COL]
    if k[m.K_FORWARD] and x[m.ALL_W] and forwards(x, bank, row, col):
        at = (x[p.FORWARD_AT] + x[p.FORWARD_N]) & 3
        x[p.FORWARD_SLOT + at] = x[p.GOT]
        x[p.FORWARD_FROM + at] = n + 2
        x[p.FORWARD_N] += 1
        x[m.N_FORWARD] += 1
        return
    express = x[p.GOT_EXPRESS]
    x[m.HOST + express] += 1
    r = enqueue(x, k, m.READ, bank, row, col, x[p.GOT] + m.EXPRESS_NAME * express, False, False)
    classify(x, k, m.READ, r, x[p.GOT_QOS])


@hot
def finish(
    x: Cells,
    k: Cells,
    t: Cells,
    out: Table,
    at: int,
    n: int,
    pc: int,
    still: bool,
    due: int,
    allowed: bool,
    stopped: bool,
    beat: bool,
    page_beat: bool,
    quiesce: bool,
) -> int:
    """What one PC decides in n after the grant, its port, and all effects; gives the place in the list of commands."""
    host = x[m.HOST]
    express = x[m.EXPRESS]
    freed = 0
    start = -1
    if not still:
        if not (x[m.O_ACT] and not x[m.G_ACT]):
            pick_act(x, k, n)
        if not (x[m.O_SHORT] and not x[m.G_SHORT]):
            pick_short(x, k, n, due != 0, stopped)
        decide_held(x, k, due)
        if beat:  # M4.5
            for d in range(2):
                x[m.URGENT + d] |= x[m.AGED + d]
                x[m.STARVED + d] |= x[m.AGED + d]
                x[m.AGED + d] = x[m.ALL + d]
        if x[m.N_START] >= 0:
            start = x[m.E_REQ + 64 + x[m.N_START]]
            x[m.N_RMW] += 1
        if x[m.ALL_W] and count(x[m.ALL_W]) == k[m.K_WRITE_ENTRIES]:
            x[m.N_WR_FULL] += 1
        count_cycle(x, k, n, pc, allowed, stopped)
        watch_rows(x, k, page_beat)
        freed = -x[m.WR_PATH]
        at = apply_pc(x, k, n, pc, out, at)
        freed += x[m.WR_PATH]
    if freed or not port_still(x) or not all_taken(x):
        handed = port_step(x, k, t, n, pc, host, express, freed, quiesce)
        if handed & 1:  # M2.3: the write of a cycle is older than its read
            take_write(x, k)
        if handed & 2:
            take_read(x, k, n)
    if start >= 0:
        # An enqueue of this cycle may have dealt new ranks, so the write is found by its name.
        start_merge(x, k, start)
    return at


@hot
def next_event(x: Cells, k: Cells, t: Cells, then: int) -> int:
    """The first cycle before `then` in which a PC at rest with a still port has anything to do; else `then`."""
    if k[m.K_REFRESH] and x[m.DUE] >> 1 < then:
        then = x[m.DUE] >> 1
    return next_valid(x, t, then)


@hot
def served(x: Cells) -> bool:
    """True when everything that was offered is answered and carried out."""
    return all_taken(x) and (x[m.ALL] | x[m.ALL_W]) == 0 and port_still(x)


@hot
def count_control(x0: Cells, x1: Cells, clock: Cells, word: int, n: int) -> None:
    """M9: snapshot and clear of the counters by a write of ctrl that ends in n: they hold what was before n."""
    if (word >> c7.SNAPSHOT_LSB) & c7.SNAPSHOT_MASK:
        for i in range(m.PC_COUNTERS + m.PORT_COUNTERS):
            x0[m.SNAPSHOT + i] = x0[m.COUNTERS + i]
            x1[m.SNAPSHOT + i] = x1[m.COUNTERS + i]
        clock[SNAPSHOT] = n - clock[CLEARED]
        clock[SNAPSHOTS] += 1
    if (word >> c7.CLEAR_LSB) & c7.CLEAR_MASK:
        for i in range(m.PC_COUNTERS + m.PORT_COUNTERS):
            x0[m.COUNTERS + i] = 0
            x1[m.COUNTERS + i] = 0
        clock[CLEARED] = n


@hot
def run(xs: Table, k: Cells, c: Cells, ts: Table, ev: Table, out: Table, clock: Cells, until: int, most: int) -> None:
    """Run cycles from clock[CYCLE] on: all before `until`, at most `most` that are not skipped, none after a load."""
    n = clock[CYCLE]
    first = clock[FIRST]
    at = 0
    x0 = xs[0]
    x1 = xs[1]
    t0 = ts[0]
    t1 = ts[1]
    gen = k[m.K_GEN]
    event = clock[EVENT]
    events = clock[EVENTS]
    while n < until and most > 0:
        if clock[TO_THE_END] and served(x0) and served(x1):
            clock[ENDED] = 1
            break
        allowed = c[c7.C_ALLOWED] == 1
        quiet0 = quiet(x0, k, allowed)
        quiet1 = quiet(x1, k, allowed)
        if quiet0 and quiet1 and port_still(x0) and port_still(x1):
            # Nothing can happen before the next VALID, refresh or event.
            then = next_event(x0, k, t0, until)
            then = next_event(x1, k, t1, then)
            control = c7.control_until(c, k, n)
            if control < then:
                then = control
            if event < events and ev[event, 0] < then:
                then = ev[event, 0]
            if then > n:
                cause = m.N_STALL_EMPTY if allowed else m.N_STALL_OFF
                x0[cause] += then - n
                x1[cause] += then - n
                n = then
                continue
        most -= 1
        told = event
        while event < events and ev[event, 0] <= n:
            kind = ev[event, 1]
            a = ev[event, 2]
            b = ev[event, 3]
            event += 1
            if kind == EV_READY:
                if a >> 1:
                    x1[p.R_LEVEL + (a & 1)] = b
                else:
                    x0[p.R_LEVEL + (a & 1)] = b
            elif kind == EV_SEED:
                x0[p.SEED] = b
                x1[p.SEED] = b
            else:
                if kind == EV_REGISTER and a == c7.CTRL:
                    count_control(x0, x1, clock, b, n)
                c7.control_event(c, k, x0, x1, kind, a, b, n)
        if event > told:  # a register may have ended the rest
            quiet0 = quiet(x0, k, allowed)
            quiet1 = quiet(x1, k, allowed)
        beat = c7.control_beat(c, k, n, c7.C_BEAT, m.K_STARVE)
        page_beat = c7.control_beat(c, k, n, c7.C_PAGE_BEAT, m.K_TIMEOUT)
        quiesce = c[c7.C_QUIESCE] == 1
        stopped0 = x0[m.STOPPED] == 1
        stopped1 = x1[m.STOPPED] == 1
        at = c7.control_step(c, k, x0, x1, out, at, n)
        due0 = 0
        due1 = 0
        if not quiet0:
            due0 = step_pc(x0, k, n, 0, allowed, stopped0)
        else:
            x0[m.O_ACT] = 0
            x0[m.O_SHORT] = 0
            x0[m.N_STALL_EMPTY if allowed else m.N_STALL_OFF] += 1
        if not quiet1:
            due1 = step_pc(x1, k, n, 1, allowed, stopped1)
        else:
            x1[m.O_ACT] = 0
            x1[m.O_SHORT] = 0
            x1[m.N_STALL_EMPTY if allowed else m.N_STALL_OFF] += 1
        if first == 0:
            grant(x0, x1, gen)
            if x0[m.G_ACT] or x0[m.G_SHORT]:
                first = 1
        else:
            grant(x1, x0, gen)
            if x1[m.G_ACT] or x1[m.G_SHORT]:
                first = 0
        at = finish(x0, k, t0, out, at, n, 0, quiet0, due0, allowed, stopped0, beat, page_beat, quiesce)
        count_due(x0, k, n)
        at = finish(x1, k, t1, out, at, n, 1, quiet1, due1, allowed, stopped1, beat, page_beat, quiesce)
        count_due(x1, k, n)
        n += 1
        if c[c7.C_LOADED]:
            break
    clock[CYCLE] = n
    clock[FIRST] = first
    clock[COMMANDS] = at
    clock[EVENT] = event


@hot
def pack(out: Table, made: int, k: Cells, words: Table) -> None:
    """The commands as rows of CMD_DTYPE, two words each, in pin order: at the same time row commands first, then by PC.

    A command moves only within its cycle, so sorting by insertion is linear.
    """
    for i in range(made):
        half_ck = out[i, 0]
        cmd = out[i, 1]
        pc = out[i, 2]
        column = m.RD <= cmd < m.REF
        rank = half_ck * 4 + pc + (2 if column else 0)
        bank = 0 if cmd == m.PREA or cmd == m.REF else out[i, 3]
        word = (
            cmd
            | pc << 8
            | bank // k[m.K_PER_SID] << 16
            | bank % k[m.K_PER_SID] // k[m.K_PER_GROUP] << 24
            | bank % k[m.K_PER_GROUP] << 32
            | out[i, 5] << 40
            | out[i, 4] << 48
        )
        j = i
        while j > 0:
            before = words[j - 1, 1]
            code = before & 255
            if words[j - 1, 0] * 4 + ((before >> 8) & 255) + (2 if m.RD <= code < m.REF else 0) <= rank:
                break
            words[j, 0] = words[j - 1, 0]
            words[j, 1] = before
            j -= 1
        words[j, 0] = half_ck
        words[j, 1] = word
