"""What governs a channel of the exact model: power-up, commits, registers, pins (docs/microarchitecture.md M7, M6.1).

One row of integers, `c`, is the state; policies and timings stand among the constants `k` of the loop. In cycle n the
loop applies the events of n, reads C_ALLOWED, C_QUIESCE and STOPPED of both PCs as those of S(n), and calls
`control_step`, which leaves the values of S(n+1).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hbm_model import _places as m
from hbm_model._banks import ref_from
from hbm_model._hot import Cells, Table, hot
from hbm_model._pc import emit
from hbm_model._port import port_idle
from hbm_model._refresh import all_hold, pull, retuned
from hbm_model.csr_table import REGISTERS
from hbm_model.mode_regs import values
from hbm_model.params import Params

NO_REFRESH: Final = 1 << 62  # DUE before the first cycle with commands allowed
FAR: Final = 1 << 60  # a cycle that never comes
MRS: Final = 12

# States (M7), numbered as in CSR status.
IDLE, RESET, FUSE, CLOCK, WAKE, MODE, RUN, DRAIN, CLOSE, SETTLE, LOAD = range(11)

(
    C_STATE,
    C_FROM,  # first cycle of the state
    C_UNTIL,  # its last one, where that is known
    C_ALLOWED,  # M7.4: commands are allowed
    C_QUIESCE,  # M2.9
    C_LOADED,  # out: the shadow set becomes active with the end of this cycle
    C_PENDING,  # M7.3: a commit is wanted
    C_COMMIT_AT,  # cycle in which a written pulse arrives, -1: none
    C_START_AT,
    C_STARTED,  # commands were allowed once since refresh_en rose: the refresh interval runs (M6.1)
    C_BEAT,  # M4.5: cycle of the next beat, as far as starve_limit is not 0
    C_PAGE_BEAT,  # M4.8: the same of page_timeout
    C_WAIT_RESET,  # M7.1, cycles
    C_WAIT_FUSE,
    C_WAIT_CLOCK,
    C_WAIT_WAKE,
    C_MRD,  # cycles: from MRS to MRS, from the last one to the first command, length of settle
    C_MOD,
    C_RFC,
    C_MRS,  # mode registers written so far, and how many there are
    C_MRS_N,
    C_LIMIT_AT,  # cycle from which a written ap_min_ras bounds ACTs, -1: none
    C_SCALARS,
) = range(23)
MODE_REGISTERS: Final = 32
C_MA: Final = C_SCALARS
C_OP: Final = C_MA + MODE_REGISTERS
C_SIZE: Final = C_OP + MODE_REGISTERS

# M7.1: tINIT1, tINIT3, tINIT4, tINIT5 in cycles of the fastest clock of the generation.
WAITS: Final = {2: (180_000, 450_000, 5, 180), 3: (245_000, 4_900_000, 5, 245), 4: (325_000, 6_500_000, 5, 325)}

# ------------------------------------------------------------------ registers

EV_REGISTER: Final = 1  # a: byte address, b: the whole word
EV_TEMP: Final = 2  # b: TEMP[2:0]

_WHERE: Final = {register.path: register.address for register in REGISTERS}
_FIELDS: Final = {
    f"{register.path}.{field.name}": (field.lsb, (1 << field.width) - 1)
    for register in REGISTERS
    for field in register.fields
}
CTRL: Final = _WHERE["ctrl"]
PAGE: Final = _WHERE["policy.page"]
REFRESH: Final = _WHERE["policy.refresh"]
TURNAROUND: Final = _WHERE["policy.turnaround"]
DRAINING: Final = _WHERE["policy.drain"]
STARVE: Final = _WHERE["policy.starve"]
QOS: Final = _WHERE["policy.qos"]
START_LSB, START_MASK = _FIELDS["ctrl.init_start"]
COMMIT_LSB, COMMIT_MASK = _FIELDS["ctrl.commit"]
SNAPSHOT_LSB, SNAPSHOT_MASK = _FIELDS["ctrl.snapshot"]
CLEAR_LSB, CLEAR_MASK = _FIELDS["ctrl.clear"]
PAGE_LSB, PAGE_MASK = _FIELDS["policy.page.page"]
AP_LSB, AP_MASK = _FIELDS["policy.page.ap_allowed"]
MIN_LSB, MIN_MASK = _FIELDS["policy.page.ap_min_ras"]
EN_LSB, EN_MASK = _FIELDS["policy.refresh.refresh_en"]
ALL_LSB, ALL_MASK = _FIELDS["policy.refresh.refresh_all"]
HOLD_LSB, HOLD_MASK = _FIELDS["policy.refresh.refresh_hold"]
LOW_LSB, LOW_MASK = _FIELDS["policy.turnaround.switch_low"]
GAIN_LSB, GAIN_MASK = _FIELDS["policy.turnaround.switch_gain"]
IDLE_LSB, IDLE_MASK = _FIELDS["policy.turnaround.switch_idle"]
HIGH_LSB, HIGH_MASK = _FIELDS["policy.drain.write_high"]
LEAST_LSB, LEAST_MASK = _FIELDS["policy.drain.write_low"]
STARVE_LSB, STARVE_MASK = _FIELDS["policy.starve.starve_limit"]
TIMEOUT_LSB, TIMEOUT_MASK = _FIELDS["policy.page.page_timeout"]
PULL_LSB, PULL_MASK = _FIELDS["policy.refresh.pull_in"]
FORWARD_LSB, FORWARD_MASK = _FIELDS["policy.drain.forward"]
MID_LSB, MID_MASK = _FIELDS["policy.qos.qos_mid"]
QHIGH_LSB, QHIGH_MASK = _FIELDS["policy.qos.qos_high"]


@hot
def derive(k: Cells) -> None:
    """The refresh interval (M6.1), of policies, pins and the active set."""
    base = k[m.K_REFI] if k[m.K_ALL_BANK] else k[m.K_REFISB]
    temp = k[m.K_TEMP]
    if temp == 0:
        base *= 4
    elif temp == 1:
        base *= 2
    elif temp == 2:
        base //= 2
    elif temp == 6:
        base //= 4
    k[m.K_INTERVAL] = base if base > 2 else 2


@hot
def derive_limits(k: Cells) -> None:
    """What ap_min_ras demands of RDA and WRA (M1.5)."""
    rda = k[m.K_AP_MIN] - k[m.K_RTP]
    wra = k[m.K_AP_MIN] - k[m.K_WR_PRE]
    k[m.K_ACT_RDA] = rda if rda > 0 else 0
    k[m.K_ACT_WRA] = wra if wra > 0 else 0


@hot
def set_refresh(c: Cells, k: Cells, x0: Cells, x1: Cells, word: int, n: int) -> None:
    """M6.1, M6.7, M6.8: a write of policy.refresh."""
    enabled = (word >> EN_LSB) & EN_MASK
    everything = (word >> ALL_LSB) & ALL_MASK
    if everything != k[m.K_ALL_BANK] and c[C_STARTED] and enabled:
        x0[m.CONVERT] = 1
        x1[m.CONVERT] = 1
    stays = everything == 1 and k[m.K_ALL_BANK] == 1
    hold_before, pull_before = all_hold(k), pull(k)
    k[m.K_REFRESH] = enabled
    k[m.K_ALL_BANK] = everything
    k[m.K_HOLD] = (word >> HOLD_LSB) & HOLD_MASK
    k[m.K_PULL] = (word >> PULL_LSB) & PULL_MASK
    if stays and pull_before > 0 and (all_hold(k) != hold_before or pull(k) != pull_before):
        x0[m.RETUNED] = retuned(x0[m.DEBT], pull_before)
        x1[m.RETUNED] = retuned(x1[m.DEBT], pull_before)
    if enabled == 0:
        c[C_STARTED] = 0
        x0[m.DUE] = NO_REFRESH
        x1[m.DUE] = NO_REFRESH
    derive(k)


@hot
def set_beat(c: Cells, k: Cells, at: int, limit_at: int, limit: int, n: int) -> None:
    """M4.5: a write of starve_limit or page_timeout; the count of cycles since the last beat goes on."""
    old = k[limit_at]
    began = n  # first cycle that counts
    if old:
        catch_up(c, k, n, at, limit_at)
        began = c[at] - old + 1
    then = began + limit - 1
    c[at] = then if then > n else n
    k[limit_at] = limit


@hot
def catch_up(c: Cells, k: Cells, n: int, at: int, limit_at: int) -> None:
    """Beats in cycles that were skipped."""
    if c[at] < n:
        limit = k[limit_at]
        c[at] += (n - c[at] + limit - 1) // limit * limit


@hot
def control_event(c: Cells, k: Cells, x0: Cells, x1: Cells, kind: int, a: int, b: int, n: int) -> None:
    """A register write that ends in n, or TEMP pins that change in n (M7)."""
    if kind == EV_TEMP:
        k[m.K_TEMP] = b
        derive(k)
    elif kind == EV_REGISTER:
        if a == CTRL:
            if (b >> COMMIT_LSB) & COMMIT_MASK:
                c[C_COMMIT_AT] = n + 1
            if (b >> START_LSB) & START_MASK:
                c[C_START_AT] = n + 1
        elif a == PAGE:
            k[m.K_PAGE] = (b >> PAGE_LSB) & PAGE_MASK
            k[m.K_AP] = (b >> AP_LSB) & AP_MASK
            k[m.K_AP_MIN] = (b >> MIN_LSB) & MIN_MASK
            set_beat(c, k, C_PAGE_BEAT, m.K_TIMEOUT, (b >> TIMEOUT_LSB) & TIMEOUT_MASK, n)
            c[C_LIMIT_AT] = n + 1
        elif a == REFRESH:
            set_refresh(c, k, x0, x1, b, n)
        elif a == TURNAROUND:
            k[m.K_LOW] = (b >> LOW_LSB) & LOW_MASK
            k[m.K_GAIN] = (b >> GAIN_LSB) & GAIN_MASK
            k[m.K_IDLE] = (b >> IDLE_LSB) & IDLE_MASK
        elif a == DRAINING:
            k[m.K_WRITE_HIGH] = (b >> HIGH_LSB) & HIGH_MASK
            k[m.K_WRITE_LOW] = (b >> LEAST_LSB) & LEAST_MASK
            k[m.K_FORWARD] = (b >> FORWARD_LSB) & FORWARD_MASK
        elif a == QOS:
            k[m.K_QOS_MID] = (b >> MID_LSB) & MID_MASK
            k[m.K_QOS_HIGH] = (b >> QHIGH_LSB) & QHIGH_MASK
        elif a == STARVE:
            set_beat(c, k, C_BEAT, m.K_STARVE, (b >> STARVE_LSB) & STARVE_MASK, n)


@hot
def control_beat(c: Cells, k: Cells, n: int, at: int, limit_at: int) -> bool:
    """M4.5, M4.8: whether a beat falls in n; asked once in each cycle that is not skipped."""
    if k[limit_at] == 0:
        return False
    catch_up(c, k, n, at, limit_at)
    if c[at] != n:
        return False
    c[at] = n + k[limit_at]
    return True


# ------------------------------------------------------------------ the state machine


@hot
def pc_idle(x: Cells, k: Cells, n: int, pc: int) -> bool:
    """M6.6: no entry, no read unanswered, no write unsent, in S(n)."""
    return (
        (x[m.ALL] | x[m.ALL_W]) == 0
        and x[m.RD_PICKED + ((x[m.RD_PATH] - 1) & 63)] + k[m.K_RD_DATA + pc] < n
        and x[m.WR_PICKED + ((x[m.WR_PATH] - 1) & 15)] + k[m.K_WR_SENT + pc] < n
    )


@hot
def is_closed(x: Cells, k: Cells, n: int, pc: int) -> bool:
    """M6.6: the PC reports closed."""
    return (
        x[m.STOPPED] == 1
        and pc_idle(x, k, n, pc)
        and (x[m.P_ACT] | x[m.P_SHORT] | x[m.OPEN]) == 0
        and ref_from(x, k) <= 2 * n
    )


@hot
def enter(c: Cells, state: int, n: int, length: int) -> None:
    """The state of the cycles after n; `length` cycles, as far as that is known."""
    c[C_STATE] = state
    c[C_FROM] = n + 1
    c[C_UNTIL] = n + length
    c[C_ALLOWED] = 1 if state == RUN or state == DRAIN or state == CLOSE else 0
    c[C_QUIESCE] = 0 if state == RUN else 1


@hot
def enter_mode(c: Cells, n: int) -> None:
    """M7.2: the first mode register is written in n + 1."""
    last = (c[C_MRS_N] - 1) * c[C_MRD]
    c[C_MRS] = 0
    enter(c, MODE, n, last + c[C_MOD])


@hot
def control_step(c: Cells, k: Cells, x0: Cells, x1: Cells, out: Table, at: int, n: int) -> int:
    """M7: one cycle; S(n) becomes S(n+1). Gives the next place in the list of commands."""
    state = c[C_STATE]
    pending = c[C_PENDING]
    if c[C_COMMIT_AT] == n:
        c[C_COMMIT_AT] = -1
        c[C_PENDING] = 1
    if 0 <= c[C_LIMIT_AT] <= n:
        c[C_LIMIT_AT] = -1
        derive_limits(k)
    closing = state == CLOSE
    idle0 = False
    idle1 = False
    if closing or state == DRAIN:
        idle0 = pc_idle(x0, k, n, 0)
        idle1 = pc_idle(x1, k, n, 1)
    closed = closing and is_closed(x0, k, n, 0) and is_closed(x1, k, n, 1)
    x0[m.STOPPED] = 1 if closing and idle0 else 0
    x1[m.STOPPED] = 1 if closing and idle1 else 0
    if c[C_ALLOWED] and c[C_STARTED] == 0 and k[m.K_REFRESH]:
        c[C_STARTED] = 1
        x0[m.DUE] = 2 * (n + 1) + k[m.K_INTERVAL]
        x1[m.DUE] = 2 * (n + 1) + k[m.K_INTERVAL]
    # The fourth cycle of drain and close is the first that may be their last.
    ripe = n >= c[C_FROM] + 3
    over = n >= c[C_UNTIL]
    if state == RUN:
        if pending:
            enter(c, DRAIN, n, 0)
    elif state == IDLE:
        if c[C_START_AT] == n:
            c[C_LOADED] = 1
            c[C_PENDING] = 0
            enter(c, RESET, n, c[C_WAIT_RESET])
    elif state == DRAIN:
        if ripe and idle0 and idle1 and port_idle(x0) and port_idle(x1):
            enter(c, CLOSE, n, 0)
    elif state == CLOSE:
        if ripe and closed:
            enter(c, SETTLE, n, c[C_RFC])
    elif state == MODE:
        i = c[C_MRS]
        if i < c[C_MRS_N] and n == c[C_FROM] + i * c[C_MRD]:
            emit(out, at, 4 * (n + 2), MRS, 0, 0, c[C_MA + i] << 8 | c[C_OP + i], 0)
            at += 1
            c[C_MRS] = i + 1
        if over:
            enter(c, RUN, n, 0)
    elif state == LOAD:
        c[C_LOADED] = 1
        c[C_PENDING] = 0
        enter_mode(c, n)
    elif over:
        if state == RESET:
            enter(c, FUSE, n, c[C_WAIT_FUSE])
        elif state == FUSE:
            enter(c, CLOCK, n, c[C_WAIT_CLOCK])
        elif state == CLOCK:
            enter(c, WAKE, n, c[C_WAIT_WAKE])
        elif state == WAKE:
            enter_mode(c, n)
        else:
            enter(c, LOAD, n, 1)
    return at


@hot
def control_until(c: Cells, k: Cells, n: int) -> int:
    """The first cycle from n on in which `control_step` does anything, while PCs and ports are at rest."""
    then = FAR
    if c[C_COMMIT_AT] >= n:
        then = c[C_COMMIT_AT]
    state = c[C_STATE]
    if state == IDLE:
        if n <= c[C_START_AT] < then:
            then = c[C_START_AT]
    elif state == RUN:
        if c[C_PENDING] or (c[C_STARTED] == 0 and k[m.K_REFRESH]):
            then = n
    elif state == DRAIN or state == CLOSE or state == LOAD:
        then = n
    else:
        end = c[C_UNTIL]
        if state == MODE and c[C_MRS] < c[C_MRS_N]:
            mrs = c[C_FROM] + c[C_MRS] * c[C_MRD]
            end = mrs if mrs < end else end
        if end < then:
            then = end
    return then if then > n else n


# ------------------------------------------------------------------ from Python


def control_adopt(c: Any, params: Params) -> None:
    """The values of the active set that stand here: mode registers and their times (M7.2), settle (M7.3)."""
    timing = {key: float(params[key]) for key in ("RL", "WL", "WR", "RAS", "RP", "RTP")}
    written = values(params.geometry.generation, timing)
    c[C_MRS_N] = len(written)
    for i, (address, value) in enumerate(sorted(written.items())):
        c[C_MA + i] = address
        c[C_OP + i] = value
    for place, key in ((C_MRD, "MRD"), (C_MOD, "MOD"), (C_RFC, "RFC")):
        c[place] = max((params.count(key) + 1) // 2, 1)
    if c[C_STATE] == MODE:
        c[C_UNTIL] = c[C_FROM] + (c[C_MRS_N] - 1) * c[C_MRD] + c[C_MOD] - 1
    c[C_LOADED] = 0


def control_reset(params: Params, init_shift: int, auto_init: bool, starve_limit: int, page_timeout: int) -> Any:
    """The state in cycle 0, the first one with reset high; the others: the registers after reset."""
    c = np.zeros(C_SIZE, np.int64)
    reset, fuse, clock, wake = WAITS[params.geometry.generation]
    c[C_WAIT_RESET] = max(reset >> init_shift, 1)
    c[C_WAIT_FUSE] = max(fuse >> init_shift, 1)
    c[C_WAIT_CLOCK] = clock
    c[C_WAIT_WAKE] = wake
    c[C_COMMIT_AT] = -1
    c[C_LIMIT_AT] = -1
    c[C_START_AT] = 0 if auto_init else -1
    c[C_QUIESCE] = 1
    c[C_BEAT] = starve_limit - 1
    c[C_PAGE_BEAT] = page_timeout - 1
    control_adopt(c, params)
    return c


def control_at_rest(params: Params, first: int, starve_limit: int, page_timeout: int) -> Any:
    """A channel that was initialised: commands are allowed from cycle `first` on."""
    c = control_reset(params, 0, False, starve_limit, page_timeout)
    c[C_STATE] = RUN
    c[C_ALLOWED] = 1
    c[C_QUIESCE] = 0
    if first > 0:
        c[C_STATE] = MODE
        c[C_ALLOWED] = 0
        c[C_QUIESCE] = 1
        c[C_MRS_N] = 0
        c[C_UNTIL] = first - 1
    return c


POLICIES: Final = (
    m.K_PAGE,
    m.K_AP,
    m.K_AP_MIN,
    m.K_REFRESH,
    m.K_ALL_BANK,
    m.K_HOLD,
    m.K_LOW,
    m.K_GAIN,
    m.K_IDLE,
    m.K_WRITE_HIGH,
    m.K_WRITE_LOW,
    m.K_STARVE,
    m.K_TIMEOUT,
    m.K_PULL,
    m.K_FORWARD,
    m.K_QOS_MID,
    m.K_QOS_HIGH,
    m.K_TEMP,
)


def control_policies(old: Any, new: Any) -> None:
    """What a load leaves as it is: policies and pins; with the timings of the new set."""
    for place in POLICIES:
        new[place] = old[place]
    derive(new)
    derive_limits(new)
