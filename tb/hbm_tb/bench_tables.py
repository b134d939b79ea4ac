"""Tables of `hbm bench`, with the figures of public simulators beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

AIM = 0.70  # co-simulation, lock-step included, against the bare model
EXACT_AIM = 5  # CK/s of the exact model against those of the co-simulation
# Thousand requests/s of the fastest simulator, DRAMsim3, one PC of HBM2, one core of such a machine.
PEERS_SPEED = {"stream": "490 to 650", "random": "170 to 255"}

# Share of peak in percent, and who reached it: the best configuration of Ramulator 2.1, DRAMsim3 and DRAMSys 5.5 on the
# same timings, requests and queue depth (32), refresh on, ideal front ends without AXI or RTL. On two PCs DRAMsim3 is
# left out: it does not model the row and column buses that they share.
PEERS: dict[str, dict[str, dict[str, tuple[float, str]]]] = {
    "peers_hbm2": {
        "p1": {
            "stream": (100.0, "DRAMSys, per-bank refresh"),
            "streammix": (85.5, "DRAMsim3"),
            "random": (46.0, "DRAMSys, per-bank refresh"),
            "mixed": (42.0, "Ramulator"),
            "conflict": (3.89, "Ramulator"),
        },
        "p2": {
            "stream": (91.9, "Ramulator"),
            "streammix": (68.8, "Ramulator"),
            "random": (37.1, "DRAMSys, closed page"),
            "mixed": (29.2, "Ramulator"),
        },
    },
    "peers_hbm3": {
        "p1": {
            "stream": (95.2, "DRAMSys, per-bank refresh"),
            "streammix": (80.2, "DRAMsim3"),
            "random": (30.9, "DRAMSys, per-bank refresh"),
            "mixed": (25.9, "Ramulator"),
        },
        "p2": {
            "stream": (81.6, "Ramulator"),
            "random": (26.1, "Ramulator"),
            "mixed": (21.2, "Ramulator"),
        },
    },
}
# Mean read latency of `chase` in ns, all three simulators; front ends that cost nothing.
PEERS_CHASE_NS = {"peers_hbm2": "45 to 46", "peers_hbm3": "51 to 52"}
TCK_NS = {"peers_hbm2": 1.0, "peers_hbm3": 0.625}


def speed_table(speed: Mapping[str, float], about: Mapping[str, Any]) -> Table:
    """Cycles per second of the three ways to run, and the checker."""
    table = Table(title="Speed: stream p2 on peers_hbm2, CPU seconds of all processes, medians", title_justify="left")
    for column, side in (("", "left"), ("cycles/s", "right"), ("CK/s", "right"), ("of bare", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    bare = speed["bare_cycles_per_s"]
    for key, text in (("bare", "bare model, no checks"), ("cosim", "every check"), ("waves", "every check and FST")):
        rate = speed[f"{key}_cycles_per_s"]
        table.add_row(text, f"{rate:,.0f}", f"{2 * rate:,.0f}", f"{100 * rate / bare:.1f} %")
    table.add_row("legality checker", f"{speed['legality_commands_per_s']:,.0f}", "", "", end_section=True)
    shares = about.get("bare_shares")
    if shares:
        channel, bench, other = (100 * shares[name] for name in ("channel", "bench", "other"))
        table.caption = (
            f"bare time in code of the design: channel {channel:.0f} %, bench {bench:.0f} %; "
            f"the simulator's own scheduling: {other:.0f} % of the whole"
        )
        table.caption_justify = "left"
    return table


def exact_table(exact: Mapping[str, Mapping[str, int]], over_cosim: Mapping[str, float]) -> Table:
    """The exact model alone."""
    table = Table(title="Exact model alone: p1 on peers_hbm2, one thread, CPU seconds, medians", title_justify="left")
    columns = ("pattern", "thousand requests/s", "fastest simulator", "CK/s", "of the co-simulation's")
    for column in columns:
        table.add_column(column, justify="left" if column == "pattern" else "right")
    for pattern, found in exact.items():
        ratio = over_cosim[pattern]
        colour = "green" if ratio >= EXACT_AIM else "red"
        asked = f"{found['requests_per_s'] / 1000:,.0f}"
        table.add_row(pattern, asked, PEERS_SPEED[pattern], f"{found['ck_per_s']:,}", f"[{colour}]{ratio:.1f} x[/]")
    return table


def traffic_table(preset: str, traffic: Mapping[str, Any]) -> Table:
    """Share of peak, latency and row hits per pattern, with the best simulator's share."""
    table = Table(title=f"Traffic on {preset}", title_justify="left")
    columns = ("pattern", "share of peak", "mean latency, CK", "p99, CK", "row hits", "best simulator")
    for column in columns:
        table.add_column(column, justify="left" if column in ("pattern", "best simulator") else "right")
    for port, patterns in traffic.items():
        for name, found in patterns.items():
            peer = PEERS[preset][port].get(name)
            beside = f"{peer[0]:g} % {peer[1]}" if peer else ""
            if name == "chase":
                ours = TCK_NS[preset] * found["mean_latency_ck"]
                beside = f"{PEERS_CHASE_NS[preset]} ns (ours {ours:.1f} ns)"
            share = 100 * found["efficiency"]
            colour = "" if peer is None else "green" if share >= peer[0] - 0.05 else "yellow"
            text = f"{share:.2f} %"
            table.add_row(
                f"{port} {name}",
                f"[{colour}]{text}[/]" if colour else text,
                f"{found['mean_latency_ck']:.1f}",
                f"{found['p99_latency_ck']:,}",
                f"{100 * found['row_hit_rate']:.1f} %",
                beside,
            )
        table.add_section()
    return table


def print_tables(console: Console, document: Mapping[str, Any]) -> None:
    """All tables of a bench.json."""
    if "speed" in document:
        about = document["about"]["speed"]
        console.print(speed_table(document["speed"], about))
        ratio = about["cosim_over_bare"]
        colour = "green" if ratio >= AIM else "red"
        console.print(f"co-simulation / bare: [{colour}]{100 * ratio:.1f} %[/] (aim: at least {100 * AIM:.0f} %)")
        console.print(exact_table(document["speed"]["exact"], about["exact_over_cosim"]))
    for preset, traffic in document.get("traffic", {}).items():
        console.print(traffic_table(preset, traffic))
    if document.get("traffic"):
        console.print(
            "best simulator: Ramulator 2.1, DRAMsim3 or DRAMSys 5.5 with the same timings, requests and queue depth",
            style="dim",
        )
