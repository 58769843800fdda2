"""ExecuTorch's `executor_runner`: how it is called and what it prints. Never run on a device by our tests.

https://github.com/pytorch/executorch/blob/main/examples/portable/executor_runner/executor_runner.cpp
"""

from __future__ import annotations

import re

_TIME = re.compile(r"Model executed successfully (\d+) time\(s\) in ([0-9.]+) ms")


class ExecutorRunner:
    """The program that users build for their device: wheels have none."""

    name = "executor_runner"
    variable = "EDGEKIT_EXECUTOR_RUNNER"

    def arguments(self, *, model: str, inputs: str, outputs: str, num_threads: int, runs: int) -> tuple[str, ...]:
        """Flags of executor_runner."""
        return (
            f"--model_path={model}",
            f"--inputs={inputs}",
            f"--output_file={outputs}",
            f"--cpu_threads={num_threads}",
            f"--num_executions={runs}",
        )

    def output_file(self, outputs: str, index: int) -> str:
        """executor_runner numbers its outputs."""
        return f"{outputs}-{index}.bin"

    def mean_ms(self, log: str) -> float | None:
        """It logs the sum over all executions."""
        found = _TIME.search(log)
        return float(found[2]) / int(found[1]) if found and int(found[1]) else None
