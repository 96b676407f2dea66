"""The gateway's own settings: ``config/gateway.toml`` and ``COUNTERSIGN_*`` in the environment (which wins).

What a site edits about EHRs, consent, formats, risk, models and lifetimes has files of its own beside it.
"""

import difflib
import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.configuration import explain_error, read_table
from gateway.errors import ConfigurationError

PREFIX = "COUNTERSIGN_"
# What begins so and is no setting: what the supervisor tells its children, and what steers the tests.
NO_SETTINGS = frozenset(
    f"{PREFIX}{name}"
    for name in ("STARTED_BY", "CHROMIUM", "CONTAINER", "HAPI", "LEAVE_NOTHING_OUT", "PICTURES", "POSTGRES")
)
ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where things are and what the site accepts."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    config_dir: Path = Field(
        ROOT / "config", description="the folder with ehrs/, consent/, formats/, risk/, models.toml"
    )
    state_dir: Path = Field(Path("~/.local/state/countersign"), description="database, ledger and the site's keys")
    run_dir: Path | None = Field(None, description="Unix sockets; a private folder in memory where there is one")
    models_dir: Path = Field(Path("~/.local/share/countersign/models"), description="pulled model files")
    page_dir: Path = Field(ROOT / "smart_app", description="the clinician's page")
    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="the port to listen on")
    public_url: str = Field("http://localhost:8000", description="the address that browsers and the EHR know")
    database_url: str = Field("", description="empty: SQLite in state_dir; else a SQLAlchemy URL (Postgres)")
    drafter: Literal["auto", "model", "outline"] = Field(
        "auto", description="auto: the text model where one is installed"
    )
    default_format: str = Field("soap", description="the note format that a visit begins with")
    text_model: str = Field("", description="the id of the text model in models.toml; empty: the first installed")
    speech_model: str = Field("", description="the id of the speech model in models.toml; empty: the first installed")
    model_threads: int = Field(0, ge=0, description="threads for a model; 0: one per core")
    gpu_layers: int = Field(0, ge=-1, le=1000, description="layers of the text model on a GPU; 0: none, -1: all")
    visit_hours: float = Field(4.0, gt=0, le=24, description="a visit that is not filed by then is destroyed")
    accept_no_network_namespace: bool = Field(
        False, description="start although this kernel can't take the network from a visit process"
    )

    @field_validator("public_url")
    @classmethod
    def _is_root_of_a_host(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+/?", url):
            raise ValueError("must be the root of a host, such as https://notes.example.org")
        return url

    @field_validator("state_dir", "models_dir", "run_dir")
    @classmethod
    def _has_a_home(cls, folder: Path | None) -> Path | None:
        try:
            if folder is not None:
                folder.expanduser()
        except RuntimeError as error:
            raise ValueError(f"{folder}: there is no such user's home") from error
        return folder

    @cached_property
    def state(self) -> Path:
        return self.state_dir.expanduser()

    @cached_property
    def models(self) -> Path:
        return self.models_dir.expanduser()


def read_settings(config_dir: Path | None = None, **given: object) -> Settings:
    """Read the settings; ``given`` wins over the environment, the environment over ``gateway.toml``.

    Raises:
        ConfigurationError: a key or a variable is unknown or wrong.
    """
    _refuse_unknown(os.environ)
    folder = config_dir or Path(os.environ.get(f"{PREFIX}CONFIG_DIR") or ROOT / "config")
    file = folder / "gateway.toml"
    table = read_table(file) if file.exists() else {}

    class FileSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, table)

    try:
        return FileSettings(config_dir=folder, **given)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        key, reason = explain_error(error)
        variable = f"{PREFIX}{key.upper()}"
        where = f"{key} ({variable} in the environment)" if variable in os.environ and key not in given else key
        raise ConfigurationError(file, where, reason) from error


def _refuse_unknown(names: Iterable[str]) -> None:
    """A misspelt variable must not leave a setting at its default unseen."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(names):
        if name.upper().startswith(PREFIX) and name not in known | NO_SETTINGS:
            nearest = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0)[0]
            raise ConfigurationError("environment", name, f"there is no such setting; the nearest is {nearest}")
