"""``make bench``: the figures that the project claims, measured in one run."""
