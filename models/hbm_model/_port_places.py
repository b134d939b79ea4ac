"""Where the state of a host port stands behind that of its PC, and the rows in which offers and answers are written.

What the outside offers stands in an array of its own, `t`: a list of rows per channel (AR, AW, W), and lists of what
the port answers (handshakes, R, B).
"""

from __future__ import annotations

from typing import Final

from hbm_model import _places as m
from hbm_model._hot import Cells

AR_DEPTH: Final = 4  # M2.1: bursts held
EXPRESS_DEPTH: Final = 2  # M2.10: of these in the express lane
PASSES: Final = 8  # M2.10: express requests that pass a normal one
FORWARDS: Final = 3  # M3.1: reads under way by forwarding
AW_DEPTH: Final = 8  # M2.2: bursts held
B_DEPTH: Final = 16  # M2.2: bursts between AW and B
SLOTS: Final = 128  # M2.5
MONITORS: Final = 8  # M2.7
IDS: Final = 1024
ALWAYS: Final = 256  # level of a READY that is always high

FIXED: Final = 0
WRAP: Final = 2
OKAY: Final = 0
EXOKAY: Final = 1
SLVERR: Final = 2
DECERR: Final = 3

# Rows of what is offered; the places of a row.
AX_CYCLE: Final = 0  # first cycle with VALID; in ordered mode the earliest one
AX_ADDR: Final = 1
AX_ID: Final = 2
AX_LEN: Final = 3
AX_SIZE: Final = 4
AX_BURST: Final = 5
AX_LOCK: Final = 6
AX_ORDER: Final = 7  # ordered mode: place in the order of the port
AX_QOS: Final = 8
AX_COLUMNS: Final = 9
W_CYCLE: Final = 0
W_STRB: Final = 1
W_LAST: Final = 2
W_COLUMNS: Final = 3
# Rows of what is answered.
ACC_COLUMNS: Final = 2  # cycle of the handshake, cycle in which VALID rose
R_COLUMNS: Final = 5  # cycle, id, resp, last, number of the burst on AR
B_COLUMNS: Final = 3  # cycle, id, resp

# ------------------------------------------------------------------ state of a port, places in `x`
(
    AR_AT,  # places in `t`: next row to be accepted, and the end of the rows
    AR_END,
    AW_AT,
    AW_END,
    W_AT,
    W_END,
    AR_OUT,  # places in `t`: where the next answer goes
    AW_OUT,
    W_OUT,
    R_OUT,
    B_OUT,
    ORDERED,  # 1: bursts of both directions one after the other (AX_ORDER), W with its AW
    AR_UP,  # cycle in which the VALID that stands rose, -1: none stands
    AW_UP,
    W_UP,
    AR_TAKEN,  # bursts accepted; of W: last beats
    AW_TAKEN,
    AW_RAISED,
    W_TAKEN,
    UNANSWERED,  # bursts accepted whose response has not gone
    R_LEVEL,
    B_LEVEL,
    SEED,
    HELD,  # M2.1: bursts before the splitter, normal and express lane
    HELD_X,
    HELD_AT,  # place of the first, in both lanes
    HELD_AT_X,
    REG,  # slot of the request before the read queue, -1: none; normal and express lane
    REG_X,
    REG_BANK,
    REG_BANK_X,
    REG_ROW,
    REG_ROW_X,
    REG_COL,
    REG_COL_X,
    REG_QOS,
    REG_QOS_X,
    PASSED_LEAVE,  # M2.10: express requests that passed a waiting normal one
    PASSED_OFFER,
    ARMING,  # place of the burst whose request has just left
    FORWARD_N,  # M3.6: reads under way, and the place of the first
    FORWARD_AT,
    MORE_SLVERR,  # M9.2: answers yet to be counted
    MORE_DECERR,
    USED,  # slots
    SOURCE,  # M2.5, served last: 0 D, 1 F, 2 E
    D_AT,
    D_N,
    F_AT,
    F_N,
    E_SLOT,  # -1: none
    R_LEFT,  # beats in the R register, 0: RVALID low
    R_ID,
    R_RESP,
    R_LAST,
    R_BURST,
    AWS,  # M2.2: bursts held, and the place of the first
    AWS_AT,
    BEAT,  # 1: a beat in the beat register
    BEAT_STRB,
    BEAT_LAST,
    INDEX,  # of the beat in its burst
    BEAT_ADDR,
    VERDICT,
    DROP,
    BAD_LAST,
    GATHERED,  # strobes of the request so far
    SAVED,  # M2.4: strobes of the first beats of a burst that wraps
    PUT,  # 1: a write is offered to the write queue
    PUT_BANK,
    PUT_ROW,
    PUT_COL,
    PUT_PART,
    PUT_QOS,
    OFF_BANK,  # handed over in this cycle: a write, a read
    OFF_ROW,
    OFF_COL,
    OFF_PART,
    OFF_QOS,
    GOT,
    GOT_BANK,
    GOT_ROW,
    GOT_COL,
    GOT_QOS,
    GOT_EXPRESS,  # 1: it takes an express entry
    SERIAL,  # name of the next write
    CREDIT,
    RETURN,  # credits of freed entries, seen one cycle later (M3.1)
    WRITES,  # bursts between AW and B
    B_N,
    B_AT,
    MONITOR_TURN,
    PORT_SCALARS,
) = range(m.X_SIZE, m.X_SIZE + 93)

# A burst before the splitter: four places of each lane.
HELD_DEPTH: Final = 2 * AR_DEPTH
H_ADDR: Final = PORT_SCALARS  # of the next beat
H_LEFT: Final = H_ADDR + HELD_DEPTH  # beats
H_SIZE: Final = H_LEFT + HELD_DEPTH
H_BURST: Final = H_SIZE + HELD_DEPTH
H_LOW: Final = H_BURST + HELD_DEPTH  # WRAP: first byte and number of bytes of the container
H_TOTAL: Final = H_LOW + HELD_DEPTH
H_ID: Final = H_TOTAL + HELD_DEPTH
H_RESP: Final = H_ID + HELD_DEPTH
H_LEN: Final = H_RESP + HELD_DEPTH
H_FIRST: Final = H_LEN + HELD_DEPTH  # 1: no request has left yet
H_NUMBER: Final = H_FIRST + HELD_DEPTH
H_QOS: Final = H_NUMBER + HELD_DEPTH
# Slots.
SLOT_FREE: Final = H_QOS + HELD_DEPTH  # the first SLOTS - USED are free
S_ID: Final = SLOT_FREE + SLOTS
S_BEATS: Final = S_ID + SLOTS
S_LAST: Final = S_BEATS + SLOTS
S_RESP: Final = S_LAST + SLOTS
S_LINK: Final = S_RESP + SLOTS  # next slot of the same id, -1: none
S_DATA: Final = S_LINK + SLOTS
S_BURST: Final = S_DATA + SLOTS
S_SINCE: Final = S_BURST + SLOTS  # cycle in which it was given
D_LIST: Final = S_SINCE + SLOTS
F_LIST: Final = D_LIST + SLOTS
ID_OLD: Final = F_LIST + SLOTS  # per id: oldest slot that is not sent (-1: none), newest
ID_NEW: Final = ID_OLD + IDS
# A burst of AW.
A_ADDR: Final = ID_NEW + IDS
A_ID: Final = A_ADDR + AW_DEPTH
A_LEN: Final = A_ID + AW_DEPTH
A_SIZE: Final = A_LEN + AW_DEPTH
A_BURST: Final = A_SIZE + AW_DEPTH
A_LOCK: Final = A_BURST + AW_DEPTH
A_RESP: Final = A_LOCK + AW_DEPTH
A_QOS: Final = A_RESP + AW_DEPTH
# Responses on B.
B_ID: Final = A_QOS + AW_DEPTH
B_RESP: Final = B_ID + B_DEPTH
# Monitors.
M_ARMED: Final = B_RESP + B_DEPTH
M_ID: Final = M_ARMED + MONITORS
M_ADDR: Final = M_ID + MONITORS
M_SHAPE: Final = M_ADDR + MONITORS  # length, size and burst type
M_TOTAL: Final = M_SHAPE + MONITORS
# Reads that are forwarded (M3.6): slot, first cycle in which the data may arrive.
FORWARD_SLOT: Final = M_TOTAL + MONITORS
FORWARD_FROM: Final = FORWARD_SLOT + 4
X_SIZE: Final = FORWARD_FROM + 4


def reset_port(x: Cells, k: Cells) -> None:
    """The state after reset."""
    for place in (AR_UP, AW_UP, W_UP, REG, REG_X, E_SLOT):
        x[place] = -1
    x[R_LEVEL] = x[B_LEVEL] = ALWAYS
    x[SOURCE] = 0  # M2.5
    x[CREDIT] = k[m.K_WRITE_ENTRIES]  # M2.2
    for slot in range(SLOTS):
        x[SLOT_FREE + slot] = slot
    for ident in range(IDS):
        x[ID_OLD + ident] = -1
