"""Consent: the record's Consent resources become a Permit or a Refusal."""
