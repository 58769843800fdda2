"""`--option misbehave=...` chooses how. Without it the target keeps the contract."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.option import option_strings, parse_options
from edgekit.target import (
    FLOAT32_TOLERANCE,
    Availability,
    Conversion,
    ConvertJob,
    LoadJob,
    RuntimeInfo,
    Tolerance,
)

SLOW_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class FakeOptions:
    misbehave: Literal[
        "no", "segfault", "raise", "print", "constant", "nan", "shape", "exit", "partial", "slow", "endless", "full"
    ] = "no"


class FakeRunner:
    def __init__(self, job: LoadJob, options: FakeOptions) -> None:
        self._module = torch.export.load(job.path).module()
        self._job = job
        self._misbehave = options.misbehave
        self.runtime = RuntimeInfo("fake", "1.0", "CPU", "float32")

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        with torch.no_grad():
            answer = self._module(torch.from_numpy(inputs[self._job.inputs[0].name].copy())).numpy()
        if self._misbehave == "constant":
            answer = np.ones_like(answer)
        if self._misbehave == "nan":
            answer[0, 0] = np.nan
        if self._misbehave == "shape":
            answer = answer[:, :-1]
        return {self._job.outputs[0].name: answer}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._module


class FakeTarget:
    name = "fake"
    packages = ()
    tolerances: Mapping[str, Tolerance] = {"float32": FLOAT32_TOLERANCE}

    def probe(self) -> Availability:
        return Availability(can_convert=True, runs="native")

    def convert(self, job: ConvertJob) -> Conversion:
        options = parse_options(FakeOptions, job.options, target=self.name)
        path = job.out_dir / "model.pt2"
        match options.misbehave:
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "raise":
                raise RuntimeError("the SDK is not in the mood")
            case "exit":
                os._exit(3)
            case "print":
                os.write(1, b'{"stage": "nonsense from C code"}\nnot even JSON\n')
                print("nonsense from Python")
            case "slow":
                time.sleep(SLOW_SECONDS)
            case "endless":
                time.sleep(3600)
            case "full":  # a real ENOSPC, of the device that is always full
                with open("/dev/full", "wb", buffering=0) as file:
                    file.write(b"artifact")
            case "partial":
                path.write_bytes(b"half an artif")
                raise OSError("the disk is full")
        torch.export.save(job.program.exported, path)
        return Conversion(path, "torch.export", option_strings(options))

    def load(self, job: LoadJob) -> FakeRunner:
        return FakeRunner(job, parse_options(FakeOptions, job.options, target=self.name))
