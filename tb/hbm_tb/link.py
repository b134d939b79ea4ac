"""The running simulator as the untimed side sees it: time, rings, reset and registers."""

from __future__ import annotations

from collections.abc import Sequence

from cocotb.triggers import Timer
from hbm_model.csr import Register
from hbm_model.csr_table import REGISTERS

from hbm_tb.config import NS_PER_CYCLE, BenchConfig
from hbm_tb.rings import Rings

BY_PATH: dict[str, Register] = {register.path: register for register in REGISTERS}


async def cycles(count: int) -> None:
    """Let `count` controller cycles pass."""
    await Timer(count * NS_PER_CYCLE, "ns")


class Registers:
    """Register access by dotted name, through the APB ring."""

    def __init__(self, rings: Rings) -> None:
        self.rings = rings

    async def read(self, path: str) -> int:
        """A whole register (`load[1]`, `timing.t_rp`)."""
        value: int = await self.rings.apb_read(cycles, address_of(path))
        return value

    async def read_many(self, paths: Sequence[str]) -> list[int]:
        """Whole registers in one go, one access after the other."""
        values: list[int] = await self.rings.apb_read_many(cycles, [address_of(path) for path in paths])
        return values

    async def write(self, path: str, value: int) -> None:
        """A whole register."""
        await self.rings.apb_write(cycles, address_of(path), value)

    async def read_field(self, path: str) -> int:
        """One field, `register.field`."""
        register, field = field_of(path)
        value: int = register.field(field).of(await self.read(register.path))
        return value

    async def write_field(self, path: str, value: int) -> None:
        """One field by read, change, write."""
        register, field = field_of(path)
        info = register.field(field)
        word = await self.read(register.path)
        await self.write(register.path, (word & ~info.mask) | (value << info.lsb & info.mask))

    async def pulse(self, path: str) -> None:
        """Write 1 to a pulse field, 0 to its neighbours."""
        register, field = field_of(path)
        await self.write(register.path, register.field(field).mask)

    async def wait_for(self, path: str, value: int, limit: int) -> int:
        """Wait until a field reads `value`; the number of polls. `limit` in cycles."""
        for poll in range(1, limit // 8 + 2):
            if await self.read_field(path) == value:
                return poll
            await cycles(8)
        raise TimeoutError(f"{path} did not become {value} within {limit} cycles")


def address_of(path: str) -> int:
    """Byte address of a register."""
    address: int = BY_PATH[path].address
    return address


def field_of(path: str) -> tuple[Register, str]:
    """Register and field name of `register.field`."""
    register, _, field = path.rpartition(".")
    return BY_PATH[register], field


def reset_controls(rings: Rings, config: BenchConfig) -> None:
    """Control words of a test; they are read by the timed side from the next cycle on."""
    ctl = rings.ctl
    ctl["seed"] = config.memory_seed
    ctl["ready_seed"] = config.seed & 0xFFFFFFFF
    for port in range(2):
        ctl["ready_r"][port] = config.ready_r[port]
        ctl["ready_b"][port] = config.ready_b[port]
    ctl["hold"] = 0
    ctl["temp"] = config.temp
    ctl["alert"] = 0
    ctl["watchdog"] = config.watchdog
    ctl["expect_rl"] = ctl["expect_wl"] = 0
    ctl["fault"] = 0
    ctl["fault_at"], ctl["fault_arg"] = config.fault_at, config.fault_arg
    ctl["record_acc"] = 1
