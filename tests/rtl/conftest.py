"""Fixtures of the system tests."""

from __future__ import annotations

import pytest
from system_runs import Case, SystemRuns


@pytest.fixture(scope="session")
def system_runs(request: pytest.FixtureRequest) -> SystemRuns:
    """Processes of this session, for the cases that pytest selected."""
    selected = [
        item.callspec.params["case"]
        for item in request.session.items
        if hasattr(item, "callspec") and isinstance(item.callspec.params.get("case"), Case)
    ]
    return SystemRuns(selected)
