"""One calibration, one int8 program for all targets: which tensors are int8, what that costs, and how the cost is kept down."""
