"""The front: what faces the browser and the EHR."""
