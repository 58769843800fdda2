"""The published networks, written down from their papers and reference implementations; see `catalogue`."""
