"""Tables of `edgekit inspect` and `edgekit models`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from edgekit.cli.show import print_json, print_table
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import read_manifest
from edgekit.mobilenet.layers import list_layers, separable_costs
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec

_DEFINITION = re.compile(rf"(?:mobilenet_)?({'|'.join(VERSIONS)})(?:_(\d+(?:\.\d+)?))?(?:_(\d+))?")

MODELS = {
    "digits": "MobileNet V3-Small 0.35 at 32x32, grey, 10 classes: shipped with edgekit, trained on handwritten digits",
    "FOLDER": "a Hugging Face folder of transformers (MobileNet V1, V2) or timm (V1, V2, V3)",
    "FILE.pth, FILE.safetensors": "a state dict of torchvision (V2, V3) or timm (V1, V2, V3), or edgekit's own",
    "google/mobilenet_v2_1.0_224": "any such folder on the Hugging Face hub, by its id: needs edgekit[hub] and a network",
}


def find_spec(source: str, *, width: float | None, resolution: int | None) -> MobileNetSpec:
    """The definition that a name, a checkpoint or an artifact stands for.

    Raises:
        EdgekitError: nothing that edgekit knows.
    """
    path = Path(source)
    if (path / MANIFEST).is_file():
        return read_manifest(path).model.spec
    if not path.exists() and (match := _DEFINITION.fullmatch(source)):
        spec = MobileNetSpec(match[1], float(match[2] or 1), int(match[3] or 224))  # type: ignore[arg-type]  # by the regex
        return replace(
            spec, width=spec.width if width is None else width, resolution=spec.resolution if resolution is None else resolution
        )
    from edgekit.mobilenet.checkpoint import open_checkpoint  # torch: only where there are weights to look at
    from edgekit.mobilenet.overrides import Overrides

    return open_checkpoint(source, Overrides(width=width, resolution=resolution)).spec


def show_layers(spec: MobileNetSpec, *, json: bool) -> int:
    """Print the layers and the separable costs."""
    layers, costs = list_layers(spec), separable_costs(spec)
    parameters, macs = sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
    if json:
        rows = [
            {
                "block": cost.block,
                "separable_macs": cost.separable_macs,
                "standard_macs": cost.standard_macs,
                "ratio": cost.ratio,
            }
            for cost in costs
        ]
        print_json(
            {
                "schema_version": 1,
                "spec": spec,
                "parameters": parameters,
                "macs": macs,
                "layers": layers,
                "separable": rows,
            }
        )
        return 0
    table = Table(title=f"{spec.name}, {spec.classes} classes", box=None, pad_edge=False, title_justify="left")
    for heading in ("layer", "kind", "in", "out", "size", "kernel", "stride", "parameters", "MACs"):
        table.add_column(heading, justify="left" if heading in ("layer", "kind") else "right", no_wrap=True)
    for layer in layers:
        size = f"{layer.out_size}x{layer.out_size}"
        kernel = f"{layer.kernel}x{layer.kernel}" if layer.kernel else "-"
        shape = (str(layer.in_channels), str(layer.out_channels), size, kernel, str(layer.stride))
        table.add_row(layer.name, layer.kind, *shape, f"{layer.parameters:,}", f"{layer.macs:,}")
    table.add_row("total", "", "", "", "", "", "", f"{parameters:,}", f"{macs:,}", style="bold")
    comparison = Table(
        title="Depthwise-separable against standard convolution, MACs (arXiv:1704.04861, section 3.1)",
        box=None,
        pad_edge=False,
        title_justify="left",
    )
    for heading in ("block", "D_K^2 M D_F^2 + M N D_F^2", "D_K^2 M N D_F^2", "ratio"):
        comparison.add_column(heading, justify="right", no_wrap=True)
    for cost in costs:
        comparison.add_row(str(cost.block), f"{cost.separable_macs:,}", f"{cost.standard_macs:,}", f"{cost.ratio:.3f}")
    separable, standard = sum(cost.separable_macs for cost in costs), sum(cost.standard_macs for cost in costs)
    comparison.add_row("all", f"{separable:,}", f"{standard:,}", f"{separable / standard:.3f}", style="bold")
    for part in (table, comparison):
        print_table(part)
    return 0


def show_models(*, json: bool) -> int:
    """Print what --model understands and the definitions there are."""
    definitions = []
    for version in VERSIONS:
        layers = list_layers(MobileNetSpec(version))
        definitions.append(
            {
                "definition": version,
                "parameters": sum(layer.parameters for layer in layers),
                "macs": sum(layer.macs for layer in layers),
            }
        )
    if json:
        print_json({"schema_version": 1, "models": MODELS, "definitions": definitions})
        return 0
    print("--model takes:")
    for name, meaning in MODELS.items():
        print(f"  {name:28} {meaning}")
    print("\nDefinitions (width 1.0, 224x224, 1000 classes; any width and resolution from 8 to 4096):")
    for row in definitions:
        print(f"  {row['definition']:10} {row['parameters']:>10,} parameters  {row['macs']:>12,} MACs")
    return 0
