"""Subcommand `hbm map`: an address map, where addresses go, and how strides spread over PCs, groups and banks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbm_model.cli_check import ParamsOption, params_of_options
from hbm_model.cli_traffic import MapOption, parse_size
from hbm_model.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hbm_model.addrmap import AddressMap
    from hbm_model.params import Params

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.

_ACCESSES = 4096  # of a stride
_QUEUE = 32  # accesses that the scheduler sees at once
_ROLL = 64  # accesses that are drawn
_ROLL_BANKS = 32  # banks that are drawn
_SHADES = " ░▒▓█"


@dataclass(frozen=True)
class Spread:
    """How the first accesses of a stride spread. Banks are numbered over both PCs."""

    step: int  # bytes
    banks: npt.NDArray[np.int64]  # bank of each access
    rows: npt.NDArray[np.int64]  # {bank, row} of each access
    groups: int
    pcs: int
    per_bank: npt.NDArray[np.int64]
    window: tuple[int, float]  # banks among any 32 accesses in a row: least, mean
    share_of_peak: float  # at most, in order (`hbm bound`)
    binds: str

    @property
    def changes(self) -> int:
        """Accesses to another bank or row than the one before."""
        return int((self.rows[1:] != self.rows[:-1]).sum())


def spread_of(address_map: AddressMap, params: Params, step: int) -> Spread:
    """The first 4096 accesses (fewer at the end of the memory) at multiples of `step` bytes."""
    import numpy as np

    from hbm_model.bound import bound_of
    from hbm_model.requests import make_trace

    if step < 1:
        raise InputError("a stride is at least one byte")
    count = min(_ACCESSES, max(1, address_map.channel_bytes // step))
    address = np.arange(count, dtype=np.uint64) * np.uint64(step)
    address = address[~address_map.outside(address)] & ~np.uint64(31)
    at = address_map.decode(address)
    bank = ((at.pc * address_map.sids + at.sid) * address_map.bgs + at.bg) * address_map.banks + at.bank
    total = 2 * address_map.sids * address_map.bgs * address_map.banks
    seen = [len(np.unique(bank[i : i + _QUEUE])) for i in range(max(1, len(bank) - _QUEUE + 1))]
    bound = bound_of(make_trace(False, address), params, address_map)
    first = bound.pcs[bound.used[0]].in_order
    return Spread(
        step,
        bank,
        bank * (1 << 20) + at.row,
        len(np.unique(at.bg + at.sid * address_map.bgs)),
        len(np.unique(at.pc)),
        np.bincount(bank, minlength=total),
        (min(seen), float(np.mean(seen))),
        bound.share_of_peak(),
        max((name for name in first.parts if name != "windows"), key=lambda name: first.parts[name])
        if first.binds != "windows"
        else max(first.phases, key=lambda name: first.phases[name]),
    )


def _sizes(texts: list[str]) -> list[int]:
    """`64`, `4K`, `64..64K` (each doubling)."""
    out: list[int] = []
    for text in texts:
        low, dots, high = text.partition("..")
        size = parse_size(low)
        if not dots:
            out.append(size)
            continue
        end = parse_size(high)
        if not 0 < size <= end:
            raise InputError(f"--stride {text}: expected FIRST..LAST with FIRST not above LAST")
        while size <= end:
            out.append(size)
            size *= 2
    return out


def _bank_name(address_map: AddressMap, bank: int) -> str:
    rest, inside = divmod(bank, address_map.banks)
    rest, group = divmod(rest, address_map.bgs)
    pc, sid = divmod(rest, address_map.sids)
    return f"pc{pc} " + (f"sid{sid} " if address_map.sids > 1 else "") + f"bg{group} bank{inside}"


def _print_spread(address_map: AddressMap, spread: Spread) -> None:
    import numpy as np

    banks = int((spread.per_bank > 0).sum())
    print(
        f"stride {spread.step} bytes, {len(spread.banks)} accesses: {spread.pcs} PCs, {spread.groups} bank groups, "
        f"{banks} banks, {len(np.unique(spread.rows))} rows, {spread.changes} changes of row or bank"
    )
    print(
        f"  banks among {_QUEUE} accesses in a row: at least {spread.window[0]}, mean {spread.window[1]:.1f}; "
        f"at most {100 * spread.share_of_peak:.1f} % of peak ({spread.binds})"
    )
    print("  accesses per bank, % (lines: bank groups, columns: banks of a group)")
    top = int(spread.per_bank.max())
    for line in range(0, len(spread.per_bank), address_map.banks):
        counts = spread.per_bank[line : line + address_map.banks]
        if line // (len(spread.per_bank) // 2) >= spread.pcs and not counts.any():
            continue
        cells = "  ".join(
            f"{100 * n / len(spread.banks):5.1f} {_SHADES[-(-4 * int(n) // top)] * 2}" for n in counts.tolist()
        )
        print(f"    {_bank_name(address_map, line).rpartition(' ')[0]:<12}{cells}")
    used = np.flatnonzero(np.bincount(spread.banks[:_ROLL], minlength=len(spread.per_bank)))
    if len(used) > _ROLL_BANKS:
        return
    print(f"  the first {min(_ROLL, len(spread.banks))} accesses (o: first to its row, -: row used before)")
    seen: set[int] = set()
    marks = []
    for row in spread.rows[:_ROLL].tolist():
        marks.append("-" if row in seen else "o")
        seen.add(row)
    for bank in used.tolist():
        drawn = "".join(m if b == bank else "·" for m, b in zip(marks, spread.banks[:_ROLL].tolist(), strict=True))
        print(f"    {_bank_name(address_map, bank):<20}{drawn}")


def _print_table(spreads: list[Spread]) -> None:
    print(f"{'stride':>8} {'PCs':>4} {'groups':>7} {'banks':>6} {'in 32':>6} {'rows':>6} {'at most':>9}  binds")
    for each in spreads:
        print(
            f"{each.step:>8} {each.pcs:>4} {each.groups:>7} {int((each.per_bank > 0).sum()):>6} {each.window[0]:>6} "
            f"{len(set(each.rows.tolist())):>6} {100 * each.share_of_peak:>7.1f} %  {each.binds}"
        )


def _located(address_map: AddressMap, text: str) -> dict[str, Any]:
    import numpy as np

    try:
        address = int(text, 0)
    except ValueError:
        raise InputError(f"`{text}` is no address; write it as 0x1234") from None
    if not 0 <= address < 1 << 64:
        raise InputError(f"address {text} does not fit into 64 bits")
    word = np.array([address], np.uint64)
    at = address_map.decode(word)
    fields = {name: int(value[0]) for name, value in zip(at._fields, at, strict=True)}
    return {"address": address, **fields, "byte": address % 32, "outside": bool(address_map.outside(word)[0])}


def _print_list(params: Params) -> None:
    from hbm_model.addrmap import NAMED_MAPS, named_map

    for name in NAMED_MAPS:
        print(f"{name:<16}{named_map(name, params.geometry).layout()}")


def map_command(
    addresses: Annotated[list[str] | None, typer.Argument(help="channel byte addresses, as 0x1234")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="value set whose geometry the map is for")] = None,
    params: ParamsOption = None,
    map_name: MapOption = "peers",
    stride: Annotated[
        list[str] | None, typer.Option("--stride", help="how a stride spreads: bytes, or a range 64..64K")
    ] = None,
    masks: Annotated[
        bool, typer.Option("--masks", help="also the register values: one mask per DRAM address bit")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="the layouts of all named maps")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Show an address map: its layout, where addresses go, how strides spread over PCs, bank groups and banks.

    A map that is not one-to-one is refused, with the reason (exit 2).
    """
    from hbm_model.addrmap import named_map

    values = params_of_options(preset, params)
    if listed:
        _print_list(values)
        return
    address_map = named_map(map_name, values.geometry)
    places = [_located(address_map, text) for text in addresses or ()]
    spreads = [spread_of(address_map, values, step) for step in _sizes(stride or [])]
    names = {address_map.bit_name(bit): mask for bit, mask in enumerate(address_map.masks)}
    if as_json:
        _print_json(address_map, values, places, spreads, names)
        return
    print(f"map {address_map.name} of {values.name}, address bits from bit 5 up:")
    print(f"  {address_map.layout()}")
    print(f"  channel {address_map.channel_bytes >> 20} MiB, rows per bank {address_map.rows}; one-to-one")
    if masks:
        print("masks over port address bits (bit 0 = address bit 5):")
        print("  " + ", ".join(f"{name} {mask:#x}" for name, mask in names.items()))
    for place in places:
        where = ", ".join(f"{name} {place[name]}" for name in ("pc", "sid", "bg", "bank", "row", "col", "byte"))
        print(f"{place['address']:#x}: {where}{' (outside the memory: DECERR)' if place['outside'] else ''}")
    if len(spreads) > 2:
        _print_table(spreads)
    else:
        for spread in spreads:
            _print_spread(address_map, spread)


def _print_json(
    address_map: AddressMap, params: Params, places: list[dict[str, Any]], spreads: list[Spread], masks: dict[str, int]
) -> None:
    import json

    print(
        json.dumps(
            {
                "schema": 1,
                "map": address_map.name,
                "preset": params.name,
                "layout": address_map.layout(),
                "channel_bytes": address_map.channel_bytes,
                "masks": masks,
                "pc_mask": address_map.pc_mask,
                "addresses": places,
                "strides": [
                    {
                        "bytes": each.step,
                        "accesses": len(each.banks),
                        "pcs": each.pcs,
                        "bank_groups": each.groups,
                        "banks": int((each.per_bank > 0).sum()),
                        "banks_in_32": {"least": each.window[0], "mean": each.window[1]},
                        "rows": len(set(each.rows.tolist())),
                        "changes": each.changes,
                        "per_bank": each.per_bank.tolist(),
                        "share_of_peak_at_most": each.share_of_peak,
                        "binds": each.binds,
                    }
                    for each in spreads
                ],
            },
            indent=1,
        )
    )


def register(app: typer.Typer) -> None:
    """Add the subcommand of this module."""
    app.command("map")(map_command)
