"""Row selection of a PC: picks, offers, and the grant between the PCs (docs/microarchitecture.md M5)."""

from __future__ import annotations

from hbm_model._banks import act_from, pc_act_from, prea_from, ref_from
from hbm_model._columns import is_held, is_kept
from hbm_model._hot import Cells, hot, lowest
from hbm_model._places import (
    ALL,
    ALL_HELD,
    ALL_W,
    B_ACT,
    B_IN,
    B_LAST,
    B_PRE,
    B_ROW,
    B_STALE,
    CHAMP,
    CHAMP_W,
    CLAIMED,
    DIRECTION,
    E_BANK,
    E_ROW,
    FORCED,
    FREE,
    FREE_W,
    G_ACT,
    G_ACTS,
    G_SHORT,
    G_SLOT,
    HELD,
    HIT,
    HIT_W,
    K_ALL_BANK,
    K_BANKS,
    K_GEN,
    K_PER_GROUP,
    K_PER_SID,
    K_RRDL,
    LEFT,
    MAX_BANKS,
    N_ACT,
    N_ACT_BANK,
    N_ACT_ROW,
    N_ACT_URGENT,
    N_SHORT,
    N_SHORT_ASKED,
    N_SHORT_BANK,
    N_SHORT_URGENT,
    O_ACT,
    O_EARLY,
    O_SHORT,
    OPEN,
    P_ACT,
    P_ACT_BANK,
    P_ACT_URGENT,
    P_SHORT,
    P_SHORT_BANK,
    P_SHORT_URGENT,
    PRE,
    PREA,
    RAW,
    RAW_W,
    READ,
    REF,
    REFSB,
    S_REFSB,
    SET,
    SHUT,
    SHUT_W,
    STALE,
    T_PRE,
    URGENT,
    URGENT_W,
    WRITE,
)


@hot
def decide_offers(x: Cells, k: Cells, n: int, due: bool, stopped: bool) -> None:
    """M5.1: which of the picked row commands are offered."""
    t = 2 * n + 1
    x[O_ACT] = 0
    x[O_SHORT] = 0
    cmd = x[P_SHORT]
    overriding = False
    if cmd:
        b = x[P_SHORT_BANK]
        since = 0
        wanted = False
        if cmd == PRE:
            held = is_held(x, k, b)
            since = x[B_PRE + b] if x[B_PRE + b] > x[T_PRE] else x[T_PRE]
            wanted = x[B_ROW + b] >= 0 and (held or not is_kept(x, b))
            ahead = x[P_SHORT_URGENT] == 1 and x[P_ACT_URGENT] == 0
            overriding = k[K_GEN] == 2 and (ahead or held or x[CLAIMED] == b)
        elif cmd == PREA:
            since = prea_from(x, k)
            wanted = (x[ALL_HELD] == 1 and due) or (stopped and x[OPEN] > 0)
            overriding = True
        elif cmd == REF:
            since = ref_from(x, k)
            wanted = x[ALL_HELD] == 1 and due
            overriding = True
        else:
            since = act_from(x, k, b)
            for other in (pc_act_from(x, k), x[S_REFSB + x[SET]]):
                if other > since:
                    since = other
            held = is_held(x, k, b)
            in_set = b // k[K_PER_SID] == x[SET] and (x[LEFT] >> (b % k[K_PER_SID])) & 1 == 1
            alone = held or (x[B_IN + b] | x[B_IN + MAX_BANKS + b]) == 0
            wanted = due and k[K_ALL_BANK] == 0 and x[FORCED] == 0 and in_set and alone
            overriding = held
        if wanted and since <= t:
            x[O_SHORT] = cmd
            x[O_EARLY] = 1 if since <= t - 1 else 0
        else:
            overriding = False
    if x[P_ACT] and not overriding:
        b = x[P_ACT_BANK]
        if act_from(x, k, b) <= t and pc_act_from(x, k) <= t and not is_held(x, k, b):
            x[O_ACT] = 1


@hot
def grant(a: Cells, b: Cells, gen: int) -> None:
    """M5.3: a is the first PC, b the other one."""
    a[G_ACT] = 0
    a[G_SHORT] = 0
    b[G_ACT] = 0
    b[G_SHORT] = 0
    if not (a[O_ACT] | a[O_SHORT] | b[O_ACT] | b[O_SHORT]):
        return
    short = a[O_SHORT]
    pre = short == PRE or short == PREA
    if a[O_ACT]:
        a[G_ACT] = 1
        if gen > 2:
            beside(a, b)
    elif short and not (gen > 2 and pre and b[O_ACT]):
        a[G_SHORT] = short
        a[G_SLOT] = 0 if a[O_EARLY] else 1
        if b[O_SHORT] and (a[G_SLOT] == 0 or b[O_EARLY]):
            b[G_SHORT] = b[O_SHORT]
            b[G_SLOT] = 1 - a[G_SLOT]
    elif b[O_ACT]:
        b[G_ACT] = 1
        if gen > 2:
            beside(b, a)
    elif b[O_SHORT]:
        b[G_SHORT] = b[O_SHORT]
        b[G_SLOT] = 0 if b[O_EARLY] else 1


@hot
def beside(a: Cells, b: Cells) -> None:
    """M5.3, HBM3/4: slot B beside the ACT of a."""
    if b[O_SHORT] == PRE or b[O_SHORT] == PREA:
        b[G_SHORT] = b[O_SHORT]
        b[G_SLOT] = 1
    elif a[O_SHORT] == PRE:
        a[G_SHORT] = PRE
        a[G_SLOT] = 1


@hot
def by_class(x: Cells, wanted: int, wanted_w: int) -> int:
    """M5.5: of two sets (reads, writes) the one that is looked at first.

    Code 2 * direction + urgent, 4 more for the champion alone; -1 for none.
    """
    if wanted & x[CHAMP]:
        return 4 + 2 * READ + 1
    if wanted_w & x[CHAMP_W]:
        return 4 + 2 * WRITE + 1
    d = x[DIRECTION]
    urgent = 1 if (wanted & x[URGENT]) | (wanted_w & x[URGENT_W]) else 0
    if urgent:
        wanted &= x[URGENT]
        wanted_w &= x[URGENT_W]
    mine = wanted_w if d == WRITE else wanted
    theirs = wanted if d == WRITE else wanted_w
    if mine:
        return 2 * d + urgent
    if theirs:
        return 2 * (1 - d) + urgent
    return -1


@hot
def pick_act(x: Cells, k: Cells, n: int) -> None:
    """M5.4, M5.5: the next ACT, seen from S(n)."""
    x[N_ACT] = 0
    t = 2 * n + 3
    out_bank = -1
    out_group = -1
    out_short = -1
    if x[O_ACT]:
        out_bank = x[P_ACT_BANK]
        if k[K_RRDL] > 2:
            out_group = out_bank // k[K_PER_GROUP]
    if x[O_SHORT] == PRE or x[O_SHORT] == REFSB:
        out_short = x[P_SHORT_BANK]
    if x[ALL_HELD]:
        return
    wanted = x[SHUT] & x[FREE] & ~x[RAW]
    wanted_w = x[SHUT_W] & x[FREE_W] & ~x[RAW_W]
    # One bank after the other is struck out until the oldest of the best class has a bank that may be activated.
    while wanted | wanted_w:
        code = by_class(x, wanted, wanted_w)
        d = (code >> 1) & 1
        rest = wanted_w if d == WRITE else wanted
        if code & 4:
            rest &= x[CHAMP + d]
        elif code & 1:
            rest &= x[URGENT + d]
        r = lowest(rest)
        b = x[E_BANK + d * 64 + r]
        g = b // k[K_PER_GROUP]
        if (
            x[B_ACT + b] <= t
            and x[G_ACTS + g] <= t
            and b != out_bank
            and g != out_group
            and b != out_short
            and not is_held(x, k, b)
        ):
            x[N_ACT] = 1
            x[N_ACT_BANK] = b
            x[N_ACT_ROW] = x[E_ROW + d * 64 + r]
            x[N_ACT_URGENT] = code & 1
            return
        wanted &= ~x[B_IN + b]
        wanted_w &= ~x[B_IN + MAX_BANKS + b]


@hot
def pick_short(x: Cells, k: Cells, n: int, due: bool, stopped: bool) -> None:
    """M5.4, M5.6: the next PRE, PREA, REFSB or REF, seen from S(n)."""
    x[N_SHORT] = 0
    x[N_SHORT_URGENT] = 0
    x[N_SHORT_BANK] = 0
    x[N_SHORT_ASKED] = 0
    t = 2 * n + 3
    if (x[ALL_HELD] and due) or (stopped and x[OPEN] > 0):
        if x[OPEN] > 0:
            if x[O_SHORT] != PREA and prea_from(x, k) <= t:
                x[N_SHORT] = PREA
        elif x[O_SHORT] != REF and ref_from(x, k) <= t:
            x[N_SHORT] = REF
        return
    out_bank = x[P_ACT_BANK] if x[O_ACT] else -1
    out_short = x[P_SHORT_BANK] if x[O_SHORT] == PRE or x[O_SHORT] == REFSB else -1
    base = x[SET] * k[K_PER_SID]
    legal = False
    if not stopped and (due or x[HELD]):
        legal = pc_act_from(x, k) <= t and x[S_REFSB + x[SET]] <= t
    if x[HELD]:
        if legal:  # a bank held for a debt that has just been paid is picked too, and then not offered
            rest = x[HELD]
            while rest:
                b = base + lowest(rest)
                rest &= rest - 1
                if x[B_ROW + b] < 0 and act_from(x, k, b) <= t:
                    # The lowest one decides; when it is left out there is no second choice.
                    if b != out_bank and b != out_short:
                        x[N_SHORT] = REFSB
                        x[N_SHORT_BANK] = b
                        return
                    break
        rest = x[HELD]
        while rest:
            b = base + lowest(rest)
            rest &= rest - 1
            if x[B_ROW + b] >= 0 and x[B_PRE + b] <= t:
                if b != out_bank and b != out_short:
                    x[N_SHORT] = PRE
                    x[N_SHORT_BANK] = b
                    return
                break
    wanted = x[ALL] & ~x[HIT] & ~x[SHUT] & x[FREE] & ~x[RAW]
    wanted_w = x[ALL_W] & ~x[HIT_W] & ~x[SHUT_W] & x[FREE_W] & ~x[RAW_W]
    while wanted | wanted_w:
        code = by_class(x, wanted, wanted_w)
        d = (code >> 1) & 1
        rest = wanted_w if d == WRITE else wanted
        if code & 4:
            rest &= x[CHAMP + d]
        elif code & 1:
            rest &= x[URGENT + d]
        b = x[E_BANK + d * 64 + lowest(rest)]
        if x[B_PRE + b] <= t and b != out_bank and b != out_short and not is_held(x, k, b) and not is_kept(x, b):
            x[N_SHORT] = PRE
            x[N_SHORT_BANK] = b
            x[N_SHORT_URGENT] = code & 1
            x[N_SHORT_ASKED] = 1
            return
        wanted &= ~x[B_IN + b]
        wanted_w &= ~x[B_IN + MAX_BANKS + b]
    if legal and due and not k[K_ALL_BANK] and not x[FORCED]:
        best = -1
        rest = x[LEFT]
        while rest:
            b = base + lowest(rest)
            rest &= rest - 1
            if (
                x[B_ROW + b] < 0
                and x[B_IN + b] | x[B_IN + MAX_BANKS + b] == 0
                and act_from(x, k, b) <= t
                and (best < 0 or x[B_LAST + b] > x[B_LAST + best])
            ):
                best = b
        if best >= 0 and best != out_bank and best != out_short:
            x[N_SHORT] = REFSB
            x[N_SHORT_BANK] = best
            return
    if x[STALE]:
        for b in range(k[K_BANKS]):
            if (
                x[B_STALE + b]
                and x[B_PRE + b] <= t
                and b != out_bank
                and b != out_short
                and not is_held(x, k, b)
                and not is_kept(x, b)
            ):
                x[N_SHORT] = PRE
                x[N_SHORT_BANK] = b
                return
