"""Codes of R4's own value sets that a Consent may carry (https://hl7.org/fhir/R4/consent-definitions.html).

A code that stands neither here nor in the site's file is unknown, and unknown is no.
"""

import re

Code = tuple[str, str]  # system and code

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC = "http://loinc.org"
CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
_POLICY = "http://terminology.hl7.org/CodeSystem/consentpolicycodes"
_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_ROLE_EXTRA = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"


def _codes(system: str, words: str) -> frozenset[Code]:
    return frozenset((system, word) for word in words.split())


SCOPES = _codes(CONSENT_SCOPE, "adr research patient-privacy treatment")
PRIVACY_SCOPE: Code = (CONSENT_SCOPE, "patient-privacy")
# Says that a paper exists, not what it says: on Oracle Health every proxy's chart access carries 59284-0 and permit.
SAYS_NOTHING = _codes(LOINC, "59284-0 64292-6")
CATEGORIES = (
    _codes(_CATEGORY, "acd dnr emrgonly hcd npp polst research rsdid rsreid")
    | _codes(ACT_CODE, "EMRGONLY ICOL IDSCL INFA INFAO INFASO IRDSCL NOPP RESEARCH RSDID RSREID")
    | _codes(LOINC, "59284-0 57016-8 57017-6 64292-6")
)
OPT_OUT = _codes(ACT_CODE, "OPTOUT OPTOUTE")
OPT_IN = _codes(ACT_CODE, "OPTIN OPTINR")
POLICIES = (
    OPT_IN
    | OPT_OUT
    | _codes(
        _POLICY,
        "cric illinois-minor-procedure hipaa-auth hipaa-notice hipaa-restrictions hipaa-research hipaa-self-pay "
        "mdhhs-5515 nyssipp va-10-0484 va-10-0485 va-10-5345 va-10-5345a va-10-5345a-mhv va-10-10116 va-21-4142 "
        "ssa-827 dch-3927 squaxin nl-lsp at-elga nih-hipaa nci nih-grdr nih-527 ga4gh",
    )
)
# Who acts, among the roles of R4's actor: those that take in, use or write.
ACTING_ROLES = _codes(PARTICIPATION, "PRCP IRCP AUT PRF PPRF SPRF DEV") | _codes(
    _ROLE_EXTRA, "datacollector dataprocessor humanuser"
)
ROLES = (
    ACTING_ROLES
    | _codes(PARTICIPATION, "CST ENT INF LA TRC WIT ORG RESP SBJ")
    | _codes(_ROLE_CLASS, "AFFL AGNT ASSIGNED CLAIM COVPTY DEPEN ECON EMP GUARD INVSBJ NAMED NOK PAT PROV NOT")
    | _codes(_ROLE_CODE, "CLASSIFIER CONSENTER CONSWIT COPART DECLASSIFIER DELEGATEE DELEGATOR DOWNGRDER DPOWATT")
    | _codes(_ROLE_CODE, "EXCEST GRANTEE GRANTOR GT GUADLTM HPOWATT INTPRTER POWATT RESPRSN SPOWATT")
    | _codes(_ROLE_EXTRA, "authserver dataprocessor humanuser datacollector")
)
ACTIONS = _codes(CONSENT_ACTION, "collect access use disclose correct")
# The purposes right below PurposeOfUse: none of them is part of another.
MAIN_PURPOSES = _codes(ACT_REASON, "HMARKT HOPERAT HPAYMT HRESCH PATRQT PUBHLTH TREAT")
PURPOSES = MAIN_PURPOSES | _codes(
    ACT_REASON,
    "CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN LABELING "
    "METAMGT MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST TRAIN CLMATTCH COVAUTH COVERAGE ELIGDTRM "
    "ELIGVER ENROLLM MILDCRG REMITADV CLINTRCH CLINTRCHNPC CLINTRCHPC PRECLINTRCH DSRCH POARCH TRANSRCH FAMRQT PWATRNY "
    "SUPNWK DISASTER THREAT CLINTRL COC ETREAT BTG ERTREAT POPHLTH PurposeOfUse TREATDS",
)
ORDINARY = _codes(CONFIDENTIALITY, "N R V")  # a label covers its own level and what is lower
CONFIDENTIALITIES = _codes(CONFIDENTIALITY, "U L M N R V")
LABELS = CONFIDENTIALITIES | _codes(
    ACT_CODE,
    "ETHUD GDIS HIV MST PREGNANT SCA SDV SEX SPI BH COGN DVD EMOTDIS MH PSY PSYTHPN SUD OPIOIDUD STD TBOO VIO "
    "SICKLE DEMO DOB GENDER LIVARG MARST RACE REL B EMPL LOCIS SSP ADOL CEL DIA DRGIS EMP PDS PHY PRS COMPT ETH "
    "42CFRPart2 HIPAAPsyNotes",
)
# Systems whose codes are clinical content in a provision, never one of the three questions.
_CLINICAL = {
    LOINC: re.compile(r"\d{1,7}-\d"),
    "http://snomed.info/sct": re.compile(r"[1-9]\d{5,17}"),
    "http://www.nlm.nih.gov/research/umls/rxnorm": re.compile(r"\d{1,8}"),
}
_CONTENT_CLASSES = _codes("urn:ietf:bcp:13", "application/hl7-cda+xml") | _codes(
    "http://hl7.org/fhir/resource-types",
    "Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic "
    "Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry "
    "ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication "
    "CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage "
    "CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric "
    "DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference DomainResource "
    "EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition "
    "Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition "
    "Group GuidanceResponse HealthcareService ImagingStudy Immunization ImmunizationEvaluation "
    "ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure "
    "MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest "
    "MedicationStatement MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication "
    "MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured "
    "MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition "
    "MessageHeader MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition "
    "OperationDefinition OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice "
    "PaymentReconciliation Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire "
    "QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy "
    "ResearchSubject Resource RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot "
    "Specimen SpecimenDefinition StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid "
    "SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification "
    "SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet VerificationResult "
    "VisionPrescription",
)
# The EHR gave a part of the resource: R4 search _summary, security tags.
PARTIAL = _codes(OBSERVATION_VALUE, "SUBSETTED REDACTED MASKED")


def is_clinical(code: Code) -> bool:
    """Whether a code is well-formed clinical content: a LOINC, SNOMED CT or RxNorm code."""
    form = _CLINICAL.get(code[0])
    return form is not None and form.fullmatch(code[1]) is not None


def is_content_class(code: Code) -> bool:
    """Whether a code may be a class of content: of R4's, or a LOINC document."""
    return code in _CONTENT_CLASSES or (code[0] == LOINC and is_clinical(code))
