"""Who launched: the id_token, validated by the issuer's keys, and its ``fhirUser``.

OpenID Connect Core 1.0, 3.1.3.7; SMART App Launch 2.2, section 3.1.9. Claims are checked by Authlib's
``CodeIDToken``, signatures by joserfc. A key that is not known is asked for once, then the launch does not hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, RSAKey

from gateway.ehr.context import CLINICIANS
from gateway.ehr.discovery import Discovery, PublicKey, SmartConfiguration
from gateway.ehr.reference import parse_reference
from gateway.ehr.site import EhrSite
from gateway.errors import LaunchError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY_SECONDS = 60

NO_USER = (
    "The EHR did not say who you are. The launch needs the scopes openid and fhirUser: ask whoever looks after the EHR."
)
NOT_PROVEN = "The EHR's proof of who you are does not hold. Open Countersign again from the EHR."
NOT_A_CLINICIAN = "Countersign is for clinicians: this launch is by a patient or a relative, so it stops here."
UNKNOWN_KIND = "The EHR names a user that is no practitioner. Ask whoever looks after the EHR."


@dataclass(frozen=True, slots=True)
class Identity:
    """``practitioner`` is a relative reference; ``subject`` is the issuer's own id of the user."""

    subject: str
    practitioner: str


async def read_identity(
    id_token: object,
    site: EhrSite,
    configuration: SmartConfiguration,
    discovery: Discovery,
    *,
    nonce: str,
    access_token: str,
    now: datetime,
) -> Identity:
    """Validate an id_token and read its user.

    Raises:
        LaunchError: no token, a token that does not hold, or a user who is no clinician.
        EhrError: the issuer's keys can't be had.
    """
    if not isinstance(id_token, str) or not id_token:
        raise LaunchError("launch.no-user", NO_USER, "no id_token")
    token = _verify(id_token, await discovery.read_keys(site))
    if token is None:
        token = _verify(id_token, await discovery.read_keys(site, again=True))
    if token is None:
        raise LaunchError("launch.identity", NOT_PROVEN, "unknown key")
    _check_claims(token, site, configuration, nonce, access_token, now)
    return Identity(str(token.claims["sub"]), read_fhir_user(token.claims.get("fhirUser"), site))


def read_fhir_user(value: object, site: EhrSite) -> str:
    """``Practitioner/42``, of an absolute or relative fhirUser.

    Raises:
        LaunchError: none, of another server, or no clinician.
    """
    if not isinstance(value, str) or not value:
        raise LaunchError("launch.no-user", NO_USER, "no fhirUser")
    user = parse_reference(value, site.issuer)
    if user is None:
        raise LaunchError("launch.no-user", UNKNOWN_KIND, "fhirUser is no reference of this EHR")
    if user.type in ("Patient", "RelatedPerson"):
        raise LaunchError("launch.not-a-clinician", NOT_A_CLINICIAN, user.type)
    if user.type not in CLINICIANS:
        raise LaunchError("launch.no-clinician", UNKNOWN_KIND, user.type)
    return str(user)


def _verify(id_token: str, keys: Iterable[PublicKey]) -> jwt.Token | None:
    """The token if one of the keys signed it; None where none of them can have.

    Raises:
        LaunchError: the token is broken, of a kind that is not accepted, or a known key did not sign it.
    """
    try:
        header = jws.extract_compact(id_token.encode()).headers()
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise LaunchError("launch.identity", NOT_PROVEN, "algorithm")
        fitting = [key for key in keys if _fits(key, str(algorithm)) and (kid is None or key.kid == kid)]
        for key in fitting:
            try:
                return jwt.decode(id_token, key, algorithms=[str(algorithm)])
            except BadSignatureError:
                continue
    except (JoseError, ValueError, TypeError) as error:
        raise LaunchError("launch.identity", NOT_PROVEN, type(error).__name__) from None
    if fitting and kid is not None:
        raise LaunchError("launch.identity", NOT_PROVEN, "signature")
    return None


def _fits(key: PublicKey, algorithm: str) -> bool:
    """RSA for RS and PS, the one curve of each ES (RFC 7518, 3.4), and no other algorithm than the key's own."""
    if key.get("alg", algorithm) != algorithm:
        return False
    if isinstance(key, ECKey):
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(key.curve_name) == algorithm
    return isinstance(key, RSAKey) and algorithm[:2] in ("RS", "PS")


def _check_claims(
    token: jwt.Token,
    site: EhrSite,
    configuration: SmartConfiguration,
    nonce: str,
    access_token: str,
    now: datetime,
) -> None:
    options: dict[str, Any] = {
        "iss": {"essential": True, "value": configuration.issuer},
        "aud": {"essential": True, "value": site.client.id},
        "sub": {"essential": True},
    }
    params = {"nonce": nonce, "client_id": site.client.id, "access_token": access_token}
    claims = CodeIDToken(token.claims, token.header, options, params)
    try:
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except JoseError as error:
        claim = getattr(error, "claim", "")
        raise LaunchError("launch.identity", NOT_PROVEN, f"{error.error} {claim}".strip()) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise LaunchError("launch.identity", NOT_PROVEN, type(error).__name__) from None
