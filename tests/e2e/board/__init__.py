"""Artifacts on boards: a real sshd on loopback, and adb with no device to be found."""
