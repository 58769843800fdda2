"""Artifacts on Arm without a board: qemu-user's aarch64 runs them, and parity judges. Emulated: never a time."""
