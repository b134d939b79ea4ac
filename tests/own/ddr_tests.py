"""Inside the simulator: what the loops counted, and the commands that the recorder saw behind the real pins."""

from __future__ import annotations

import os

import cocotb
import numpy as np
from cocotb.triggers import Timer
from hbm_tb.records import describe_error
from hbm_tb.rings import Rings
from hbm_tb.sim import CLOSING


@cocotb.test()
async def words_come_back(dut):
    """Both loops compare thousands of CKs in each direction and find nothing wrong."""
    rings = Rings.attach()
    rings.ctl["watchdog"] = 0
    commands = []
    while not dut.done.value or dut.wr_checked.value.to_unsigned() < 4000:
        await Timer(500, "ns")
        commands.append(rings.pop_cmd())
    await Timer(10, "ns")
    commands.append(rings.pop_cmd())
    np.save("commands.npy", np.concatenate(commands))
    assert dut.wrong.value.to_unsigned() == 0, f"{dut.wrong.value.to_unsigned()} CKs differ"
    assert dut.rd_checked.value.to_unsigned() > 3000
    # The device counts its cycles as the host does, or begins all of them in the middle of the host's.
    in_the_middle = dut.odd_starts.value.to_unsigned()
    assert in_the_middle > 1000 if os.environ["DDR_SHIFT"] == "2" else in_the_middle == 0
    errors = [describe_error(row) for row in rings.pop_err()]
    assert not errors, errors[:3]
    print(f"{CLOSING} words_come_back", flush=True)
