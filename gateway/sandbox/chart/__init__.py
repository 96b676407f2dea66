"""The clinician's chart of the sandbox: server-rendered pages over the record, as an EHR shows them.

``record`` reads and tells, ``signing`` changes notes and consents, ``routes`` is HTTP, ``pages`` renders.
"""
