"""`hbm bench`: speed ratios and traffic figures, printed as tables and written to build/bench/bench.json."""

from __future__ import annotations
