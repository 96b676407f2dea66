"""Reads the TOML files that a site edits; a wrong one stops start-up with file, key and reason."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """Read one file into ``model``; unknown keys are refused where the model says ``extra="forbid"``.

    Raises:
        ConfigurationError: the file can't be read, is not TOML, or a key is wrong.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(path, "", f"can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, "", "is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, "", f"is not TOML ({error})") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(path, key, first["msg"]) from error
