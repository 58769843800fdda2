"""One calibration, one int8 program for all targets: which tensors are int8, what that costs, and how the cost is kept down."""

import logging

# At import torchao warns of its CUDA kernels, which need no loading here, and torch of how torchao registers an enumeration.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
