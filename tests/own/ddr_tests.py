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


# Wires that are late (docs/own-dut.md says by how much they may be). A strobe is early where its lanes, or all other
# wires, are late.
SKEWS = {
    "WDQS late": ["wdqs"],
    "WDQS before its lanes": ["wr"],
    "WDQS early": ["ck", "cmd", "wr"],
    "WDQS and its lanes late": ["wdqs", "wr"],
    "WDQS and its lanes early": ["ck", "cmd"],
    "CK late": ["ck"],
    "CK early": ["cmd", "wdqs", "wr"],
    "RDQS late": ["rdqs"],
    "RDQS before its lanes": ["rd"],
    "RDQS and its lanes late": ["rdqs", "rd"],
}
WIRES = ("ck", "cmd", "wdqs", "wr", "rdqs", "rd")
CKS = 120  # compared in each direction


def counts(dut):
    """CKs that differed, and those that were compared on their way to the device and back."""
    return [getattr(dut, name).value.to_unsigned() for name in ("wrong", "wr_checked", "rd_checked")]


@cocotb.test()
async def strobes_may_be_early_or_late(dut):
    """Skew below the limit changes nothing, skew beyond it is seen: in every case, so that none passes by itself."""
    Rings.attach().ctl["watchdog"] = 0
    below, beyond = (int(part) for part in os.environ["DDR_SKEWS"].split())
    unexpected = []
    for name, wires in SKEWS.items():
        for late, right in ((below, True), (beyond, False)):
            for wire in WIRES:
                getattr(dut, f"{wire}_late").value = late if wire in wires else 0
            await Timer(30, "ns")  # words that were under way
            wrong, written, read = counts(dut)
            while counts(dut)[1] < written + CKS or counts(dut)[2] < read + CKS:
                await Timer(100, "ns")
            wrong = counts(dut)[0] - wrong
            if (wrong == 0) != right:
                unexpected.append(f"{name} by {late} ps: {wrong} CKs differ")
    assert not unexpected, unexpected
    print(f"{CLOSING} strobes_may_be_early_or_late", flush=True)
