"""The block tests: each non-trivial RTL block in its wrapper, all wrappers in one build."""

from __future__ import annotations

import os

import pytest
from hbm_tb import sim
from hbm_tb.block_job import BLOCK_MODULES as MODULES


def test_every_block_has_its_tests() -> None:
    """Each wrapper in tb/hdl/blocks is run by a module of this list."""
    wrappers = {path.stem.removeprefix("blk_") for path in sim.block_wrappers() if path.stem.startswith("blk_")}
    named = {module.removesuffix("_tests") for module in MODULES}
    assert {{"pc": "sched"}.get(name, name) for name in wrappers} == named


@pytest.mark.sim
@pytest.mark.parametrize("module", MODULES)
def test_block(module: str) -> None:
    """All cocotb tests of the block pass."""
    seed = int(os.environ.get("SEED") or "1", 0)
    folder = sim.ROOT / "build" / "runs" / "test" / f"blocks-{module}"
    waves = os.environ.get("WAVES", "0") not in ("", "0", "no")
    result = sim.run(sim.build("hbm2_s1", "tb_blocks"), module, seed=seed, run_dir=folder, waves=waves, timeout=900)
    failed = [name for name, outcome in result.tests.items() if outcome != "pass"]
    hint = f"log: {result.log}\n  again: make test TEST='test_block and {module}' SEED={seed} WAVES=1"
    assert not failed, f"{failed}: {result.reason}\n  {hint}"
    assert result.passed, f"{result.reason}\n  {hint}"
    assert len(result.tests) >= MODULES[module], f"only {len(result.tests)} tests ran\n  {hint}"
