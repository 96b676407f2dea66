"""The note: formats, drafting, evidence, risk and review."""
