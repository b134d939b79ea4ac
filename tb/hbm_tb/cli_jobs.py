"""Subcommands of `hbm` that run simulations and tools: run, bench, regress, doctor, lint, synth, waves."""

from __future__ import annotations
