"""`edgekit init` and `edgekit schema`: an edgekit.toml to begin with, and what may stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = "Examples:  edgekit init && edgekit matrix  |  edgekit init -m mobilenet_v2.pth -m google/mobilenet_v2_1.0_224"
SCHEMA_EXAMPLES = "Example:  edgekit schema config > edgekit.schema.json"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init", epilog=EXAMPLES)(init)
    app.command("schema", epilog=SCHEMA_EXAMPLES)(schema)


def init(
    config: Annotated[Path, typer.Option("--config", "-c", help="The file to write.")] = Path("edgekit.toml"),
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Folder, file or Hugging Face id; several times for several. [default: digits]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is there already.")] = False,
) -> int:
    """Write an edgekit.toml that works at once with the targets installed here, and the schema that editors check it with."""
    import shlex

    from edgekit import registry
    from edgekit.cli.show import print_lines
    from edgekit.matrix.cell import EMBEDDED, expand
    from edgekit.matrix.start import write_first_config
    from edgekit.matrix.template import SCHEMA_NAME

    targets = tuple(registry.installed())
    found = write_first_config(config, model or [EMBEDDED], targets, force=force)
    cells = expand(found, config.absolute().parent, targets)
    flag = "" if config == Path("edgekit.toml") else f" --config {shlex.quote(str(config))}"
    print_lines(
        f"Wrote {config}, and {SCHEMA_NAME} beside it for editors. Models: {len(found.models)}, artifacts: {len(cells)}.",
        f"Next: edgekit matrix{flag}, or look first with: edgekit matrix{flag} --list",
    )
    if not targets:
        print_lines('No target is installed here yet: pip install "edgekit[all]"')
    return 0


def schema(
    document: Annotated[str, typer.Argument(help="config (edgekit.toml) or matrix (matrix.json).", metavar="config|matrix")],
) -> int:
    """Print the JSON Schema of a file that edgekit reads or writes."""
    from edgekit.cli.show import print_json
    from edgekit.errors import UsageError
    from edgekit.matrix.schema import SCHEMAS

    if document not in SCHEMAS:
        raise UsageError(f"there is no schema {document!r}. There are: {', '.join(SCHEMAS)}")
    print_json(SCHEMAS[document]())
    return 0
