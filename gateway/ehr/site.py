"""One EHR as a site describes it: ``config/ehrs/<id>.toml``. Only these issuers are ever talked to."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.configuration import read_toml
from gateway.ehr.scopes import covers, split_scopes
from gateway.errors import ConfigurationError
from gateway.settings import PREFIX

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
LocalReference = Annotated[str, StringConstraints(pattern=r"^(Organization|Device|CareTeam)/[A-Za-z0-9\-._]{1,128}$")]
Language = Annotated[str, StringConstraints(pattern=r"^(chart|[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*)$", max_length=35)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Client(_Part):
    """How the gateway authenticates at the token endpoint (SMART App Launch 2.2, sections 5 and 6)."""

    id: Text
    auth: Literal["public", "client_secret_basic", "private_key_jwt"] = "public"
    secret_env: str = Field("", description="client_secret_basic: the environment variable that holds the secret")
    key_file: str = Field("", description="private_key_jwt: a JWK; empty: the gateway makes one in state_dir")
    algorithm: Literal["ES384", "RS384"] = "ES384"
    scopes: Text = (
        "launch openid fhirUser patient/Patient.r patient/Encounter.rs patient/Consent.rs "
        "user/Practitioner.r patient/DocumentReference.crs patient/Provenance.c"
    )
    standalone_scopes: str = Field("", description="empty: as scopes, with launch/patient launch/encounter for launch")
    authorize_post: bool = Field(False, description="send the authorization request as a form POST")

    @model_validator(mode="after")
    def _secret_is_named(self) -> "Client":
        if self.auth == "client_secret_basic" and not self.secret_env:
            raise ValueError("client_secret_basic needs secret_env, the environment variable with the secret")
        if self.secret_env.upper().startswith(PREFIX):
            raise ValueError(f"variables that begin with {PREFIX} are settings; name the one of secret_env otherwise")
        return self


class Backend(_Part):
    """A Backend Services client (SMART 2.2, section 9) for the signature watch."""

    id: Text
    key_file: str = ""
    algorithm: Literal["ES384", "RS384"] = "ES384"
    scopes: Text = "system/DocumentReference.rs"


class Note(_Part):
    """What this EHR holds and how: see docs/integrators.md for each."""

    unsigned: Literal["yes", "no"] = Field("yes", description="no: hand the text over to the EHR's own editor")
    content_type: Literal["text/plain", "text/plain;charset=utf-8"] = "text/plain;charset=utf-8"
    type_code: Text = "11506-3"
    type_display: Text = "Progress note"
    labels: bool = Field(True, description="meta.security AIAST; off where the EHR's terminology refuses it")
    provenance: bool = True
    conditional_create: bool = Field(True, description="If-None-Exist is honoured")
    period_end: bool = Field(False, description="context.period.end is required (Oracle Health)")
    language: Language = Field("en", description="BCP 47; chart: the one that the patient prefers, else English")


class ChartReading(_Part):
    """What is read of the chart beside what every visit needs; by default nothing."""

    medications: Literal["none", "MedicationRequest", "MedicationStatement"] = Field(
        "none", description="the active ones by name, so that they are heard right"
    )


class Launch(_Part):
    without_encounter: Literal["offer", "offer-or-none", "refuse"] = "offer"
    standalone: bool = True
    banner: Literal["ehr-says", "always"] = "ehr-says"


class Telehealth(_Part):
    encounter_classes: tuple[str, ...] = ("VR",)


class Consents(_Part):
    """What this EHR can do about Consent beside giving it out; unknown is the least."""

    answers: Literal["write", "attest", "refuse"] = Field(
        "refuse", description="an answer asked for on the spot: write a Consent, attest it in the note, or do not ask"
    )
    change: bool = Field(True, description="write: an older Consent may be set inactive")
    subscription: bool = Field(False, description="a rest-hook Subscription tells of changes")
    audit_events: bool = Field(False, description="each decision is written as an AuditEvent")


class EhrSite(_Part):
    """The whole file. ``id`` is the file's stem."""

    id: Text
    name: Text
    issuer: HttpUrl
    client: Client
    backend: Backend | None = None
    note: Note = Note()
    chart: ChartReading = ChartReading()
    consent: Consents = Consents()
    launch: Launch = Launch()
    telehealth: Telehealth = Telehealth()
    frame_ancestors: tuple[HttpUrl, ...] = Field((), description="origins that may frame the page; none: tab only")
    consent_rules: Text = "default"
    acting_as: tuple[LocalReference, ...] = Field(
        (), description="who acts beside the clinician, as this EHR refers to them: the practice, this gateway's Device"
    )
    identifier_labels: dict[str, Text] = Field(default_factory=dict, description="identifier system to its label (MRN)")
    timeout_seconds: float = Field(10.0, gt=0, le=120)

    @model_validator(mode="after")
    def _medications_are_asked_for(self) -> "EhrSite":
        needed = f"patient/{self.chart.medications}.s"
        asked = [scopes for scopes in (self.client.scopes, self.client.standalone_scopes) if scopes]
        if self.chart.medications != "none" and not all(covers(split_scopes(scopes), needed) for scopes in asked):
            raise ValueError(f"chart.medications needs {needed} among the scopes of [client]")
        return self


def read_sites(folder: Path) -> dict[str, EhrSite]:
    """Read every ``*.toml`` of a folder, by id.

    Raises:
        ConfigurationError: a file is wrong, or two name the same issuer.
    """

    class _File(EhrSite):
        id: str = ""

    sites: dict[str, EhrSite] = {}
    issuers: dict[str, Path] = {}
    for path in sorted(folder.glob("*.toml")):
        site = read_toml(path, _File)
        if site.issuer in issuers:
            raise ConfigurationError(path, "issuer", f"{issuers[site.issuer].name} names the same one")
        issuers[site.issuer] = path
        sites[path.stem] = EhrSite(**{**site.model_dump(), "id": path.stem})
    return sites
