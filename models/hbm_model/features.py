"""What the RTL builds of the standard, as data: commands that it never sends make rules unreachable."""

from __future__ import annotations

from typing import Final

from hbm_model.commands import COMMANDS, Cmd
from hbm_model.rules import RULES, Rule

# Feature -> (built, the commands that only it sends)
FEATURES: Final[dict[str, tuple[bool, tuple[Cmd, ...]]]] = {
    "power_down": (False, (Cmd.PDE, Cmd.PDX)),
    "self_refresh": (False, (Cmd.SRE, Cmd.SRX)),
    "refresh_management": (False, (Cmd.RFM, Cmd.RFMSB)),
}

BUILT_COMMANDS: Final = tuple(
    command for command in COMMANDS if all(built or command not in commands for built, commands in FEATURES.values())
)


def built(rule: Rule) -> bool:
    """True if the RTL sends commands that the rule is about."""
    if rule.needs.startswith("RAA") and not FEATURES["refresh_management"][0]:
        return False
    before = not rule.before or any(command in BUILT_COMMANDS for command in rule.before)
    return before and any(command in BUILT_COMMANDS for command in rule.after)


BUILT_RULES: Final = tuple(rule for rule in RULES if built(rule))
