"""The first proof: a launch that held. Who, which patient, which encounter, which EHR."""

from collections.abc import Mapping
from dataclasses import InitVar, asdict, dataclass, fields
from typing import Any

from gateway.ehr.reference import is_id, parse_reference
from gateway.errors import LaunchError
from gateway.proof import Maker

MAKER = Maker("ehr/smart (complete_launch) and the visit's own door (admit_launch)")

CLINICIANS = ("Practitioner", "PractitionerRole")


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """A SMART launch after state, PKCE, nonce and id_token held (SMART App Launch 2.2, sections 3 to 5).

    ``practitioner`` is a relative reference (``Practitioner/42`` or ``PractitionerRole/7``); ``encounter_id`` is
    None where the launch had none; ``scopes`` are the granted ones. It holds no token.
    """

    maker: InitVar[Maker]
    site_id: str
    patient_id: str
    encounter_id: str | None
    practitioner: str
    subject: str
    scopes: tuple[str, ...]
    need_patient_banner: bool
    intent: str

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)

    def to_message(self) -> dict[str, Any]:
        """What the front hands to the visit process over its private socket."""
        return asdict(self)


def admit_launch(message: Mapping[str, Any]) -> LaunchContext:
    """The visit's side of the hand-over: the front's message, checked again for its shape.

    Raises:
        LaunchError: a field is missing or of the wrong kind.
    """
    names = {field.name for field in fields(LaunchContext)}
    if set(message) != names:
        raise LaunchError("launch.message", "The launch could not be taken over. Open Countersign again from the EHR.")
    required = ("site_id", "patient_id", "practitioner", "subject")
    if not all(isinstance(message[name], str) and message[name] for name in required):
        raise LaunchError("launch.message", "The launch has no patient or user. Open Countersign again from the EHR.")
    encounter_id, practitioner = message["encounter_id"], parse_reference(message["practitioner"])
    named = is_id(message["patient_id"]) and (encounter_id is None or is_id(encounter_id))
    if not named or practitioner is None or practitioner.type not in CLINICIANS:
        raise LaunchError(
            "launch.message", "The launch names nobody that can be asked for. Open Countersign again from the EHR."
        )
    return LaunchContext(MAKER, **{**message, "scopes": tuple(message["scopes"])})
