"""Latency on devices that are not here."""
