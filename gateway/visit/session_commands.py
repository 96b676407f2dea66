"""The commands that a page sends beside a session's sound, read strictly: one a message, nothing unknown.

In: a text message, JSON with one key: ``{"pause": sample}``, ``{"mark": {"speaker", "from", "to"}}`` and so on
(docs/architecture.md). Out: the command. Moments are samples of the session's clock, 16,000 a second.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gateway.errors import CaptureError

MAX_TEXT = 4096
Sample = Annotated[int, Field(ge=0, lt=1 << 62)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Begin(_Part):
    channels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=2)]


class Pause(_Part):
    at: Sample


class Resume(_Part):
    at: Sample


class Strike(_Part):
    seconds: Annotated[float, Field(gt=0, le=86_400)]
    now: Sample


class Mark(_Part):
    speaker: Name
    start: Sample = Field(alias="from")
    end: Sample = Field(alias="to")


class Finish(_Part):
    counts: Annotated[dict[Name, Sample], Field(max_length=2)]


class _Message(_Part):
    """Exactly one of them."""

    begin: Begin | None = None
    pause: Annotated[Pause, BeforeValidator(lambda at: {"at": at})] | None = None
    resume: Annotated[Resume, BeforeValidator(lambda at: {"at": at})] | None = None
    strike: Strike | None = None
    mark: Mark | None = None
    finish: Annotated[Finish, BeforeValidator(lambda counts: {"counts": counts})] | None = None

    @model_validator(mode="after")
    def require_one(self) -> "_Message":
        if len(self.model_fields_set) != 1 or getattr(self, next(iter(self.model_fields_set))) is None:
            raise ValueError("one command a message")
        return self


Command = Begin | Pause | Resume | Strike | Mark | Finish


def read_command(text: str) -> Command:
    """One command of a text message.

    Raises:
        CaptureError: it is none.
    """
    try:
        if len(text) > MAX_TEXT:
            raise garbled("too long")
        message = _Message.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise garbled(first["type"]) from None
    given = [command for _, command in message if command is not None]
    command: Command = given[0]
    return command


def garbled(detail: str) -> CaptureError:
    """What the page sent is no message of a session's; ``detail`` is a code, never its text."""
    return CaptureError("session.garbled", "The page sent something that can't be read. Reload it.", detail)
