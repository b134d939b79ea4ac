"""Questions about a log of DRAM commands (ring records, in time order), answered with numpy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from hbm_model.commands import Cmd
from numpy.typing import NDArray

Records = NDArray[np.void]

READS = (Cmd.RD, Cmd.RDA)
WRITES = (Cmd.WR, Cmd.WRA)
COLUMNS = (*READS, *WRITES)
AUTO = (Cmd.RDA, Cmd.WRA)


@dataclass(frozen=True)
class CommandLog:
    """A part of the log; times in CK."""

    rows: Records

    def of(self, *commands: Cmd, pc: int | None = None) -> CommandLog:
        """Only these commands (of one PC)."""
        keep = np.isin(self.rows["cmd"], [int(c) for c in commands])
        if pc is not None:
            keep &= self.rows["pc"] == pc
        return CommandLog(self.rows[keep])

    def after(self, ck: float) -> CommandLog:
        """Commands from a time on."""
        return CommandLog(self.rows[self.rows["time"] >= 2 * ck])

    def before(self, ck: float) -> CommandLog:
        """Commands up to, not at, a time."""
        return CommandLog(self.rows[self.rows["time"] < 2 * ck])

    def __len__(self) -> int:
        return len(self.rows)

    def count(self, *commands: Cmd, pc: int | None = None) -> int:
        """How many of these commands."""
        return len(self.of(*commands, pc=pc))

    @property
    def ck(self) -> NDArray[np.float64]:
        """First edges in CK."""
        return self.rows["time"].astype(np.float64) / 2

    @property
    def bank(self) -> NDArray[np.int64]:
        """A number per bank of the channel: pc, sid, bank group, bank."""
        pc, sid, bg, bank = (self.rows[name].astype(np.int64) for name in ("pc", "sid", "bg", "bank"))
        return ((pc * 16 + sid) * 16 + bg) * 16 + bank

    def share_of_auto(self) -> float:
        """Share of column commands with auto-precharge."""
        columns = self.count(*COLUMNS)
        return self.count(*AUTO) / columns if columns else 0.0

    def turns(self, pc: int) -> int:
        """Changes between reads and writes on one PC."""
        is_write = np.isin(self.of(*COLUMNS, pc=pc).rows["cmd"], WRITES)
        return int((is_write[1:] != is_write[:-1]).sum())

    def longest_gap(self, commands: Iterable[Cmd], pc: int) -> float:
        """Longest time between two of these commands on one PC."""
        times = self.of(*commands, pc=pc).ck
        return float(np.diff(times).max()) if len(times) > 1 else 0.0

    def with_act(self, commands: Collection[Cmd]) -> list[tuple[float, float, Cmd]]:
        """(time of the ACT of its row, its time, which) for each of these commands; CK, ACT times as in M1.1.

        Without those whose ACT is not in the log.
        """
        opened: dict[int, float] = {}
        out = []
        for row, bank in zip(self.rows, self.bank, strict=True):
            command = int(row["cmd"])
            if command == Cmd.ACT:
                opened[int(bank)] = int(row["time"]) / 2 + 1
            elif command in commands and int(bank) in opened:
                out.append((opened[int(bank)], int(row["time"]) / 2, Cmd(command)))
        return out
