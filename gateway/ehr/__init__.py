"""The EHR: SMART launch, tokens, the FHIR client, the chart and what this EHR can do."""
