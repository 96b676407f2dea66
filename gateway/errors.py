"""Every error of the gateway, in one tree.

CountersignError
├── ConfigurationError   a file that a site edits is wrong: file, key, reason; stops start-up
├── LaunchError          the SMART launch did not hold: state, scopes, identity, context
├── EhrError             the EHR said no or did not answer
│   ├── EhrUnreachable   no answer: its outcome is unknown
│   ├── EhrRefused       an answer that says no (401, 403, 404, 409, 412, 422, 429 …)
│   └── EhrGarbled       an answer that is none: HTML, broken JSON, a wrong resource
├── ConsentMissing       a step was asked for that no Permit covers
├── ConsentNotTaken      an answer was not taken, or is not in the record as it should be
├── CaptureError         audio or text that can't be taken
├── ModelError           model files: missing, damaged, not listed
├── DraftError           no draft can be made
├── ReviewError          a decision is missing, stale or not allowed
├── FilingError          the note is not in the record, or not as it should be
├── VisitError           the visit is over, busy, or not this browser's
└── LedgerError          the ledger can't be written: nothing may start

Each has a stable ``code``, an HTTP ``status``, a ``public`` sentence (what happened and what to do next, never
patient data) and a private ``detail`` for the log (codes and ids, never patient data either).
"""

from typing import ClassVar


class CountersignError(Exception):
    """The root. ``public`` is one sentence for the person at the page or the command line."""

    status: ClassVar[int] = 500

    def __init__(self, code: str, public: str, detail: str = "") -> None:
        super().__init__(f"{code}: {public}" + (f" [{detail}]" if detail else ""))
        self.code = code
        self.public = public
        self.detail = detail


class ConfigurationError(CountersignError):
    """A configuration file is wrong."""

    def __init__(self, file: object, key: str, reason: str) -> None:
        super().__init__("configuration", f"{file}: {key}: {reason}" if key else f"{file}: {reason}")
        self.file, self.key, self.reason = str(file), key, reason


class LaunchError(CountersignError):
    status = 400


class EhrError(CountersignError):
    status = 502


class EhrUnreachable(EhrError):
    status = 504


class EhrRefused(EhrError):
    """The EHR answered no. ``http_status`` is what it answered; ``elements`` are those its reason names."""

    def __init__(
        self, code: str, public: str, http_status: int, detail: str = "", elements: tuple[str, ...] = ()
    ) -> None:
        super().__init__(code, public, detail)
        self.http_status = http_status
        self.elements = elements


class EhrGarbled(EhrError):
    pass


class ConsentMissing(CountersignError):
    status = 403


class ConsentNotTaken(CountersignError):
    """An answer was not taken. ``written`` are the references of those of the same sitting that are in the record."""

    status = 422

    def __init__(self, code: str, public: str, detail: str = "", written: tuple[str, ...] = ()) -> None:
        super().__init__(code, public, detail)
        self.written = written


class CaptureError(CountersignError):
    status = 422


class ModelError(CountersignError):
    status = 503


class DraftError(CountersignError):
    status = 422


class ReviewError(CountersignError):
    status = 409


class FilingError(CountersignError):
    status = 502


class VisitError(CountersignError):
    status = 409


class LedgerError(CountersignError):
    status = 503
