"""The visit: one process without a network for one clinician and one encounter."""
