"""Banks, and from when on history allows a command (docs/microarchitecture.md M1.4, M1.5)."""

from __future__ import annotations

from hbm_model._hot import Cells, hot, lowest
from hbm_model._places import (
    B_ACT,
    B_HIT,
    B_IN,
    B_LAST,
    B_PRE,
    B_RD,
    B_RDA,
    B_REFRESHED,
    B_ROW,
    B_STALE,
    B_WR,
    B_WRA,
    E_ROW,
    G_ACTS,
    G_RD,
    G_WR,
    HIT,
    K_ACT_ACT,
    K_ACT_RDA,
    K_ACT_WRA,
    K_BANKS,
    K_CCDL,
    K_CCDR,
    K_CCDS,
    K_FAW,
    K_GEN,
    K_PER_GROUP,
    K_PER_SID,
    K_PPD,
    K_RAS,
    K_RCDRD,
    K_RCDWR,
    K_RD_WR,
    K_RFC,
    K_RFCSB,
    K_RP,
    K_RRDL,
    K_RRDS,
    K_RREFD,
    K_RTP,
    K_SIDS,
    K_WR_PRE,
    K_WR_RDA,
    K_WTRL,
    K_WTRS,
    LEFT,
    MAX_BANKS,
    OPEN,
    ORDER,
    PRE,
    PREA,
    READ,
    REFRESHING,
    REFSB,
    RFC_UNTIL,
    S_RD,
    S_REFSB,
    SET,
    SHUT,
    STALE,
    T_ACT,
    T_COL,
    T_COL_W,
    T_PRE,
    T_PREA,
    T_REF,
    WINDOW,
    WINDOW_AT,
)


@hot
def raise_to(x: Cells, place: int, instant: int) -> None:
    """An instant never moves back."""
    if x[place] < instant:
        x[place] = instant


@hot
def shut_bank(x: Cells, b: int) -> None:
    """The bank is closed from the next cycle on."""
    x[B_ROW + b] = -1
    x[OPEN] -= 1
    x[STALE] -= x[B_STALE + b]
    x[B_STALE + b] = 0
    for d in range(2):
        x[HIT + d] &= ~x[B_HIT + d * MAX_BANKS + b]
        x[B_HIT + d * MAX_BANKS + b] = 0
        x[SHUT + d] |= x[B_IN + d * MAX_BANKS + b]


@hot
def open_bank(x: Cells, b: int, row: int) -> None:
    """The bank is open on `row` from the next cycle on."""
    x[B_ROW + b] = row
    x[OPEN] += 1
    for d in range(2):
        inside = x[B_IN + d * MAX_BANKS + b]
        x[SHUT + d] &= ~inside
        hits = 0
        while inside:
            r = lowest(inside)
            inside &= inside - 1
            if x[E_ROW + d * 64 + r] == row:
                hits |= 1 << r
        x[B_HIT + d * MAX_BANKS + b] = hits
        x[HIT + d] |= hits


@hot
def window_push(x: Cells, t: int) -> None:
    """One more ACT or REFSB in the window of four."""
    at = x[WINDOW_AT]
    x[WINDOW + at] = t
    x[WINDOW_AT] = (at + 1) & 3


@hot
def did_act(x: Cells, k: Cells, b: int, row: int, t: int) -> None:
    """M1.5: rows that begin with ACT; t is its time."""
    open_bank(x, b, row)
    x[ORDER] += 1
    x[B_LAST + b] = x[ORDER]
    raise_to(x, B_RD + b, t + k[K_RCDRD])
    raise_to(x, B_WR + b, t + k[K_RCDWR])
    raise_to(x, B_PRE + b, t + k[K_RAS])
    raise_to(x, B_ACT + b, t + k[K_ACT_ACT])
    x[B_RDA + b] = t + k[K_ACT_RDA]  # a limit of the row that is opened: what an earlier one set is over
    x[B_WRA + b] = t + k[K_ACT_WRA]
    raise_to(x, G_ACTS + b // k[K_PER_GROUP], t + k[K_RRDL])
    raise_to(x, T_ACT, t + k[K_RRDS])
    window_push(x, t)


@hot
def did_column(x: Cells, k: Cells, d: int, b: int, close: int, t: int) -> None:
    """M1.5: rows that begin with a column command."""
    g = b // k[K_PER_GROUP]
    if d == READ:
        raise_to(x, B_PRE + b, t + k[K_RTP])
        raise_to(x, G_RD + g, t + k[K_CCDL])
        raise_to(x, T_COL, t + k[K_CCDS])
        raise_to(x, T_COL_W, t + k[K_RD_WR])
        if k[K_SIDS] > 1:
            sid = b // k[K_PER_SID]
            for other in range(k[K_SIDS]):
                if other != sid:
                    raise_to(x, S_RD + other, t + k[K_CCDR])
        if close:
            raise_to(x, B_ACT + b, t + k[K_RTP] + k[K_RP])
            shut_bank(x, b)
    else:
        raise_to(x, B_PRE + b, t + k[K_WR_PRE])
        raise_to(x, B_RDA + b, t + k[K_WR_RDA])
        raise_to(x, G_WR + g, t + k[K_CCDL])
        raise_to(x, G_RD + g, t + k[K_WTRL])
        raise_to(x, T_COL_W, t + k[K_CCDS])
        raise_to(x, T_COL, t + k[K_WTRS])
        if close:
            raise_to(x, B_ACT + b, t + k[K_WR_PRE] + k[K_RP])
            shut_bank(x, b)


@hot
def did_short(x: Cells, k: Cells, cmd: int, b: int, t: int) -> None:
    """M1.5: rows that begin with PRE, PREA, REFSB or REF in the slot of time t."""
    late = t + 1 if k[K_GEN] > 2 else t  # HBM3/4: the falling edge of the slot
    if cmd == PRE:
        raise_to(x, B_ACT + b, late + k[K_RP])
        raise_to(x, T_PRE, t + k[K_PPD])
        if x[B_ROW + b] >= 0:
            shut_bank(x, b)
    elif cmd == PREA:
        for each in range(k[K_BANKS]):
            raise_to(x, B_ACT + each, late + k[K_RP])
            if x[B_ROW + each] >= 0:
                shut_bank(x, each)
            if x[B_REFRESHED + each]:
                x[REFRESHING + (each >> 5)] |= 1 << (each & 31)  # idle banks too wait for RP
        raise_to(x, T_PRE, t + k[K_PPD])
    elif cmd == REFSB:
        raise_to(x, B_ACT + b, t + k[K_RFCSB])
        raise_to(x, T_ACT, t + k[K_RREFD])
        raise_to(x, T_PREA, t + k[K_RFCSB])
        x[B_REFRESHED + b] = 1
        x[REFRESHING + (b >> 5)] |= 1 << (b & 31)
        raise_to(x, T_REF, t + k[K_RFCSB])
        window_push(x, t)
        x[LEFT] &= ~(1 << (b % k[K_PER_SID]))
        if x[LEFT] == 0:
            raise_to(x, S_REFSB + x[SET], t + k[K_RFCSB])
            x[LEFT] = (1 << k[K_PER_SID]) - 1
            x[SET] = (x[SET] + 1) % k[K_SIDS]
    else:
        raise_to(x, T_ACT, t + k[K_RFC])
        raise_to(x, T_REF, t + k[K_RFC])
        for each in range(k[K_BANKS]):
            x[B_REFRESHED + each] = 1
            x[REFRESHING + (each >> 5)] |= 1 << (each & 31)
        x[RFC_UNTIL] = t + k[K_RFC]


@hot
def pc_act_from(x: Cells, k: Cells) -> int:
    """First CK at which the PC could take an ACT."""
    w = x[WINDOW + x[WINDOW_AT]] + k[K_FAW]
    return w if w > x[T_ACT] else x[T_ACT]


@hot
def act_from(x: Cells, k: Cells, b: int) -> int:
    """First CK at which bank and group could take an ACT."""
    g = x[G_ACTS + b // k[K_PER_GROUP]]
    return g if g > x[B_ACT + b] else x[B_ACT + b]


@hot
def prea_from(x: Cells, k: Cells) -> int:
    """First CK at which PREA is legal."""
    t = x[T_PRE] if x[T_PRE] > x[T_PREA] else x[T_PREA]
    for b in range(k[K_BANKS]):
        if x[B_PRE + b] > t:
            t = x[B_PRE + b]
    return t


@hot
def ref_from(x: Cells, k: Cells) -> int:
    """First CK at which REF is legal, all banks being closed."""
    t = x[T_REF]
    for b in range(k[K_BANKS]):
        if x[B_ACT + b] > t:
            t = x[B_ACT + b]
    return t
