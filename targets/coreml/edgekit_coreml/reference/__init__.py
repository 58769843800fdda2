"""A reference runtime for `.mlpackage` files on systems without Core ML: ML programs, run on PyTorch's kernels."""

from edgekit_coreml.reference.memory import ModelState
from edgekit_coreml.reference.model import Computed, Mode, ReferenceModel
from edgekit_coreml.reference.program import Variable
from edgekit_coreml.reference.step import UnknownOp

__all__ = ["Computed", "Mode", "ModelState", "ReferenceModel", "UnknownOp", "Variable"]
