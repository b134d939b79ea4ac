"""Column selection of a PC: the pick, auto-precharge, the direction (docs/microarchitecture.md M4)."""

from __future__ import annotations

from hbm_model._hot import Cells, count, hot, lowest
from hbm_model._places import (
    ALL,
    ALL_HELD,
    ALL_W,
    B_CONFLICT,
    B_COUNT,
    B_HIT,
    B_IN,
    B_RD,
    B_RDA,
    B_WR,
    B_WRA,
    C_CLOSE,
    C_OTHERS,
    C_RANK,
    C_READY,
    CHAMP,
    CHAMP_QUEUE,
    CHAMP_W,
    CLAIMED,
    CONFLICTS,
    DIRECTION,
    E_BANK,
    FREE,
    FREE_W,
    G_RD,
    G_WR,
    GAP,
    HELD,
    HIT,
    K_AP,
    K_BANKS,
    K_GAIN,
    K_IDLE,
    K_LOW,
    K_PAGE,
    K_PER_GROUP,
    K_PER_SID,
    K_RD_DATA,
    K_WR_DATA,
    K_WRITE_HIGH,
    K_WRITE_LOW,
    LAST,
    MASKED,
    MASKED_W,
    MAX_BANKS,
    N_CHAMP,
    N_CHAMP_QUEUE,
    N_DIRECTION,
    N_SERVED,
    PICKS,
    RAW,
    RAW_W,
    RD_PATH,
    RD_PICKED,
    READ,
    S_RD,
    SERVED,
    SET,
    SHUT,
    STARVED,
    STARVED_W,
    T_COL,
    URGENT,
    URGENT_W,
    WHOLE,
    WHOLE_W,
    WR_PATH,
    WR_PICKED,
    WRITE,
)


@hot
def is_held(x: Cells, k: Cells, b: int) -> bool:
    """M6: the bank takes no ACT and no column command."""
    if x[ALL_HELD]:
        return True
    if x[HELD] == 0 or b // k[K_PER_SID] != x[SET]:
        return False
    return (x[HELD] >> (b % k[K_PER_SID])) & 1 == 1


@hot
def is_kept(x: Cells, b: int) -> bool:
    """M5.2."""
    if x[CLAIMED] == b:
        return False
    hits = x[B_HIT + b] & x[FREE] & ~x[RAW]
    hits_w = x[B_HIT + MAX_BANKS + b] & x[FREE_W] & ~x[RAW_W]
    if x[CONFLICTS] and x[B_CONFLICT + b]:
        hits &= x[URGENT]
        hits_w &= x[URGENT_W]
    return (hits | hits_w) != 0


@hot
def find_conflicts(x: Cells, k: Cells) -> None:
    """M4.5: banks with an urgent conflict; M4.7: the bank that is claimed; M4.1: who is masked."""
    if x[CONFLICTS]:
        for b in range(k[K_BANKS]):
            x[B_CONFLICT + b] = 0
        x[CONFLICTS] = 0
    x[MASKED] = 0
    x[MASKED_W] = 0
    x[CLAIMED] = -1
    if x[CHAMP] | x[CHAMP_W]:
        d = READ if x[CHAMP] else WRITE
        if x[CHAMP + d] & x[HIT + d] == 0:
            b = x[E_BANK + d * 64 + lowest(x[CHAMP + d])]
            x[CLAIMED] = b
            x[MASKED] = x[B_IN + b]
            x[MASKED_W] = x[B_IN + MAX_BANKS + b]
        if x[SERVED]:  # also when the pick before has closed its row
            x[MASKED] |= x[ALL] & ~x[CHAMP]
            x[MASKED_W] |= x[ALL_W] & ~x[CHAMP_W]
    if x[URGENT] | x[URGENT_W]:
        for d in range(2):
            rest = x[URGENT + d] & x[FREE + d] & ~x[RAW + d] & ~x[HIT + d] & ~x[SHUT + d]
            while rest:
                b = x[E_BANK + d * 64 + lowest(rest)]
                rest &= ~x[B_IN + d * MAX_BANKS + b]
                x[B_CONFLICT + b] = 1
                x[CONFLICTS] = 1
                x[MASKED] |= x[B_IN + b] & ~x[URGENT]
                x[MASKED_W] |= x[B_IN + MAX_BANKS + b] & ~x[URGENT_W]
    if x[ALL_HELD]:
        x[MASKED] = x[ALL]
        x[MASKED_W] = x[ALL_W]
    elif x[HELD]:
        rest = x[HELD]
        while rest:
            b = x[SET] * k[K_PER_SID] + lowest(rest)
            rest &= rest - 1
            x[MASKED] |= x[B_IN + b]
            x[MASKED_W] |= x[B_IN + MAX_BANKS + b]


@hot
def oldest_legal_column(x: Cells, k: Cells, d: int, choice: int, t: int) -> int:
    """M4.2 within one class: rank of the oldest entry whose command is legal at t, or -1."""
    bank_at = B_RD if d == READ else B_WR
    group_at = G_RD if d == READ else G_WR
    while choice:
        r = lowest(choice)
        b = x[E_BANK + d * 64 + r]
        if x[bank_at + b] <= t and x[group_at + b // k[K_PER_GROUP]] <= t:
            if d == WRITE or x[S_RD + b // k[K_PER_SID]] <= t:
                return r
        choice &= ~x[B_IN + d * MAX_BANKS + b]
    return -1


@hot
def wants_close(x: Cells, k: Cells, d: int, b: int, t: int) -> bool:
    """M4.3."""
    policy = k[K_PAGE]
    if policy == 0 or k[K_AP] == 0 or x[(B_RDA if d == READ else B_WRA) + b] > t:
        return False
    if policy == 3:
        return True
    hits = x[B_HIT + b]
    hits_w = x[B_HIT + MAX_BANKS + b]
    if count(hits) + count(hits_w) != 1:
        return False
    if policy == 1 or (policy >= 4 and x[B_COUNT + b] < 2):
        return True
    others = (x[B_IN + b] & ~hits & x[FREE] & ~x[RAW]) | (x[B_IN + MAX_BANKS + b] & ~hits_w & x[FREE_W] & ~x[RAW_W])
    return others != 0


@hot
def decide_champion(x: Cells, k: Cells) -> bool:
    """M4.7: who is chosen, whether the champion is served; True when it decides the direction."""
    x[N_CHAMP] = -1
    x[N_SERVED] = 0
    if (x[STARVED] | x[STARVED_W]) == 0:
        return False  # a champion is starved
    d = x[DIRECTION]
    decides = False
    stays = False
    old = 0
    old_w = 0
    if x[CHAMP] | x[CHAMP_W]:
        e = READ if x[CHAMP] else WRITE
        me = x[CHAMP + e]
        stays = e != d or x[C_RANK] < 0 or (me >> x[C_RANK]) & 1 == 0
        old = x[CHAMP]
        old_w = x[CHAMP_W]
        if me & x[HIT + e] & x[FREE + e] & x[WHOLE + e] and not is_held(x, k, x[E_BANK + e * 64 + lowest(me)]):
            decides = True
            x[N_DIRECTION] = e
            x[N_SERVED] = 1 if stays else 0
    if not stays:
        able = x[STARVED] & x[FREE] & x[WHOLE] & ~old
        able_w = x[STARVED_W] & x[FREE_W] & x[WHOLE_W] & ~old_w
        if able | able_w:
            e = 1 - x[CHAMP_QUEUE]
            if e == READ and able == 0:
                e = WRITE
            elif e == WRITE and able_w == 0:
                e = READ
            x[N_CHAMP] = lowest(able if e == READ else able_w)
            x[N_CHAMP_QUEUE] = e
    return decides


@hot
def decide_columns(x: Cells, k: Cells, n: int, pc: int, allowed: bool) -> None:
    """M4: column pick, champion and direction."""
    d = x[DIRECTION]
    o = 1 - d
    x[C_RANK] = -1
    x[N_DIRECTION] = d
    choice = x[HIT + d] & x[FREE + d] & x[WHOLE + d] & ~x[MASKED + d]
    others = x[HIT + o] & x[FREE + o] & x[WHOLE + o] & ~x[MASKED + o]
    x[C_READY] = choice
    x[C_OTHERS] = others
    if choice and allowed:
        t = 2 * n + pc
        path = True
        if d == READ:
            if x[RD_PICKED + (x[RD_PATH] & 63)] + k[K_RD_DATA + pc] >= n or x[GAP] == n:  # M3.5, M3.6
                path = False
        elif x[WR_PICKED + (x[WR_PATH] & 15)] + k[K_WR_DATA + pc] >= n:
            path = False
        if path and x[T_COL + d] <= t:
            r = -1
            if choice & x[CHAMP + d]:
                r = oldest_legal_column(x, k, d, choice & x[CHAMP + d], t)
            if r < 0 and choice & x[URGENT + d]:
                r = oldest_legal_column(x, k, d, choice & x[URGENT + d], t)
            if r < 0:
                r = oldest_legal_column(x, k, d, choice & ~x[URGENT + d], t)
            if r >= 0:
                x[C_RANK] = r
                x[C_CLOSE] = 1 if wants_close(x, k, d, x[E_BANK + d * 64 + r], t) else 0
    # M4.4: not looked at while the champion is served, even if its row was closed by the pick before (it is not ready).
    if decide_champion(x, k) or x[SERVED]:
        return
    mine = x[ALL + d] != 0
    theirs = x[ALL + o] != 0
    turn = False
    if theirs:
        if not mine:
            turn = True  # (e)
        elif others:
            h = count(choice)
            many = count(others)
            idle = n - x[LAST] - 1
            if idle > 255:
                idle = 255
            if h <= k[K_LOW]:
                writes = count(x[ALL_W])
                if many >= h + k[K_GAIN] and (d == WRITE or writes >= k[K_WRITE_LOW]):
                    turn = True  # (a)
                elif d == READ and writes >= k[K_WRITE_HIGH]:
                    turn = True  # (b)
            if idle >= k[K_IDLE] and idle >= 1:
                turn = True  # (c)
            if others & x[URGENT + o] and (not choice & x[URGENT + d] or x[PICKS] >= 32):
                turn = True  # (d)
    elif d == WRITE and not mine:
        turn = True  # (f)
    if turn:
        x[N_DIRECTION] = o
