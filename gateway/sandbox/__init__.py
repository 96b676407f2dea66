"""A sandbox EHR to try Countersign against; shares no code with the gateway.

``python -m gateway.sandbox --help`` tells how it is started; ``app.create_sandbox`` is the same for tests.

| part | what |
|---|---|
| ``fhir/`` | the record: FHIR R4 in memory, or another server behind it (``--fhir``) |
| ``faults`` | what can go wrong on request (``--faults``, ``/_faults``) |
| ``smart/`` | SMART App Launch 2.2: authorization server and the guard of every FHIR call (``/_policy`` for tests) |
| ``seed/`` | the invented practice, its patients and what they consented to |
| ``chart/`` | the clinician's pages: schedule, notes, consents, Open Countersign, Sign |
| ``practice`` | who is signed in, and the clock: what chart and authorization server share |

A program starts a launch by ``POST /launch`` with JSON (``patient``, ``encounter``, ``user``, ``intent``,
``fhirContext``) and gets ``iss``, ``launch`` and the whole ``url``; a person presses **Open Countersign**.
"""
