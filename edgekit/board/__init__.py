"""Artifacts on other machines: parity and latency measured there, judged here.

Imports nothing: `runner` runs on a board that has the standard library, numpy and one runtime.
"""
