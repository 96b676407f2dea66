import pytest

from gateway.front.scope import Call, Refused, judge_call

BASE = "https://ehr.example.org/fhir"


def judge(method, path, query=""):
    return judge_call(method, path, query, "p1", BASE)


@pytest.mark.parametrize(
    ("method", "path", "query", "action"),
    [
        ("GET", "metadata", "", "capability"),
        ("GET", "Patient/p1", "", "read"),
        ("GET", "Encounter/e1", "", "read"),
        ("GET", "DocumentReference/7/_history", "", "read"),
        ("GET", "DocumentReference/7/_history/2", "", "read"),
        ("GET", "Patient", "_id=p1", "search"),
        ("GET", "Consent", "patient=p1", "search"),
        ("GET", "Consent", "patient=Patient%2Fp1", "search"),
        ("GET", "Consent", "patient=https://ehr.example.org/fhir/Patient/p1&status=active", "search"),
        ("GET", "Encounter", "subject:Patient=p1&status=in-progress,arrived", "search"),
        ("GET", "PractitionerRole", "_id=7&_include=PractitionerRole:practitioner", "search"),
        ("GET", "", "_getpages=abc&_getpagesoffset=20", "search"),
        ("POST", "DocumentReference", "", "create"),
        ("PUT", "DocumentReference/7", "", "update"),
    ],
)
def test_passes_what_a_visit_needs(method, path, query, action):
    assert judge(method, path, query) == Call(action, judge(method, path, query).type, path)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "Patient/p2", ""),
        ("GET", "Patient/p2/_history", ""),
        ("GET", "Patient", ""),
        ("GET", "Patient", "name=Miller"),
        ("GET", "Patient", "_id=p1,p2"),
        ("GET", "Consent", ""),
        ("GET", "Consent", "patient=p2"),
        ("GET", "Consent", "patient=p1,p2"),
        ("GET", "Consent", "patient=p1&patient=p2"),
        ("GET", "Consent", "patient=https://elsewhere.example.org/Patient/p1"),
        ("GET", "Consent", "patient.name=Miller"),
        ("GET", "Encounter", "_id=1,2"),
        ("GET", "", ""),
        ("GET", "", "_type=Patient"),
        ("GET", "Patient/p1/$everything", ""),
        ("GET", "$export", ""),
        ("GET", "Patient/p1/../p2", ""),
        ("GET", "Patient/..", ""),
        ("GET", "Patient/%2e%2e", ""),
        ("GET", "Patient%2Fp2", ""),
        ("GET", "../admin", ""),
        ("GET", "Patient/p1/Observation", ""),
        ("GET", "Patient//p2", ""),
        ("POST", "Consent/_search", ""),
        ("POST", "", ""),
        ("POST", "Patient", ""),
        ("PUT", "Patient/p1", ""),
        ("PUT", "DocumentReference", "identifier=x"),
        ("DELETE", "DocumentReference/7", ""),
        ("PATCH", "DocumentReference/7", ""),
    ],
)
def test_refuses_everything_else(method, path, query):
    assert isinstance(judge(method, path, query), Refused)
