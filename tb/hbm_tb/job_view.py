"""What a list of runs shows: live progress with an estimate, failures at once, the summary, and JUnit XML."""

from __future__ import annotations

import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hbm_model.command_line import typed_here, without_again
from hbm_model.run_folder import ROOT, shown_path

from hbm_tb.job_buckets import Bucket, headline_of, signature_of
from hbm_tb.jobs import FAIL, FAILURE_FILE, STOPPED, Job, Outcome, Watcher, argument, preset_of

if TYPE_CHECKING:
    from rich.console import Console, Group

PLAIN_S = 20.0  # seconds between two lines where no terminal is
SHOWN_RUNNING = 8
SHOWN_FAILED = 20


def duration(seconds: float) -> str:
    """1:02:03 or 2:03."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def first_line(text: str, most: int = 200) -> str:
    """The first line of a reason, cut to a readable length."""
    line = (text.strip().splitlines() or [""])[0]
    return line if len(line) <= most else f"{line[: most - 3]}..."


def number(count: int, what: str) -> str:
    """`1 run`, `2,000 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """A line as it is: no word of it means markup, and it may be longer than the terminal is wide."""
    console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)


class Estimate:
    """Time left, from the cost of what was finished and what it took, in slot-seconds."""

    def __init__(self, cost: float, slots: int) -> None:
        self.left = cost
        self.slots = max(1, slots)
        self.done = 0.0
        self.busy_s = 0.0

    def finished(self, cost: float, wall_s: float) -> None:
        """A run of this cost took so long."""
        self.left -= cost
        self.done += cost
        self.busy_s += wall_s

    def seconds(self, running_s: float) -> float | None:
        """Seconds to go when the running ones have been going for `running_s` in sum; None: nothing is known yet."""
        if not self.done:
            return None
        return max(0.0, self.left * self.busy_s / self.done - running_s) / self.slots


class LiveView(Watcher):
    """Tells it on the terminal; plain lines where there is none."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        from rich.console import Console

        self.title = title
        self.console = console or Console(stderr=True)
        self.failed: list[tuple[Job, Outcome]] = []
        self.costs: dict[str, float] = {}
        self.strayed: list[str] = []  # runs that saw other sources than the list began with
        self.live: object | None = None
        self.drawn = self.said = self.waits_said = 0.0
        self.waiting = ""

    # ------------------------------------------------------------ jobs.Watcher

    def begin(self, total: int, cost: float, slots: int, known: Mapping[str, Outcome]) -> None:
        """Show the start; results of earlier runs count as done."""
        self.total, self.done, self.start = total, len(known), time.monotonic()
        self.bad_before = sum(not outcome.passed for outcome in known.values())
        self.estimate = Estimate(cost, slots)
        self.running: Mapping[str, float] = {}
        text = f"{self.title}: {number(total, 'run')}, {slots} side by side"
        if known:
            text += f"; {len(known)} are finished and not repeated"
        self.console.print(text, highlight=False)
        if self.console.is_terminal and self.done < total:
            from rich.live import Live

            live = Live(console=self.console, auto_refresh=False, transient=True)
            live.start()
            self.live = live

    def started(self, job: Job) -> None:
        """Nothing to say: running ones are shown by `tick`."""

    def finished(self, job: Job, outcome: Outcome) -> None:
        """Count it; a failure is told at once."""
        self.done += 1
        self.estimate.finished(job.cost, outcome.wall_s)
        if not outcome.passed:
            self.failed.append((job, outcome))
            text = f"{outcome.status.upper()} {job.name}: {first_line(headline_of(outcome))}"
            print_line(self.console, text)
            if job.reproduce:
                print_line(self.console, f"  again: {typed_here(job.reproduce)}")
        self.said = min(self.said, time.monotonic() - PLAIN_S / 2)

    def retry(self, job: Job, reason: str) -> None:
        """A lost worker is worth a line."""
        print_line(self.console, f"lost {job.name}: {first_line(reason)}; it is repeated")

    def tick(self, running: Mapping[str, float]) -> None:
        """Draw twice a second on a terminal; elsewhere say a line now and then."""
        now = time.monotonic()
        self.running = running
        if self.live is not None and now - self.drawn > 0.5:
            self.drawn = now
            self.live.update(self._picture(), refresh=True)  # type: ignore[attr-defined]
        elif self.live is None and now - self.said > PLAIN_S:
            if self.said or now - self.start > PLAIN_S:
                print_line(self.console, self._status())
            self.said = now

    def waits(self, text: str) -> None:
        """What the engine waits for: in the picture, or a line when there is no terminal and it is another one."""
        if text != self.waiting:
            self.waiting = text
            if text and self.live is None and time.monotonic() - self.waits_said > PLAIN_S / 2:
                self.waits_said = time.monotonic()
                print_line(self.console, text)

    def changed(self, names: Sequence[str]) -> None:
        """A table over two states of the sources must not be taken for one of either."""
        self.strayed = list(names)
        some = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        saw = f"{number(len(names), 'run')} saw others than the first ones ({some})"
        text = f"sources were changed while the list ran: {saw}; the same command repeats what is needed"
        print_line(self.console, text)

    def end(self) -> None:
        """Leave the display."""
        if self.live is not None:
            self.live.stop()  # type: ignore[attr-defined]
            self.live = None

    # ------------------------------------------------------------ drawing

    def _status(self) -> str:
        bad = len(self.failed) + self.bad_before
        left = self.estimate.seconds(sum(self.running.values()))
        took = duration(time.monotonic() - self.start)
        text = f"{self.title}: {self.done} of {self.total} done, {bad} failed, {took}"
        return text + (f", about {duration(left)} to go" if left is not None and self.done < self.total else "")

    def _picture(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        lines: list[object] = [
            Text(f"  {outcome.status.upper()} {job.name}: {first_line(headline_of(outcome), 120)}", style="red")
            for job, outcome in self.failed[-SHOWN_FAILED:]
        ]
        lines.append(Text(self._status(), style="bold"))
        if self.waiting:
            lines.append(Text(self.waiting, style="yellow"))
        lines.append(ProgressBar(total=max(1, self.total), completed=self.done, width=60))
        longest = sorted(self.running.items(), key=lambda item: -item[1])
        lines += [Text(f"  {name}  {duration(took)}", style="dim") for name, took in longest[:SHOWN_RUNNING]]
        return Group(*lines)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the end


def total_counts(results: Mapping[str, Outcome]) -> dict[str, int]:
    """Sums of the counts over all runs."""
    sums: dict[str, int] = {}
    for outcome in results.values():
        for name, number in outcome.counts.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def print_summary(
    console: Console, title: str, jobs: Sequence[Job], results: Mapping[str, Outcome], counts: Sequence[str] = ()
) -> None:
    """A table with one row a group (the name but its last part), then the failures with the command of each.

    `counts`: which counts become columns.
    """
    from rich.table import Table

    groups: dict[str, list[Outcome]] = {}
    for job in jobs:
        groups.setdefault(job.name.rpartition("/")[0] or title, []).append(results[job.name])
    table = Table(title=title, title_justify="left")
    table.add_column("group", no_wrap=True)
    for name in ("runs", "passed", "failed", *(name.replace("_", "\n") for name in counts), "time"):
        table.add_column(name, justify="right", no_wrap=True)

    def row(name: str, found: Sequence[Outcome], end: bool = False) -> None:
        good = sum(outcome.passed for outcome in found)
        # No 0 where nobody counted: a run that failed early, or is not of this kind.
        known = [[outcome.counts[name] for outcome in found if name in outcome.counts] for name in counts]
        sums = [f"{sum(each):,}" if each else "-" for each in known]
        bad = len(found) - good
        style = "bold" if end else None
        table.add_row(
            name, str(len(found)), str(good), f"[red]{bad}[/]" if bad else "0", *sums,
            duration(sum(outcome.wall_s for outcome in found)), style=style, end_section=end,
        )  # fmt: skip

    for group, found in groups.items():
        row(group, found)
    if len(groups) > 1:
        table.add_section()
        row("all", list(results.values()), end=True)
    console.print(table)
    told: set[str] = set()
    for job in jobs:
        outcome = results[job.name]
        if outcome.passed:
            continue
        signature = signature_of(outcome)
        console.print(f"{outcome.status.upper()} {job.name}", markup=False, highlight=False, style="red")
        # A hundred runs with one cause tell it in full once.
        reason = without_again(outcome.reason) if job.reproduce else outcome.reason
        shown = reason.strip().splitlines()[:40] if signature not in told else [headline_of(outcome)]
        told.add(signature)
        for line in shown:
            print_line(console, f"  {line}")
        if outcome.log:
            print_line(console, f"  log: {shown_log(outcome.log)}")
        if job.reproduce:
            print_line(console, f"  again: {typed_here(job.reproduce)}")


def print_buckets(console: Console, buckets: Sequence[Bucket], reproduce: Mapping[str, str], folder: Path) -> None:
    """Failures by signature: how many, what happened in the one that is the cheapest to repeat, and how to repeat it.

    `reproduce`: the command of each run. `folder`: of the list; a run with waves in its folder says so.
    """
    if not buckets:
        return
    runs = sum(bucket.count for bucket in buckets)
    console.print(f"{number(runs, 'failure')} in {number(len(buckets), 'bucket')}", style="bold", highlight=False)
    for bucket in buckets:
        new = "  NEW" if bucket.new else ""
        print_line(console, f"{bucket.count:5}  {bucket.signature}{new}")
        print_line(console, f"       {bucket.names[0]}: {bucket.headline}", "dim")
        again = reproduce.get(bucket.names[0], "")
        if again:
            print_line(console, f"       again: {typed_here(again)}")
        waves = waves_line([folder / name for name in bucket.names])
        if waves:
            print_line(console, f"       {waves}")


def shown_log(log: str) -> str:
    """The log of an outcome (kept as seen from the sources) as it works in the folder that the user is in."""
    return shown_path(ROOT / log)


def waves_line(folders: Sequence[Path]) -> str:
    """Where a replay, or the run itself, left waves of one of the runs, and what opens them; else the command that
    makes those of the first one; empty where that run did not leave what a replay needs.
    """
    from hbm_tb.replay import WAVES, command_of, opens, read_replay
    from hbm_tb.replay import shown as shown_folder

    for folder in folders:
        made = read_replay(folder)
        if made is not None and made.waves:
            return "; ".join(made.lines(folder))
        if (folder / WAVES).exists():
            return f"waves: {shown_folder(folder / WAVES)}; open: {opens(folder)}"
    return f"waves: {command_of(folders[0])}" if (folders[0] / FAILURE_FILE).exists() else ""


# What XML 1.0 cannot hold.
_CONTROL = {code: None for code in range(32) if code not in (9, 10, 13)}


def write_junit(path: Path, title: str, jobs: Sequence[Job], results: Mapping[str, Outcome]) -> None:
    """JUnit XML: one test case a run, its class the group."""
    found = [(job, results[job.name]) for job in jobs]
    suite = ET.Element(
        "testsuite",
        name=title,
        tests=str(len(found)),
        failures=str(sum(outcome.status == FAIL for _, outcome in found)),
        errors=str(sum(not outcome.passed and outcome.status not in (FAIL, STOPPED) for _, outcome in found)),
        skipped=str(sum(outcome.status == STOPPED for _, outcome in found)),
        time=f"{sum(outcome.wall_s for _, outcome in found):.1f}",
    )
    for job, outcome in found:
        group, _, name = job.name.rpartition("/")
        classname = ".".join([title.replace(" ", "."), *filter(None, group.split("/"))])
        case = ET.SubElement(suite, "testcase", name=name, classname=classname, time=f"{outcome.wall_s:.1f}")
        _properties(case, job, outcome, path.parent / job.name)
        if not outcome.passed:
            tag = "failure" if outcome.status == FAIL else "skipped" if outcome.status == STOPPED else "error"
            reason = outcome.reason.translate(_CONTROL)
            node = ET.SubElement(
                case, tag, message=first_line(headline_of(outcome).translate(_CONTROL)), type=outcome.status
            )
            node.text = f"{reason}\nagain: {job.reproduce}\n"
            attached = [str(file) for file in _attachments(path.parent / job.name)]
            if attached:
                out = ET.SubElement(case, "system-out")
                out.text = "".join(f"[[ATTACHMENT|{file}]]\n" for file in attached)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


ATTACHED = ("sim.log", "worker.log", "results.xml", "failure.json", "result.json", "waves.fst")


def _attachments(folder: Path) -> list[Path]:
    """Files of a run that help to understand it."""
    return [folder / name for name in ATTACHED if (folder / name).is_file()]


def _properties(case: ET.Element, job: Job, outcome: Outcome, folder: Path) -> None:
    """Seed, preset, the command that repeats the run, bucket, counts and files."""
    found = {
        "seed": argument(job.arguments, "seed"),
        "preset": preset_of(job.arguments),
        "reproduce": job.reproduce,
        "signature": signature_of(outcome),
        "attempts": outcome.attempts,
        **dict(outcome.counts),
    }
    node = ET.SubElement(case, "properties")
    for name, value in found.items():
        if value not in (None, ""):
            ET.SubElement(node, "property", name=name, value=str(value).translate(_CONTROL))
    if not outcome.passed:
        for file in _attachments(folder):
            ET.SubElement(node, "property", name="attachment", value=str(file))


def note(text: str) -> None:
    """A line of the program itself on stderr."""
    print(f"hbm: {text}", file=sys.stderr, flush=True)
