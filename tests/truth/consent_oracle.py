"""A second opinion on consent: may this activity go on now, by the most literal reading of the rules?

In: R4 Consent resources as JSON, a question, a site's rules, and what went wrong while reading. Out: yes or no.
The rules, their numbers ("R12") and their sources stand in consent_oracle.md. Sections are of FHIR R4 (4.0.1).
It is slow on purpose, and longer than most modules because it shares nothing: it imports no code that it judges.
It never looks at a clock, a network or a file.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
Code = tuple[str, str]

OWN = "https://countersign.dev/fhir/CodeSystem/consent-activity"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CATEGORY = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
POLICY = "http://terminology.hl7.org/CodeSystem/consentpolicycodes"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SECURITY_ROLE = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

ACTIVITIES = ("telehealth", "recording", "ai-drafting")
CONSENT_DOCUMENT: Code = (LOINC, "59284-0")
ALWAYS = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


def _codes(system: str, words: str) -> frozenset[Code]:
    return frozenset((system, word) for word in words.split())


KNOWN_SCOPES = _codes(SCOPE, "adr research patient-privacy treatment")
KNOWN_CATEGORIES = (
    _codes(CATEGORY, "acd dnr emrgonly hcd npp polst research rsdid rsreid")
    | _codes(ACT_CODE, "ICOL IDSCL INFA INFAO INFASO IRDSCL RESEARCH RSDID RSREID EMRGONLY")
    | _codes(LOINC, "59284-0 57016-8 57017-6 64292-6")
)
KNOWN_POLICIES = _codes(ACT_CODE, "OPTIN OPTINR OPTOUT OPTOUTE") | _codes(
    POLICY,
    "cric illinois-minor-procedure hipaa-auth hipaa-npp hipaa-restrictions hipaa-research hipaa-self-pay mdhhs-5515"
    " nyssipp va-10-0484 va-10-0485 va-10-5345 va-10-5345a va-10-5345a-mhv va-10-10116 va-21-4142 ssa-827 dch-3927"
    " squaxin nl-lsp at-elga nih-hipaa nci nih-grdr nih-527 ga4gh",
)
OPTING_IN = _codes(ACT_CODE, "OPTIN OPTINR")
OPTING_OUT = _codes(ACT_CODE, "OPTOUT OPTOUTE")
KNOWN_ACTIONS = _codes(ACTION, "collect access use disclose correct")
KNOWN_ROLES = _codes(SECURITY_ROLE, "authserver datacollector dataprocessor datasubject humanuser") | _codes(
    PARTICIPATION,
    "ADM ATND CALLBCK CON DIS ESC REF AUT INF TRANS ENT WIT CST DIR ALY BBY CAT CSM TPA DEV NRD RDV DON EXPAGNT EXPART"
    " EXPTRGT EXSRC PRD SBJ SPC IND BEN CAGNT COV GUAR HLD RCT RCV IRCP NOT PRCP REFB REFT TRC LOC DST ELOC ORG RML VIA"
    " PRF DIST PPRF SPRF RESP VRF AUTHEN LA",
)
KNOWN_LABELS = _codes(CONFIDENTIALITY, "U L M N R V") | _codes(
    ACT_CODE, "PSY PSYTHPN SUD ETH ETHUD HIV SEX SPI STD SDV BH 42CFRPart2 HIPAAPsyNotes"
)
KNOWN_PURPOSES = _codes(
    ACT_REASON,
    "PurposeOfUse TREAT CAREMGT CLINTRL COC ETREAT BTG ERTREAT TREATDS POPHLTH HPAYMT HOPERAT HQUALIMP HRESCH CLINTRCH"
    " HMARKT HSYSADMIN PATRQT FAMRQT PWATRNY SUPNWK PUBHLTH MLTRAINING",
)
BROADER_PURPOSE = {
    **dict.fromkeys(("TREAT", "HPAYMT", "HOPERAT", "HRESCH", "HMARKT", "PATRQT", "PUBHLTH"), "PurposeOfUse"),
    **dict.fromkeys(("CAREMGT", "CLINTRL", "COC", "ETREAT", "TREATDS", "POPHLTH"), "TREAT"),
    **dict.fromkeys(("BTG", "ERTREAT"), "ETREAT"),
    **dict.fromkeys(("HQUALIMP", "HSYSADMIN", "MLTRAINING"), "HOPERAT"),
    **dict.fromkeys(("FAMRQT", "PWATRNY", "SUPNWK"), "PATRQT"),
    "CLINTRCH": "HRESCH",
}
KNOWN_CLASSES = _codes("urn:ietf:bcp:13", "application/hl7-cda+xml") | _codes(
    RESOURCE_TYPES,
    "Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent"
    " Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam"
    " CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem"
    " Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract"
    " Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition"
    " DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference"
    " DomainResource EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse"
    " EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit"
    " FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy"
    " Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice"
    " Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration"
    " MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct"
    " MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication"
    " MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured"
    " MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect"
    " MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation"
    " ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation Parameters"
    " Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner PractitionerRole Procedure"
    " Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition"
    " ResearchElementDefinition ResearchStudy ResearchSubject Resource RiskAssessment RiskEvidenceSynthesis"
    " Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap"
    " Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein"
    " SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest"
    " Task TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription",
)
CODE_FORMS = {LOINC: r"[0-9]{1,7}-[0-9]", SNOMED: r"[0-9]{6,18}", RXNORM: r"[0-9]{1,8}"}


@dataclass(frozen=True)
class Related:
    """A RelatedPerson that was read: whose, how related, and whether still active."""

    reference: str
    patient: str
    relationships: tuple[Code, ...]
    active: bool = True


@dataclass(frozen=True)
class Question:
    """What is asked: which activity, when, by whom, what for, of which patient.

    `majority` is the instant at which the patient comes of age, None for one who long has; `related` are the
    RelatedPersons that could be read.
    """

    activity: str
    at: datetime
    actors: tuple[str, ...]
    purposes: tuple[Code, ...]
    patient: str
    majority: datetime | None = None
    related: tuple[Related, ...] = ()


@dataclass(frozen=True)
class Mapped:
    """One coding that means an activity, where it is looked for ("code" or "category"), and what it says there."""

    activity: str
    system: str
    code: str
    place: str
    says: str = ""


OWN_CODINGS = tuple(Mapped(name, OWN, name, place) for name in ACTIVITIES for place in ("code", "category"))


@dataclass(frozen=True)
class Site:
    """A site's rules, with the defaults that the issue names and else the most careful ones."""

    codings: tuple[Mapped, ...] = OWN_CODINGS
    other_categories: tuple[Code, ...] = ()
    scopes: tuple[Code, ...] = ((SCOPE, "patient-privacy"), (SCOPE, "treatment"))
    purposes: tuple[Code, ...] = ((ACT_REASON, "TREAT"),)
    max_age_days: int | None = None
    zone: str = "UTC"
    general_counts: bool = False
    sensitive: tuple[Code, ...] = ()
    performer_needed: bool = True
    minors_answer_themselves: bool = False
    proxies_of_minors: tuple[Code, ...] = ()
    proxies_of_adults: tuple[Code, ...] = ()
    verification_needed: bool = False
    organizations: tuple[str, ...] = ()
    newer_yes_over: tuple[str, ...] = ()
    acting_roles: tuple[Code, ...] = tuple(
        sorted(_codes(PARTICIPATION, "PRCP IRCP AUT PRF PPRF SPRF DEV"))
        + sorted(_codes(SECURITY_ROLE, "datacollector dataprocessor humanuser"))
    )
    actions: tuple[tuple[str, str], ...] = (("telehealth", "use"), ("recording", "collect"), ("ai-drafting", "use"))


class UnclearError(Exception):
    """Something that is not understood; the text names it."""


# ---- Is it readable? (R10-R19) ----------------------------------------------------------------------------------

ANYTHING = object()
ELEMENT: Json = {"id": str, "extension": ANYTHING}
CODING_SHAPE: Json = ELEMENT | {"system": str, "version": str, "code": str, "display": str, "userSelected": bool}
CONCEPT_SHAPE: Json = ELEMENT | {"coding": [CODING_SHAPE], "text": str}
REFERENCE_SHAPE: Json = ELEMENT | {"reference": str, "type": str, "identifier": ANYTHING, "display": str}
PERIOD_SHAPE: Json = ELEMENT | {"start": str, "end": str}
PROVISION_SHAPE: Json = ELEMENT | {
    "type": str,
    "period": PERIOD_SHAPE,
    "actor": [ELEMENT | {"role": CONCEPT_SHAPE, "reference": REFERENCE_SHAPE}],
    "action": [CONCEPT_SHAPE],
    "securityLabel": [CODING_SHAPE],
    "purpose": [CODING_SHAPE],
    "class": [CODING_SHAPE],
    "code": [CONCEPT_SHAPE],
    "dataPeriod": PERIOD_SHAPE,
    "data": [ELEMENT | {"meaning": str, "reference": REFERENCE_SHAPE}],
}
PROVISION_SHAPE["provision"] = [PROVISION_SHAPE]
CONSENT_SHAPE: Json = {
    "resourceType": str,
    "id": str,
    "meta": ELEMENT
    | {"versionId": str, "lastUpdated": str, "source": str, "profile": ANYTHING}
    | {"security": [CODING_SHAPE], "tag": [CODING_SHAPE]},
    "language": str,
    "text": ANYTHING,
    "contained": ANYTHING,
    "extension": ANYTHING,
    "identifier": ANYTHING,
    "status": str,
    "scope": CONCEPT_SHAPE,
    "category": [CONCEPT_SHAPE],
    "patient": REFERENCE_SHAPE,
    "dateTime": str,
    "performer": [REFERENCE_SHAPE],
    "organization": [REFERENCE_SHAPE],
    "sourceAttachment": ANYTHING,
    "sourceReference": ANYTHING,
    "policy": [ELEMENT | {"authority": str, "uri": str}],
    "policyRule": CONCEPT_SHAPE,
    "verification": [ELEMENT | {"verified": bool, "verifiedWith": REFERENCE_SHAPE, "verificationDate": str}],
    "provision": PROVISION_SHAPE,
}


def _check_shape(value: Any, shape: Any, path: str) -> None:
    """Hold a value to R4's structure (6.2.4, 2.6.2 JSON): right types, nothing empty, nothing unknown."""
    if shape is ANYTHING:
        if value in (None, "", [], {}):
            raise UnclearError(f"{path} is empty")
    elif shape is str:
        if not isinstance(value, str) or not value.strip():
            raise UnclearError(f"{path} is not text")
    elif shape is bool:
        if not isinstance(value, bool):
            raise UnclearError(f"{path} is not true or false")
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            raise UnclearError(f"{path} is not a list")
        for one in value:
            _check_shape(one, shape[0], path)
    else:
        if not isinstance(value, dict) or not value:
            raise UnclearError(f"{path} is not an element")
        for key, inner in value.items():
            if key in shape:
                _check_shape(inner, shape[key], f"{path}.{key}")
            elif key[:1] == "_" and shape.get(key[1:]) in (str, bool) and key[1:] in value:
                _check_shape(inner, ELEMENT, f"{path}.{key}")
            else:
                raise UnclearError(f"{path}.{key} is not known or has no value")


def _keys(value: Any) -> Iterator[str]:
    """Every key at every depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _texts(value: Any) -> Iterator[str]:
    """Every text at every depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


# ---- Times (R50-R56) --------------------------------------------------------------------------------------------

MOMENT = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,18}))?(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00))?)?)?"
)


def span(text: str, zone: str) -> tuple[datetime, datetime]:
    """The first instant that a dateTime covers and the first one after it (2.24.0, dateTime and Period)."""
    found = MOMENT.fullmatch(text)
    if not found:
        raise UnclearError(f"{text!r} is not a dateTime")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if hour is None:
            first = date(int(year), int(month or 1), int(day or 1))
            if day:
                after = (first.year, first.month, first.day + 1)
            elif month:
                after = (first.year + first.month // 12, first.month % 12 + 1, 1)
            else:
                after = (first.year + 1, 1, 1)
            return _midnight((first.year, first.month, first.day), zone), _midnight(after, zone)
        east = UTC if offset == "Z" else timezone(_offset(offset))
        whole = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=east)
        digits, units = len(fraction or ""), int(fraction or 0)
        begin = timedelta(microseconds=units * 10**6 // 10**digits)
        end = timedelta(microseconds=-(-(units + 1) * 10**6 // 10**digits))
        return _utc(whole, begin), _utc(whole, end)
    except ValueError as error:
        raise UnclearError(f"{text!r} is not a dateTime") from error


def _offset(text: str) -> timedelta:
    size = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -size if text[0] == "-" else size


def _midnight(day: tuple[int, int, int], zone: str) -> datetime:
    """The instant at which a day begins on the wall clock of a zone; a day past its month's end is the next one."""
    try:
        start = date(day[0], day[1], 1) + timedelta(days=day[2] - 1)
    except (ValueError, OverflowError):
        return FOREVER
    return _utc(datetime(start.year, start.month, start.day, tzinfo=ZoneInfo(zone)))


def _utc(moment: datetime, more: timedelta = timedelta()) -> datetime:
    try:
        return moment.astimezone(UTC) + more
    except OverflowError:
        return ALWAYS if moment.year < 5000 else FOREVER


def _bounds(period: Json, zone: str) -> tuple[datetime, datetime]:
    """The half-open stretch of a Period; a missing side is open (2.24.0, Period)."""
    if "start" not in period and "end" not in period:
        raise UnclearError("a period has neither start nor end")
    start = span(period["start"], zone)[0] if "start" in period else ALWAYS
    end = span(period["end"], zone)[1] if "end" in period else FOREVER
    if start >= end:
        raise UnclearError("a period ends before it starts")
    return start, end


def _certainly_before(earlier: str | None, later: str | None, zone: str) -> bool:
    """Whether all that one dateTime covers is over when the other begins."""
    return earlier is not None and later is not None and span(earlier, zone)[1] <= span(later, zone)[0]


# ---- Codes and references (R14-R18, R20-R28) --------------------------------------------------------------------


def _pair(coding: Json, path: str) -> Code:
    if "system" not in coding or "code" not in coding:
        raise UnclearError(f"{path} has a coding without system or code")
    return coding["system"], coding["code"]


def _pairs(concept: Json, path: str) -> list[Code]:
    if "coding" not in concept:
        raise UnclearError(f"{path} has words only, no code")
    return [_pair(coding, path) for coding in concept["coding"]]


def _need_known(codes: Sequence[Code], known: frozenset[Code], path: str) -> None:
    for code in codes:
        if code not in known:
            raise UnclearError(f"{path} has an unknown code {code[0]}#{code[1]}")


def _site_codes(site: Site) -> frozenset[Code]:
    return frozenset((entry.system, entry.code) for entry in site.codings)


REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}")


def _resolve(reference: Json, kinds: str, path: str) -> str:
    """The reference as Type/id of a kind that R4 allows there; all else is unresolved (2.3.0)."""
    text: str = reference.get("reference", "")
    found = REFERENCE.fullmatch(text)
    if not found or (kinds and found[1] not in kinds.split()):
        raise UnclearError(f"{path} does not resolve: {text or 'no reference'}")
    if reference.get("type", found[1]) != found[1]:
        raise UnclearError(f"{path} names two types")
    return text


def _provisions(consent: Json) -> Iterator[Json]:
    """Every provision at every depth."""
    waiting = [consent["provision"]] if "provision" in consent else []
    while waiting:
        provision = waiting.pop()
        yield provision
        waiting += provision.get("provision", [])


def _activities(code: Code, site: Site, place: str = "") -> set[str]:
    """The activities that a coding means at a place, or anywhere."""
    return {
        entry.activity for entry in site.codings if (entry.system, entry.code) == code and place in ("", entry.place)
    }


def _match_concept(concept: Json, activity: str, site: Site, place: str) -> str:
    """Whether a concept means the activity: every mapped coding must, and 59284-0 never does (R23, R24)."""
    codes = _pairs(concept, place)
    anywhere = [_activities(code, site) for code in codes]
    here = [_activities(code, site, place) for code in codes if code != CONSENT_DOCUMENT]
    if any(activity in found for found in here) and all(activity in found for found in anywhere if found):
        return "yes"
    return "no" if any(anywhere) and not any(activity in found for found in anywhere) else "maybe"


def _is_about(consent: Json, question: Question, site: Site) -> bool:
    """Whether any category, or any code at any depth, means the activity; or a general consent counts (R20-R22)."""
    concepts = consent["category"] + [one for part in _provisions(consent) for one in part.get("code", [])]
    meant = {name for concept in concepts for code in _pairs(concept, "code") for name in _activities(code, site)}
    return question.activity in meant or (not meant and _is_general(consent, site))


def _is_general(consent: Json, site: Site) -> bool:
    return site.general_counts and (SCOPE, "patient-privacy") in _pairs(consent["scope"], "scope")


def _category_names(consent: Json, question: Question, site: Site) -> bool:
    """Whether a category names the activity (R22), or a general consent answers without naming it (R25)."""
    named = [_match_concept(concept, question.activity, site, "category") for concept in consent["category"]]
    concepts = consent["category"] + [one for part in _provisions(consent) for one in part.get("code", [])]
    meant = any(_activities(code, site) for concept in concepts for code in _pairs(concept, "code"))
    return "yes" in named or (not meant and _is_general(consent, site))


def _category_says(consent: Json, question: Question, site: Site) -> str:
    """What a category coding states by itself, where the site's file gives it that meaning (R33)."""
    says: set[str] = {
        entry.says
        for concept in consent["category"]
        for code in _pairs(concept, "category")
        for entry in site.codings
        if (entry.system, entry.code, entry.place) == (*code, "category")
        and entry.activity == question.activity
        and entry.says
    }
    if len(says) > 1:
        raise UnclearError("category says both permit and deny")
    if says == {"permit"} and not _category_names(consent, question, site):
        return ""
    return says.pop() if says else ""


# ---- Does it bear on the question, and is all of it understood? -------------------------------------------------


def silence(consent: Any, question: Question, site: Site) -> str:
    """Why a Consent says nothing on the question, or "" where it bears on it; unclear where that can't be told."""
    if not isinstance(consent, dict) or consent.get("resourceType") != "Consent":
        raise UnclearError("not a Consent")
    for key in _keys(consent):
        if key in ("modifierExtension", "implicitRules", "_implicitRules"):
            raise UnclearError(f"{key} is not understood")
    status = consent.get("status")
    if status in ("entered-in-error", "rejected", "draft", "proposed"):
        return f"status {status} gives nothing"
    if status not in ("active", "inactive"):
        raise UnclearError("status is not one of R4's")
    _check_shape(consent, CONSENT_SHAPE, "Consent")
    for element in ("patient", "scope", "category"):
        if element not in consent:
            raise UnclearError(f"{element} is missing")
    marks = consent.get("meta", {}).get("tag", []) + consent.get("meta", {}).get("security", [])
    if any((m.get("system"), m.get("code")) in _codes(OBSERVATION_VALUE, "SUBSETTED REDACTED MASKED") for m in marks):
        raise UnclearError("only a part of it was given")
    if _resolve(consent["patient"], "Patient", "patient") != question.patient:
        return "of another patient"
    own = _site_codes(site)
    _need_known(_pairs(consent["scope"], "scope"), KNOWN_SCOPES | frozenset(site.scopes), "scope")
    categories = KNOWN_CATEGORIES | own | frozenset(site.other_categories)
    for concept in consent["category"]:
        _need_known(_pairs(concept, "category"), categories, "category")
    for provision in _provisions(consent):
        for concept in provision.get("code", []):
            for code in _pairs(concept, "code"):
                if code not in own and not re.fullmatch(CODE_FORMS.get(code[0], r"(?!)"), code[1]):
                    raise UnclearError(f"code has an unknown code {code[0]}#{code[1]}")
    return "" if _is_about(consent, question, site) else f"not about {question.activity}"


def understand(consent: Json, question: Question, site: Site) -> None:
    """Raise where anything in a Consent that bears on the question is not understood."""
    policies = _pairs(consent["policyRule"], "policyRule") if "policyRule" in consent else []
    _need_known(policies, KNOWN_POLICIES, "policyRule")
    if set(policies) & OPTING_IN and set(policies) & OPTING_OUT:
        raise UnclearError("policyRule opts in and out")
    if "dateTime" in consent:
        span(consent["dateTime"], site.zone)
    if "lastUpdated" in consent.get("meta", {}):
        if "T" not in consent["meta"]["lastUpdated"]:
            raise UnclearError("lastUpdated is not an instant")
        span(consent["meta"]["lastUpdated"], site.zone)
    for performer in consent.get("performer", []):
        who = _resolve(performer, "Organization Patient Practitioner RelatedPerson PractitionerRole", "performer")
        if who.startswith("RelatedPerson/") and who not in [one.reference for one in question.related]:
            raise UnclearError(f"performer does not resolve: {who}")
    for organization in consent.get("organization", []):
        _resolve(organization, "Organization", "organization")
    for verification in consent.get("verification", []):
        if "verified" not in verification:
            raise UnclearError("verification without verified")
        if "verifiedWith" in verification:
            _resolve(verification["verifiedWith"], "Patient RelatedPerson", "verifiedWith")
        if "verificationDate" in verification:
            span(verification["verificationDate"], site.zone)
    for provision in _provisions(consent):
        _understand_provision(provision, site)
    says = _category_says(consent, question, site)
    if says == "permit" and set(policies) & OPTING_OUT:
        raise UnclearError("category says permit, policyRule opts out")
    if "provision" in consent:
        root = consent["provision"].get("type")
        if says and root and says != root:
            raise UnclearError("category and provision contradict each other")
        if not says and not root and consent["status"] == "active":
            raise UnclearError("the root provision says neither permit nor deny")
        kind = root or says
        if kind:
            _understand_nesting(consent["provision"], kind)
    elif not says and not set(policies) & (OPTING_IN | OPTING_OUT) and consent["status"] == "active":
        raise UnclearError("it says neither yes nor no")


def _understand_provision(provision: Json, site: Site) -> None:
    """Raise where a provision's own elements are not understood (6.2.4)."""
    if provision.get("type", "deny") not in ("permit", "deny"):
        raise UnclearError("provision type is not one of R4's")
    for element in ("period", "dataPeriod"):
        if element in provision:
            _bounds(provision[element], site.zone)
    for actor in provision.get("actor", []):
        if "role" not in actor or "reference" not in actor:
            raise UnclearError("an actor has no role or no reference")
        _need_known(_pairs(actor["role"], "actor.role"), KNOWN_ROLES | frozenset(site.acting_roles), "actor.role")
        kinds = "Device Group CareTeam Organization Patient Practitioner RelatedPerson PractitionerRole"
        _resolve(actor["reference"], kinds, "actor")
    for concept in provision.get("action", []):
        _need_known(_pairs(concept, "action"), KNOWN_ACTIONS, "action")
    for name, known in (
        ("securityLabel", KNOWN_LABELS | frozenset(site.sensitive)),
        ("purpose", KNOWN_PURPOSES | frozenset(site.purposes)),
        ("class", KNOWN_CLASSES),
    ):
        _need_known([_pair(coding, name) for coding in provision.get(name, [])], known, name)
    for data in provision.get("data", []):
        if data.get("meaning") not in ("instance", "related", "dependents", "authoredby") or "reference" not in data:
            raise UnclearError("data has no reference, or a meaning that is not one of R4's")
        _resolve(data["reference"], "", "data")


def _understand_nesting(provision: Json, kind: str) -> None:
    """Each level is the exception to the one above and must say so (R42)."""
    for nested in provision.get("provision", []):
        if nested.get("type") != _opposite(kind):
            raise UnclearError("a nested provision is no exception to its parent")
        _understand_nesting(nested, _opposite(kind))


def _opposite(kind: str) -> str:
    return "deny" if kind == "permit" else "permit"


# ---- Does a provision match? (R43-R49) --------------------------------------------------------------------------


def match(
    provision: Json, question: Question, site: Site, at: datetime | None, purpose: Code, label: Code | None
) -> str:
    """Whether a provision fits: "yes", "no" or "maybe"; elements are ANDed, repetitions ORed. No `at`: any time."""
    found = [
        _match_times(provision, question, site, at),
        _any_of([_match_actor(actor, question, site) for actor in provision.get("actor", [])]),
        _any_of([_match_action(concept, question, site) for concept in provision.get("action", [])]),
        _any_of([_match_purpose(_pair(coding, "purpose"), purpose) for coding in provision.get("purpose", [])]),
        _any_of(["maybe" for _ in provision.get("class", [])]),
        _any_of([_match_concept(concept, question.activity, site, "code") for concept in provision.get("code", [])]),
        _any_of(["maybe" for _ in provision.get("data", [])]),
        _any_of([_match_label(_pair(coding, "label"), label) for coding in provision.get("securityLabel", [])]),
    ]
    return "no" if "no" in found else "maybe" if "maybe" in found else "yes"


def _any_of(found: list[str]) -> str:
    if not found:
        return "yes"
    return "yes" if "yes" in found else "maybe" if "maybe" in found else "no"


def _match_times(provision: Json, question: Question, site: Site, at: datetime | None) -> str:
    if at is None:
        return "yes"
    if "period" in provision:
        start, end = _bounds(provision["period"], site.zone)
        if not start <= at < end:
            return "no"
    if "dataPeriod" in provision:
        start, end = _bounds(provision["dataPeriod"], site.zone)
        if not start <= at < end:
            return "maybe" if question.activity == "ai-drafting" and end <= at else "no"
    return "yes"


def _match_actor(actor: Json, question: Question, site: Site) -> str:
    who = actor["reference"]["reference"]
    if who in question.actors:
        return "yes" if set(_pairs(actor["role"], "actor.role")) <= set(site.acting_roles) else "maybe"
    return "maybe" if who.split("/")[0] in ("Group", "CareTeam", "PractitionerRole") else "no"


def _match_action(concept: Json, question: Question, site: Site) -> str:
    words = [code[1] for code in _pairs(concept, "action")]
    if all((question.activity, word) in site.actions for word in words):
        return "yes"
    return "no" if all(word == "correct" for word in words) else "maybe"


def _match_purpose(stated: Code, asked: Code) -> str:
    if stated == asked:
        return "yes"
    return "maybe" if stated in _wider(asked) or asked in _wider(stated) else "no"


def _wider(purpose: Code) -> list[Code]:
    """The purposes that contain this one, nearest first."""
    system, code = purpose
    found = []
    while system == ACT_REASON and code in BROADER_PURPOSE:
        code = BROADER_PURPOSE[code]
        found.append((ACT_REASON, code))
    return found


def _match_label(stated: Code, data: Code | None) -> str:
    """A confidentiality of N or above covers ordinary data (6.2.4 securityLabel); a sensitivity only what it names."""
    if data is None:
        return "yes" if stated in _codes(CONFIDENTIALITY, "N R V") else "maybe"
    if stated == data:
        return "yes"
    return "maybe" if stated[0] == CONFIDENTIALITY else "no"


# ---- What does one Consent say? (R30-R42) -----------------------------------------------------------------------


def verdict(
    consent: Json, question: Question, site: Site, at: datetime, purpose: Code, label: Code | None
) -> str | None:
    """What an understood Consent says at an instant for one purpose and one kind of data: permit, deny or nothing."""
    policies = set(_pairs(consent["policyRule"], "policyRule")) if "policyRule" in consent else set()
    base = "deny" if policies & OPTING_OUT else None
    says = _category_says(consent, question, site)
    if "provision" not in consent:
        return None if says == "permit" and label is not None else says or base
    named = _category_names(consent, question, site)
    kind = consent["provision"].get("type") or says
    return _apply(consent["provision"], kind, named, False, question, site, at, purpose, label) or base


def _apply(
    provision: Json,
    kind: str,
    named: bool,
    labelled: bool,
    question: Question,
    site: Site,
    at: datetime,
    purpose: Code,
    label: Code | None,
) -> str | None:
    """What a provision with its exceptions says; `named` and `labelled` tell what it or a parent spelled out."""
    fits = match(provision, question, site, at, purpose, label)
    if fits == "no":
        return None
    codes = [_match_concept(concept, question.activity, site, "code") for concept in provision.get("code", [])]
    named = named or "yes" in codes
    labelled = labelled or label in [_pair(coding, "label") for coding in provision.get("securityLabel", [])]
    inner = [
        _apply(nested, _opposite(kind), named, labelled, question, site, at, purpose, label)
        for nested in provision.get("provision", [])
    ]
    if "deny" in inner:
        return "deny"
    if kind == "deny":
        if "permit" in inner:
            return "permit" if fits == "yes" else None
        return "deny"
    if fits == "maybe":
        return None
    own_consent = label is None or labelled
    return "permit" if "permit" in inner or (named and own_consent) else None


def not_a_yes(consent: Json, question: Question, site: Site) -> str:
    """Why a Consent's permission does not count, or "" where it does (R60-R69)."""
    if consent["status"] != "active":
        return "it is not active"
    if not set(_pairs(consent["scope"], "scope")) <= set(site.scopes):
        return "its scope is not accepted"
    categories = [code for concept in consent["category"] for code in _pairs(concept, "category")]
    if any(_activities(code, site, "category") for code in categories) and not _category_names(consent, question, site):
        return "its category names another question"
    about = [name for code in categories for name in _activities(code, site)]
    codes = [code for part in _provisions(consent) for one in part.get("code", []) for code in _pairs(one, "code")]
    about += [name for code in codes for name in _activities(code, site)]
    if not about and CONSENT_DOCUMENT in categories:
        return "59284-0 never counts as a yes"
    given = span(consent["dateTime"], site.zone)[0] if "dateTime" in consent else None
    if given is not None and given > question.at:
        return "it is dated later than now"
    if site.max_age_days is not None:
        if given is None:
            return "its age is not known"
        if question.at >= _utc(given, timedelta(days=site.max_age_days)):
            return "it is too old"
    performers = [one["reference"] for one in consent.get("performer", [])]
    if not performers and site.performer_needed:
        return "nobody is named who answered"
    if performers and not any(_may_answer(who, given, question, site) for who in performers):
        return "the one who answered may not answer"
    if site.organizations and not {one["reference"] for one in consent.get("organization", [])} & set(
        site.organizations
    ):
        return "no organization that counts keeps it"
    verified = [one["verified"] for one in consent.get("verification", [])]
    if False in verified or (site.verification_needed and not verified):
        return "it is not verified"
    return ""


def _may_answer(who: str, given: datetime | None, question: Question, site: Site) -> bool:
    """The patient, if of age when asked; a proxy of a relation that the site accepts (R65-R67)."""
    minor = question.majority is not None and question.at < question.majority
    if who == question.patient:
        of_age = question.majority is None or (given is not None and given >= question.majority)
        return of_age or site.minors_answer_themselves
    accepted = set(site.proxies_of_minors if minor else site.proxies_of_adults)
    return any(
        person.reference == who
        and person.patient == question.patient
        and person.active
        and bool(accepted & set(person.relationships))
        for person in question.related
    )


# ---- Several Consents (R70-R79) ---------------------------------------------------------------------------------


def _defeats(other: Json, yes: Json, question: Question, site: Site, purpose: Code, label: Code | None) -> str:
    """Why one Consent takes another's yes away, or ""."""
    older = _certainly_before(other.get("dateTime"), yes.get("dateTime"), site.zone)
    if other["status"] == "inactive":
        if "provision" in other and match(other["provision"], question, site, None, purpose, label) == "no":
            return ""
        revoked = _certainly_before(other.get("meta", {}).get("lastUpdated"), yes.get("dateTime"), site.zone)
        if older and (revoked or _only_denies(other, question, site)):
            return ""
        return "revoked or refused, not certainly before the yes"
    if verdict(other, question, site, question.at, purpose, label) == "deny":
        people = {one["reference"] for one in other.get("performer", [])}
        same_people = bool(people) and people == {one["reference"] for one in yes.get("performer", [])}
        if f"Consent/{other.get('id')}" in site.newer_yes_over and older and same_people:
            return ""
        return "denies now"
    if older or other == yes:
        return ""
    first = span(other["dateTime"], site.zone)[0] if "dateTime" in other else ALWAYS
    moments = [moment for moment in (first, *_instants(other, site)) if first <= moment <= question.at]
    if any(verdict(other, question, site, moment, purpose, label) == "deny" for moment in moments):
        return "denied since the yes"
    return ""


def _only_denies(consent: Json, question: Question, site: Site) -> bool:
    """Whether no part of a Consent ever said yes, so that ending it revokes nothing."""
    says = _category_says(consent, question, site)
    if "provision" not in consent:
        policies = set(_pairs(consent["policyRule"], "policyRule")) if "policyRule" in consent else set()
        return says == "deny" or (not says and bool(policies & OPTING_OUT))
    root = consent["provision"].get("type") or says
    return root == "deny" and all(part.get("type") != "permit" for part in _provisions(consent))


def _instants(value: Any, site: Site) -> list[datetime]:
    """Every instant that a Consent names: the first one and the one after, of whatever reads as a dateTime."""
    found: set[datetime] = set()
    for text in _texts(value):
        if MOMENT.fullmatch(text):
            try:
                found.update(span(text, site.zone))
            except UnclearError:
                continue
    return sorted(found)


def _decide(
    consents: Sequence[Json], question: Question, site: Site, problems: Sequence[str]
) -> tuple[bool, list[str]]:
    lines = [f"not read: {problem}" for problem in problems]
    lines += [f"question: {fault}" for fault in _question_faults(question, site)]
    bearing: list[tuple[str, Json]] = []
    for number, consent in enumerate(consents):
        name = f"Consent/{consent.get('id', f'#{number}')}" if isinstance(consent, dict) else f"#{number}"
        try:
            reason = silence(consent, question, site)
            if reason:
                continue
            understand(consent, question, site)
            bearing.append((name, consent))
        except (UnclearError, RecursionError) as error:
            lines.append(f"{name}: not understood: {error or 'nested too deep'}")
    if lines:
        return False, lines
    permitted = True
    for purpose, label in itertools.product(question.purposes, (None, *site.sensitive)):
        asked = f"for {purpose[1]}, {label[1] if label else 'ordinary'} data"
        stands = False
        for name, yes in bearing:
            if yes["status"] != "active":
                continue
            said = verdict(yes, question, site, question.at, purpose, label)
            void = not_a_yes(yes, question, site)
            if said != "permit" or void:
                lines.append(f"{name}: {said or 'nothing'} {asked}{': ' + void if said == 'permit' else ''}")
                continue
            against = [
                f"{against}: {why}"
                for against, other in bearing
                if (why := _defeats(other, yes, question, site, purpose, label))
            ]
            lines.append(f"{name}: permit {asked}" + "".join(f"; taken away by {one}" for one in against))
            stands = stands or not against
        if not stands:
            lines.append(f"no yes that stands {asked}")
        permitted = permitted and stands
    return permitted, lines


def _question_faults(question: Question, site: Site) -> Iterator[str]:
    """What makes a question unanswerable (R01-R05)."""
    if question.activity not in ACTIVITIES:
        yield "unknown activity"
    if question.at.tzinfo is None:
        yield "a time without a zone"
    if not question.actors or not all(REFERENCE.fullmatch(who) for who in question.actors):
        yield "nobody acts, or a reference does not resolve"
    if not question.purposes or not set(question.purposes) <= set(site.purposes):
        yield "no purpose, or one that the site does not accept"
    if not re.fullmatch(r"Patient/[A-Za-z0-9.-]{1,64}", question.patient):
        yield "no patient"


def permits(consents: Sequence[Json], question: Question, site: Site, problems: Sequence[str] = ()) -> bool:
    """Whether the activity is permitted at `question.at`.

    Args:
        consents: the R4 Consents that were read, as JSON.
        question: what is asked.
        site: the site's rules.
        problems: what could not be read (a page that failed, a broken resource); any of them refuses.

    Returns:
        True for a permission, False for everything else.
    """
    return _decide(consents, question, site, problems)[0]


def explain(consents: Sequence[Json], question: Question, site: Site, problems: Sequence[str] = ()) -> list[str]:
    """The reasons, Consent by Consent, with the answer as the last line."""
    permitted, lines = _decide(consents, question, site, problems)
    return [*lines, "permit" if permitted else "refuse"]


def holds_until(
    consents: Sequence[Json], question: Question, site: Site, problems: Sequence[str] = ()
) -> datetime | None:
    """The first instant after `question.at` at which the permission is gone, None if it never goes.

    Steps through every instant that a Consent names, every age limit and the patient's coming of age: between two
    of them nothing can change.

    Raises:
        ValueError: it is not permitted at `question.at` to begin with.
    """
    if not permits(consents, question, site, problems):
        raise ValueError("not permitted at the time of the question")
    moments = set(_instants(list(consents), site))
    if site.max_age_days is not None:
        moments |= {_utc(moment, timedelta(days=site.max_age_days)) for moment in moments}
    if question.majority is not None:
        moments.add(question.majority)
    for moment in sorted(moments):
        if moment > question.at and moment != FOREVER and not permits(consents, replace(question, at=moment), site):
            return moment
    return None


# ---- The finite model -------------------------------------------------------------------------------------------


def concept(system: str, code: str) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def coding(system: str, code: str) -> Json:
    """A Coding."""
    return {"system": system, "code": code}


def actor(reference: str, role: str = "PRCP") -> Json:
    """A provision's actor."""
    return {"role": concept(PARTICIPATION, role), "reference": {"reference": reference}}


def build_consent(activity: str = "recording", kind: str | None = "permit", **changes: Any) -> Json:
    """A plain Consent of Patient/1, active, dated 2026-05-01, in the given kind; a change to None leaves it out."""
    made: Json = {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "scope": concept(SCOPE, "patient-privacy"),
        "category": [concept(OWN, activity)],
        "patient": {"reference": "Patient/1"},
        "dateTime": "2026-05-01T09:00:00Z",
        "performer": [{"reference": "Patient/1"}],
        "policy": [{"uri": "https://countersign.dev/policy"}],
        "provision": {"type": kind} if kind else None,
    }
    made |= changes
    return {key: value for key, value in made.items() if value is not None}


EXTENSION = [{"url": "https://example.org/changes-the-meaning", "valueBoolean": True}]
TREAT = coding(ACT_REASON, "TREAT")

FINITE_MODEL: dict[str, tuple[Any, ...]] = {
    # None leaves the element out. Values that R4 forbids, or that nobody can know, are here on purpose.
    "status": ("active", "inactive", "rejected", "draft", "proposed", "entered-in-error", "unknown", None),
    "scope": (
        concept(SCOPE, "patient-privacy"),
        concept(SCOPE, "treatment"),
        concept(SCOPE, "research"),
        concept("https://example.org/scope", "odd"),
        {"text": "privacy"},
        None,
    ),
    "category": (
        *([concept(OWN, name)] for name in ACTIVITIES),
        [concept(OWN, "recording"), concept(OWN, "ai-drafting")],
        [{"coding": [coding(OWN, "recording"), coding(OWN, "ai-drafting")]}],
        [{"coding": [coding(OWN, "recording"), coding("https://example.org/forms", "17")]}],
        [concept(LOINC, "59284-0")],
        [concept(LOINC, "59284-0"), concept(OWN, "recording")],
        [concept(ACT_CODE, "INFA")],
        [concept(OWN, "video")],
        [concept("https://example.org/forms", "17")],
        [{"text": "Recording"}],
        [],
        None,
    ),
    "patient": (
        {"reference": "Patient/1"},
        {"reference": "Patient/2"},
        {"reference": "#p"},
        {"reference": "https://ehr.example.org/fhir/Patient/1"},
        {"display": "A. Patient"},
        None,
    ),
    "dateTime": (
        "2026-05-01T09:00:00Z",
        "2026-05-01",
        "2026-05",
        "2026",
        "2026-06-15",
        "2026-06-15T11:59:59.500Z",
        "2026-06-15T14:00:00+02:00",
        "2027-01-01",
        "2026-05-01T09:00:00",
        "2026-13-01",
        "yesterday",
        20260501,
        None,
    ),
    "policyRule": (
        None,
        concept(ACT_CODE, "OPTIN"),
        concept(ACT_CODE, "OPTOUT"),
        concept(POLICY, "hipaa-auth"),
        concept("https://example.org/policy", "ours"),
        {"text": "opt in"},
    ),
    "performer": (
        [{"reference": "Patient/1"}],
        [{"reference": "RelatedPerson/1"}],
        [{"reference": "Practitioner/1"}],
        [{"reference": "Patient/1"}, {"reference": "Organization/1"}],
        [{"reference": "#mother"}],
        [{"reference": "RelatedPerson/unknown"}],
        [{"display": "Mother"}],
        None,
    ),
    "organization": (
        None,
        [{"reference": "Organization/1"}],
        [{"reference": "Organization/2"}],
        [{"reference": "Organization/2"}, {"reference": "Organization/1"}],
        [{"display": "A clinic"}],
    ),
    "verification": (
        None,
        [{"verified": True, "verifiedWith": {"reference": "Patient/1"}, "verificationDate": "2026-05-01"}],
        [{"verified": False}],
        [{"verified": True}, {"verified": False}],
        [{"verified": "true"}],
        [{"verifiedWith": {"reference": "Patient/1"}}],
    ),
    "meta": (
        None,
        {"lastUpdated": "2026-04-30T09:00:00.000Z"},
        {"lastUpdated": "2026-05-20T09:00:00.000Z"},
        {"tag": [coding(OBSERVATION_VALUE, "SUBSETTED")]},
        {"lastUpdated": "2026-05-20"},
    ),
    "modifierExtension": (None, EXTENSION),
    "implicitRules": (None, "https://example.org/rules"),
    "provision.type": ("permit", "deny", None, "allow"),
    "provision.period": (
        None,
        {"start": "2026-05-01"},
        {"end": "2026-06-15"},
        {"end": "2026-06-14"},
        {"start": "2026-06-16"},
        {"start": "2026-06", "end": "2026-06"},
        {"start": "2026", "end": "2026-05"},
        {"start": "2026-06-15T00:00:00-04:00", "end": "2026-06-15T12:00:00Z"},
        {"start": "2026-05-01", "end": "9999-12-31"},
        {"start": "2026-06-20", "end": "2026-06-01"},
        {"end": "2026-06-15T12:00"},
        {"_end": {"extension": EXTENSION}},
        {},
    ),
    "provision.actor": (
        None,
        [actor("Practitioner/1")],
        [actor("Organization/1")],
        [actor("Device/countersign", "DEV")],
        [actor("Practitioner/2")],
        [actor("Practitioner/2"), actor("Practitioner/1")],
        [actor("Organization/1", "CST")],
        [actor("CareTeam/1")],
        [actor("#doctor")],
        [actor("https://ehr.example.org/fhir/Practitioner/1")],
        [{"role": concept("https://example.org/roles", "scribe"), "reference": {"reference": "Practitioner/1"}}],
        [{"role": concept(PARTICIPATION, "PRCP"), "reference": {"display": "Dr. Who"}}],
        [{"reference": {"reference": "Practitioner/1"}}],
    ),
    "provision.action": (
        None,
        *([concept(ACTION, name)] for name in ("collect", "use", "access", "disclose", "correct")),
        [concept(ACTION, "collect"), concept(ACTION, "use")],
        [concept(ACTION, "sell")],
        [{"text": "listen"}],
    ),
    "provision.securityLabel": (
        None,
        [coding(CONFIDENTIALITY, "N")],
        [coding(CONFIDENTIALITY, "R")],
        [coding(ACT_CODE, "PSY")],
        [coding(ACT_CODE, "42CFRPart2")],
        [coding(CONFIDENTIALITY, "N"), coding(ACT_CODE, "PSY")],
        [coding("https://example.org/labels", "secret")],
    ),
    "provision.purpose": (
        None,
        [TREAT],
        [coding(ACT_REASON, "HRESCH")],
        [coding(ACT_REASON, "HRESCH"), TREAT],
        [coding(ACT_REASON, "ETREAT")],
        [coding(ACT_REASON, "PurposeOfUse")],
        [coding("https://example.org/purposes", "fun")],
    ),
    "provision.class": (
        None,
        [coding(RESOURCE_TYPES, "DocumentReference")],
        [coding("https://example.org/classes", "note")],
    ),
    "provision.code": (
        None,
        *([concept(OWN, name)] for name in ACTIVITIES),
        [concept(OWN, "recording"), concept(OWN, "ai-drafting")],
        [concept(LOINC, "11506-3")],
        [concept(OWN, "video")],
        [concept("https://example.org/forms", "17")],
        [{"text": "recording"}],
    ),
    "provision.dataPeriod": (
        None,
        {"start": "2026-01-01"},
        {"start": "2015-01-01", "end": "2015-12-31"},
        {"start": "2026-06-16"},
    ),
    "provision.data": (
        None,
        [{"meaning": "instance", "reference": {"reference": "DocumentReference/1"}}],
        [{"meaning": "related", "reference": {"reference": "Encounter/1"}}],
        [{"meaning": "instance", "reference": {"reference": "#note"}}],
    ),
    "provision.modifierExtension": (None, EXTENSION),
    "provision.provision": (
        None,
        [{"type": "deny"}],
        [{"type": "permit"}],
        [{"type": "deny", "actor": [actor("Practitioner/2")]}],
        [{"type": "deny", "actor": [actor("Practitioner/1")]}],
        [{"type": "deny", "code": [concept(OWN, "recording")]}],
        [{"type": "permit", "purpose": [TREAT]}],
        [{"type": "deny", "period": {"start": "2026-06-15T12:30:00Z"}}],
        [{"type": "deny", "provision": [{"type": "permit", "purpose": [TREAT]}]}],
        [{"type": "deny", "provision": [{"type": "permit", "actor": [actor("Practitioner/2")]}]}],
        [{"type": "permit", "provision": [{"type": "deny", "actor": [actor("Device/countersign", "DEV")]}]}],
        [{"type": "deny", "provision": [{"type": "deny"}]}],
        [{"actor": [actor("Practitioner/1")]}],
    ),
    "question.activity": ACTIVITIES,
    "question.at": (
        datetime(2026, 6, 15, 12, 0, tzinfo=UTC),
        datetime(2026, 6, 16, 3, 59, 59, tzinfo=UTC),
        datetime(2026, 6, 16, 4, 0, tzinfo=UTC),
        datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC),
    ),
    "question.actors": (("Practitioner/1", "Organization/1", "Device/countersign"), ("Practitioner/2",), ()),
    "question.purposes": (((ACT_REASON, "TREAT"),), ((ACT_REASON, "HRESCH"),), ()),
    "question.majority": (None, datetime(2026, 5, 15, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)),
    "question.related": ((), (Related("RelatedPerson/1", "Patient/1", ((ROLE_CODE, "MTH"),)),)),
    "site": (
        Site(),
        Site(zone="America/New_York"),
        Site(max_age_days=30),
        Site(general_counts=True),
        Site(sensitive=((ACT_CODE, "PSY"),)),
        Site(organizations=("Organization/1",)),
        Site(proxies_of_minors=((ROLE_CODE, "MTH"), (ROLE_CODE, "FTH"))),
        Site(performer_needed=False),
        Site(
            codings=(
                Mapped("recording", "https://example.org/forms", "17", "category", "permit"),
                Mapped("recording", "https://example.org/forms", "18", "category", "deny"),
                *OWN_CODINGS,
            )
        ),
    ),
}

QUESTION = Question(
    "recording",
    datetime(2026, 6, 15, 12, 0, tzinfo=UTC),
    ("Practitioner/1", "Organization/1", "Device/countersign"),
    ((ACT_REASON, "TREAT"),),
    "Patient/1",
)


def every_small_case() -> Iterator[tuple[list[Json], Question, Site]]:
    """Some thousand cases: each element against two others, two provisions deep, and each pair of answers."""
    asked = [replace(QUESTION, activity=name) for name in ("recording", "ai-drafting")]
    yield from (([], question, site) for question in asked for site in FINITE_MODEL["site"])
    # One element at a time, at the top and in the provision, in both kinds, under every site.
    for path, values in FINITE_MODEL.items():
        if path.startswith(("question.", "site")):
            continue
        for value, kind, site in itertools.product(values, ("permit", "deny"), FINITE_MODEL["site"]):
            yield [_with(build_consent(kind=kind), path, value)], QUESTION, site
    # Status, kind, time, actor and exception in full.
    for status, root, period, who, nested in itertools.product(
        ("active", "inactive", "rejected"),
        ("permit", "deny", None),
        FINITE_MODEL["provision.period"][:8],
        FINITE_MODEL["provision.actor"][:7],
        FINITE_MODEL["provision.provision"][:6],
    ):
        parts = {"type": root, "period": period, "actor": who, "provision": nested}
        provision = {key: value for key, value in parts.items() if value is not None}
        yield [build_consent(status=status, provision=provision or None)], QUESTION, Site(zone="America/New_York")
    # A yes and another answer: which is later, who is right.
    dates = (None, "2026-04-01", "2026-05-01", "2026-05-01T09:00:00Z", "2026-06-01", "2027")
    for dated, status, answer, meta, period, activity in itertools.product(
        dates,
        ("active", "inactive", "entered-in-error"),
        ("permit", "deny"),
        FINITE_MODEL["meta"][:3],
        (None, {"end": "2026-05-31"}, {"start": "2026-06-15T12:00:01Z"}),
        ("recording", "ai-drafting"),
    ):
        provision = {"type": answer} | ({"period": period} if period else {})
        other = build_consent(activity, id="c2", status=status, dateTime=dated, meta=meta, provision=provision)
        yield [build_consent(), other], QUESTION, Site()


def _with(consent: Json, path: str, value: Any) -> Json:
    """A copy of a Consent with one element set, or left out for None."""
    head, _, rest = path.partition(".")
    changed = dict(consent)
    if rest:
        changed[head] = _with(consent.get(head, {}), rest, value)
    elif value is None:
        changed.pop(head, None)
    else:
        changed[head] = value
    return changed
