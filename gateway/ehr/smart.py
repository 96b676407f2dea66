"""A SMART launch from both ends: begin it, complete it into a ``LaunchContext`` with its tokens, renew them.

SMART App Launch 2.2, sections 3 to 5. In: what the browser brought (checked against what was remembered) and the
configured sites. Out: ``Launched``. The issuer of a launch is looked up among the sites by exact match and is never
itself an address to ask; the tokens never go into the context. Protocol steps: ``discovery``, ``authorization``,
``tokens``, ``identity``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from gateway.ehr.authorization import EXPIRED, AuthorizationRequest, PendingLaunch, PendingLaunches, build_authorization
from gateway.ehr.context import MAKER, LaunchContext
from gateway.ehr.discovery import Discovery, SmartConfiguration
from gateway.ehr.identity import read_identity
from gateway.ehr.keys import Credentials
from gateway.ehr.naming import clean_text
from gateway.ehr.reference import is_id
from gateway.ehr.scopes import covers, missing
from gateway.ehr.site import EhrSite
from gateway.ehr.tokens import TokenReply, Tokens, build_token_request, read_token_reply, send_token_request
from gateway.errors import LaunchError

UNKNOWN_ISSUER = (
    "This EHR is not one that Countersign is set up for. Ask whoever looks after Countersign to add it in config/ehrs."
)
NO_PATIENT = "The EHR opened Countersign without a patient. Open the patient's chart, then Countersign from there."
NO_ENCOUNTER = "The EHR opened Countersign without an encounter. Open it from the patient's encounter."
OTHER_PATIENT = "The EHR's session has moved to another patient. Open Countersign again from this patient's chart."
# RFC 6749, 4.1.2.1 and OpenID Connect Core, 3.1.2.6, as the EHR reports them to the callback.
AUTHORIZATION_ERRORS = {
    "access_denied": "The EHR, or you in it, did not allow the launch. Open Countersign again from the EHR.",
    "invalid_scope": "The EHR does not know a scope that Countersign asks for. Check the scopes in the EHR's file.",
    "unauthorized_client": "The EHR does not let Countersign's client launch. Ask whoever looks after the EHR.",
    "temporarily_unavailable": "The EHR is too busy to launch. Wait a minute, then open Countersign again from it.",
    "server_error": "The EHR failed during the launch. Open Countersign again from the EHR.",
    "login_required": "You are no longer signed in to the EHR. Sign in there, then open Countersign again.",
    "interaction_required": "The EHR needs you to sign in first. Sign in there, then open Countersign again.",
}
_ERROR_CODE = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch that held."""

    context: LaunchContext
    tokens: Tokens = field(repr=False)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Everything a launch needs, passed in. ``http`` has no credentials and no cookies of its own."""

    http: httpx.AsyncClient
    sites: Mapping[str, EhrSite]
    discovery: Discovery
    credentials: Credentials
    pending: PendingLaunches
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def start_launch(
        self, issuer: str, launch: str | None, redirect_uri: str, browser_secret: str
    ) -> AuthorizationRequest:
        """Begin a launch: where to send the browser.

        Args:
            issuer: the ``iss`` parameter.
            launch: the ``launch`` parameter; None: standalone.
            redirect_uri: the gateway's own callback, never one of the request.
            browser_secret: what the front puts into this browser's cookie.

        Raises:
            LaunchError: the issuer is not configured, or the site allows no standalone launch.
            EhrError: its configuration or its keys can't be had.
        """
        site = find_site(self.sites, issuer)
        if launch is None and not site.launch.standalone:
            public = "Countersign can't be opened by itself for this EHR. Open it from the patient's chart in the EHR."
            raise LaunchError("launch.standalone", public)
        configuration = await self.discovery.read_configuration(site)
        await self.discovery.read_keys(site)  # now, so that the way back is one round trip shorter
        pending = self.pending.open(site, redirect_uri, browser_secret, standalone=launch is None)
        return build_authorization(site, configuration, pending, launch)

    async def complete_launch(self, params: Mapping[str, str], browser_secret: str) -> Launched:
        """Complete a launch with what the EHR sent the browser back with.

        Args:
            params: the query of the callback.

        Raises:
            LaunchError: any of state, browser, code, scopes, identity and context does not hold.
            EhrError: the EHR does not answer, or not as it should.
        """
        pending = self.pending.take(params.get("state", ""), browser_secret)
        site = self.sites[pending.site_id]
        if "error" in params:
            raise _explain_error(params, site)
        configuration = await self.discovery.read_configuration(site)
        # RFC 9207: a server that names itself in the callback must be the one that was asked.
        if params.get("iss", configuration.issuer) not in (configuration.issuer, site.issuer):
            raise LaunchError("launch.state", EXPIRED, "callback of another issuer")
        code = params.get("code", "")
        if not code:
            raise LaunchError("launch.code", "The EHR sent no code. Open Countersign again from the EHR.")
        reply = await self._ask_token(site, configuration, pending, code)
        require_scopes(reply.tokens.scopes, site)
        identity = await read_identity(
            reply.context.get("id_token"),
            site,
            configuration,
            self.discovery,
            nonce=pending.nonce,
            access_token=reply.tokens.access,
            now=self.now(),
        )
        patient_id, encounter_id = read_patient_context(reply.context, site, reply.tokens.scopes)
        context = LaunchContext(
            MAKER,
            site_id=site.id,
            patient_id=patient_id,
            encounter_id=encounter_id,
            practitioner=identity.practitioner,
            subject=identity.subject,
            scopes=reply.tokens.scopes,
            need_patient_banner=reply.context.get("need_patient_banner") is not False,
            intent=clean_text(reply.context.get("intent"), 60),
        )
        return Launched(context, reply.tokens)

    async def refresh_tokens(self, context: LaunchContext, tokens: Tokens) -> Tokens:
        """New tokens for a launch that goes on (SMART 2.2, 3.1.8). The scopes can only become fewer.

        Raises:
            LaunchError: no refresh token, refused, for another patient, or too few scopes left.
            EhrError: the EHR does not answer, or not as it should.
        """
        site = self.sites[context.site_id]
        if tokens.refresh is None:
            public = "The session at the EHR is over. Open Countersign again from the EHR."
            raise LaunchError("token.over", public, "no refresh token")
        configuration = await self.discovery.read_configuration(site)
        grant = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        request = build_token_request(
            configuration.token_endpoint, grant, self.credentials.clients[site.id], self.now(), self.new_id
        )
        answer = await send_token_request(self.http, request, timeout_seconds=site.timeout_seconds)
        reply = read_token_reply(answer, tokens.scopes, self.now())
        if reply.context.get("patient", context.patient_id) != context.patient_id:
            raise LaunchError("launch.other-patient", OTHER_PATIENT, "refresh names another patient")
        scopes = tuple(scope for scope in reply.tokens.scopes if covers(tokens.scopes, scope))
        require_scopes(scopes, site)
        return Tokens(reply.tokens.access, reply.tokens.refresh or tokens.refresh, reply.tokens.expires_at, scopes)

    async def _ask_token(
        self, site: EhrSite, configuration: SmartConfiguration, pending: PendingLaunch, code: str
    ) -> TokenReply:
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.code_verifier,
        }
        request = build_token_request(
            configuration.token_endpoint, grant, self.credentials.clients[site.id], self.now(), self.new_id
        )
        answer = await send_token_request(self.http, request, timeout_seconds=site.timeout_seconds)
        return read_token_reply(answer, pending.scopes, self.now())


def find_site(sites: Mapping[str, EhrSite], issuer: str) -> EhrSite:
    """The site with exactly this issuer.

    Raises:
        LaunchError: there is none.
    """
    for site in sites.values():
        if site.issuer == issuer:
            return site
    raise LaunchError("launch.issuer", UNKNOWN_ISSUER, "issuer not configured")


def needed_scopes(site: EhrSite) -> tuple[str, ...]:
    """Without these no visit can begin: the patient, the encounter, the consents, and the note's place."""
    reading = ("patient/Patient.r", "patient/Encounter.r", "patient/Consent.s")
    return (*reading, "patient/DocumentReference.c") if site.note.unsigned == "yes" else reading


def require_scopes(granted: tuple[str, ...], site: EhrSite) -> None:
    """Raises:
    LaunchError: a necessary scope was not granted; the sentence names it.
    """
    lacking = missing(granted, needed_scopes(site))
    if lacking:
        public = f"The EHR did not grant {', '.join(lacking)}, which a visit needs. Ask whoever looks after the EHR."
        raise LaunchError("launch.scopes", public, ",".join(lacking))


def read_patient_context(reply: Mapping[str, Any], site: EhrSite, granted: tuple[str, ...]) -> tuple[str, str | None]:
    """Patient and encounter of the launch (SMART 2.2, 3.2).

    Raises:
        LaunchError: no patient; or no encounter, where the site needs one or none can be looked for.
    """
    patient_id, encounter_id = reply.get("patient"), reply.get("encounter")
    if not isinstance(patient_id, str) or not is_id(patient_id):
        raise LaunchError("launch.no-patient", NO_PATIENT, "no patient in context")
    if encounter_id is None or encounter_id == "":
        if site.launch.without_encounter == "refuse" or not covers(granted, "patient/Encounter.s"):
            raise LaunchError("launch.no-encounter", NO_ENCOUNTER, "no encounter in context")
        return patient_id, None
    if not isinstance(encounter_id, str) or not is_id(encounter_id):
        raise LaunchError("launch.no-encounter", NO_ENCOUNTER, "encounter is no id")
    return patient_id, encounter_id


def _explain_error(params: Mapping[str, str], site: EhrSite) -> LaunchError:
    """The EHR's own ``error``, in words; its description is shown as its words, cut and cleaned."""
    code = params["error"] if _ERROR_CODE.fullmatch(params["error"]) else "unknown"
    sentence = AUTHORIZATION_ERRORS.get(code, "The EHR did not complete the launch. Open Countersign again from it.")
    description = clean_text(params.get("error_description"))
    said = f" {site.name} says: “{description}”" if description else ""
    return LaunchError(f"launch.{code.replace('_', '-')}", sentence + said, f"error {code}")
