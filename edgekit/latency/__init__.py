"""How long an artifact takes, and how far that can be trusted. Standard library only: it also runs on boards.

`harness` measures one artifact, `noise` says why a figure cannot be trusted, `comparison` whether one artifact is faster than
another, `sustained` what happens when it goes on for a minute.
"""

from edgekit.latency.harness import measure, sample, warm_up
from edgekit.latency.noise import find_doubts
from edgekit.latency.plan import LatencyPlan
from edgekit.latency.record import Latency, Sustained, Window

__all__ = ["Latency", "LatencyPlan", "Sustained", "Window", "find_doubts", "measure", "sample", "warm_up"]
