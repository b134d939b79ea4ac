"""The scoreboard: every response and every command that the channel gave, compared with what was asked of it.

Per port: each R beat (data of every addressed lane, response, last, order per id), each B (response, order of AW); per
PC: each DRAM column command answers to exactly one request. The commands go to the legality checker. The compiled inner
loop is `port_kernel.process`; this module owns its state, feeds it and writes the sentence for a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from hbm_model.addrmap import AddressMap
from numpy.typing import NDArray

from hbm_tb import axi, failure, records
from hbm_tb import port_kernel as k
from hbm_tb.failure import Failure

Records = NDArray[np.void]

COMMAND_NAMES = (
    "NOP", "ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REF", "REFSB", "RFM", "RFMSB", "MRS",
    "PDE", "PDX", "SRE", "SRX",
)  # fmt: skip
_EMPTY2 = np.empty((0, 2), np.uint64)
_EMPTY6 = np.empty((0, 6), np.uint64)
_GOLDEN = 0x9E3779B97F4A7C15
_MASK64 = (1 << 64) - 1


class Mismatch(AssertionError):
    """The channel did something that it must not do; the text says what, where, and what was expected.

    `failure`: the same in parts, for `failure.json`.
    """

    def __init__(self, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.failure = failure


class CommandChecker(Protocol):
    """What the scoreboard needs of the legality checker (models/hbm_model/legality.py)."""

    def check(self, commands: Records) -> Sequence[Any]:
        """Violations of the rules by these commands, given all earlier ones."""


def _words(rows: Records, words: int) -> NDArray[np.uint64]:
    """Records as rows of 64-bit words."""
    return np.ascontiguousarray(rows).view(np.uint64).reshape(-1, words)


def _fill_map(m: NDArray[np.int64], amap: AddressMap) -> None:
    """The map as four tables of 256 entries, one per eight bits of the block number."""
    for part in range(4):
        addresses = np.arange(256, dtype=np.uint64) << np.uint64(8 * part + 5)
        inside = addresses >> np.uint64(5) < np.uint64(1 << amap.in_bits)
        at = k.XOR + 256 * part
        m[at : at + 256] = np.where(inside, amap.to_dram(addresses).astype(np.int64), 0)


def unmix(x: int) -> int:
    """Inverse of the hash finaliser: what a word of never written memory was hashed from."""

    def unshift(value: int, by: int) -> int:
        out = value
        for _ in range(64 // by):
            out = value ^ (out >> by)
        return out

    x = unshift(x, 31) * pow(0x94D049BB133111EB, -1, 1 << 64) & _MASK64
    x = unshift(x, 27) * pow(0xBF58476D1CE4E5B9, -1, 1 << 64) & _MASK64
    return unshift(x, 30)


@dataclass(frozen=True)
class Settings:
    """What the scoreboard must know of the channel and of the run."""

    address_map: AddressMap
    has_mask: bool  # data mask pins: a partial write needs no read first
    seed: int  # of never written memory
    reproduce: str = ""  # the command line that repeats this run
    monitors: int = 8  # exclusive monitors of a port (hbm_host_pkg::NumExcl)
    check_commands: bool = True
    cover: bool = True  # count hazards, queue levels and waits for coverage


class PortScoreboard:
    """State of one port and its PC, and its calls of the compiled loop."""

    def __init__(self, port: int, settings: Settings) -> None:
        self.port = port
        self.settings = settings
        amap = settings.address_map
        widths = amap.widths
        i64, u64 = np.int64, np.uint64
        blocks = 1 << amap.out_bits
        slots = 64 * 32
        m = np.zeros(k.TOTAL, i64)
        m[k.C_PORT] = port
        m[k.C_MAP_BITS] = amap.in_bits
        m[k.C_ROW_LIMIT], m[k.C_SIDS] = amap.rows, amap.sids
        m[k.C_ROW_BITS], m[k.C_COL_BITS] = widths["row"], widths["col"]
        m[k.C_BA_BITS], m[k.C_BG_BITS] = widths["bank"], widths["bg"]
        m[k.C_FULL] = amap.rows == 1 << widths["row"] and (amap.sids == 1 or amap.sids == 1 << widths["sid"])
        m[k.C_HAS_MASK] = settings.has_mask
        m[k.C_SEED] = u64(settings.seed & _MASK64).astype(i64)
        m[k.C_CHECK_COMMANDS] = settings.check_commands
        m[k.C_MONITORS] = settings.monitors
        m[k.C_COVER] = settings.cover
        m[k.C_BANKS] = amap.sids * amap.bgs * amap.banks
        if widths["col"] != 5 or m[k.C_BANKS] > k.MAX_BANKS:
            raise ValueError("the scoreboard is made for rows of 32 columns and at most 64 banks a PC")
        _fill_map(m, amap)
        m[k.S_SHIFT] = 4
        m[k.S_R_ID] = -1
        m[k.N_FIRST_CYCLE] = -1
        m[k.ID_HEAD : k.ID_HEAD + 2 * k.IDS] = -1
        m[k.BANKS : k.BANKS + k.MAX_BANKS * k.K_COLUMNS : k.K_COLUMNS] = -1
        m[k.TOUCH : k.TOUCH + 3 * k.TOUCHES] = -1
        meta = np.zeros((slots, 4), np.int32)
        meta[:, :2] = -1
        self.state = k.State(
            m=m,
            u=m.view(u64),
            ar=np.zeros((1 << 14, 4), u64),
            aw=np.zeros((1 << 14, 4), u64),
            w=np.zeros((1 << 14, 6), u64),
            page_of=np.full(blocks >> widths["col"], -1, np.int32),
            meta=meta.reshape(-1),
            data=np.zeros(slots * 4, u64),
            due=np.zeros(2 * blocks, np.uint16),
        )

    def change_map(self, amap: AddressMap) -> None:
        """Another map of the same shape took effect; nothing may be under way."""
        self.settings = replace(self.settings, address_map=amap)
        _fill_map(self.state.m, amap)

    def table(self, start: int, rows: int, columns: int) -> NDArray[np.int64]:
        """One of the kernel's tables as a matrix."""
        table: NDArray[np.int64] = self.state.m[start : start + rows * columns]
        return table.reshape(rows, columns)

    @property
    def reads(self) -> NDArray[np.int64]:
        """Table of outstanding reads."""
        return self.table(k.RT, k.READS, k.R_COLUMNS)

    @property
    def writes(self) -> NDArray[np.int64]:
        """Table of outstanding writes."""
        return self.table(k.WT, k.WRITES, k.W_COLUMNS)

    @property
    def samples(self) -> NDArray[np.uint64]:
        """Data got (row 0) and legal values of the first error."""
        samples: NDArray[np.uint64] = self.state.u[k.SAMPLES : k.TOTAL]
        return samples.reshape(-1, 4)

    # ------------------------------------------------------------ feeding

    def _append(self, name: str, head: int, tail: int, rows: Records) -> None:
        """Append offered records to a payload ring, which grows when it is full."""
        ring = getattr(self.state, name)
        s = self.state.m
        count, used, words = len(rows), int(s[head] - s[tail]), ring.shape[1]
        capacity = len(ring)
        if used + count > capacity:
            while used + count > capacity:
                capacity *= 2
            grown = np.zeros((capacity, words), np.uint64)
            at = np.arange(int(s[tail]), int(s[head]))
            grown[at & (capacity - 1)] = ring[at & (len(ring) - 1)]
            ring = grown
            self.state = self.state._replace(**{name: ring})
        start = int(s[head]) & (capacity - 1)
        first = min(count, capacity - start)
        source = _words(rows, words)
        ring[start : start + first] = source[:first]
        ring[: count - first] = source[first:]
        s[head] += count

    def offered(self, ar: Records | None = None, aw: Records | None = None, w: Records | None = None) -> None:
        """Requests that were given to the master of this port, in the order of each channel."""
        if ar is not None and len(ar):
            self._append("ar", k.S_AR_HEAD, k.S_AR_TAIL, ar)
        if aw is not None and len(aw):
            self._append("aw", k.S_AW_HEAD, k.S_AW_TAIL, aw)
        if w is not None and len(w):
            self._append("w", k.S_W_HEAD, k.S_W_TAIL, w)

    def _reserve_pages(self, writes: int) -> None:
        """Make room for as many new rows as the batch can touch."""
        st = self.state
        slots = len(st.data) // 4
        need = 32 * (int(st.m[k.S_PAGES]) + writes)
        if need <= slots:
            return
        while slots < need:
            slots *= 2
        extra = slots - len(st.data) // 4
        meta = np.zeros((extra, 4), np.int32)
        meta[:, :2] = -1
        self.state = st._replace(
            meta=np.concatenate((st.meta, meta.reshape(-1))),
            data=np.concatenate((st.data, np.zeros(4 * extra, np.uint64))),
        )

    def consume(self, acc: Records, r: Records, b: Records, cmd: NDArray[np.uint64]) -> None:
        """Check one batch of this port; `cmd` holds the commands of both PCs as words."""
        if len(acc):
            self._reserve_pages(len(acc))
        code = k.process(
            self.state,
            _words(acc, 2) if len(acc) else _EMPTY2,
            _words(r, 6) if len(r) else _EMPTY6,
            _words(b, 2) if len(b) else _EMPTY2,
            cmd,
        )
        if code:
            raise Mismatch(self.describe(), self.failure())

    # ------------------------------------------------------------ end of test

    def open_work(self) -> list[str]:
        """What is still in flight, as sentences."""
        s = self.state.m
        out = []
        port = self.port
        heads = s[k.ID_HEAD : k.ID_HEAD + k.IDS]
        for slot in heads[heads >= 0]:
            row = self.reads[slot]
            out.append(
                f"port {port}: read {self._burst(row)} (read {row[k.R_TXN]} of the port, AR taken in cycle "
                f"{row[k.R_CYCLE]}) has {row[k.R_BEAT]} of {row[k.R_LEN] + 1} R beats: response lost"
            )
        for at in range(int(s[k.S_WT_TAIL]), int(s[k.S_WT_HEAD])):
            row = self.writes[at & (k.WRITES - 1)]
            what = "no B: response lost" if at < s[k.S_WT_OPEN] else "W beats missing"
            out.append(
                f"port {port}: write {self._burst(row)} (write {row[k.W_TXN]} of the port, AW taken in cycle "
                f"{row[k.W_AW]}) has {what}"
            )
        for name, head, tail in (
            ("AR", k.S_AR_HEAD, k.S_AR_TAIL),
            ("AW", k.S_AW_HEAD, k.S_AW_TAIL),
        ):
            left = int(s[head] - s[tail])
            if left:
                out.append(f"port {port}: {left} offered {name} were never taken ({name}READY stuck?)")
        left = int(s[k.S_W_HEAD] - s[k.S_W_TAIL] - s[k.S_W_READY])
        if left:
            out.append(f"port {port}: {left} offered W beats were never taken (WREADY stuck?)")
        return out

    def commands_due(self, forwarded: int | None = 0) -> list[str]:
        """Requests that no column command answered to.

        So many reads were `forwarded` by the channel's count (M3.6) and need none; None: any number may be.
        """
        out = []
        for name, due, more, without in (
            ("RD", self.state.due[0::2], int(self.state.m[k.N_DUE_MORE]), forwarded),
            ("WR", self.state.due[1::2], 0, 0),
        ):
            at = np.flatnonzero(due)
            missing = int(due[at].sum(dtype=np.int64)) + more
            if without is None or missing == without:
                continue
            where = f", the first at {self._place(int(at[0]))}" if len(at) else ""
            but = f", but {without} reads were forwarded" if without else ""
            out.append(f"port {self.port}: {missing} {name} commands are missing{where}{but}")
        return out

    def writes_due(self) -> bool:
        """A write that was answered has not gone to the DRAM yet."""
        return bool(self.state.due[1::2].any())

    def image(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """All written 32-byte blocks: (packed DRAM addresses, bytes), after the end of all traffic."""
        st = self.state
        k.fold(st.m, st.u, st.page_of, st.meta, st.data, k.NEVER - 1)
        rows = np.flatnonzero(st.page_of >= 0)
        row_at, col = np.nonzero(st.meta.reshape(-1, 32, 4)[st.page_of[rows], :, 2])
        packed = (rows[row_at].astype(np.int64) << 5) | col
        slots = st.page_of[rows[row_at]].astype(np.int64) * 32 + col
        return packed, st.data.reshape(-1, 4)[slots].view(np.uint8).reshape(-1, 32)

    # ------------------------------------------------------------ sentences

    def _burst(self, row: NDArray[np.int64]) -> str:
        """A burst in words, from a row of the read or write table (both start alike)."""
        addr, length, size, burst, axi_id, locked = (int(v) for v in row[:6])
        lock = " exclusive" if locked else ""
        return f"id {axi_id}{lock} {axi.BURST_NAMES[burst & 3]} of {length + 1} x {1 << size} bytes at {addr:#x}"

    def _place(self, packed: int) -> str:
        """A packed DRAM address in words, with the port address that maps to it."""
        at = self.settings.address_map.unpack(self.port, np.array([packed], np.uint64))
        port_address = int(self.settings.address_map.to_port(np.array([packed], np.uint64))[0])
        return (
            f"PC {self.port} SID {at.sid[0]} BG {at.bg[0]} bank {at.bank[0]} row {at.row[0]:#x} col {at.col[0]} "
            f"(port address {port_address:#x})"
        )

    def origin(self, word: int, lane_word: int) -> str | None:
        """Which never written place an unexpected 64-bit word is the hash of, if any."""
        key = (unmix(word) - self.settings.seed) * pow(_GOLDEN, -1, 1 << 64) - 1 & _MASK64
        col, w, bank, bg = key & 0x3F, key >> 6 & 3, key >> 8 & 15, key >> 12 & 15
        sid, pc, row = key >> 16 & 15, key >> 20 & 15, key >> 24
        amap = self.settings.address_map
        if pc > 1 or row >= amap.rows or col >= amap.cols or bank >= amap.banks or bg >= amap.bgs or sid >= amap.sids:
            return None
        packed = int(amap.pack(sid, bg, bank, row, col))
        text = f"PC {pc} SID {sid} BG {bg} bank {bank} row {row:#x} col {col}"
        port_address = int(amap.to_port(np.array([packed], np.uint64))[0])
        shifted = "" if w == lane_word else f", word {w} in the place of word {lane_word}"
        return f"never written memory of {text} (port address {port_address:#x}{shifted})"

    def _other_owner(self, got: NDArray[np.uint64], lo: int, hi: int, txn: int) -> str | None:
        """Another outstanding read of the port whose data these are: responses in the wrong order."""
        st = self.state
        rows = [self.reads[at & (k.READS - 1)] for at in range(int(st.m[k.S_RD_TAIL]), int(st.m[k.S_RD_HEAD]))]
        record = np.zeros((1, 6), np.uint64)
        record[0, 2:] = got
        for row in rows:
            if row[k.R_TXN] == txn or row[k.R_RESP] > 1 or row[k.R_DONE]:
                continue
            addr, length, size, burst = (int(v) for v in row[:4])
            here = axi.beat_address(addr, length, size, burst, int(row[k.R_BEAT]))
            block = int(k.dram_block(st.m, here >> 5))
            if k.candidates(
                st.m, st.u, st.page_of, st.meta, st.data, block, int(row[k.R_CYCLE]), record, 0, lo, hi, False
            ):
                return f"the data of read {row[k.R_TXN]} of the port ({self._burst(row)}): order swapped?"
        return None

    def describe(self) -> str:
        """The recorded error as a readable message."""
        e = self.state.m
        code, cycle, axi_id, txn, beat = (int(e[i]) for i in (k.X_CODE, k.X_CYCLE, k.X_ID, k.X_TXN, k.X_BEAT))
        addr, a, b = int(e[k.X_ADDR]), int(e[k.X_A]), int(e[k.X_B])
        place = f"port {self.port}, cycle {cycle} (CK {2 * cycle})"
        reads = {k.E_R_LAST, k.E_R_RESP, k.E_R_DATA, k.E_R_TORN}
        if code in reads:
            row = next(r for r in self.reads if r[k.R_TXN] == txn and r[k.R_ID] == axi_id)
            place += (
                f", read {txn} of the port: {self._burst(row)}, AR in cycle {row[k.R_CYCLE]}, beat {beat} at {addr:#x}"
            )
        elif txn >= 0 and code not in (k.E_ID, k.E_FULL):
            rows = [r for r in self.writes if r[k.W_TXN] == txn and r[k.W_AW] > 0]
            if rows:
                place += f", write {txn} of the port: {self._burst(rows[0])}"
        text = {
            k.E_R_SURPLUS: f"surplus R beat: id {axi_id} has no read outstanding "
            f"(resp {axi.RESP_NAMES[a & 3]}, last {b})",
            k.E_R_LAST: f"RLAST is {b}, expected {int(beat == a)} in beat {beat} of {a + 1}",
            k.E_R_RESP: f"RRESP is {axi.RESP_NAMES[b & 3]}, expected {axi.RESP_NAMES[a & 3]}",
            k.E_R_DATA: "wrong read data",
            k.E_R_TORN: "beats of one 32-byte request come from different writes",
            k.E_B_SURPLUS: f"surplus B: no write is outstanding (id {axi_id}, resp {axi.RESP_NAMES[a & 3]})",
            k.E_B_ID: f"B has id {b}, expected {a}: responses come in the order of AW (order swapped or lost)",
            k.E_B_RESP: f"BRESP is {axi.RESP_NAMES[b & 3]}, expected "
            + " or ".join(name for bit, name in enumerate(axi.RESP_NAMES) if a >> bit & 1),
            k.E_B_EARLY: "B before the last W beat was taken",
            k.E_AR_UNKNOWN: "AR handshake that nobody offered",
            k.E_AW_UNKNOWN: "AW handshake that nobody offered",
            k.E_W_UNKNOWN: "W handshake that nobody offered",
            k.E_W_LAST: f"stimulus: WLAST is {b} in beat {beat} of {a + 1}",
            k.E_STRB: f"stimulus: strobes {a:#010x} outside the lanes {b:#010x} of beat {beat}",
            k.E_FULL: "the bench cannot track more outstanding work: "
            + ("reads", "writes", "versions of written data")[b if 0 <= b < 3 else 0],
            k.E_BANK: f"{self._command(beat)} names bank {b}, which does not exist",
            k.E_ID: f"handshake with id {axi_id}, but id {a} was offered",
            k.E_TIME: f"records out of order: cycle {cycle} after cycle {a}",
        }.get(code, f"error {code}")
        if code in (k.E_RD_SURPLUS, k.E_WR_SURPLUS):
            kind = "read" if code == k.E_RD_SURPLUS else "write"
            text = f"{self._command(beat)} at CK {a / 2:g} to {self._place(addr)} answers to no {kind} request"
        message = [f"{text}", f"  {place}"]
        if code in (k.E_R_DATA, k.E_R_TORN):
            message += self._data_lines(axi_id, txn)
        return self._finish(message)

    def failure(self) -> Failure:
        """The recorded error in parts."""
        e = self.state.m
        code, cycle, a, b = (int(e[i]) for i in (k.X_CODE, k.X_CYCLE, k.X_A, k.X_B))
        lines = [line.strip() for line in self.describe().splitlines()]
        kind, name, expected, got = _ERROR_NAMES.get(code, ("error", f"code {code}", "", ""))
        if code in (k.E_R_RESP, k.E_B_RESP):
            allowed = [bit for bit in range(4) if (a >> bit & 1 if code == k.E_B_RESP else a == bit)]
            expected = " or ".join(axi.RESP_NAMES[bit] for bit in allowed)
            got = axi.RESP_NAMES[b & 3]
            name += f":expected {expected} got {got}"
        if code in (k.E_RD_SURPLUS, k.E_WR_SURPLUS):
            cycle = a // 4  # half CK
            got = lines[0].partition(" answers to")[0]
        for label in ("expected", "got"):
            line = next((line for line in lines if line.startswith(f"{label} ")), "")
            if line and code in (k.E_R_DATA, k.E_R_TORN):
                expected, got = (line, got) if label == "expected" else (expected, line)
        made = failure.of_response(
            kind, name, f"{lines[0]}; {lines[1]}", port=self.port, cycle=cycle, expected=expected, got=got
        )
        return replace(made, reproduce=self.settings.reproduce)

    def _command(self, code: int) -> str:
        return COMMAND_NAMES[code] if code < len(COMMAND_NAMES) else f"command {code}"

    def _data_lines(self, axi_id: int, txn: int) -> list[str]:
        """Expected and received bytes, and where the received ones may come from."""
        e = self.state.m
        lo, hi = int(e[k.X_LO]), int(e[k.X_HI])
        got = self.samples[0].view(np.uint8)
        lines = []
        if e[k.X_BLOCK] >= 0:
            lines.append(f"  DRAM address: {self._place(int(e[k.X_BLOCK]))}")
        lines.append(f"  byte lanes {lo} to {hi}, lowest first")
        count = int(e[k.X_CANDIDATES])
        for index in range(min(count, k.CANDIDATES)):
            value = self.samples[1 + index].view(np.uint8)
            label = "expected" if index == 0 else "      or"
            lines.append(f"  {label} {value[lo : hi + 1].tobytes().hex(' ', 8)}")
        if count > k.CANDIDATES:
            lines.append(f"      or one of {count - k.CANDIDATES} more")
        lines.append(f"  got      {got[lo : hi + 1].tobytes().hex(' ', 8)}")
        if count:
            first = self.samples[1].view(np.uint8)
            wrong = [lane for lane in range(lo, hi + 1) if first[lane] != got[lane]]
            lines.append(f"  lanes that differ from the first: {_spans(wrong)}")
        for word in range(4):
            inside = lo <= 8 * word and 8 * word + 7 <= hi
            if inside and count and self.samples[0, word] != self.samples[1, word]:
                origin = self.origin(int(self.samples[0, word]), word)
                if origin:
                    lines.append(f"  the data got is that of {origin}")
                    break
        other = self._other_owner(self.samples[0].copy(), lo, hi, txn) if e[k.X_BLOCK] >= 0 else None
        if other:
            lines.append(f"  the data got is also {other}")
        return lines

    def _finish(self, message: list[str]) -> str:
        if self.settings.reproduce:
            message.append(f"  reproduce: {self.settings.reproduce}")
        return "\n".join(message)


# Code -> kind, name, expected and got of a failure, as far as they do not depend on the run.
_ERROR_NAMES: dict[int, tuple[str, str, str, str]] = {
    k.E_R_DATA: ("data", "R channel:wrong read data", "", ""),
    k.E_R_TORN: ("data", "R channel:beats of one request from different writes", "", ""),
    k.E_R_SURPLUS: ("response", "R channel:surplus beat", "no R beat", "an R beat"),
    k.E_R_LAST: ("response", "R channel:RLAST", "", ""),
    k.E_R_RESP: ("response", "R channel:RRESP", "", ""),
    k.E_B_SURPLUS: ("response", "B channel:surplus", "no B", "a B"),
    k.E_B_ID: ("response", "B channel:id", "ids in the order of AW", ""),
    k.E_B_RESP: ("response", "B channel:BRESP", "", ""),
    k.E_B_EARLY: ("response", "B channel:before the last W", "", ""),
    k.E_RD_SURPLUS: ("response", "command:RD that no request asked for", "no RD", ""),
    k.E_WR_SURPLUS: ("response", "command:WR that no request asked for", "no WR", ""),
    k.E_AR_UNKNOWN: ("response", "AR channel:handshake that nobody offered", "", ""),
    k.E_AW_UNKNOWN: ("response", "AW channel:handshake that nobody offered", "", ""),
    k.E_W_UNKNOWN: ("response", "W channel:handshake that nobody offered", "", ""),
    k.E_BANK: ("response", "command:bank that does not exist", "", ""),
    k.E_ID: ("response", "AX:id that nobody offered", "", ""),
    k.E_W_LAST: ("error", "stimulus:WLAST", "", ""),
    k.E_STRB: ("error", "stimulus:strobes", "", ""),
    k.E_FULL: ("error", "bench:too much outstanding", "", ""),
    k.E_TIME: ("error", "bench:records out of order", "", ""),
}


def _spans(numbers: Iterable[int]) -> str:
    """`0-3, 7` for [0, 1, 2, 3, 7]."""
    out: list[list[int]] = []
    for number in numbers:
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in out)


class Scoreboard:
    """Both ports, the legality of all commands, and the verdict."""

    def __init__(self, settings: Settings, checker: CommandChecker | None = None) -> None:
        self.settings = settings
        self.checker = checker
        self.ports = [PortScoreboard(port, settings) for port in range(records.PORTS)]
        self.violations: list[Any] = []
        self.commands = 0
        self.failure: str | None = None

    def offered(
        self, port: int, ar: Records | None = None, aw: Records | None = None, w: Records | None = None
    ) -> None:
        """Requests that were given to a port's master."""
        self.ports[port].offered(ar, aw, w)

    def consume(
        self,
        acc: Sequence[Records],
        r: Sequence[Records],
        b: Sequence[Records],
        cmd: Records,
        err: Records | None = None,
    ) -> None:
        """Check one batch of everything; raises Mismatch at the first fault."""
        try:
            if err is not None and len(err):
                lines = [records.describe_error(record) for record in err[:5]]
                more = [f"... and {len(err) - 5} more"] if len(err) > 5 else []
                told = "\n  ".join(["the timed side reports:", *lines, *more, *self._reproduce()])
                code = int(err[0]["code"])
                name = records.Err(code).name if code in set(records.Err) else f"code {code}"
                raise Mismatch(told, failure.of_timed_side(name, lines[0], int(err[0]["time"])))
            words = _words(cmd, 2) if len(cmd) else _EMPTY2
            # Legality first: an illegal command explains what follows from it.
            if self.checker is not None and len(cmd):
                try:
                    found = self.checker.check(cmd)
                except ValueError as error:
                    told = "\n  ".join([f"not a command trace: {error}", *self._reproduce()])
                    raise Mismatch(told, failure.of_no_trace(str(error))) from error
                if len(found):
                    self.violations += list(found)
                    lines = [str(v) for v in list(found)[:5]]
                    told = "\n  ".join(["DRAM command rules violated:", *lines, *self._reproduce()])
                    raise Mismatch(told, getattr(found[0], "failure", None))
            for port in self.ports:
                port.consume(acc[port.port], r[port.port], b[port.port], words)
            self.commands += len(cmd)
        except Mismatch as error:
            self.failure = str(error)
            raise

    def _reproduce(self) -> list[str]:
        return [f"reproduce: {self.settings.reproduce}"] if self.settings.reproduce else []

    def drained(self) -> bool:
        """Nothing that was offered is unanswered."""
        return all(
            p.state.m[k.S_RD_OPEN] == 0
            and p.state.m[k.S_WT_TAIL] == p.state.m[k.S_WT_HEAD]
            and p.state.m[k.S_AR_TAIL] == p.state.m[k.S_AR_HEAD]
            and p.state.m[k.S_AW_TAIL] == p.state.m[k.S_AW_HEAD]
            and p.state.m[k.S_W_TAIL] == p.state.m[k.S_W_HEAD]
            for p in self.ports
        )

    def progress(self) -> int:
        """Number that grows with every handshake and response."""
        return int(sum(p.state.m[k.S_PROGRESS] for p in self.ports))

    def total(self, counter: int) -> int:
        """Sum over the ports of one counter (port_kernel N_...)."""
        return int(sum(p.state.m[counter] for p in self.ports))

    def finish(self, require_traffic: bool = True, forwarded: Sequence[int] | None = (0, 0)) -> None:
        """End of test: nothing in flight, no command missing, and something was checked.

        `forwarded`: reads of each port that took their data from a write (M3.6); None: not known how many.
        """
        problems: list[str] = []
        for port in self.ports:
            left = port.open_work()
            problems += left
            if not left and self.settings.check_commands:
                problems += port.commands_due(None if forwarded is None else forwarded[port.port])
        if require_traffic and not problems:
            if self.total(k.N_RD_CHECKED) + self.total(k.N_B) == 0:
                problems.append("nothing was checked: no read beat and no write response")
            if self.commands == 0:
                problems.append("nothing was checked: no DRAM command")
        if self.failure is not None:
            problems.append("the run had already failed")
        if problems:
            text = "\n  ".join(["the test ended with open work:", *problems[:8], *self._reproduce()])
            if len(problems) > 8:
                text += f"\n  ... and {len(problems) - 8} more"
            self.failure = self.failure or text
            raise Mismatch(text, failure.of_open_work(problems))

    def compare_memory(self, pc: int, blocks: NDArray[np.int64], device: NDArray[np.uint8], step: int = 1) -> int:
        """Compare the device's bytes of the written blocks (`image`, every `step`-th) with the expected; the number."""
        packed, expected = self.ports[pc].image()
        packed, expected = packed[::step], expected[::step]
        if len(packed) != len(blocks) or (packed != blocks).any():
            raise ValueError("the device image must be read at the addresses that image() names")
        bad = np.flatnonzero((expected != device).any(axis=1))
        if len(bad):
            at = int(bad[0])
            lines = [
                f"device memory differs from the golden memory in {len(bad)} of {len(packed)} written blocks",
                f"first: {self.ports[pc]._place(int(packed[at]))}",
                f"expected {expected[at].tobytes().hex(' ', 8)}",
                f"got      {device[at].tobytes().hex(' ', 8)}",
                *self._reproduce(),
            ]
            place = self.ports[pc].settings.address_map.unpack(pc, packed[at : at + 1].astype(np.uint64))
            made = Failure(
                "data", "data:device memory differs", f"{lines[0]}; {lines[1]}", pc=pc, where="device memory",
                expected=lines[2].removeprefix("expected "), got=lines[3].removeprefix("got").strip(),
                bank={"sid": int(place.sid[0]), "bg": int(place.bg[0]), "bank": int(place.bank[0])},
            )  # fmt: skip
            raise Mismatch("\n  ".join(lines), made)
        return len(packed)
