"""Model files (the catalogue, pulling and verifying them) and the slots that model work waits for."""
