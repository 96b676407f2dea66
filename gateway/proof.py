"""Proof types: a value that only the right function can make is the permission to go on.

Each proof is a frozen dataclass whose first field is ``maker: InitVar[Maker]``; its ``__post_init__`` calls
``MAKER.check(maker)`` with the private ``MAKER`` of its own module. Building one elsewhere raises ``ForgedProof``.
Proofs are never deserialised: what crosses a process border or a restart is decided again on the other side.
"""


class ForgedProof(TypeError):
    """A proof was built by something other than its own maker: a programming error, never an outcome."""


class Maker:
    """The private token of one module; its identity, not its name, is what counts."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def check(self, given: object) -> None:
        """Raises:
        ForgedProof: ``given`` is not this very token.
        """
        if given is not self:
            raise ForgedProof(f"only {self._name} may make this proof")

    def __reduce__(self) -> tuple[object, ...]:
        raise ForgedProof(f"the maker of {self._name} does not leave its process")
