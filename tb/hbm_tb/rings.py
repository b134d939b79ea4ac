"""Python end of the rings in the simulator process, mapped without a copy."""

from __future__ import annotations

import ctypes
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbm_tb import records

Records = npt.NDArray[np.void]
Wait = Callable[[int], Awaitable[object]]


class _Ring:
    """One ring: a view of its records and of its two free-running counts."""

    def __init__(self, spec: records.RingSpec, head: np.void) -> None:
        dtype = records.RECORDS[spec.record]
        if int(head["record_size"]) != dtype.itemsize or int(head["capacity"]) != spec.capacity:
            raise RuntimeError(f"ring {spec.name}: layout differs between simulator and Python; rebuild the simulator")
        self.spec = spec
        self._head = head
        self._mask = spec.capacity - 1
        raw = (ctypes.c_char * (dtype.itemsize * spec.capacity)).from_address(int(head["data"]))
        self._data: Records = np.frombuffer(memoryview(raw), dtype=dtype)

    @property
    def pending(self) -> int:
        """Records written and not yet taken."""
        return int(self._head["wr"]) - int(self._head["rd"])

    @property
    def space(self) -> int:
        """Records that can be pushed now."""
        return self.spec.capacity - self.pending

    def push(self, rows: Records) -> int:
        """Append as many of `rows` as fit; the number taken."""
        count = min(len(rows), self.space)
        if count:
            wr = int(self._head["wr"])
            start = wr & self._mask
            first = min(count, self.spec.capacity - start)
            self._data[start : start + first] = rows[:first]
            self._data[: count - first] = rows[first:count]
            self._head["wr"] = wr + count
        return count

    def pop(self, limit: int | None = None) -> Records:
        """Take what is there (at most `limit`), oldest first, as a copy."""
        count = self.pending if limit is None else min(limit, self.pending)
        rd = int(self._head["rd"])
        start = rd & self._mask
        first = min(count, self.spec.capacity - start)
        if first == count:
            rows = self._data[start : start + count].copy()
        else:
            rows = np.concatenate((self._data[start:], self._data[: count - first]))
        self._head["rd"] = rd + count
        return rows

    def take(self) -> Records:
        """As `pop`, but without a copy where the records do not wrap: good until the simulator runs on."""
        count = self.pending
        rd = int(self._head["rd"])
        start = rd & self._mask
        if start + count > self.spec.capacity:
            return self.pop()
        self._head["rd"] = rd + count
        return self._data[start : start + count]


class Rings:
    """All rings and the control block of the running simulator.

    `ctl` holds the words of records.CTL: `rings.ctl["seed"] = 7`, `rings.ctl["ready_r"][0] = 128`.
    push_* return the number of records taken, which is smaller than offered when the ring is full.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        abi = ctypes.c_uint64.in_dll(library, "hx_abi").value
        if abi != records.abi():
            raise RuntimeError(f"simulator built for ring layout {abi:08x}, Python has {records.abi():08x}; rebuild")
        ctl_raw = (ctypes.c_char * records.CTL.itemsize).in_dll(library, "hx_ctl")
        self._ctl_array: Records = np.frombuffer(memoryview(ctl_raw), dtype=records.CTL)
        self.ctl: np.void = self._ctl_array[0]
        heads_raw = (ctypes.c_char * (records.RING_HEAD.itemsize * len(records.RINGS))).in_dll(library, "hx_rings")
        self._heads: Records = np.frombuffer(memoryview(heads_raw), dtype=records.RING_HEAD)
        self.rings = {spec.name: _Ring(spec, self._heads[index]) for index, spec in enumerate(records.RINGS)}

    @classmethod
    def attach(cls, library: ctypes.CDLL | None = None) -> Rings:
        """Rings of the process that this Python runs in (the simulator)."""
        return cls(library if library is not None else ctypes.CDLL(None))

    # ------------------------------------------------------------ requests

    def space(self, name: str) -> int:
        """Records that ring `name` ("ar0", "w1" ...) can take now."""
        return self.rings[name].space

    def pending(self, name: str) -> int:
        """Records that wait in ring `name`."""
        return self.rings[name].pending

    def push_ar(self, port: int, rows: Records) -> int:
        """Append AR records; the number taken."""
        return self.rings[f"ar{port}"].push(rows)

    def push_aw(self, port: int, rows: Records) -> int:
        """Append AW records; the number taken."""
        return self.rings[f"aw{port}"].push(rows)

    def push_w(self, port: int, rows: Records) -> int:
        """Append W beats; the number taken."""
        return self.rings[f"w{port}"].push(rows)

    # ------------------------------------------------------------ responses

    def pop_r(self, port: int) -> Records:
        """R beats since the last call."""
        return self.rings[f"r{port}"].pop()

    def pop_b(self, port: int) -> Records:
        """B responses since the last call."""
        return self.rings[f"b{port}"].pop()

    def pop_acc(self, port: int) -> Records:
        """Request handshakes since the last call."""
        return self.rings[f"acc{port}"].pop()

    def pop_cmd(self) -> Records:
        """DRAM commands since the last call."""
        return self.rings["cmd"].pop()

    def pop_err(self) -> Records:
        """Error records since the last call."""
        return self.rings["err"].pop()

    def pop_events(self) -> Records:
        """Events since the last call, or since reset."""
        return self.rings["ev"].pop()

    def pending_valids(self) -> npt.NDArray[np.int64]:
        """Per port (rows) and AR, AW, W (columns): cycle since which VALID stands unaccepted, -1 where none does."""
        since: npt.NDArray[np.int64] = self.ctl["valid_since"].astype(np.int64).reshape(records.PORTS, 3)
        return since - 1

    # ------------------------------------------------------------ registers

    def push_apb(self, rows: Records) -> int:
        """Append APB accesses; the number taken."""
        return self.rings["apb_req"].push(rows)

    def pop_apb(self) -> Records:
        """APB results since the last call."""
        return self.rings["apb_rsp"].pop()

    async def apb(self, wait: Wait, addr: int, data: int | None = None, timeout: int = 10_000) -> tuple[int, bool]:
        """One register access: (read data, slave error). `data` None reads. `wait(n)` lets n cycles pass."""
        if self.rings["apb_req"].pending or self.rings["apb_rsp"].pending:
            raise RuntimeError("another register access is under way")
        row = np.zeros(1, records.APB_REQ)
        row["addr"], row["data"], row["write"], row["strb"] = addr, data or 0, data is not None, 15
        self.push_apb(row)
        for _ in range(0, timeout, 4):
            await wait(4)
            result = self.pop_apb()
            if len(result):
                return int(result["data"][0]), bool(result["slverr"][0])
        raise TimeoutError(f"register access to {addr:#x} had no answer within {timeout} cycles")

    async def apb_write(self, wait: Wait, addr: int, data: int) -> None:
        """Write a register; a slave error raises."""
        _, bad = await self.apb(wait, addr, data)
        if bad:
            raise RuntimeError(f"register write to {addr:#x} was answered with an error")

    async def apb_read(self, wait: Wait, addr: int) -> int:
        """Read a register; a slave error raises."""
        value, bad = await self.apb(wait, addr)
        if bad:
            raise RuntimeError(f"register read of {addr:#x} was answered with an error")
        return value

    async def apb_read_many(self, wait: Wait, addresses: Sequence[int], timeout: int = 64) -> list[int]:
        """Read registers, at most as many as the ring holds, with one access after the other; `timeout` for each."""
        if self.rings["apb_req"].pending or self.rings["apb_rsp"].pending:
            raise RuntimeError("another register access is under way")
        rows = np.zeros(len(addresses), records.APB_REQ)
        rows["addr"], rows["strb"] = addresses, 15
        if self.push_apb(rows) != len(rows):
            raise RuntimeError(f"{len(rows)} register accesses do not fit the ring")
        values: list[int] = []
        for _ in range(timeout):
            if len(values) == len(rows):
                break
            await wait(max(4, len(rows)))
            for result in self.pop_apb():
                if result["slverr"]:
                    raise RuntimeError(f"register read of {addresses[len(values)]:#x} was answered with an error")
                values.append(int(result["data"]))
        if len(values) < len(rows):
            raise TimeoutError(f"{len(rows) - len(values)} of {len(rows)} register reads had no answer")
        return values

    # ------------------------------------------------------------ state

    def cycle(self) -> int:
        """Controller cycles since reset was released."""
        return int(self.ctl["cycle"])

    def errors(self) -> int:
        """Errors that the timed side found, lost records included."""
        return int(self.ctl["errors"]) + int(self.ctl["lost"])

    def sv_errors(self) -> int:
        """Assertion and $error count of the simulator itself."""
        return int(self._library.hx_sv_errors())

    def idle(self) -> bool:
        """Nothing waits in a request ring and no burst is open."""
        waiting = any(self.rings[spec.name].pending for spec in records.RINGS if spec.to_device)
        return not waiting and not self.ctl["reads_open"].any() and not self.ctl["writes_open"].any()

    def restart(self, cycles: int = 8) -> None:
        """Begin anew, as a fresh process would: reset for `cycles`, no requests, empty memory, error counts 0.

        Takes effect at the next clock edge. The caller waits until ctl["reset"] and ctl["in_reset"] are 0, then calls
        `forget` and may push requests again.
        """
        self.ctl["reset"] = cycles

    def forget(self) -> None:
        """Drop all responses and records that were not taken, except the events since reset."""
        for spec in records.RINGS:
            if not spec.to_device and spec.name != "ev":
                self.rings[spec.name].pop()

    # ------------------------------------------------------------ back door of the device's memory

    def load(self, pc: int, bank: int, row: int, col: int, data: bytes) -> None:
        """Store `data` from column `col` of a row on, at once; `bank` is the flat number {sid, bg, bank}."""
        self._library.hx_mem_store(pc, bank, row, col * records.DATA_BYTES, data, len(data))

    def clear_memory(self) -> None:
        """Forget everything that was written or loaded."""
        self._library.hx_mem_clear()

    def dump(self, pc: int, bank: int, row: int, col: int, size: int) -> bytes:
        """`size` bytes from column `col` of a row on, hashed where never written."""
        out = ctypes.create_string_buffer(size)
        self._library.hx_mem_fetch(pc, bank, row, col * records.DATA_BYTES, out, size)
        return out.raw


# ---------------------------------------------------------------- stimulus files of the bare model

STIMULUS_MAGIC = b"HXSTIM1\0"


def save_stimulus(path: Path, streams: dict[str, Records]) -> None:
    """Write request rings ("ar0", "aw1", "w0" ...) to a file that the bare executable feeds (`+stim=FILE`)."""
    with path.open("wb") as file:
        file.write(STIMULUS_MAGIC)
        for name, rows in streams.items():
            spec = records.RINGS[records.RING_INDEX[name]]
            if not spec.to_device or rows.dtype != records.RECORDS[spec.record]:
                raise ValueError(f"{name} is not a request ring of these records")
            file.write(np.array([records.RING_INDEX[name], len(rows)], "<u8").tobytes())
            file.write(np.ascontiguousarray(rows).tobytes())
