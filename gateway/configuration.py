"""Reads the TOML files that a site edits; a wrong one stops start-up with file, key and reason."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """Read one file into ``model``; unknown keys are refused where the model says ``extra="forbid"``.

    Raises:
        ConfigurationError: the file can't be read, is not TOML, or a key is wrong.
    """
    data = read_table(path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(path, *explain_error(error)) from error


def read_table(path: Path) -> dict[str, Any]:
    """One file, not yet checked.

    Raises:
        ConfigurationError: the file can't be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(path, "", f"can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, "", "is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, "", f"is not TOML ({error})") from error


def explain_error(error: ValidationError) -> tuple[str, str]:
    """The first key that is wrong, dotted, and why; what stands in the file is not repeated."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    reasons = {"extra_forbidden": "there is no such key", "missing": "this key is missing"}
    return key, reasons.get(first["type"], first["msg"].removeprefix("Value error, "))
