"""The main job, `hbm run`: a request trace through the RTL with every check on, into a run folder (docs/run-folder.md)."""

from __future__ import annotations
