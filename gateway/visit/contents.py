"""What a visit holds of the patient, all in one place: ending a visit drops one object, losing a consent prunes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.capture.material import Material, Segment, Source, gather_material, is_worth_keeping
from gateway.capture.typed import read_typed
from gateway.consent.asking import AttestedAnswer
from gateway.consent.decision import Activity, Permit, Refusal
from gateway.consent.room import Present
from gateway.ehr.chart import Chart
from gateway.ehr.reference import Reference
from gateway.errors import VisitError
from gateway.filing.handover import HandOverText
from gateway.note.evidence import CheckedStatement
from gateway.note.reading import MaterialReading, read_material
from gateway.note.review import Review
from gateway.note.risk import RiskRules

OF_SESSION = frozenset({Source.SESSION, Source.SILENCE})
OF_SPEECH = frozenset({Source.SESSION, Source.DICTATION})


@dataclass(slots=True)
class Contents:
    """The patient's data.

    Attributes:
        own: the patient's own answers, by her record; ``consents`` are those of everyone in the room.
        attested: what was answered in this visit and the record does not have: a no until it is written, and where the
            record takes no Consent, every answer.
        written: Consents that this visit wrote.
        heard: what was recorded or dictated, transcribed; numbered only when it is gathered.
        heard_language: in which it was said, typed_language: in which it was typed, once that is clear (BCP 47);
            ``language`` is the material's (``visit/language``).
        audio: on its way to the transcriber.
        reading: what the check has read of the material; it goes with every word that may not stay.
    """

    chart: Chart | None = None
    own: Mapping[Activity, Permit | Refusal] = field(default_factory=dict)
    consents: Mapping[Activity, Permit | Refusal] = field(default_factory=dict)
    people: tuple[Present, ...] = ()
    attested: dict[Activity, AttestedAnswer] = field(default_factory=dict)
    written: tuple[Reference, ...] = ()
    heard: list[Segment] = field(default_factory=list)
    heard_language: str | None = None
    typed_language: str | None = None
    language: str = "en"
    typed: str = ""
    observations: str = ""
    audio: bytes = b""
    reading: MaterialReading | None = None
    progress: list[CheckedStatement] = field(default_factory=list)
    review: Review | None = None
    handover: HandOverText | None = None

    def gather(self) -> Material:
        """Everything gathered so far, numbered as the draft will see it: what was heard, then what was typed."""
        return gather_material([*self.heard, *read_typed(self.typed, self.observations)], self.language)

    def read(self, material: Material, rules: RiskRules) -> MaterialReading:
        """What the check has read of the material, as it is now. Not for two threads at once."""
        if self.reading is None or self.reading.rules is not rules:
            self.reading = read_material(material.segments, rules)
        elif not self.reading.holds(material.segments):
            self.reading.replace(material.segments)
        return self.reading

    def count_heard(self) -> int:
        """The number of the last segment that was heard; 0: none."""
        return len(gather_material(self.heard).segments)

    def find_heard(self, number: int) -> Segment:
        """The line of speech that has this number in what is gathered.

        Raises:
            VisitError: there is no such line, or nobody said it.
        """
        segments = self.gather().segments
        if not 0 < number <= len(segments) or segments[number - 1].source is Source.SILENCE:
            raise VisitError("line.unknown", "That line is not there any more. Look at the lines again.")
        line = segments[number - 1]
        if line.source not in OF_SPEECH:
            raise VisitError("line.typed", "That line was typed. Change it in the notes that it was typed in.")
        return line

    def replace_heard(self, number: int, line: Segment) -> None:
        """Put another line of speech in the place of the one that has this number in what is gathered."""
        place = [index for index, one in enumerate(self.heard) if is_worth_keeping(one)][number - 1]
        self.heard[place] = line

    @property
    def has_recorded(self) -> bool:
        """Whether anything was said in the session, understood or not."""
        return any(one.source is Source.SESSION for one in self.heard)

    @property
    def has_other(self) -> bool:
        """Whether there is any material besides the recorded session."""
        others = (one for one in self.heard if one.source not in OF_SESSION)
        return bool(gather_material([*others, *read_typed(self.typed, self.observations)]).segments)

    def drop_draft(self) -> None:
        self.progress, self.review = [], None

    def drop_recorded(self, keep_audio: bool) -> None:
        """The recorded session, and the draft that may rest on it; ``keep_audio``: what is on its way was dictated."""
        self.drop_draft()
        self.audio = self.audio if keep_audio else b""
        self.heard = [one for one in self.heard if one.source not in OF_SESSION]
        self.heard_language = self.reading = None

    def drop_material(self) -> None:
        self.drop_draft()
        self.heard, self.typed, self.observations, self.audio = [], "", "", b""
        self.heard_language = self.typed_language = self.reading = None

    def list_kinds(self) -> tuple[str, ...]:
        """What is held, in words."""
        kinds = (
            ("chart and consents", self.chart),
            ("recorded audio", self.audio),
            ("transcript", self.heard),
            ("typed notes", self.typed or self.observations),
            ("draft and its review", self.review or self.progress),
            ("text for hand-over", self.handover),
        )
        return tuple(name for name, held in kinds if held)
