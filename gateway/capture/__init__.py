"""Capture: dictation and typed notes become numbered Material."""
