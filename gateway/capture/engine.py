"""Imports the speech engine with its ways out shut: no request to the hub, no telemetry file in the home folder."""

import os


def keep_at_home() -> None:
    """Call before faster-whisper or onnxruntime is imported: their parts read these when they are imported."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}
