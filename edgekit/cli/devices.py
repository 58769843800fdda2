"""`edgekit devices`: the devices that `profile --device` knows, and what was published of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import flags

if TYPE_CHECKING:
    from edgekit.projection.database import Known

TIERS = ("calibrated", "anchored", "specification", "none")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("devices", epilog='Examples:  edgekit devices --search pixel  |  edgekit devices "Pixel 3"')(devices)


def devices(
    device: Annotated[
        str | None, typer.Argument(help="Show the published figures of this device, each with citation and licence.")
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", help="Only devices with this in their name, chipset or runtime.")
    ] = None,
    json: flags.Json = False,
) -> int:
    """List the devices whose latency can be told without them, and where the figures come from."""
    from edgekit.errors import UsageError
    from edgekit.projection.database import read_database

    if device is not None and search is not None:
        raise UsageError(f"{device!r} is one device and --search looks through all: say one of them")
    database = read_database()
    if device is not None:
        known = database.of_device(device)
        return _print([_detail(row) for row in known]) if json else _show(known)
    rows = [_summary(name, database.of_device(name)) for name in database.devices]
    if search:
        rows = [row for row in rows if _matches(row, search.lower())]
    if json:
        return _print(rows)
    if not rows:
        print("no device matches")
        return 0
    columns = ("device", "tier", "networks", "runtimes", "sources")
    texts = [[", ".join(v) if isinstance(v, list) else str(v) for v in (row[name] for name in columns)] for row in rows]
    _align([list(columns), *texts])
    return 0


def _summary(name: str, known: Sequence[Known]) -> dict[str, Any]:
    settings = [row.setting for row in known]
    networks = {(figure.network, figure.width, figure.resolution) for row in known for figure in row.figures}
    return {
        "device": name,
        "chipset": "; ".join(dict.fromkeys(setting.chipset for setting in settings if setting.chipset)),
        "tier": min((row.tier for row in known), key=TIERS.index),
        "networks": len(networks),
        "runtimes": sorted({f"{setting.runtime} {setting.unit_class}" for setting in settings}),
        "precisions": sorted({setting.precision for setting in settings}),
        "threads": sorted({setting.threads for setting in settings if setting.threads}, key=lambda t: (len(t), t)),
        "sources": sorted({source.name for row in known for source in row.sources}),
    }


def _matches(row: dict[str, Any], search: str) -> bool:
    return any(search in text.lower() for text in (row["device"], row["chipset"], *row["runtimes"]))


def _detail(row: Known) -> dict[str, Any]:
    setting = dataclasses.asdict(row.setting)
    figures = [
        {
            "network": figure.network,
            "width": figure.width,
            "resolution": figure.resolution,
            "latency_ms": figure.latency_ms,
            "detail": figure.detail,
            "statistic": figure.statistic,
            "citation": figure.citation,
            "licence": figure.source.licence,
        }
        for figure in row.figures
    ]
    return setting | {"tier": row.tier, "figures": figures}


def _show(known: Sequence[Known]) -> int:
    print(f"{known[0].setting.device}: {known[0].setting.chipset}")
    for row in known:
        setting = row.setting
        parts = (
            setting.runtime,
            setting.unit,
            setting.precision,
            f"threads {setting.threads or 'not told'}",
            setting.run,
        )
        print(f"\n{', '.join(part for part in parts if part)}: {row.tier}")
        for source in row.sources:
            print(f"  from {source.citation}, {source.licence}")
        _align(
            [
                [f"  {f.network}", f"{f.width:g}", str(f.resolution), f"{f.latency_ms:g} ms", f.statistic, f.detail, f.line]
                for f in row.figures
            ]
        )
    return 0


def _print(rows: list[dict[str, Any]]) -> int:
    from json import dumps  # not msgspec: this command is as light as `targets`

    print(dumps({"schema_version": 1, "devices": rows}, indent=2, ensure_ascii=False))
    return 0


def _align(lines: list[list[str]]) -> None:
    if lines:
        widths = [min(48, max(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
        for line in lines:
            print("  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip())
