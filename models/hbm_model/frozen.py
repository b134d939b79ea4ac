"""The exact model in a file: a channel as it was at some cycles, to be run on from there (`hbm why`).

The file is a pickle in gzip, for the runs of one's own build folder; a file from elsewhere is not to be trusted.
"""

from __future__ import annotations

import gzip
import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hbm_model.controller import Channel
from hbm_model.errors import InputError

# What pickle raises for damaged bytes, or for classes that have changed since.
_DAMAGED: Final = (AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Frozen:
    """Channels with the cycles at whose start they stand, oldest first, and the cycle up to which inputs are known."""

    states: tuple[tuple[int, Channel], ...]
    until: int

    def at(self, cycle: int) -> Channel | None:
        """The model at the start of a cycle; None where the file does not reach."""
        if cycle > self.until:
            return None
        for start, channel in reversed(self.states):
            if start <= cycle:
                running = channel.copy()
                running.step(cycle)
                return running
        return None


def save(path: Path, states: Sequence[tuple[int, Channel]], until: int) -> None:
    """Write channels that stand at the start of their cycles."""
    with gzip.open(path, "wb", compresslevel=3) as file:
        pickle.dump(Frozen(tuple(states), until), file)


def load(path: Path) -> Frozen:
    """Read them again."""
    try:
        with gzip.open(path, "rb") as file:
            found = pickle.load(file)
    except (OSError, EOFError, zlib.error, pickle.UnpicklingError, *_DAMAGED) as error:
        raise InputError(f"{path}: not a saved model of this version ({error})") from error
    if not isinstance(found, Frozen):
        raise InputError(f"{path}: not a saved model")
    return found
