"""ExportedProgram -> `model.pte`, lowered to XNNPACK."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from torch.export import ExportedProgram

from edgekit.mobilenet.compression import compress_weights
from edgekit.precision import COMPRESSED
from edgekit.target import ConvertJob
from edgekit_executorch.activation import CONFIGS
from edgekit_executorch.arithmetic import count_arithmetic, watch_graphs
from edgekit_executorch.decomposition import float_scalars
from edgekit_executorch.delegation import count_delegation, write_delegation
from edgekit_executorch.mixed import to_mixed
from edgekit_executorch.passes import chosen_passes
from edgekit_executorch.weights import integer_filters


def lower(job: ConvertJob, float32_convolutions: int) -> tuple[Path, tuple[str, ...]]:
    """Write `model.pte` and `delegation.json` into the job's folder.

    Args:
        job: what to convert.
        float32_convolutions: in a float16 program, how many of the first convolutions stay in float32.

    Returns:
        The program's path, and a note if XNNPACK does not run all of it.
    """
    exported = _network(job, float32_convolutions)
    # The check would run the graph on fake tensors ten times over, to see that all passes kept the types: a tenth of the time.
    # What the file computes is checked anyhow.
    unchecked = EdgeCompileConfig(_check_ir_validity=False)
    filters = integer_filters() if job.precision in COMPRESSED else nullcontext()
    with chosen_passes(exported), float_scalars(), filters, watch_graphs() as graphs:
        edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner(configs=CONFIGS)], compile_config=unchecked)
    delegation = count_delegation(edge.exported_program().graph_module, count_arithmetic(graphs))
    path = job.out_dir / "model.pte"
    path.write_bytes(edge.to_executorch().buffer)
    write_delegation(delegation, job.out_dir)
    if not delegation.portable:
        return path, ()
    names = ", ".join(f"{name} x{count}" for name, count in delegation.portable.items())
    return path, (f"XNNPACK runs {delegation.fraction:.1%} of the operators; portable kernels run: {names}",)


def _network(job: ConvertJob, float32_convolutions: int) -> ExportedProgram:
    if job.precision == "float16":
        return to_mixed(job.program, float32_convolutions)
    if job.precision in COMPRESSED:
        return compress_weights(job.program.exported, job.precision)
    return job.program.exported
