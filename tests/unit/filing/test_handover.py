"""Hand-over: the same words that a filed note would have, and no hand-over of what was not offered."""

import base64

import pytest

from gateway.filing.document import build_document
from gateway.filing.handover import HandedOver, HandOverText, confirm_handover, offer_text
from gateway.proof import ForgedProof, Maker
from tests.unit.filing.invented import ATTESTED, IDENTIFIER, make_chart, make_facts, make_note, make_site


def test_the_text_offered_is_the_text_that_would_have_been_filed() -> None:
    site, facts = make_site(unsigned="no"), make_facts("dictation")
    offered = offer_text(make_note(), make_chart(), facts, site.note)
    document = build_document(make_note(), make_chart(), facts, site, IDENTIFIER)
    assert offered.text.encode() == base64.b64decode(document["content"][0]["attachment"]["data"])


def test_the_clinician_confirms_what_was_offered() -> None:
    offered = offer_text(make_note(), make_chart(), make_facts(), make_site().note)
    confirmed = confirm_handover(offered, "Practitioner/invented-clinician", ATTESTED)
    assert (confirmed.confirmed_by, confirmed.confirmed_at) == ("Practitioner/invented-clinician", ATTESTED)


def test_neither_can_be_made_elsewhere() -> None:
    with pytest.raises(ForgedProof):
        HandOverText(Maker("elsewhere"), "text")
    with pytest.raises(ForgedProof):
        HandedOver(Maker("elsewhere"), "Practitioner/1", ATTESTED)
