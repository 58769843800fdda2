"""Latency on devices that are not here: published figures, and what a fit to them says of other networks.

`project` is what a command needs; `database` has the devices. Fitting (`fit`, `trial`, `interval`, `shipping`) needs numpy and is
for `benchmarks/projection.py`.
"""

from edgekit.projection.project import Projection, project

__all__ = ["Projection", "project"]
