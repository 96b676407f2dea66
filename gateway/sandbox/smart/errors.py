"""How the authorization server says no (RFC 6749, sections 4.1.2.1 and 5.2)."""


class OAuthRefusal(Exception):
    """A stable OAuth error code and a sentence that says what would be right; never a token, code or secret."""

    def __init__(self, error: str, words: str, status: int = 400) -> None:
        super().__init__(f"{error}: {words}")
        self.error, self.words, self.status = error, words, status

    def to_json(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.words}
