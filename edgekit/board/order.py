"""What a board is asked to do, as JSON that the standard library reads. Imported there: no msgspec, no numpy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edgekit.latency import LatencyPlan
from edgekit.target import LoadJob, TensorSpec

FILE_NAME, INPUTS, ARTIFACT, RUNNER = "order.json", "inputs.npz", "artifact", "runner.pyz"
SAMPLES, RANDOM = "samples", "random"  # arrays of INPUTS: what is judged, and what is timed


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that the runner on the board must know.

    Attributes:
        opener: "package.module:name", called with the job.
        needs: distributions by the module they bring.
        job: the artifact; its path is relative to the folder that the order lies in.
        plan: how to measure latency; None where nobody asked.
    """

    opener: str
    needs: Mapping[str, str]
    job: LoadJob
    plan: LatencyPlan | None

    @property
    def input_name(self) -> str:
        """Of the one input that these networks have."""
        return self.job.inputs[0].name


def encode_order(order: Order) -> bytes:
    """Write an order."""
    return json.dumps(asdict(order), default=str).encode()  # a path is the only thing that JSON does not know


def read_order(folder: Path, *, num_threads: int) -> Order:
    """Read what `encode_order` wrote, with paths inside of the folder."""
    facts = json.loads((folder / FILE_NAME).read_text("utf-8"))
    job = facts["job"]
    return Order(
        facts["opener"],
        facts["needs"],
        LoadJob(
            folder / job["path"],
            job["precision"],
            job["options"],
            _tensors(job["inputs"]),
            _tensors(job["outputs"]),
            num_threads,
            tuple(job["labels"]),
        ),
        LatencyPlan(**facts["plan"]) if facts["plan"] else None,
    )


def _tensors(facts: list[dict[str, object]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(**{**each, "shape": tuple(each["shape"])}) for each in facts)  # type: ignore[arg-type]  # as written
