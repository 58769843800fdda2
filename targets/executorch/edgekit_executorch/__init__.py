"""edgekit's target for ExecuTorch: XNNPACK, run by ExecuTorch's own Python runtime."""
