"""edgekit: one MobileNet, four targets, each checked against PyTorch and profiled."""

from importlib.metadata import version

__version__ = version("edgekit")
