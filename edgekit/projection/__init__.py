"""Latency on devices that are not here: published figures, and what a fit to them says of other networks.

`project` is what a command needs; `database` has the devices. Fitting (`fit`, `predictor`) needs numpy, and is done when
something is to be predicted. Leaving figures out (`trial`, `held`, `interval`, `shipping`) is for `benchmarks/projection.py`.
"""

from edgekit.projection.project import Projection, project

__all__ = ["Projection", "project"]
