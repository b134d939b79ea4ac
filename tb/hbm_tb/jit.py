"""Compilation of the bench's inner loops with numba, into the cache that model and checker use too (hbm_model._jit)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from hbm_model._jit import digest, keep, the_numba

F = TypeVar("F", bound=Callable[..., Any])

# Every file of this package with compiled functions, which call each other.
KERNELS = ("jit.py", "axi.py", "port_kernel.py", "traffic.py", "lockstep_kernel.py")


@cache
def _sources() -> str:
    return digest(Path(__file__).with_name(name) for name in KERNELS)


def compiled(function: F) -> F:
    """Compile `function` with numba, cached on disk. It must not create arrays.

    `_nrt=False`: no reference counts, which else are atomic operations at every call with an array.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
    return cast(F, keep(the_numba().njit(**options)(function), _sources()))
