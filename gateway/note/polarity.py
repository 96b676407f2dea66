"""What a text says and what it denies: clauses, the reach of a negation, questions and their answers.

In: settled text (``wording.settle_words``). Out: sentences of clauses; each word in them is affirmed, denied, asked or
supposed ("call me if you feel worse"). This is how a denial is told from a finding and a question from a fact.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.note.lexicon import FAMILY
from gateway.note.wording import find_concept, is_drug, split_tokens


class Status(StrEnum):
    """How a word was said."""

    AFFIRMED = "affirmed"
    DENIED = "denied"
    ASKED = "asked"
    SUPPOSED = "supposed"
    EITHER = "either"  # in a sentence that denies, but not what it denies ("no side effects from sertraline")


class Answer(StrEnum):
    """What a reply says to a yes-or-no question."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: its text, tokens, and each concept with its status."""

    text: str
    tokens: tuple[str, ...]
    words: tuple[tuple[str, Status], ...]
    other_person: bool  # its subject is somebody of the patient's life, not the patient
    planned: bool  # it speaks of what is to come
    past: bool  # it speaks of what is over


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. ``question``: it asks; ``open_question``: yes or no would not answer it."""

    text: str
    clauses: tuple[Clause, ...]
    question: bool = False
    open_question: bool = False
    tag: bool = False  # "…, right?": a statement that asks to be confirmed


COMMA = ","
FUTURE_WITHIN = 6  # words before the verb
_SUBJECT = r"(?:i|he|she|they|we|you|it|my|her|his|our|their|there|this|the patient|patient)"
_VERB = (
    r"(?:will|is|was|are|were|has|had|have|reports?|reported|states?|stated|feels?|felt|continues?|went|goes|"
    r"takes?|took|"
    r"uses?|used|wants?|plans?|says?|said|wakes?|agrees?|agreed|den(?:y|ies|ied)|describes?|described|endorses?|"
    r"sleeps?|eats?|works?|lives?|drinks?|smokes?|avoids?|notes?|noted|started|stopped|found|made|did|does|"
    r"became|gets?|got)"
)
_SENTENCES = re.compile(r"(?<=[.?!])\s+|\n+")
_CLAUSES = re.compile(
    r"[.;!?]+(?:\s|$)|\s-+\s|,?\s(?:but|however|although|though|except|because|whereas|while)\b|"
    rf",\s(?=(?:and |so |then )?{_SUBJECT}\b)|,?\sand (?=(?:then )?{_SUBJECT}\b)|(?:,\s|,?\sand )(?={_VERB}\b)|"
    r",?\s(?=(?:until|since|unless|due to|when|after|before|which)\b)"
)
_BEGINS_WITH_VERB = re.compile(rf"^\W*(?:then )?{_VERB}\b")
_TAG = re.compile(r"[,.]\s*(?:okay|ok|right|correct|all ?right|yeah|huh|isn't it|is that right|yes)\s*\?\s*$")
_LEAD = r"^\W*(?:(?:and|so|okay|ok|now|well|all ?right|but|then|any chance|tell me|great|good)\W+)*"
_ASKS = re.compile(
    _LEAD
    + r"(?:do|does|did|have you|have they|any|has|had you|are you|is (?:it|there|that|the|your)|was|were|how|what|when|"
    r"where|who|why|which|can you|could you|would you|you not|so you)\b"
)
_OPEN = re.compile(_LEAD + r"(?:how|what|which|why|where|who|when)\b(?! about)")
_YES = re.compile(
    r"^\W*(?:(?:oh|well|okay|ok|so|i mean)\W+)*(?:yes|yeah|yep|yup|that'?s (?:it|right|correct|true)|correct|"
    r"right\b|exactly|"
    r"i do\b(?! not)|i am\b(?! not)|i have\b(?! not)|i did\b(?! not)|sure|absolutely|definitely|sometimes|"
    r"occasionally|"
    r"a little|a bit|a few|mm-?hmm|uh-?huh|it (?:does|is|did|has)\b(?! not)|maybe|often|always|every|kind of|"
    r"sort of|once|"
    r"i guess|most (?:days|of)|slight|some\b)"
)
_NO = re.compile(
    r"^\W*(?:(?:oh|well|okay|ok|so|i mean)\W+)*(?:no\b|nope|nah\b|not\b(?! sure)|none\b|never|nothing|"
    r"negative|denie[sd]|"
    r"i (?:do|have|did|am|would|was) not\b(?! know)|hardly|i (?:just )?(?:meant|wanted|planned|tried|"
    r"was going) to\b|almost\b|i forgot)"
)
_UNSURE = re.compile(
    r"^\W*(?:(?:oh|well|no|so)\W+)*(?:i (?:do|did) not know|not sure|i have no idea|no idea|hard to say|"
    r"i was adopted)"
)
_REPLY_NO = re.compile(
    r"\b(?:denie[sd]|said (?:that )?(?:no|(?:he|she|they) (?:did|does|do|has|have|had|is|was) not)|"
    r"answered no|negative|(?:has|had|have|reports?|reported|is|was|were|are|did|does) (?:no|none|not))\b"
)
_REPLY_YES = re.compile(
    r"\b(?:confirmed|endorse[sd]|said (?:that )?(?:yes|(?:he|she|they) (?:did|does|do|has|have|had|is|"
    r"was)\b(?! not))|answered yes|admitted)\b"
)
_INTERJECTION = re.compile(
    r"^\W*(?:no|nope|nah|yes|yeah|yep|oh|well|okay)\s*[,.]\s*(?:(?:no|nope|yes|yeah)\s*[,.]\s*)*"
)

_LISTING = frozenset(
    ("no", "denies", "denied", "deny", "denying", "without", "negative", "neither", "absent", "free", "none")
)
_BINDING = frozenset((
    "not", "never", "cannot", "nothing", "nobody", "nor", "stop", "stopped", "stopping", "stops", "quit", "quitting",
    "declines", "declined", "declining", "refuses", "refused", "lack", "lacks", "lacked", "lacking", "hardly", "barely",
    "failed", "fails",
))  # fmt: skip
_TURNING = frozenset(("stop", "stopped", "stopping", "deny", "denied", "denying", "quit", "without", "lack", "help"))
_AFTER = frozenset(("denied", "none", "negative", "absent", "nil", "unremarkable"))
_NOT_NEGATION = re.compile(
    r"\bnot only\b|\bno one\b|\bor not\b|\bwhy not\b|\bno doubt\b|\bnot just\b|\bnothing but\b|\bno wonder\b|"
    r"\bno problem\b(?! \w)"
)
_STATES = frozenset(
    re.findall(
        r"[a-z-]+",
        """
    ok okay fair good poor better worse stable intact normal wnl positive present improved low high great fine
    bad congruent goal-directed linear increased decreased unchanged reports endorses has is are was continues
    """,
    )
)
_SETTING = frozenset(("on", "at", "during", "since", "after", "from"))
_COMPLEMENT = frozenset(("of", "with", "to", "about", "for"))
_USED_TO = re.compile(r"\bused to\b")
_IF = re.compile(r"^(?:if|unless|should|whether|in case)$")

_PLANNED = re.compile(
    r"\b(?:going to|gon ?na|'ll|will|let'?s|let us|want(?:s|ed)? (?:you )?to|wan ?na|'?d like|would like|order\w*|"
    r"prescri\w+|refer\w*|come back|followup|schedul\w+|increase|decrease|start|recommend\w*|continue|need to|"
    r"should|"
    r"make sure|try|call (?:me|us)|avoid|plan(?:s|ned)?|keep|put you|give you|get you|agree\w*|commit\w*|"
    r"next (?:week|session|visit|time|appointment|month)|tomorrow|homework)\b"
)
_NOTED_PLAN = re.compile(
    r"\b(?:stop|taper|switch|add|check|obtain|repeat|assign\w*|return|practice|encourage\w*|advise\w*|bring|"
    r"book|send|"
    r"fill|goals?|consider\w*|monitor|complete|meet|write|until|remain|review|work on|explore|begin|hold|wean|"
    r"get)\b"
)
_FUTURE = re.compile(
    r"\b(?:going to|gon ?na|'ll|will|let'?s|(?:want|like) (?:you )?to|wan ?na|would like|order (?:a|an|"
    r"another|some)|prescribe|"
    r"tomorrow|next (?:week|session|visit|month)|plan(?:s|ning)? to|followup in|start (?:you|him|her)|schedule)\b"
)
_PAST = re.compile(
    r"\b(?:used to|in the past|years ago|months ago|as a (?:child|kid|teen\w*)|history of|previously|"
    r"former(?:ly)?|back (?:then|when)|"
    r"no longer|when (?:i|he|she|they) (?:was|were) (?:a |young|little)|in (?:19|20)\d\d|last year|growing up|"
    r"in (?:high )?school|prior to)\b"
)
_KIN = "|".join(sorted(FAMILY - {"family", "child", "baby"}, key=len, reverse=True))
_OTHER = re.compile(
    rf"^\W*(?:(?:and|but|so|well|no|yes|yeah|that|then|also|because|which|think|thinks|reports?|"
    rf"reported|states?|stated|says?|said|"
    rf"patient|the|i|she|he|they|noted?|mentioned|report)\W+)*"
    rf"(?:my|her|his|their|the|our|patient's|a|family history of)?\W*(?:\w+\W+)??"
    rf"(?:(?:{_KIN})s?(?:'s)?\b(?!\W+(?:and i\b|with\b))|family history of)"
)


def read_sentences(settled: str) -> tuple[Sentence, ...]:
    """Cut a text into sentences and these into clauses."""
    return tuple(_read_sentence(text) for text in _SENTENCES.split(settled) if any(sign.isalnum() for sign in text))


def read_answer(settled: str) -> Answer:
    """What the beginning of a reply says: yes, no, or neither."""
    if _UNSURE.match(settled):
        return Answer.OPEN
    if _NO.match(settled):
        return Answer.NO
    return Answer.YES if _YES.match(settled) else Answer.OPEN


def read_report(settled: str) -> Answer:
    """What a clinician's report of an answer says ("she denied it")."""
    if _REPLY_NO.search(settled):
        return Answer.NO
    return Answer.YES if _REPLY_YES.search(settled) else read_answer(settled)


def speaks_of_plan(text: str, notes: bool = False) -> bool:
    """Has it words of a plan? In a clinician's notes an imperative is one ("taper lorazepam")."""
    return bool(_PLANNED.search(text) or (notes and _NOTED_PLAN.search(text)))


def speaks_of_future(text: str) -> bool:
    return bool(_FUTURE.search(text))


def _read_sentence(text: str) -> Sentence:
    tag = bool(_TAG.search(text))
    question = (text.rstrip().endswith("?") and not tag) or (text.rstrip().endswith("-") and bool(_ASKS.match(text)))
    return Sentence(text, tuple(_read_clauses(text)), question, question and bool(_OPEN.match(text)), tag)


def asks_like_question(sentence: Sentence) -> bool:
    """Does it begin as a question does? Speech models drop question marks."""
    return bool(_ASKS.match(sentence.text)) and not sentence.tag


def _read_clauses(text: str) -> Iterator[Clause]:
    other = False
    for piece in _CLAUSES.split(_INTERJECTION.sub("", text)):
        tokens = split_tokens(piece)
        if not any(token[0].isalnum() for token in tokens):
            continue
        other = bool(_OTHER.match(piece)) or (other and bool(_BEGINS_WITH_VERB.match(piece)))
        yield Clause(
            piece,
            tuple(tokens),
            tuple(_read_words(tokens, piece)),
            other,
            _begins_with_future(piece),
            bool(_PAST.search(piece)),
        )


def _begins_with_future(piece: str) -> bool:
    """Is what is to come the clause's own verb, not that of a clause inside it?"""
    found = _FUTURE.search(piece)
    return found is not None and len(piece[: found.start()].split()) <= FUTURE_WITHIN


def _read_words(tokens: Sequence[str], piece: str) -> Iterator[tuple[str, Status]]:
    statuses = _mark_denied(tokens) if not _NOT_NEGATION.search(piece) else [Status.AFFIRMED] * len(tokens)
    supposed = False
    used_to = bool(_USED_TO.search(piece))
    for token, status in zip(tokens, statuses, strict=True):
        if _IF.match(token):
            supposed = True
        elif token in (",", "then"):
            supposed = False
        concept = "" if token in _BINDING or token in _LISTING else find_concept(token)
        if concept:
            yield concept, Status.SUPPOSED if supposed else Status.EITHER if used_to else status


def _mark_denied(tokens: Sequence[str]) -> list[Status]:
    """Walk through a clause with the reach of its negations."""
    statuses = [Status.AFFIRMED] * len(tokens)
    denying = listing = False
    setting, denied = "", False
    for place, token in enumerate(tokens):
        if token in _AFTER and not any(find_concept(each) for each in tokens[place + 1 :]):
            return [Status.DENIED] * len(tokens)
        if token in _LISTING or token in _BINDING:
            turned = denying and token in _TURNING
            denying, listing, setting, denied = not turned, token in _LISTING, "", False
            if place and tokens[place - 1] in ("was", "were", "been", "being"):
                statuses[:place] = [Status.EITHER] * place
            continue
        if denying and token == COMMA and (not listing or _starts_state(tokens, place + 1)):
            denying = False
        if token in _SETTING or token in _COMPLEMENT:
            setting = token
        if denying:
            beside = (denied and setting in _SETTING) or (setting in _COMPLEMENT and is_drug(find_concept(token)))
            statuses[place] = Status.EITHER if beside else Status.DENIED
            denied = denied or bool(find_concept(token))
    return statuses


def _starts_state(tokens: Sequence[str], start: int) -> bool:
    """Does the part of a list that begins here say how something is, so that "no" can't reach it?"""
    end = next((at for at in range(start, len(tokens)) if tokens[at] == ","), len(tokens))
    part = tokens[start:end]
    return any(token in _STATES or token[0].isdigit() for token in part)
