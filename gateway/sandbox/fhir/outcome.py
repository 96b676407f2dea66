"""OperationOutcome: how the sandbox says no."""

from gateway.sandbox.fhir.backend import FHIR_JSON, FhirReply, Resource, write_json


class Refusal(Exception):
    """A request that is answered with an OperationOutcome. ``words`` say what is wrong and what would be right.

    ``code`` is an IssueType (https://hl7.org/fhir/R4/valueset-issue-type.html).
    """

    def __init__(self, status: int, code: str, words: str, where: str | None = None) -> None:
        super().__init__(f"{status} {code}: {words}")
        self.status, self.code, self.words, self.where = status, code, words, where


def build_outcome(code: str, words: str, severity: str = "error", where: str | None = None) -> Resource:
    """An OperationOutcome with one issue; ``where`` is a FHIRPath."""
    issue: Resource = {"severity": severity, "code": code, "diagnostics": words}
    if where:
        issue["expression"] = [where]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def write_refusal(refusal: Refusal, headers: dict[str, str] | None = None) -> FhirReply:
    """The reply to a refused request."""
    outcome = build_outcome(refusal.code, refusal.words, where=refusal.where)
    return FhirReply(refusal.status, {"Content-Type": FHIR_JSON, **(headers or {})}, write_json(outcome))
