"""Compilation of inner loops with numba, on demand: `import numba` costs more than a small check.

`HBM_MODEL_JIT=0` runs the same functions as plain Python, on lists instead of arrays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any


def jit_enabled() -> bool:
    """True unless the environment switches compilation off."""
    return os.environ.get("HBM_MODEL_JIT", "1") != "0"


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled by numba; the machine code is cached on disk."""
    import numba

    result: Callable[..., Any] = numba.njit(cache=True)(function)
    return result
