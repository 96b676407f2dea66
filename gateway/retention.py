"""How long the front and its visits keep what they keep: ``config/retention.toml``. A site may shorten each."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from gateway.configuration import read_toml


class Retention(BaseModel):
    """Lifetimes. Visits themselves end by ``visit_hours`` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    launch_minutes: float = Field(10, gt=0, le=60, description="a launch that did not come back from the EHR by then")
    sound_minutes: float = Field(
        10,
        ge=0,
        le=240,
        description="the sound of a session's unmarked lines, once the draft is ready; 0: at once",
    )
    ended_minutes: float = Field(60, gt=0, le=1440, description="the page of an ended visit shows its receipt so long")
    watch_days: float = Field(14, gt=0, le=90, description="a filed note's reference, while nobody signs the note")
    row_days: float = Field(
        30, gt=0, le=365, description="the row of an ended visit (times, process, outcome; nobody's data)"
    )
    watch_seconds: float = Field(
        20, ge=0.2, le=86400, description="between two looks at a note that awaits its signature"
    )


def read_retention(config_dir: Path) -> Retention:
    """Read ``retention.toml``; without the file, the lifetimes above.

    Raises:
        ConfigurationError: a key is unknown or wrong.
    """
    path = config_dir / "retention.toml"
    return read_toml(path, Retention) if path.exists() else Retention()
