"""Capture: recorded sessions, dictation and typed notes become numbered Material."""
