import pytest

from gateway.front.scope import Call, Own, Refused, judge_call

BASE = "https://ehr.example.org/fhir"
OWN = Own("p1", "e1", "PractitionerRole/7")


def judge(method, path, query="", condition=None):
    return judge_call(method, path, query, OWN, BASE, condition)


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
        ("GET", "", "_getpages=abc&_getpagesoffset=20&_count=20&_pretty=true&_bundletype=searchset", "search"),
        ("GET", "DocumentReference", "patient=p1&identifier=https%3A%2F%2Fx%7Curn%3Auuid%3A1", "search"),
        ("GET", "DocumentReference", "patient=p1&relatesto=DocumentReference%2F7&_sort=-_lastUpdated", "search"),
        ("GET", "Consent", "patient=p1&_count=20&_offset=20&page=2", "search"),
        ("GET", "Binary/7", "", "read"),
        ("POST", "DocumentReference", "", "create"),
        ("POST", "Provenance", "", "create"),
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
        ("PUT", "DocumentReference/7", ""),
        ("POST", "Consent", ""),
        ("POST", "DocumentReference", "_format=json"),
        ("POST", "DocumentReference/7", ""),
        ("POST", "DocumentReference/_search", ""),
        # every patient's, by a history of the type
        ("GET", "Encounter/_history", ""),
        ("GET", "DocumentReference/_history", ""),
        ("GET", "DocumentReference/_history/1", ""),
        ("GET", "_history", ""),
        ("GET", "DocumentReference/7/_history/..", ""),
        ("GET", "DocumentReference/7/_history/1/2", ""),
        # another one than the visit's own
        ("GET", "Encounter/e2", ""),
        ("GET", "Encounter/e2/_history/1", ""),
        ("GET", "Practitioner/7", ""),
        ("GET", "PractitionerRole/8", ""),
        ("GET", "PractitionerRole", "_id=8"),
        # kinds that no visit reads, and spellings that a lenient server may take for one
        ("GET", "Observation/1", ""),
        ("GET", "Condition", "patient=p1"),
        ("GET", "PATIENT/p2", ""),
        ("GET", "patient/p2", ""),
        ("GET", "Patient%00/p2", ""),
        ("GET", "Patient/p2;x", ""),
        ("GET", "Patient/p1%2F..%2Fp2", ""),
        ("GET", "Patient/...", ""),
        # what brings in more than matches, or asks through a reference
        ("GET", "Patient", "_id=p1&_revinclude=Observation:subject"),
        ("GET", "Patient", "_id=p1&_RevInclude=Observation:subject"),
        ("GET", "Patient", "_id=p1&_revinclude:iterate=*"),
        ("GET", "Consent", "patient=p1&_include=Consent:actor"),
        ("GET", "Consent", "patient=p1&_include:iterate=*"),
        ("GET", "Consent", "patient=p1&_has:Provenance:target:agent=1"),
        ("GET", "Consent", "patient=p1&patient.name=Miller"),
        ("GET", "Consent", "patient=p1&subject:identifier=x"),
        ("GET", "Consent", "patient:not=p1"),
        ("GET", "Consent", "patient:missing=true"),
        ("GET", "Consent", "patient=p1&_filter=patient%20eq%20p2"),
        ("GET", "Consent", "patient=p1&_query=all"),
        ("GET", "Encounter", "_id=e2"),
        ("GET", "DocumentReference", "_id=7&_revinclude=Provenance:target"),
        ("GET", "PractitionerRole", "_id=7&_revinclude=Encounter:participant"),
        ("GET", "PractitionerRole", "_id=7&_include=*"),
        ("GET", "PractitionerRole", "_id=7,8"),
        ("GET", "PractitionerRole", "practitioner=42"),
        ("GET", "Practitioner", "name=Ellison"),
        ("GET", "Encounter/e1", "_include=Encounter:subject"),
        ("GET", "metadata", "mode=full&x=y"),
        # another patient by another spelling of the query
        ("GET", "Consent", "patient=p1;patient=p2"),
        ("GET", "Consent", "status=a;patient=p2&patient=p1"),
        ("GET", "Consent", "pati%65nt=p2"),
        ("GET", "Consent", "patient=p1&subject=Patient/p2"),
        ("GET", "Consent", "patient=p1%2Cp2"),
        ("GET", "Consent", "patient=p1%00"),
        ("GET", "Consent", "patient="),
        ("GET", "Consent", "Patient=p1"),
        ("GET", "", "_getpages=abc&_type=Patient"),
        ("GET", "", "_getpages=abc&patient=p2"),
        ("DELETE", "DocumentReference/7", ""),
        ("PATCH", "DocumentReference/7", ""),
    ],
)
def test_refuses_everything_else(method, path, query):
    assert isinstance(judge(method, path, query), Refused)


@pytest.mark.parametrize("condition", ["identifier=https%3A%2F%2Fx%7Curn%3Auuid%3A1", None])
def test_a_conditional_create_names_the_note_alone(condition):
    assert isinstance(judge("POST", "DocumentReference", condition=condition), Call)


@pytest.mark.parametrize(
    "condition",
    ["", "patient=p2", "identifier=x&patient=p2", "identifier=x;patient=p2", "identifier:of-type=x", "_id=7"],
)
def test_a_conditional_create_is_no_search_for_anything_else(condition):
    assert judge("POST", "DocumentReference", condition=condition) == Refused("condition")


def test_without_an_encounter_in_the_launch_any_may_be_read_and_the_visit_checks_whose_it_is():
    own = Own("p1", None, "Practitioner/42")
    assert isinstance(judge_call("GET", "Encounter/e2", "", own, BASE), Call)
    assert isinstance(judge_call("GET", "Practitioner/42", "", own, BASE), Call)
