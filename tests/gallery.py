"""Constructed results of a matrix: one cell of every kind that a report has to show. Nothing here was measured."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace

from edgekit.accuracy import Accuracy, drop, share
from edgekit.document import FileRecord
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.matrix.record import CellResult, GoalResult, MatrixReport
from edgekit.operators import OperatorTime, OperatorTimes
from edgekit.parity import Compression, OutputParity, Parity, SampleParity
from edgekit.profile import OpProfile, StaticProfile, summarise
from edgekit.report import Problem, Report
from edgekit.target import FLOAT32_TOLERANCE, INT8_TOLERANCE, RuntimeInfo

HOSTILE = "<script>alert('x')</script> | `b` & *c* _d_ [e](f)\n<b>g</b>"
MACHINE = Machine("Linux-6.1", "x86_64", "An Imagined CPU", 2, 8 * 2**30, ("avx2",), "3.11.9")
MAC = Machine("Darwin-24.0", "arm64", "Another Imagined CPU", 8, 16 * 2**30, ("asimd",), "3.11.9")


def parity(sqnr_db: float | None = 124.5, *, problems: tuple[str, ...] = (), precision: str = "float32") -> Parity:
    """One output on two pictures and a synthetic input."""
    names = (("cat", "image"), ("dog", "image"), ("checkerboard", "synthetic"))
    shift = dict(zip(names, (3.0, 0.0, -8.0), strict=True))
    rows = tuple(
        SampleParity(
            sample=name,
            kind=kind,
            max_abs=None if sqnr_db is None else 1e-5,
            mean_abs=None if sqnr_db is None else 1e-6,
            peak_error=None if sqnr_db is None else 2e-6,
            sqnr_db=None if sqnr_db is None else sqnr_db + shift[name, kind],
            cosine=None if sqnr_db is None else 0.99999999,
            top1=None if sqnr_db is None else True,
            top5=None if sqnr_db is None else 1.0,
            pytorch_sqnr_db={"float32": 126.0},
        )
        for name, kind in names
    )
    known = None if sqnr_db is None else sqnr_db
    output = OutputParity(
        output="logits",
        max_abs=None if known is None else 1e-5,
        mean_abs=None if known is None else 1e-6,
        peak_error=None if known is None else 2e-6,
        sqnr_db=None if known is None else known - 8,
        image_sqnr_db=known,
        cosine=None if known is None else 0.99999999,
        top1=None if known is None else 1.0,
        top5=None if known is None else 1.0,
        pytorch_sqnr_db={"float32": 126.0},
        dependence=0.9,
        problems=problems,
        samples=rows,
    )
    if precision == "int8":
        return Parity(not problems, INT8_TOLERANCE, (output,), Compression(28.4, 0.98, 10.0, "", 28.1))
    return Parity(not problems, FLOAT32_TOLERANCE, (output,))


def latency(p50_ms: float = 12.34, *, doubts: tuple[str, ...] = (), num_threads: int = 1, samples: int = 100) -> Latency:
    """A right-skewed distribution."""
    dice = random.Random(num_threads)
    values = sorted(p50_ms * (0.97 + dice.expovariate(20.0)) for _ in range(samples))
    at = [values[min(samples - 1, round(part * (samples - 1)))] for part in (0.5, 0.9, 0.95, 0.99)]
    return Latency(
        load_ms=30.0,
        first_ms=20.0,
        warmup_runs=12,
        p50_ms=at[0],
        p90_ms=at[1],
        p95_ms=at[2],
        p99_ms=at[3],
        mean_ms=sum(values) / samples,
        std_ms=0.5,
        min_ms=values[0],
        num_threads=num_threads,
        peak_memory_bytes=90_000_000,
        model_memory_bytes=15_000_000,
        load_average=0.2,
        doubts=doubts,
        samples_ns=tuple(round(1e6 * value) for value in values),
        machine=MACHINE,
        affinity=(0, 1),
        other_cores=0.01,
    )


def operators() -> OperatorTimes:
    """Of a stem, two blocks and a head; one operator is of no known layer."""
    rows = [
        OperatorTime("stem/Conv", "Conv", 0.9, "stem"),
        OperatorTime("block 0/Conv", "Conv", 1.8, "blocks.0.depthwise"),
        OperatorTime("block 0/Clip", "Clip", 0.2, "blocks.0.depthwise"),
        OperatorTime("block 0/Conv 2", "Conv", 2.5, "blocks.0.project"),
        OperatorTime("block 1/Conv", "Conv", 3.5, "blocks.1.expand"),
        OperatorTime("Reorder", "Reorder", 0.1, ""),
        OperatorTime("classifier/Gemm", "Gemm", 1.1, "classifier"),
    ]
    return OperatorTimes(20, tuple(rows))


def expectations() -> StaticProfile:
    """Where Core ML is expected to run three operators."""
    rows = (
        OpProfile("stem_conv", "conv", 10_000_000, 1000, 2000, ("CPU", "GPU", "ANE"), "Neural Engine", "R1"),
        OpProfile("stem_relu", "relu", 0, 1000, 1000, ("CPU", "GPU", "ANE"), "Neural Engine", "R1"),
        OpProfile("logits", "linear", 1_000_000, 100, 100, ("CPU",), "CPU", "R2"),
    )
    return summarise(rows, basis="published rules, not a measurement", rules={"R1": "a rule", "R2": "another rule"})


def report(target: str = "onnx", precision: str = "float32", **changes: object) -> Report:
    """One that passed."""
    made = Report(
        model="small",
        target=target,
        precision=precision,
        status="passed",
        machine=MACHINE,
        size_bytes=5_120_000,
        runtime=RuntimeInfo("imaginedruntime", "1.2.3", "CPU", "float32", "native", 0.88, ("Cast",)),
        parity=parity(precision=precision),
        latency=latency(),
        seconds={"convert": 4.5, "parity": 0.5, "latency": 1.0},
        versions={"edgekit": "0.1.0", "imaginedruntime": "1.2.3"},
        notes=("a note on how to read this",),
        asked="native",
        files=(FileRecord("model.onnx", 5_000_000, "a" * 64), FileRecord("labels.txt", 120_000, "b" * 64)),
        operators=operators(),
        accuracy=Accuracy(1000, share(712, 1000), share(901, 1000), share(985, 1000), 12, 8, drop(12, 8, 1000)),
        more_latencies=(latency(7.5, num_threads=2),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of a report, by name


def cell(model: str, target: str, precision: str, **changes: object) -> CellResult:
    """One that passed, and met its goals."""
    goals = (GoalResult("min_sqnr_db", 85.0, 124.5, "met"), GoalResult("max_size_mb", 6.0, 5.12, "met"))
    made = CellResult(
        name=f"{model}-{target}-{precision}",
        model=model,
        resolution=None,
        target=target,
        precision=precision,
        key="c" * 64,
        outcome="passed",
        reason="",
        exit_code=0,
        is_reused=False,
        goals=goals,
        report=report(target, precision),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of a cell, by name


def matrix(*cells: CellResult) -> MatrixReport:
    """A run of these."""
    return MatrixReport("0.1.0", MACHINE, cells, 123.4, {"torch": "2.13.0", "imaginedruntime": "1.2.3"})


def kinds() -> Mapping[str, CellResult]:
    """A cell of each kind, by what it is."""
    doubtful = ("other processes kept 1.0 of 2 cores busy",)
    gone = Problem(
        "convert", "EdgekitError", "the worker was killed by signal 9", "\x1b[31mlast words\x1b[0m\x00\n" + "line\n" * 400
    )
    crash = replace(
        report(status="failed", parity=None, latency=None, size_bytes=None, operators=None, accuracy=None), problem=gone
    )
    crash = replace(crash, runtime=None, asked=None, more_latencies=(), files=(), notes=())
    wrong = "logits: 20.0 dB SQNR on dog is below the limit of 85.0 dB"
    negative = report(
        status="failed", parity=parity(20.0, problems=(wrong,)), problem=Problem("parity", "NegativeResult", wrong), latency=None
    )
    nan = report(status="failed", parity=parity(None, problems=("on cat, 10 of 10 values are NaN",)), size_bytes=0)
    stand_in = report(
        "coreml",
        runtime=RuntimeInfo("reference runtime", "0.1.0", "CPU", "float32", "reference"),
        asked="reference",
        latency=None,
        operators=None,
        static_profile=expectations(),
        more_latencies=(),
    )
    unverified = report("coreml", status="converted", parity=None, latency=None, operators=None, runtime=None, asked=None)
    missed = (GoalResult("max_p95_ms", 5.0, 13.9, "missed"), GoalResult("min_sqnr_db", 85.0, 124.5, "met"))
    unjudged = (GoalResult("max_top1_drop", 1.0, None, "not judged", "no accuracy was counted: give `evaluation`"),)
    absent = "target openvino is not installed. Install it with: pip install 'edgekit[openvino]'"
    return {
        "passed": cell("small", "onnx", "float32"),
        "int8": cell("small", "onnx", "int8"),
        "doubtful": cell("small", "onnx", "float16", report=report(latency=latency(doubts=doubtful)), is_reused=True),
        "stand-in": cell("small", "coreml", "float32", report=stand_in, goals=()),
        "not verified": cell(
            "small", "coreml", "int8", outcome="converted", reason="Core ML runs on macOS alone", exit_code=3, report=unverified
        ),
        "not judged": cell(
            "small", "coreml", "float16", outcome="converted", reason=unjudged[0].reason, exit_code=3, goals=unjudged
        ),
        "skipped": cell(
            "large", "openvino", "int8", outcome="skipped", reason=absent, exit_code=3, goals=(), report=None, key=""
        ),
        "left out": cell(
            "large", "openvino", "float32", outcome="skipped", reason="left out by --skip", exit_code=0, goals=(), report=None
        ),
        "goal missed": cell(
            "large", "onnx", "float32", outcome="failed", reason="p95 13.9 ms, over max_p95_ms = 5", exit_code=1, goals=missed
        ),
        "wrong": cell("large", "onnx", "int8", outcome="failed", reason=wrong, exit_code=1, report=negative),
        "crashed": cell("large", "onnx", "float16", outcome="failed", reason=gone.message, exit_code=70, goals=(), report=crash),
        "not a number": cell(
            "large", "coreml", "float32", outcome="failed", reason="on cat, 10 of 10 values are NaN", exit_code=1, report=nan
        ),
        "hostile": cell(
            HOSTILE, "onnx", "float32", outcome="failed", reason=HOSTILE, exit_code=1, report=report(notes=(HOSTILE,))
        ),
        "empty": cell("large", "coreml", "int8", outcome="failed", reason="", exit_code=70, goals=(), report=None),
        "infinite": cell(
            "large", "coreml", "float16", report=report(latency=replace(latency(), std_ms=math.nan, p99_ms=math.inf))
        ),
    }


def everything() -> MatrixReport:
    """All kinds in one matrix."""
    return matrix(*kinds().values())
