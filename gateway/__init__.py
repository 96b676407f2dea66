"""Countersign: an EHR integration gateway on FHIR R4. The record is the only store."""

__version__ = "0.1.0"
