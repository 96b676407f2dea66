"""A sandbox EHR to try Countersign against; shares no code with the gateway."""
