"""`edgekit inspect`, `models`, `targets` and `doctor`: what there is, before anything is converted."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli import flags


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("inspect", epilog="Examples:  edgekit inspect v3_small  |  edgekit inspect out/digits-onnx-float32 --json")(
        inspect
    )
    app.command("models")(models)
    app.command("targets")(targets)
    app.command("doctor")(doctor)


def inspect(
    source: Annotated[
        str,
        typer.Argument(help="A definition (v1, v2, v3_small, v3_large), a checkpoint as for convert, or an artifact."),
    ] = "digits",
    width: flags.Width = None,
    resolution: flags.Resolution = None,
    json: flags.Json = False,
) -> int:
    """List the layers with parameters, MACs, and the cost of depthwise-separable against standard convolution."""
    from edgekit.cli.layers import find_spec, show_layers

    spec = find_spec(source, width=width, resolution=resolution)
    return show_layers(spec, json=json)


def models(json: flags.Json = False) -> int:
    """List what --model understands."""
    from edgekit.cli.layers import show_models

    return show_models(json=json)


def targets(json: flags.Json = False) -> int:
    """List the targets, installed or not. Imports none of them."""
    from edgekit.registry import OWN_TARGETS, installed

    points = installed()
    rows = []
    for name in sorted({*points, *OWN_TARGETS}):
        point = points.get(name)
        package = point.dist.name if point and point.dist else ""
        version = point.dist.version if point and point.dist else ""
        remedy = "" if point else f'pip install "edgekit[{name}]"'
        rows.append({"target": name, "installed": bool(point), "package": package, "version": version, "install": remedy})
    if json:
        from json import dumps  # not msgspec: this command is as light as --help

        print(dumps({"schema_version": 1, "targets": rows}, indent=2))
    else:
        for row in rows:
            state = f"{row['package']} {row['version']}" if row["installed"] else f"not installed: {row['install']}"
            print(f"{row['target']:12} {state}")
    return 0


def doctor(json: flags.Json = False) -> int:
    """Show installed against tested versions, and whether each target can convert and run here."""
    from edgekit.cli.checkup import show_checkup

    return show_checkup(json=json)
