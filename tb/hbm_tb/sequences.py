"""Sequences: how chunks reach the ports. Traffic itself is made in `traffic`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cocotb
import numpy as np
from pyuvm import uvm_sequence

from hbm_tb.agents import ApbItem, ChunkItem
from hbm_tb.traffic import Chunk, Deck, RandomShape, random_chunk


class PlaySequence(uvm_sequence):  # type: ignore[misc]
    """Gives one chunk to a port as one item."""

    def __init__(self, name: str, chunk: Chunk) -> None:
        super().__init__(name)
        self.chunk = chunk

    async def body(self) -> None:
        item = ChunkItem(self.get_name(), self.chunk)
        await self.start_item(item)
        await self.finish_item(item)


class SliceSequence(uvm_sequence):  # type: ignore[misc]
    """Gives a port one chunk after the other, each made when its turn comes."""

    def __init__(self, name: str, chunks: Iterator[Chunk]) -> None:
        super().__init__(name)
        self.chunks = chunks

    async def body(self) -> None:
        for chunk in self.chunks:
            item = ChunkItem(self.get_name(), chunk)
            await self.start_item(item)
            await self.finish_item(item)


class RandomSequence(uvm_sequence):  # type: ignore[misc]
    """Constrained-random transactions of one port, made piece by piece."""

    def __init__(
        self,
        name: str,
        rng: np.random.Generator,
        count: int,
        how: RandomShape,
        piece: int = 2048,
        deck: Deck | None = None,
    ) -> None:
        super().__init__(name)
        self.rng, self.count, self.how, self.piece = rng, count, how, piece
        self.deck = deck or Deck(rng)

    async def body(self) -> None:
        left = self.count
        while left:
            now = min(left, self.piece)
            item = ChunkItem(self.get_name(), random_chunk(self.rng, now, self.how, deck=self.deck))
            await self.start_item(item)
            await self.finish_item(item)
            left -= now


class RegisterSequence(uvm_sequence):  # type: ignore[misc]
    """One register access; `value` holds read data afterwards."""

    def __init__(self, name: str, address: int, value: int | None = None) -> None:
        super().__init__(name)
        self.address, self.value, self.error = address, value, False

    async def body(self) -> None:
        item = ApbItem("apb", self.address, self.value or 0, self.value is not None)
        await self.start_item(item)
        await self.finish_item(item)
        self.value, self.error = item.data, item.error


class ChannelSequence(uvm_sequence):  # type: ignore[misc]
    """Virtual sequence: one sequence per port, side by side."""

    def __init__(self, name: str, env: Any, parts: Mapping[int, uvm_sequence]) -> None:
        super().__init__(name)
        self.env, self.parts = env, parts

    async def body(self) -> None:
        tasks = [cocotb.start_soon(part.start(self.env.agents[port].sequencer)) for port, part in self.parts.items()]
        for task in tasks:
            await task


def play(env: Any, chunks: Mapping[int, Chunk]) -> ChannelSequence:
    """Virtual sequence that gives each port its chunk."""
    return ChannelSequence("play", env, {port: PlaySequence(f"play{port}", chunk) for port, chunk in chunks.items()})
