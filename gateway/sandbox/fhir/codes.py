"""Required codes that the R4B models do not enforce.

The models list the values of most ``code`` elements but let others pass; where their list is missing or cut short
("+"), this one stands in. From the value sets bound as *required* in R4 (https://hl7.org/fhir/R4/terminologies.html).
"""

#: (class of the model, JSON name) → allowed codes.
CODES: dict[tuple[str, str], frozenset[str]] = {
    ("AuditEvent", "action"): frozenset("CRUDE"),
    ("AuditEvent", "outcome"): frozenset({"0", "4", "8", "12"}),
    ("AuditEventAgentNetwork", "type"): frozenset("12345"),
    ("Age", "comparator"): frozenset({"<", "<=", ">=", ">"}),
    ("Quantity", "comparator"): frozenset({"<", "<=", ">=", ">"}),
    ("DeviceUdiCarrier", "entryType"): frozenset(
        {"barcode", "rfid", "manual", "card", "self-reported", "unknown"}
    ),
    ("Encounter", "status"): frozenset(
        {"planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error",
         "unknown"}
    ),
    ("EncounterStatusHistory", "status"): frozenset(
        {"planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error",
         "unknown"}
    ),
}  # fmt: skip

#: (class of the model, JSON name) → (system, codes): CodeableConcepts whose binding is required.
CONCEPTS: dict[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("Condition", "clinicalStatus"): (
        "http://terminology.hl7.org/CodeSystem/condition-clinical",
        frozenset({"active", "recurrence", "relapse", "inactive", "remission", "resolved"}),
    ),
    ("Condition", "verificationStatus"): (
        "http://terminology.hl7.org/CodeSystem/condition-ver-status",
        frozenset({"unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error"}),
    ),
}
