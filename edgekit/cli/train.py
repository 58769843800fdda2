"""`edgekit train digits`: the recipe of the model that edgekit ships."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import flags

trainers = typer.Typer(
    help="Train a model that edgekit has a recipe for.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(trainers, name="train")


@trainers.callback()
def _group() -> None:
    """Train a model that edgekit has a recipe for."""


@trainers.command("digits", epilog="Example:  edgekit train digits --output my-digits --seed 7")
def digits(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model.safetensors and held_out.npz.")] = Path(
        "digits"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Of the weights, the shuffling and the augmentation.")] = 0,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the pictures.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a model that is there already.")] = False,
    quiet: flags.Quiet = False,
) -> int:
    """Train the embedded MobileNet on scikit-learn's handwritten digits. Minutes on two cores; needs edgekit[train]."""
    from edgekit.digits.recipe import EPOCHS, train
    from edgekit.errors import OutputError

    if (output / "model.safetensors").exists() and not force:
        raise OutputError(f"{output} has a model already. Replace it with --force, or choose another --output")

    def report(epoch: int, loss: float, accuracy: float) -> None:
        if not quiet:
            print(
                f"epoch {epoch}: loss {loss:.4f}, accuracy on distorted training pictures {accuracy:.2%}",
                file=sys.stderr,
            )

    trained = train(seed=seed, epochs=epochs or EPOCHS, report=report)
    trained.write(output)
    print(f"{trained.summary}: {output}")
    return 0
