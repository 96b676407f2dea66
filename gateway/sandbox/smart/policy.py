"""What a test or an integrator may turn, to see how an app bears it: every switch of the authorization server."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from gateway.sandbox.smart.scopes import Scopes, parse_scopes, spell_as_v1


@dataclass(slots=True)
class Policy:
    """Read at each request, so that a test can change it while the server runs.

    Args:
        grant: from the scopes that would be granted to those that are (granted ≠ requested).
        fhir_user: ``absolute`` or ``relative`` to the FHIR base (SMART 2.2 allows both), or ``absent``.
        scope_in_reply: without it the token reply has no ``scope``, which SMART forbids and some servers do.
    """

    grant: Callable[[Scopes], Scopes] = field(default=lambda scopes: scopes)
    need_patient_banner: bool = True
    intent: str = ""
    tenant: str = ""
    fhir_user: str = "absolute"
    scope_in_reply: bool = True
    access_seconds: int = 3600
    backend_seconds: int = 300
    code_seconds: int = 60
    launch_seconds: int = 300
    refresh_seconds: int = 90 * 24 * 3600

    def change(self, values: object) -> None:
        """Takes over values as JSON gives them; ``grant`` is ``"all"``, ``"v1"`` or a list of scopes.

        Raises:
            ValueError: a name is unknown or a value is of the wrong kind.
        """
        if not isinstance(values, dict):
            raise ValueError("Send a JSON object of switches and their values.")
        known: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no switch {name}; there are {', '.join(known)}.")
            if name == "grant":
                self.grant = read_grant(value)
            elif type(value) is not type(known[name]):
                raise ValueError(f"{name} takes a value of type {type(known[name]).__name__}.")
            else:
                setattr(self, name, value)


def read_grant(value: object) -> Callable[[Scopes], Scopes]:
    """``"all"``: as asked; ``"v1"``: in v1 spelling; a list: these, whatever was asked."""
    match value:
        case "all":
            return lambda scopes: scopes
        case "v1":
            return lambda scopes: Scopes(spell_as_v1(scopes.texts))
        case list():
            fixed = parse_scopes(" ".join(str(one) for one in value))
            return lambda scopes: fixed
        case _:
            raise ValueError('grant takes "all", "v1" or a list of scopes.')
