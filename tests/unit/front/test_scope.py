import pytest

from gateway.front.scope import Call, May, Own, Refused, judge_call

BASE = "https://ehr.example.org/fhir"
OWN = Own("p1", "e1", "PractitionerRole/7")


ALL = May(consents=True, audit_events=True, medications="MedicationStatement")
TAG = 'W/"3"'


def judge(method, path, query="", condition=None, match=None, may=None):
    if may is None:
        return judge_call(method, path, query, OWN, BASE, condition, match)
    return judge_call(method, path, query, OWN, BASE, condition, match, may)


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
        ("GET", "RelatedPerson/9", "", "read"),
        ("GET", "RelatedPerson", "patient=p1", "search"),
        ("GET", "RelatedPerson", "patient=Patient%2Fp1&active=true", "search"),
        ("GET", "Group/g1", "", "read"),
        ("GET", "Group/g1/_history/2", "", "read"),
        ("POST", "DocumentReference", "", "create"),
        ("POST", "Provenance", "", "create"),
    ],
)
@pytest.mark.parametrize("may", [None, ALL])
def test_passes_what_a_visit_needs(method, path, query, action, may):
    call = judge(method, path, query, may=may)
    assert call == Call(action, call.type, path)


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
        # medications of another patient, or otherwise than by a search for this one's
        ("GET", "MedicationStatement", ""),
        ("GET", "MedicationStatement", "patient=p2"),
        ("GET", "MedicationStatement", "patient=p1&subject=Patient/p2"),
        ("GET", "MedicationStatement", "patient=p1&_include=MedicationStatement:medication"),
        ("GET", "MedicationStatement", "patient=p1&medication.code=36437"),
        ("GET", "MedicationStatement", "code=36437"),
        ("GET", "MedicationStatement/7", ""),
        ("GET", "MedicationStatement/7/_history", ""),
        ("GET", "MedicationStatement/_history", ""),
        ("POST", "MedicationStatement", ""),
        ("PUT", "MedicationStatement/7", ""),
        ("GET", "Medication/7", ""),
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
        # the people around a patient: by the patient alone, and groups by their id alone
        ("GET", "RelatedPerson", ""),
        ("GET", "RelatedPerson", "patient=p2"),
        ("GET", "RelatedPerson", "subject=p1"),
        ("GET", "RelatedPerson", "patient:Patient=p2"),
        ("GET", "RelatedPerson", "_id=9"),
        ("GET", "RelatedPerson", "name=Miller"),
        ("GET", "RelatedPerson", "patient=p1&_include=RelatedPerson:patient"),
        ("GET", "RelatedPerson/_history", ""),
        ("GET", "Group", ""),
        ("GET", "Group", "member=Patient/p1"),
        ("GET", "Group", "_id=g1"),
        ("GET", "Group", "patient=p1"),
        ("GET", "Group/_history", ""),
        ("GET", "Group/g1", "_include=Group:member"),
        ("GET", "Group/g1/$everything", ""),
        ("GET", "Consent", "subject=p1"),
        ("GET", "Consent", "subject:Patient=p1"),
        ("GET", "Consent", "patient=p1&subject=p2"),
        # writing of other kinds, and other ways of writing
        ("POST", "RelatedPerson", ""),
        ("POST", "Group", ""),
        ("POST", "Encounter", ""),
        ("POST", "Binary", ""),
        ("POST", "Subscription", ""),
        ("POST", "Consent/7", ""),
        ("POST", "Consent/_search", "patient=p1"),
        ("POST", "Consent", "patient=p1"),
        ("POST", "AuditEvent", "_format=json"),
        ("POST", "AuditEvent/_search", ""),
        ("GET", "AuditEvent", "patient=p1"),
        ("GET", "AuditEvent/7", ""),
        ("PUT", "Consent", ""),
        ("PUT", "Consent", "identifier=x"),
        ("PUT", "Consent/7", ""),
        ("PUT", "AuditEvent/7", ""),
        ("PUT", "Provenance/7", ""),
        ("PUT", "Group/g1", ""),
        ("PUT", "RelatedPerson/9", ""),
        ("PUT", "", ""),
        ("PATCH", "Consent/7", ""),
        ("DELETE", "Consent/7", ""),
        ("DELETE", "DocumentReference/7", ""),
        ("PATCH", "DocumentReference/7", ""),
    ],
)
@pytest.mark.parametrize("may", [None, ALL])
def test_refuses_everything_else(method, path, query, may):
    assert isinstance(judge(method, path, query, may=may), Refused)


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


# What a site has read beside the rest -----------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["MedicationRequest", "MedicationStatement"])
@pytest.mark.parametrize("query", ["patient=p1&status=active", "subject=Patient/p1", "subject:Patient=p1&_count=50"])
def test_medications_are_searched_for_where_the_site_says_so_and_in_that_kind_alone(type_, query):
    other = "MedicationStatement" if type_ == "MedicationRequest" else "MedicationRequest"
    assert judge("GET", type_, query, may=May(medications=type_)) == Call("search", type_, type_)
    assert judge("GET", type_, query, may=May(medications=other)) == Refused("call")
    assert judge("GET", type_, query) == Refused("call")


@pytest.mark.parametrize("type_", ["none", "Condition"])
def test_no_other_kind_can_be_turned_on(type_):
    assert judge("GET", type_, "patient=p1", may=May(medications=type_)) == Refused("call")


# What a site allows beside the note ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "may"), [("Consent", May(consents=True)), ("AuditEvent", May(audit_events=True)), ("Consent", ALL)]
)
def test_a_consent_or_an_audit_event_is_created_where_the_site_says_so(type_, may):
    assert judge("POST", type_, may=may) == Call("create", type_, type_)
    assert judge("POST", type_, condition="identifier=x", may=may) == Call("create", type_, type_)


@pytest.mark.parametrize(
    ("type_", "may"),
    [
        ("Consent", None),
        ("Consent", May()),
        ("Consent", May(audit_events=True)),
        ("AuditEvent", None),
        ("AuditEvent", May()),
        ("AuditEvent", May(consents=True)),
    ],
)
def test_neither_is_created_where_the_site_does_not(type_, may):
    assert judge("POST", type_, may=may) == Refused("call")
    assert judge("PUT", f"{type_}/7", match=TAG, may=may) == Refused("call")


@pytest.mark.parametrize("tag", ['W/"3"', '"3"', 'W/"a-b._9"'])
def test_a_consent_is_updated_in_the_version_that_is_named(tag):
    assert judge("PUT", "Consent/7", match=tag, may=May(consents=True)) == Call("update", "Consent", "Consent/7")


@pytest.mark.parametrize("tag", [None, "", "*", "3", 'W/"3', 'W/""', 'W/"3", W/"4"', '"3" ', '"a b"', '"3\n"', 'w/"3"'])
def test_an_update_without_a_version_is_refused(tag):
    assert judge("PUT", "Consent/7", match=tag, may=ALL) == Refused("condition")


@pytest.mark.parametrize(
    "path",
    [
        "Consent/..",
        "Consent/%2e%2e",
        "Consent/_history",
        "Consent/7/_history/1",
        "Consent/7/",
        "Consent/7;x",
        "consent/7",
    ],
)
def test_an_update_names_one_consent(path):
    assert judge("PUT", path, match=TAG, may=ALL) == Refused("call")


@pytest.mark.parametrize("query", ["patient=p1", "_format=json", "x"])
def test_an_update_has_no_query(query):
    assert judge("PUT", "Consent/7", query, match=TAG, may=ALL) == Refused("call")


def test_an_update_is_no_conditional_create_and_a_create_names_no_version():
    assert judge("PUT", "Consent/7", condition="identifier=x", match=TAG, may=ALL) == Refused("condition")
    assert judge("POST", "Consent", match=TAG, may=ALL) == Refused("condition")
    assert judge("POST", "DocumentReference", match=TAG) == Refused("condition")


@pytest.mark.parametrize("condition", ["", "patient=p2", "identifier=x&patient=p2", "_id=7"])
def test_a_conditional_create_of_a_consent_names_its_identifier_alone(condition):
    assert judge("POST", "Consent", condition=condition, may=ALL) == Refused("condition")
