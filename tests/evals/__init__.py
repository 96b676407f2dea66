"""Measurements of quality: too slow and too large for a test, and never a pass or a fail."""
