"""Puts the oracle's cases to the engine: the same Consents, question and site in the engine's own terms."""

from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.decision import Permit, Question, Refusal, Related, decide_consent, read_consents
from gateway.consent.reading import OWN_CONSENTS
from gateway.consent.rules import Answer, Coding, ConsentRules, Proxies
from tests.truth import consent_oracle


def translate_site(site: consent_oracle.Site) -> ConsentRules:
    return ConsentRules(
        id="oracle",
        title="A site of the oracle's",
        time_zone=site.zone,
        scopes=_codings(site.scopes),
        answers=tuple(
            Answer(
                activity=Activity(one.activity),
                system=one.system,
                code=one.code,
                found_in="category" if one.place == "category" else "provision",
                states=one.says or "provision",
            )
            for one in site.codings
        ),
        other_categories=_codings(site.other_categories),
        general_consent_counts=site.general_counts,
        purposes=_codings(site.purposes),
        max_age_days=site.max_age_days,
        sensitive_labels=_codings(site.sensitive),
        organizations=site.organizations,
        verified_only=site.verification_needed,
        performer_needed=site.performer_needed,
        proxies=Proxies(
            minors_answer_themselves=site.minors_answer_themselves,
            of_minors=_codings(site.proxies_of_minors),
            of_adults=_codings(site.proxies_of_adults),
        ),
    )


def translate_question(question: consent_oracle.Question) -> Question:
    return Question(
        activity=Activity(question.activity),
        at=question.at,
        patient=question.patient,
        actors=frozenset(question.actors),
        purposes=frozenset(question.purposes),
        majority=question.majority,
        related={
            one.reference: Related(frozenset(one.relationships), one.active)
            for one in question.related
            if one.patient == question.patient
        },
    )


def decide(consents: list[Any], question: consent_oracle.Question, site: consent_oracle.Site) -> Permit | Refusal:
    rules = translate_site(site)
    marked = [_mark_own(one, site.newer_yes_over) for one in consents]
    asked = translate_question(question)
    try:
        return decide_consent(read_consents(marked, rules), (), asked, rules)
    except ValueError as error:  # no question at all: the oracle refuses it
        return Refusal(asked.activity, "no-question", (), f"{error}.", asked.at, rules.id)


def _mark_own(consent: Any, own: tuple[str, ...]) -> Any:
    """The oracle names the gateway's own Consents by reference; the engine knows them by their identifier."""
    if not isinstance(consent, dict) or f"Consent/{consent.get('id')}" not in own:
        return consent
    return {**consent, "identifier": [{"system": OWN_CONSENTS, "value": consent["id"]}]}


def _codings(pairs: tuple[tuple[str, str], ...]) -> tuple[Coding, ...]:
    return tuple(Coding(system=system, code=code) for system, code in pairs)
