"""Model files: the catalogue, pulling and verifying them."""
