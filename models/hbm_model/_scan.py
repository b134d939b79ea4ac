"""The inner loop of the legality checker: one pass that re-reads, per rule, the last matching command of its scope.

Runs compiled by numba on int64 arrays or as plain Python on lists; hence flat indexing and integers only. Times are in
half CK ("ticks"). A *history* remembers the last command of a set per scope: a cell is (time, sequence number, key,
time and sequence number of the last command with another key), so that "same bank group, other bank" is one look-up. A
window history is a ring of times.
"""

from __future__ import annotations

from typing import Any, Final

NONE: Final = -1  # no such command; also `never` for an earliest time
PAST: Final = -(1 << 60)  # before every trace
FUTURE: Final = 1 << 60  # after every trace

# Codes of hbm_pkg::cmd_e, as constants of the compiled code.
ACT, PRE, PREA, RD, RDA, WR, WRA, REF, REFSB, RFM, RFMSB, MRS, PDE, PDX, SRE, SRX = range(1, 17)
N_CMD: Final = 17

# `const`: values of the parameter set.
(
    C_GEN,
    C_PCS,
    C_SIDS,
    C_BGS,
    C_BANKS,
    C_ROWS,
    C_RAS_LIMIT,
    C_REF_LIMIT,
    C_RAAIMT,
    C_RAAMMT,
    C_RAADEC,
    C_RAS,
    C_RTP,
    C_WRITE_DONE,
    C_SET_HISTORY,
    C_R_RAS_MAX,
    C_R_REF_MAX,
    C_R_NO_COMMAND,
    C_R_POWER,
    C_R_OPEN,
    C_R_CLOSED,
    C_R_OTHER_ROW,
    C_R_REFRESH_OPEN,
    C_R_ENTRY_OPEN,
    C_R_ROW_RANGE,
    C_R_SET,
    C_R_RAAMMT,
    C_R_EDGE,
    C_R_ROW_BUS,
    C_R_COL_BUS,
    C_R_PAIRING,
    C_COUNT,
) = range(32)

# `state`: what is not kept per bank or per history.
(
    S_TIME,
    S_SEQ,
    S_POWER,
    S_POWER_SEQ,
    S_ROW_END,
    S_ROW_SEQ,
    S_COL_END,
    S_COL_SEQ,
    S_RISE,
    S_RISE_CMD,
    S_RISE_PC,
    S_RISE_BANK,
    S_RISE_SEQ,
    S_DEADLINE,
    S_OUT,
    S_ERROR,
    S_OPEN,  # open banks, one entry per PC
    S_OPEN1,
    S_COUNT,
) = range(19)
AWAKE, POWER_DOWN, SELF_REFRESH = range(3)
ERROR_NONE, ERROR_TIME, ERROR_CODE, ERROR_RANGE = range(4)

# `banks`: fields of one bank.
B_ROW, B_ACT, B_ACT_SEQ, B_CLOSE_SEQ, B_ROW_DEADLINE, B_REF_DEADLINE, B_REF_SEQ, B_RAA, B_FIELDS = range(9)

# `cells`: fields of one cell.
CELL: Final = 5
# `out`: fields of one violation, and how many one command can cause.
O_SEQ, O_RULE, O_EARLIER, O_RULE_EARLIEST, O_EARLIEST, O_TIME, O_FIELDS = range(7)
MAX_OUT: Final = 64


def scan(
    words: Any,
    begin: int,
    end: int,
    const: Any,
    level: Any,  # per command: 0 channel, 1 PC, 2 bank
    row_len: Any,  # per command: ticks on the row bus
    col_len: Any,
    rule_begin: Any,  # per command: its slice of the next three
    rule_history: Any,
    rule_gap: Any,
    rule_id: Any,
    history_domain: Any,
    history_key: Any,
    history_base: Any,
    history_window: Any,
    update_begin: Any,  # per command: its slice of update_history
    update_history: Any,
    cells: Any,
    state: Any,
    banks: Any,
    sets: Any,
    counts: Any,
    seen: Any,  # per rule and PC: how often the rule was looked at
    slack: Any,  # per rule and PC: least slack in ticks
    ids: Any,  # scratch: index of the command in each domain
    out: Any,
    capacity: int,
) -> int:
    """Check commands `begin` to `end`;

    return how far it came: short of `end` when `out` is full or `state[S_ERROR]` is set.
    """
    gen = const[C_GEN]
    sids = const[C_SIDS]
    bgs = const[C_BGS]
    per_group = const[C_BANKS]
    per_sid = bgs * per_group
    per_pc = sids * per_sid
    all_banks = const[C_PCS] * per_pc
    n_out = 0
    i = begin
    while i < end and n_out + MAX_OUT <= capacity:
        t = words[2 * i]
        word = words[2 * i + 1]
        c = word & 255
        if t < state[S_TIME]:
            state[S_ERROR] = ERROR_TIME
            break
        if c == 0 or c >= N_CMD:
            state[S_ERROR] = ERROR_CODE
            break
        pc = 0
        sid = 0
        bg = 0
        bank = 0
        if level[c] >= 1:
            pc = (word >> 8) & 255
            if level[c] == 2:
                sid = (word >> 16) & 255
                bg = (word >> 24) & 255
                bank = (word >> 32) & 255
            if pc >= const[C_PCS] or sid >= sids or bg >= bgs or bank >= per_group:
                state[S_ERROR] = ERROR_RANGE
                break
        row = (word >> 48) & 0xFFFF
        in_pc = (sid * bgs + bg) * per_group + bank
        b = (pc * per_pc + in_pc) * B_FIELDS
        ids[1] = pc
        ids[2] = pc * sids + sid
        ids[3] = (pc * sids + sid) * bgs + bg
        ids[4] = pc * per_pc + in_pc
        # The one place where the reference of ACT is applied: time = first edge + 1 CK.
        shift = 2 if c == ACT else 0
        time = t + shift
        seq = state[S_SEQ]
        if seq == 0:
            for k in range(all_banks):
                banks[k * B_FIELDS + B_REF_DEADLINE] = time + const[C_REF_LIMIT]
            state[S_DEADLINE] = time + const[C_REF_LIMIT]
        any_edge = gen >= 3 and (c == PRE or c == PREA)
        first_out = n_out
        never = False
        ignored = False
        bound = NONE

        # ---- upper limits, at the first command past them
        if time > state[S_DEADLINE]:
            row_limit = FUTURE
            row_seq = NONE
            ref_limit = FUTURE
            ref_seq = NONE
            deadline = FUTURE
            for k in range(all_banks):
                kb = k * B_FIELDS
                limit = banks[kb + B_ROW_DEADLINE]
                if limit < time:
                    if limit < row_limit:
                        row_limit = limit
                        row_seq = banks[kb + B_ACT_SEQ]
                    banks[kb + B_ROW_DEADLINE] = FUTURE
                elif limit < deadline:
                    deadline = limit
                limit = banks[kb + B_REF_DEADLINE]
                if limit < time:
                    if limit < ref_limit:
                        ref_limit = limit
                        ref_seq = banks[kb + B_REF_SEQ]
                    banks[kb + B_REF_DEADLINE] = FUTURE
                elif limit < deadline:
                    deadline = limit
            state[S_DEADLINE] = deadline
            if row_limit < FUTURE:
                o = n_out * O_FIELDS
                out[o + O_RULE] = const[C_R_RAS_MAX]
                out[o + O_EARLIER] = row_seq
                out[o + O_RULE_EARLIEST] = row_limit
                n_out += 1
            if ref_limit < FUTURE:
                o = n_out * O_FIELDS
                out[o + O_RULE] = const[C_R_REF_MAX]
                out[o + O_EARLIER] = ref_seq
                out[o + O_RULE_EARLIEST] = ref_limit
                n_out += 1

        # ---- states: only another command can make it legal
        broken = NONE
        earlier = NONE
        power = state[S_POWER]
        if (
            (power == AWAKE and (c == PDX or c == SRX))
            or (power == POWER_DOWN and c != PDX)
            or (power == SELF_REFRESH and c != SRX)
        ):
            o = n_out * O_FIELDS
            out[o + O_RULE] = const[C_R_POWER]
            out[o + O_EARLIER] = state[S_POWER_SEQ]
            out[o + O_RULE_EARLIEST] = NONE
            n_out += 1
            never = True
            ignored = True
        if c == ACT:
            if banks[b + B_ROW] >= 0:
                broken = const[C_R_OPEN]
                earlier = banks[b + B_ACT_SEQ]
                ignored = True
        elif RD <= c <= WRA:
            if banks[b + B_ROW] < 0:
                broken = const[C_R_CLOSED]
                earlier = banks[b + B_CLOSE_SEQ]
                ignored = True
            elif row != 0xFFFF and row != banks[b + B_ROW]:
                broken = const[C_R_OTHER_ROW]
                earlier = banks[b + B_ACT_SEQ]
                ignored = True
        elif c == REFSB or c == RFMSB:
            if banks[b + B_ROW] >= 0:
                broken = const[C_R_REFRESH_OPEN]
                earlier = banks[b + B_ACT_SEQ]
                ignored = True
        elif c == REF or c == RFM or c == SRE or c == MRS:
            from_bank = 0
            to_bank = 0
            if c == SRE or c == MRS:
                if state[S_OPEN] + state[S_OPEN1] > 0:
                    to_bank = all_banks
                    broken = const[C_R_ENTRY_OPEN]
            elif state[S_OPEN + pc] > 0:
                from_bank = pc * per_pc
                to_bank = from_bank + per_pc
                broken = const[C_R_REFRESH_OPEN]
            for k in range(from_bank, to_bank):
                if banks[k * B_FIELDS + B_ROW] >= 0 and banks[k * B_FIELDS + B_ACT_SEQ] > earlier:
                    earlier = banks[k * B_FIELDS + B_ACT_SEQ]
            ignored = ignored or broken >= 0
        if broken >= 0:
            o = n_out * O_FIELDS
            out[o + O_RULE] = broken
            out[o + O_EARLIER] = earlier
            out[o + O_RULE_EARLIEST] = NONE
            n_out += 1
            never = True
        broken = NONE
        if c == ACT:
            if row >= const[C_ROWS]:
                broken = const[C_R_ROW_RANGE]
                earlier = NONE
            elif const[C_RAAMMT] > 0 and banks[b + B_RAA] >= const[C_RAAMMT]:
                broken = const[C_R_RAAMMT]
                earlier = banks[b + B_ACT_SEQ]
        elif c == REFSB:
            if (sets[ids[2]] >> (bg * per_group + bank)) & 1:
                broken = const[C_R_SET]
                earlier = banks[b + B_REF_SEQ]
        if gen == 2 and (c == RFM or c == RFMSB):
            broken = const[C_R_NO_COMMAND]
            earlier = NONE
            ignored = True
        if broken >= 0:
            o = n_out * O_FIELDS
            out[o + O_RULE] = broken
            out[o + O_EARLIER] = earlier
            out[o + O_RULE_EARLIEST] = NONE
            n_out += 1
            never = True

        # ---- least gaps
        for r in range(rule_begin[c], rule_begin[c + 1]):
            h = rule_history[r]
            if history_window[h] > 1:
                cell = (history_base[h] + ids[history_domain[h]] * history_window[h]) * CELL
                cell += cells[cell + 2] * CELL  # the ring's next place holds the oldest entry
                last = cells[cell]
                last_seq = cells[cell + 1]
            else:
                cell = (history_base[h] + ids[history_domain[h]]) * CELL
                key = history_key[h]
                if key > 0 and cells[cell + 2] == ids[key]:
                    last = cells[cell + 3]
                    last_seq = cells[cell + 4]
                else:
                    last = cells[cell]
                    last_seq = cells[cell + 1]
            if last == PAST:
                continue
            spare = time - last - rule_gap[r]
            which = rule_id[r]
            if not ignored:
                seen[2 * which + pc] += 1
                if spare < slack[2 * which + pc]:
                    slack[2 * which + pc] = spare
            if spare < 0:
                legal = last + rule_gap[r] - shift
                if not any_edge:
                    legal = (legal + 1) & -2
                o = n_out * O_FIELDS
                out[o + O_RULE] = which
                out[o + O_EARLIER] = last_seq
                out[o + O_RULE_EARLIEST] = legal
                n_out += 1
                if legal > bound:
                    bound = legal

        # ---- edges and buses
        if (t & 1) and not any_edge:
            o = n_out * O_FIELDS
            out[o + O_RULE] = const[C_R_EDGE]
            out[o + O_EARLIER] = NONE
            out[o + O_RULE_EARLIEST] = t + 1
            n_out += 1
            if t + 1 > bound:
                bound = t + 1
        if row_len[c] > 0 and t < state[S_ROW_END]:
            legal = state[S_ROW_END]
            if not any_edge:
                legal = (legal + 1) & -2
            o = n_out * O_FIELDS
            out[o + O_RULE] = const[C_R_ROW_BUS]
            out[o + O_EARLIER] = state[S_ROW_SEQ]
            out[o + O_RULE_EARLIEST] = legal
            n_out += 1
            if legal > bound:
                bound = legal
        if col_len[c] > 0 and t < state[S_COL_END]:
            legal = (state[S_COL_END] + 1) & -2
            o = n_out * O_FIELDS
            out[o + O_RULE] = const[C_R_COL_BUS]
            out[o + O_EARLIER] = state[S_COL_SEQ]
            out[o + O_RULE_EARLIEST] = legal
            n_out += 1
            if legal > bound:
                bound = legal
        # A falling-edge PRE and the command on the rising edge of the same CK, both for one PC.
        conflict = (
            any_edge
            and state[S_RISE_PC] == pc
            and (
                c == PREA
                or state[S_RISE_CMD] == PREA
                or state[S_RISE_CMD] == REF
                or state[S_RISE_CMD] == RFM
                or state[S_RISE_BANK] == ids[4]
            )
        )
        if conflict and (t & 1) and state[S_RISE] == t - 1:
            o = n_out * O_FIELDS
            out[o + O_RULE] = const[C_R_PAIRING]
            out[o + O_EARLIER] = state[S_RISE_SEQ]
            out[o + O_RULE_EARLIEST] = t + 1
            n_out += 1
            if t + 1 > bound:
                bound = t + 1
        if conflict and (bound & 1) and state[S_RISE] == bound - 1:
            bound += 1

        for k in range(first_out, n_out):
            o = k * O_FIELDS
            out[o + O_SEQ] = seq
            out[o + O_TIME] = t
            if never:
                out[o + O_EARLIEST] = NONE
            elif bound >= 0:
                out[o + O_EARLIEST] = bound
            else:  # only an upper limit is broken: its latest legal CK
                out[o + O_EARLIEST] = out[o + O_RULE_EARLIEST]

        state[S_SEQ] = seq + 1
        state[S_TIME] = t
        counts[c] += 1
        i += 1
        if ignored:
            continue

        # ---- effects
        if row_len[c] > 0 and t + row_len[c] > state[S_ROW_END]:
            state[S_ROW_END] = t + row_len[c]
            state[S_ROW_SEQ] = seq
        if col_len[c] > 0 and t + col_len[c] > state[S_COL_END]:
            state[S_COL_END] = t + col_len[c]
            state[S_COL_SEQ] = seq
        if gen >= 3 and row_len[c] > 0 and level[c] > 0 and (t & 1) == 0:
            state[S_RISE] = time  # ACT: its second rising edge
            state[S_RISE_CMD] = c
            state[S_RISE_PC] = pc
            state[S_RISE_BANK] = ids[4] if level[c] == 2 else NONE
            state[S_RISE_SEQ] = seq
        for u in range(update_begin[c], update_begin[c + 1]):
            h = update_history[u]
            if history_window[h] > 1:
                head = (history_base[h] + ids[history_domain[h]] * history_window[h]) * CELL
                cell = head + cells[head + 2] * CELL
                cells[cell] = time
                cells[cell + 1] = seq
                cells[head + 2] = (cells[head + 2] + 1) % history_window[h]
            else:
                cell = (history_base[h] + ids[history_domain[h]]) * CELL
                key = history_key[h]
                if key > 0 and cells[cell + 2] != ids[key]:
                    cells[cell + 3] = cells[cell]
                    cells[cell + 4] = cells[cell + 1]
                    cells[cell + 2] = ids[key]
                cells[cell] = time
                cells[cell + 1] = seq

        if c == ACT:
            banks[b + B_ROW] = row
            banks[b + B_ACT] = time
            banks[b + B_ACT_SEQ] = seq
            banks[b + B_ROW_DEADLINE] = time + const[C_RAS_LIMIT]
            if time + const[C_RAS_LIMIT] < state[S_DEADLINE]:
                state[S_DEADLINE] = time + const[C_RAS_LIMIT]
            banks[b + B_RAA] += 1
            state[S_OPEN + pc] += 1
        elif c == RDA or c == WRA:
            banks[b + B_ROW] = NONE
            banks[b + B_CLOSE_SEQ] = seq
            state[S_OPEN + pc] -= 1
            closes = time + (const[C_RTP] if c == RDA else const[C_WRITE_DONE])
            if closes < banks[b + B_ACT] + const[C_RAS]:
                closes = banks[b + B_ACT] + const[C_RAS]
            # An auto-precharge past the limit is reported at the first command past it.
            if closes <= banks[b + B_ROW_DEADLINE]:
                banks[b + B_ROW_DEADLINE] = FUTURE
        elif c == PRE:
            if banks[b + B_ROW] >= 0:
                banks[b + B_ROW] = NONE
                banks[b + B_CLOSE_SEQ] = seq
                state[S_OPEN + pc] -= 1
            banks[b + B_ROW_DEADLINE] = FUTURE
        elif c == PREA:
            for k in range(pc * per_pc, (pc + 1) * per_pc):
                kb = k * B_FIELDS
                if banks[kb + B_ROW] >= 0:
                    banks[kb + B_ROW] = NONE
                    banks[kb + B_CLOSE_SEQ] = seq
                banks[kb + B_ROW_DEADLINE] = FUTURE
            state[S_OPEN + pc] = 0
        elif c == REF or c == RFM:
            credit = const[C_RAADEC] if c == REF else const[C_RAAIMT]
            for k in range(pc * per_pc, (pc + 1) * per_pc):
                kb = k * B_FIELDS
                banks[kb + B_RAA] = max(0, banks[kb + B_RAA] - credit)
                if c == REF:
                    banks[kb + B_REF_DEADLINE] = time + const[C_REF_LIMIT]
                    banks[kb + B_REF_SEQ] = seq
            if c == REF and time + const[C_REF_LIMIT] < state[S_DEADLINE]:
                state[S_DEADLINE] = time + const[C_REF_LIMIT]
        elif c == RFMSB:
            banks[b + B_RAA] = max(0, banks[b + B_RAA] - const[C_RAAIMT])
        elif c == REFSB:
            banks[b + B_RAA] = max(0, banks[b + B_RAA] - const[C_RAADEC])
            banks[b + B_REF_DEADLINE] = time + const[C_REF_LIMIT]
            banks[b + B_REF_SEQ] = seq
            if time + const[C_REF_LIMIT] < state[S_DEADLINE]:
                state[S_DEADLINE] = time + const[C_REF_LIMIT]
            done = sets[ids[2]]
            bit = 1 << (bg * per_group + bank)
            cell = (history_base[const[C_SET_HISTORY]] + ids[2]) * CELL
            if done == 0:
                cells[cell] = PAST  # the next set has begun
            done |= bit
            if done == (1 << per_sid) - 1:
                done = 0
                cells[cell] = time
                cells[cell + 1] = seq
            sets[ids[2]] = done
        elif c == PDE or c == SRE:
            state[S_POWER] = POWER_DOWN if c == PDE else SELF_REFRESH
            state[S_POWER_SEQ] = seq
            if c == SRE:  # the device refreshes itself
                for k in range(all_banks):
                    banks[k * B_FIELDS + B_REF_DEADLINE] = FUTURE
        elif c == PDX or c == SRX:
            state[S_POWER] = AWAKE
            state[S_POWER_SEQ] = seq
            if c == SRX:
                for k in range(all_banks):
                    banks[k * B_FIELDS + B_REF_DEADLINE] = time + const[C_REF_LIMIT]
                    banks[k * B_FIELDS + B_REF_SEQ] = seq
                if time + const[C_REF_LIMIT] < state[S_DEADLINE]:
                    state[S_DEADLINE] = time + const[C_REF_LIMIT]
    state[S_OUT] = n_out
    return i
