"""The legality checker of the running parameter set: sentences in place of records."""

from __future__ import annotations

import numpy as np
from hbm_model.commands import Cmd, ck_text
from hbm_model.legality import NEVER, LegalityChecker, explain, rule_of
from hbm_model.params import Params
from numpy.typing import NDArray

from hbm_tb import failure, records
from hbm_tb.failure import Failure

Records = NDArray[np.void]


class ViolationLine(str):
    """The sentence on a violation, with its parts."""

    failure: Failure


class Legality:
    """Checks batches of commands and words what they break.

    A commit changes the set while the channel is quiet: the next set takes over at the first MRS.
    """

    def __init__(self, params: Params) -> None:
        self.checker = LegalityChecker(params)
        self.next: Params | None = None
        self.commands = 0
        self._recent: Records = np.zeros(0, records.CMD)  # last commands, for the sentence

    def switch_at_mrs(self, params: Params) -> None:
        """From the next MRS on check against other values."""
        self.next = params

    def check(self, commands: Records) -> list[str]:
        """Violations of the next commands, one line each."""
        if self.next is not None:
            at = np.flatnonzero(commands["cmd"] == Cmd.MRS)
            if len(at):
                # The first MRS ends the old set and begins the new one: it keeps the distances of the old set too.
                first = self._check(commands[: at[0] + 1])
                self.commands -= 1
                self.checker, self.next = self.checker.continued(self.next), None
                self._recent = self._recent[:0]
                return first + self._check(commands[at[0] :])
        return self._check(commands)

    def _check(self, commands: Records) -> list[str]:
        if not len(commands):
            return []
        begin = self.checker.commands
        found = self.checker.check(commands)
        known = np.concatenate((self._recent, commands)) if len(self._recent) else commands
        offset = begin - len(self._recent)
        lines: list[str] = []
        for violation in found[:20]:
            seq, earlier = int(violation["seq"]), int(violation["earlier"])
            before = known[earlier - offset] if offset <= earlier < offset + len(known) else None
            rule, command, earliest = rule_of(violation).name, known[seq - offset], int(violation["rule_earliest"])
            line = ViolationLine(explain(violation, command, before, rule))
            legal = "legal never" if earliest == NEVER else f"legal from CK {ck_text(earliest)}"
            line.failure = failure.of_violation(str(line), rule, command, before, legal)
            lines.append(line)
        lines += [f"... and {len(found) - 20} more"] if len(found) > 20 else []
        self.commands += len(commands)
        self._recent = known[-512:]
        return lines
