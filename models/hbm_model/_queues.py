"""Queues and hazards of a PC (docs/microarchitecture.md M3), with read-modify-write."""

from __future__ import annotations

from hbm_model._hot import Cells, hot, lowest
from hbm_model._places import (
    AGED,
    AGED_W,
    ALL,
    ALL_W,
    B_HIT,
    B_IN,
    B_ROW,
    CHAMP,
    E_BANK,
    E_COL,
    E_NEXT_R,
    E_NEXT_W,
    E_REQ,
    E_ROW,
    E_WAITS,
    E_WAITS_W,
    EXPRESS,
    EXPRESS_NAME,
    FREE,
    HIT,
    HOST,
    K_BANKS,
    K_QOS_HIGH,
    K_QOS_MID,
    MAX_BANKS,
    NEXT_RANK,
    RANKS,
    RAW,
    RAW_W,
    READ,
    RESERVED,
    SHUT,
    STARVED,
    STARVED_W,
    URGENT,
    URGENT_W,
    WHOLE,
    WHOLE_W,
    WRITE,
)


@hot
def renumber(x: Cells, k: Cells, d: int) -> None:
    """Deal the ranks of a queue anew: same order, no gaps."""
    for b in range(k[K_BANKS]):
        x[B_IN + d * MAX_BANKS + b] = 0
        x[B_HIT + d * MAX_BANKS + b] = 0
    left = x[ALL + d]
    sets = (SHUT + d, FREE + d, WHOLE + d, RAW + d, AGED + d, URGENT + d, STARVED + d, CHAMP + d)
    new = 0
    moved = 0
    hits = 0
    while left:
        r = lowest(left)
        left &= left - 1
        bit = 1 << new
        moved |= bit
        b = x[E_BANK + d * 64 + r]
        x[B_IN + d * MAX_BANKS + b] |= bit
        if (x[HIT + d] >> r) & 1:
            x[B_HIT + d * MAX_BANKS + b] |= bit
            hits |= bit
        if new != r:
            for place in sets:
                value = x[place] & ~bit
                if (value >> r) & 1:
                    value = (value & ~(1 << r)) | bit
                x[place] = value
            for base in (E_BANK, E_ROW, E_COL, E_REQ, E_WAITS, E_WAITS_W, E_NEXT_R, E_NEXT_W):
                x[base + d * 64 + new] = x[base + d * 64 + r]
        # Sets of followers name ranks of this queue: they are dealt anew with it (lower ranks first, so no clash).
        base = E_NEXT_R if d == READ else E_NEXT_W
        if new != r and x[E_WAITS + d * 64 + new] > 0:
            for other in range(2):
                # Those it waits for are older: in this queue they have their new ranks already.
                rest = moved if other == d else x[ALL + other]
                while rest:
                    q = lowest(rest)
                    rest &= rest - 1
                    value = x[base + other * 64 + q]
                    if (value >> r) & 1:
                        x[base + other * 64 + q] = (value & ~(1 << r)) | bit
        new += 1
    for place in sets:
        x[place] &= moved
    x[ALL + d] = moved
    x[HIT + d] = hits
    x[NEXT_RANK + d] = new


@hot
def enqueue(x: Cells, k: Cells, d: int, bank: int, row: int, col: int, req: int, part: bool, plain: bool) -> int:
    """M3.1, M3.2: a new entry, the youngest of its queue; `plain`: it waits for nothing."""
    if x[NEXT_RANK + d] == RANKS:
        renumber(x, k, d)
    r = x[NEXT_RANK + d]
    x[NEXT_RANK + d] = r + 1
    bit = 1 << r
    e = d * 64 + r
    x[E_BANK + e] = bank
    x[E_ROW + e] = row
    x[E_COL + e] = col
    x[E_REQ + e] = req
    x[E_NEXT_R + e] = 0
    x[E_NEXT_W + e] = 0
    waits = 0
    waits_w = 0
    if not plain:
        follow = E_NEXT_R if d == READ else E_NEXT_W
        for other in range(2):
            if other == READ and d == READ:
                continue
            same = x[B_IN + other * MAX_BANKS + bank]
            while same:
                q = other * 64 + lowest(same)
                same &= same - 1
                if x[E_ROW + q] == row and x[E_COL + q] == col:
                    x[follow + q] |= bit
                    waits += 1
                    if other == WRITE:
                        waits_w += 1
    x[E_WAITS + e] = waits
    x[E_WAITS_W + e] = waits_w
    x[ALL + d] |= bit
    x[B_IN + d * MAX_BANKS + bank] |= bit
    if x[B_ROW + bank] < 0:
        x[SHUT + d] |= bit
    elif x[B_ROW + bank] == row:
        x[HIT + d] |= bit
        x[B_HIT + d * MAX_BANKS + bank] |= bit
    if waits == 0:
        x[FREE + d] |= bit
    if part:
        x[RAW + d] |= bit
    else:
        x[WHOLE + d] |= bit
    return r


@hot
def classify(x: Cells, k: Cells, d: int, r: int, qos: int) -> None:
    """M4.5: the age class of a new entry; qos: AxQOS of its burst."""
    if qos >= k[K_QOS_MID]:
        x[AGED + d] |= 1 << r
    if qos >= k[K_QOS_HIGH]:
        x[URGENT + d] |= 1 << r


@hot
def forwards(x: Cells, bank: int, row: int, col: int) -> bool:
    """M3.6: whether a read would depend on a write, the youngest of which has all strobes."""
    same = x[B_IN + MAX_BANKS + bank]
    found = False
    while same:
        q = 64 + lowest(same)
        same &= same - 1
        if x[E_ROW + q] == row and x[E_COL + q] == col:
            found = x[E_REQ + q] & 1 == 1
    return found


@hot
def remove(x: Cells, d: int, r: int) -> None:
    """M3.1, M3.2: the entry was picked; who waited for it waits no longer."""
    bit = 1 << r
    e = d * 64 + r
    if d == READ:
        req = x[E_REQ + e]
        x[HOST if 0 <= req < EXPRESS_NAME else RESERVED if req < 0 else EXPRESS] -= 1
    for place in (ALL, HIT, SHUT, FREE, WHOLE, RAW, AGED, URGENT, STARVED, CHAMP):
        x[place + d] &= ~bit
    b = x[E_BANK + e]
    x[B_IN + d * MAX_BANKS + b] &= ~bit
    x[B_HIT + d * MAX_BANKS + b] &= ~bit
    for follower in range(2):
        rest = x[(E_NEXT_R if follower == READ else E_NEXT_W) + e]
        while rest:
            q = lowest(rest)
            rest &= rest - 1
            x[E_WAITS + follower * 64 + q] -= 1
            if d == WRITE:
                x[E_WAITS_W + follower * 64 + q] -= 1
            if x[E_WAITS + follower * 64 + q] == 0:
                x[FREE + follower] |= 1 << q


@hot
def complete_merge(x: Cells, req: int) -> None:
    """M3.3: the data of the read of write `req` is here; the write is complete from the next cycle on."""
    rest = x[ALL_W]
    while rest:
        r = lowest(rest)
        rest &= rest - 1
        if x[E_REQ + 64 + r] == req:
            x[WHOLE_W] |= 1 << r


@hot
def start_merge(x: Cells, k: Cells, req: int) -> None:
    """M3.3: the write of request `req` starts; its read is in the read queue from the next cycle on."""
    rest = x[ALL_W]
    while rest:
        r = lowest(rest)
        rest &= rest - 1
        if x[E_REQ + 64 + r] == req:
            bit = 1 << r
            e = 64 + r
            x[RAW_W] &= ~bit
            x[RESERVED] += 1
            new = 1 << enqueue(x, k, READ, x[E_BANK + e], x[E_ROW + e], x[E_COL + e], -1 - req, False, True)
            if x[AGED_W] & bit:
                x[AGED] |= new
            if x[URGENT_W] & bit:
                x[URGENT] |= new
            if x[STARVED_W] & bit:
                x[STARVED] |= new
            return
