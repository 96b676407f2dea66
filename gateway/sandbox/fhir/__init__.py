"""The FHIR R4 server of the sandbox EHR: ``backend`` is what others build on, ``memory`` is the record itself."""
