"""edgekit: one MobileNet, four targets, each checked against PyTorch and profiled."""

__version__ = "0.1.0"
