"""How the functions of the exact model's loop are compiled, and the two things that they need of a set of bits.

A set of entries or banks is an integer with one bit each. Functions are compiled with numba; with HBM_MODEL_JIT=0 the
same text runs as plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from hbm_model._jit import digest, jit_enabled, keep, the_numba

F = TypeVar("F", bound=Callable[..., Any])
Table = Any  # an int64 array of two dimensions


class Cells(Protocol):
    """An int64 array: one dimension, or one integer per (row, column)."""

    def __getitem__(self, at: Any, /) -> int: ...

    def __setitem__(self, at: Any, value: int, /) -> None: ...


# Called from several places, where a copy in each would double the compile time, or from Python.
_SHARED: Final = {
    "renumber",
    "start_merge",
    "find_conflicts",
    "open_bank",
    "shut_bank",
    "oldest_legal_column",
    "port_step",
    "finish",
    "run",
    "pack",
}


@cache
def _sources() -> str:
    """What the text of the loop is."""
    return digest(sorted(Path(__file__).parent.glob("_*.py")))


def hot(function: F) -> F:
    """Compile a function of the loop, unless that is switched off.

    No function makes or keeps an array, so numba's reference counts are off: they take four fifths of the time.
    """
    if not jit_enabled():
        return function
    name = function.__name__
    inline = name not in _SHARED
    njit = the_numba().njit  # `_nrt` is not in its published interface
    made = njit(cache=True, _nrt=False, nogil=True, error_model="numpy", forceinline=inline)(function)
    return cast(F, keep(made, _sources()))


if jit_enabled():
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def _count(context: Any, x: Any) -> Any:
        return types.int64(types.int64), lambda _c, builder, _s, args: builder.ctpop(args[0])

    @intrinsic
    def _lowest(context: Any, x: Any) -> Any:
        def make(_c: Any, builder: Any, _s: Any, args: Any) -> Any:
            from llvmlite import ir

            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

        return types.int64(types.int64), make

else:

    def _count(x: int) -> int:  # type: ignore[misc]
        return int(x).bit_count()

    def _lowest(x: int) -> int:  # type: ignore[misc]
        return (int(x) & -int(x)).bit_length() - 1


@hot
def count(x: int) -> int:
    """How many bits are set."""
    return _count(x)  # type: ignore[call-arg]


@hot
def lowest(x: int) -> int:
    """Place of the lowest set bit of x, which is not 0."""
    return _lowest(x)  # type: ignore[call-arg]
