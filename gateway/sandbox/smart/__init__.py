"""The sandbox's SMART App Launch 2.2 authorization server (https://hl7.org/fhir/smart-app-launch/STU2.2/).

``scopes`` is pure; ``grants`` holds what was granted; ``authorize``, ``token`` and ``introspection`` are the endpoints;
``guard`` holds every FHIR call against the token's scopes and patient; ``server`` puts them together.
"""
