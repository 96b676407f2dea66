"""Which searches the sandbox answers: one table, from which both the search and the CapabilityStatement are made.

Names and paths follow the R4 search parameter registry (https://hl7.org/fhir/R4/searchparameter-registry.html); paths
are plain element paths, a choice element is named by its JSON names.
"""

from dataclasses import dataclass
from typing import Literal

ParameterType = Literal["token", "reference", "date", "string", "uri"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type.

    Args:
        type: how values are compared.
        paths: dotted element paths; any of them may match.
        targets: for references, the types it may point to; empty for any.
        system: for ``code`` elements, the system their codes are of; for ContactPoint, the kind (``phone``).
    """

    type: ParameterType
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()
    system: str | None = None


def _token(*paths: str, system: str | None = None) -> Parameter:
    return Parameter("token", paths, system=system)


def _reference(*paths: str, targets: tuple[str, ...] = ()) -> Parameter:
    return Parameter("reference", paths, targets)


def _date(*paths: str) -> Parameter:
    return Parameter("date", paths)


def _string(*paths: str) -> Parameter:
    return Parameter("string", paths)


def _uri(*paths: str) -> Parameter:
    return Parameter("uri", paths)


_PATIENT = ("Patient",)
_GENDER = _token("gender", system="http://hl7.org/fhir/administrative-gender")
_ADDRESS = {
    "address": _string(
        "address.line", "address.city", "address.district", "address.state", "address.postalCode", "address.country",
        "address.text",
    ),
    "address-city": _string("address.city"),
    "address-country": _string("address.country"),
    "address-postalcode": _string("address.postalCode"),
    "address-state": _string("address.state"),
}  # fmt: skip
_PERSON = {
    "identifier": _token("identifier"),
    "name": _string("name.family", "name.given", "name.prefix", "name.suffix", "name.text"),
    "gender": _GENDER,
    "active": _token("active"),
    "telecom": _token("telecom"),
    "phone": _token("telecom", system="phone"),
    "email": _token("telecom", system="email"),
    **_ADDRESS,
}
_SUBJECT = {"subject": _reference("subject"), "patient": _reference("subject", targets=_PATIENT)}

#: Answered for every type.
COMMON: dict[str, Parameter] = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "_profile": _uri("meta.profile"),
    "_security": _token("meta.security"),
    "_tag": _token("meta.tag"),
}

#: Answered for one type, beside ``COMMON``. Its keys are all the types that the sandbox stores.
PARAMETERS: dict[str, dict[str, Parameter]] = {
    "AuditEvent": {
        "action": _token("action", system="http://hl7.org/fhir/audit-event-action"),
        "agent": _reference("agent.who"),
        "agent-name": _string("agent.name"),
        "agent-role": _token("agent.role"),
        "altid": _token("agent.altId"),
        "date": _date("recorded"),
        "entity": _reference("entity.what"),
        "entity-name": _string("entity.name"),
        "entity-role": _token("entity.role"),
        "entity-type": _token("entity.type"),
        "outcome": _token("outcome", system="http://hl7.org/fhir/audit-event-outcome"),
        "patient": _reference("agent.who", "entity.what", targets=_PATIENT),
        "source": _reference("source.observer"),
        "subtype": _token("subtype"),
        "type": _token("type"),
    },
    "Binary": {},
    "Condition": {
        **_SUBJECT,
        "abatement-date": _date("abatementDateTime", "abatementPeriod"),
        "asserter": _reference("asserter"),
        "body-site": _token("bodySite"),
        "category": _token("category"),
        "clinical-status": _token("clinicalStatus"),
        "code": _token("code"),
        "encounter": _reference("encounter", targets=("Encounter",)),
        "identifier": _token("identifier"),
        "onset-date": _date("onsetDateTime", "onsetPeriod"),
        "recorded-date": _date("recordedDate"),
        "severity": _token("severity"),
        "verification-status": _token("verificationStatus"),
    },
    "Consent": {
        "action": _token("provision.action"),
        "actor": _reference("provision.actor.reference"),
        "category": _token("category"),
        "consentor": _reference("performer"),
        "data": _reference("provision.data.reference"),
        "date": _date("dateTime"),
        "identifier": _token("identifier"),
        "organization": _reference("organization", targets=("Organization",)),
        "patient": _reference("patient", targets=_PATIENT),
        "period": _date("provision.period"),
        "purpose": _token("provision.purpose"),
        "scope": _token("scope"),
        "security-label": _token("provision.securityLabel"),
        "source-reference": _reference("sourceReference"),
        "status": _token("status", system="http://hl7.org/fhir/consent-state-codes"),
    },
    "Device": {
        "device-name": _string("deviceName.name", "type.coding.display", "type.text"),
        "identifier": _token("identifier"),
        "location": _reference("location", targets=("Location",)),
        "manufacturer": _string("manufacturer"),
        "model": _string("modelNumber"),
        "organization": _reference("owner", targets=("Organization",)),
        "patient": _reference("patient", targets=_PATIENT),
        "status": _token("status", system="http://hl7.org/fhir/device-status"),
        "type": _token("type"),
        "url": _uri("url"),
    },
    "DocumentReference": {
        **_SUBJECT,
        "authenticator": _reference("authenticator"),
        "author": _reference("author"),
        "category": _token("category"),
        "contenttype": _token("content.attachment.contentType"),
        "custodian": _reference("custodian", targets=("Organization",)),
        "date": _date("date"),
        "description": _string("description"),
        "encounter": _reference("context.encounter", targets=("Encounter",)),
        "event": _token("context.event"),
        "facility": _token("context.facilityType"),
        "format": _token("content.format"),
        "identifier": _token("masterIdentifier", "identifier"),
        "language": _token("content.attachment.language"),
        "location": _uri("content.attachment.url"),
        "period": _date("context.period"),
        "related": _reference("context.related"),
        "relatesto": _reference("relatesTo.target", targets=("DocumentReference",)),
        "relation": _token("relatesTo.code", system="http://hl7.org/fhir/document-relationship-type"),
        "security-label": _token("securityLabel"),
        "setting": _token("context.practiceSetting"),
        "status": _token("status", system="http://hl7.org/fhir/document-reference-status"),
        "type": _token("type"),
    },
    "Encounter": {
        **_SUBJECT,
        "class": _token("class"),
        "date": _date("period"),
        "diagnosis": _reference("diagnosis.condition"),
        "identifier": _token("identifier"),
        "location": _reference("location.location", targets=("Location",)),
        "part-of": _reference("partOf", targets=("Encounter",)),
        "participant": _reference("participant.individual"),
        "participant-type": _token("participant.type"),
        "practitioner": _reference("participant.individual", targets=("Practitioner",)),
        "reason-code": _token("reasonCode"),
        "service-provider": _reference("serviceProvider", targets=("Organization",)),
        "status": _token("status", system="http://hl7.org/fhir/encounter-status"),
        "type": _token("type"),
    },
    "Group": {
        "actual": _token("actual"),
        "code": _token("code"),
        "identifier": _token("identifier"),
        "managing-entity": _reference("managingEntity"),
        "member": _reference("member.entity"),
        "type": _token("type", system="http://hl7.org/fhir/group-type"),
    },
    "Location": {
        **_ADDRESS,
        "identifier": _token("identifier"),
        "name": _string("name", "alias"),
        "organization": _reference("managingOrganization", targets=("Organization",)),
        "partof": _reference("partOf", targets=("Location",)),
        "status": _token("status", system="http://hl7.org/fhir/location-status"),
        "type": _token("type"),
    },
    "MedicationStatement": {
        **_SUBJECT,
        "category": _token("category"),
        "code": _token("medicationCodeableConcept"),
        "context": _reference("context"),
        "effective": _date("effectiveDateTime", "effectivePeriod"),
        "identifier": _token("identifier"),
        "medication": _reference("medicationReference", targets=("Medication",)),
        "part-of": _reference("partOf"),
        "source": _reference("informationSource"),
        "status": _token("status", system="http://hl7.org/fhir/CodeSystem/medication-statement-status"),
    },
    "Organization": {
        **_ADDRESS,
        "active": _token("active"),
        "identifier": _token("identifier"),
        "name": _string("name", "alias"),
        "partof": _reference("partOf", targets=("Organization",)),
        "type": _token("type"),
    },
    "Patient": {
        **_PERSON,
        "birthdate": _date("birthDate"),
        "death-date": _date("deceasedDateTime"),
        "family": _string("name.family"),
        "general-practitioner": _reference("generalPractitioner"),
        "given": _string("name.given"),
        "language": _token("communication.language"),
        "link": _reference("link.other"),
        "organization": _reference("managingOrganization", targets=("Organization",)),
    },
    "Practitioner": {
        **_PERSON,
        "communication": _token("communication"),
        "family": _string("name.family"),
        "given": _string("name.given"),
    },
    "Provenance": {
        "agent": _reference("agent.who"),
        "agent-role": _token("agent.role"),
        "agent-type": _token("agent.type"),
        "entity": _reference("entity.what"),
        "location": _reference("location", targets=("Location",)),
        "patient": _reference("target", targets=_PATIENT),
        "recorded": _date("recorded"),
        "signature-type": _token("signature.type"),
        "target": _reference("target"),
        "when": _date("occurredDateTime"),
    },
    "RelatedPerson": {
        **_PERSON,
        "birthdate": _date("birthDate"),
        "patient": _reference("patient", targets=_PATIENT),
        "relationship": _token("relationship"),
    },
    "Subscription": {
        "contact": _token("contact"),
        "criteria": _string("criteria"),
        "payload": _token("channel.payload"),
        "status": _token("status", system="http://hl7.org/fhir/subscription-status"),
        "type": _token("channel.type", system="http://hl7.org/fhir/subscription-channel-type"),
        "url": _uri("channel.endpoint"),
    },
}


def find_parameter(type_: str, name: str) -> Parameter | None:
    """The parameter of that name for a stored type, or None."""
    return PARAMETERS[type_].get(name) or COMMON.get(name)
