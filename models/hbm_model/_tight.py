"""The inner loop of the tightness measurement: how close each command came to the bound of every rule that names it.

One pass with the tables of `legality.py`; the commands are legal (the checker sees to that). Runs compiled by numba on
int64 arrays or as plain Python on lists. Times are in half CK ("ticks"); a bound is one of the first edge.
"""

from __future__ import annotations

from typing import Any, Final

from hbm_model._scan import ACT, CELL, PAST, REFSB

# `fixed`: geometry, and where the two bus rules and the history of refresh sets stand.
F_SIDS, F_BGS, F_BANKS, F_SET_HISTORY, F_ROW_BUS, F_COL_BUS, F_COUNT = range(7)
# `state`: what is not kept per history.
S_ROW_END, S_COL_END, S_ERROR, S_COUNT = range(4)
# `found`: one record per rule and PC. ALONE_*: only commands for which every other rule allowed an earlier slot.
USES, SLACK, SKIPPED, SKIPPED_AT, ALONE_USES, ALONE_SLACK, ALONE_SKIPPED, ALONE_AT, FIELDS = range(9)
MAX_RULES: Final = 64  # rules that name one command


def measure(
    words: Any,
    begin: int,
    end: int,
    fixed: Any,
    level: Any,  # per command: 0 channel, 1 PC, 2 bank
    row_len: Any,  # per command: ticks on the row bus
    col_len: Any,
    grid_first: Any,  # per command and PC: first slot of its grid, in ticks
    grid_step: Any,  # per command: ticks from slot to slot
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
    sets: Any,
    found: Any,
    ids: Any,  # scratch: index of the command in each domain
    which: Any,  # scratch: rule, bound and first slot of each rule that binds the command
    bounds: Any,
    slots: Any,
) -> int:
    """Measure commands `begin` to `end`; return how far it came: short of `end` at a command that is off its grid."""
    sids = fixed[F_SIDS]
    bgs = fixed[F_BGS]
    per_group = fixed[F_BANKS]
    per_sid = bgs * per_group
    for i in range(begin, end):
        t = words[2 * i]
        word = words[2 * i + 1]
        c = word & 255
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
        step = grid_step[c]
        first = grid_first[2 * c + pc]
        if (t - first) % step != 0:
            state[S_ERROR] = 1
            return i
        ids[1] = pc
        ids[2] = pc * sids + sid
        ids[3] = ids[2] * bgs + bg
        ids[4] = ids[3] * per_group + bank
        shift = 2 if c == ACT else 0
        time = t + shift

        # ---- the bound of every rule, and of the buses
        n = 0
        for r in range(rule_begin[c], rule_begin[c + 1]):
            h = rule_history[r]
            if history_window[h] > 1:
                cell = (history_base[h] + ids[history_domain[h]] * history_window[h]) * CELL
                cell += cells[cell + 2] * CELL
                last = cells[cell]
            else:
                cell = (history_base[h] + ids[history_domain[h]]) * CELL
                key = history_key[h]
                last = cells[cell + 3] if key > 0 and cells[cell + 2] == ids[key] else cells[cell]
            if last == PAST:
                continue
            which[n] = rule_id[r]
            bounds[n] = last + rule_gap[r] - shift
            n += 1
        if row_len[c] > 0 and state[S_ROW_END] > PAST:
            which[n] = fixed[F_ROW_BUS]
            bounds[n] = state[S_ROW_END]
            n += 1
        if col_len[c] > 0 and state[S_COL_END] > PAST:
            which[n] = fixed[F_COL_BUS]
            bounds[n] = state[S_COL_END]
            n += 1

        # ---- first slot of the grid that each bound allows; the latest of them, and how many rules ask for it
        latest = PAST
        asking = 0
        for k in range(n):
            slot = bounds[k] + (first - bounds[k]) % step
            slots[k] = slot
            if slot > latest:
                latest = slot
                asking = 1
            elif slot == latest:
                asking += 1
        for k in range(n):
            at = (2 * which[k] + pc) * FIELDS
            slack = t - bounds[k]
            skipped = (t - slots[k]) // step
            found[at + USES] += 1
            if slack < found[at + SLACK]:
                found[at + SLACK] = slack
            if skipped < found[at + SKIPPED]:
                found[at + SKIPPED] = skipped
                found[at + SKIPPED_AT] = t
            if asking == 1 and slots[k] == latest:
                found[at + ALONE_USES] += 1
                if skipped < found[at + ALONE_SKIPPED]:
                    found[at + ALONE_SKIPPED] = skipped
                if slack < found[at + ALONE_SLACK]:
                    found[at + ALONE_SLACK] = slack
                    found[at + ALONE_AT] = t

        # ---- effects
        if row_len[c] > 0 and t + row_len[c] > state[S_ROW_END]:
            state[S_ROW_END] = t + row_len[c]
        if col_len[c] > 0 and t + col_len[c] > state[S_COL_END]:
            state[S_COL_END] = t + col_len[c]
        for u in range(update_begin[c], update_begin[c + 1]):
            h = update_history[u]
            if history_window[h] > 1:
                head = (history_base[h] + ids[history_domain[h]] * history_window[h]) * CELL
                cells[head + cells[head + 2] * CELL] = time
                cells[head + 2] = (cells[head + 2] + 1) % history_window[h]
            else:
                cell = (history_base[h] + ids[history_domain[h]]) * CELL
                key = history_key[h]
                if key > 0 and cells[cell + 2] != ids[key]:
                    cells[cell + 3] = cells[cell]
                    cells[cell + 2] = ids[key]
                cells[cell] = time
        if c == REFSB:
            done = sets[ids[2]]
            cell = (history_base[fixed[F_SET_HISTORY]] + ids[2]) * CELL
            if done == 0:
                cells[cell] = PAST  # the next set has begun
            done |= 1 << (bg * per_group + bank)
            if done == (1 << per_sid) - 1:
                done = 0
                cells[cell] = time
            sets[ids[2]] = done
    return end
