"""Which language is spoken or written: guesses about pieces of speech become one answer; a text's words are counted.

In: a speech model's guesses, piece by piece, or a text. Out: a BCP 47 primary subtag, or None where it can't be said;
None is no language and no permission: the caller goes on with what the chart or the site says. Pure.

Whisper that is told ``en`` writes English whatever is spoken: the text of a multilingual model says nothing about the
language of its speech, so its own guess from the sound counts. A model that knows one language gives no guess, and of
other languages it writes fluent words that nobody said; what it wrote is a weak sign at best.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.ehr.language import UNDETERMINED

SHORTEST_SECONDS = 5.0
"""Of speech; below it Whisper's base model guesses at random (2 s of English were Thai with 0.97)."""

_LONGEST_SECONDS = 25.0
_FIRST, _EVERY = 3, 10
_POOR = 0.4  # a guess below it says that the model does not know
_ENOUGH_WEIGHT = 1.2

FEWEST_WORDS = 20
_FEWEST_LETTERS = 2 * FEWEST_WORDS  # some scripts put no space between words
_ENOUGH_SHARE = 0.15  # of the words; a third to a half in talk, a fifth in short notes
_LEAD = 2  # times as many words as the next language, of those that only one of the two has
_WORD = re.compile(r"[^\W\d_]+")
_LAST_LATIN = "\u024f"

# Words that hold sentences together, with hardly a meaning of their own: talk and notes are full of them.
_COMMON = {
    "en": "the and to of a in i is that it you was for with he she on my have had we be this me they not are at so "
    "but do her his as what when about an or from if there has no at by your been would were him how them who "
    "did does",
    "es": "de la que el en y a los se no un por con una su para es al lo como más o pero le ha me sin sobre este ya "
    "todo esta son muy hay cuando desde qué mi yo he porque las del usted nos sí está tengo fue eso bien",
    "fr": "de la le et les des en un une que est pour qui dans a par plus pas au sur ne se ce il elle sont avec son "
    "je vous mais nous ou cette être ont même aux ai du me mon ma ça était très quand on y suis qu lui leur "
    "mes",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus "
    "er hat dass sie nach wird bei einer um am sind noch wie einem über einen ich mir mich wir habe war aber "
    "oder wenn so kein",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
    "seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela me meu minha você estou "
    "tenho às nas",
}
_LANGUAGES = {language: frozenset(words.split()) for language, words in _COMMON.items()}


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """What a speech model makes of one piece: ``language`` is a BCP 47 primary subtag, ``probability`` 0 to 1."""

    language: str
    probability: float


class LanguageEar:
    """Gathers guesses over the pieces of a session, or of a dictation, and says which language is spoken.

    It asks for the first three pieces that are long enough, then for every tenth: each guess costs the model one more
    look at the piece. A guess weighs its probability, a poor one nothing. A language is heard once its guesses weigh as
    much as two fair ones, and more than all others together: no single guess decides, a wrong one does not hide what
    the others say, and where two languages alternate it is the more frequent one. Not for two threads at once.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._last = 0
        self._weights: dict[str, float] = {}

    @property
    def heard(self) -> str | None:
        """The language, once it is clear."""
        whole = sum(self._weights.values())
        clear = (name for name, weight in self._weights.items() if weight >= _ENOUGH_WEIGHT and 2 * weight > whole)
        return next(clear, None)

    def wants(self, number: int, seconds: float) -> bool:
        """Whether to ask the model about this piece: the ``number``-th, from 1, with so many seconds of speech."""
        if seconds < SHORTEST_SECONDS:
            return False
        return self._asked < _FIRST or number >= self._last + _EVERY

    def take(self, number: int, guess: LanguageGuess | None) -> None:
        """Take what the model said of a piece that was wanted; None where it said nothing."""
        self._asked += 1
        self._last = max(self._last, number)
        if guess is not None and guess.probability >= _POOR:
            self._weights[guess.language] = self._weights.get(guess.language, 0.0) + guess.probability


def hear_language(samples: Samples, guess: Callable[[Samples], LanguageGuess | None]) -> str | None:
    """The language of one recording, by guesses about its beginning, middle and end.

    Args:
        samples: float32 (samples,), [-1, 1], 16 kHz.
        guess: the speech model's own (``Transcriber.detect_language``).

    Returns:
        A BCP 47 primary subtag; None where the recording is shorter than ``SHORTEST_SECONDS``, the model makes no
        guesses, or they do not agree.
    """
    shortest, longest = round(SHORTEST_SECONDS * SAMPLE_RATE), round(_LONGEST_SECONDS * SAMPLE_RATE)
    if len(samples) < shortest:
        return None
    length = min(longest, max(shortest, len(samples) // _FIRST))
    ear = LanguageEar()
    for index in range(_FIRST):
        start = index * (len(samples) - length) // (_FIRST - 1)
        ear.take(index + 1, guess(samples[start : start + length]))
    return ear.heard


def read_language(text: str) -> str | None:
    """The language of a text, by the share of its words that are a language's most common ones.

    Knows English, Spanish, French, German and Portuguese, and that another script is none of them. Limits: it needs
    ``FEWEST_WORDS`` words; of other languages in Latin letters it can't tell (Polish, Vietnamese, Haitian Creole), and
    one that is close to these (Galician) may pass for its neighbour; a note without sentences ("denies SI/HI,
    sertraline 50 mg qAM, f/u 2 wk") has too few of these words; a foreign sentence among many does not show.

    Returns:
        Its BCP 47 primary subtag; ``UNDETERMINED`` for a text in another script; None where it can't be said.
    """
    letters = [character for character in text if character.isalpha()]
    if len(letters) >= _FEWEST_LETTERS and 2 * sum(letter > _LAST_LATIN for letter in letters) > len(letters):
        return UNDETERMINED
    words = _WORD.findall(text.lower())
    if len(words) < FEWEST_WORDS:
        return None
    counts = Counter({language: sum(word in common for word in words) for language, common in _LANGUAGES.items()})
    (best, most), (following, _) = counts.most_common(2)
    own, others = _LANGUAGES[best], _LANGUAGES[following]
    lead, behind = (sum(word in only for word in words) for only in (own - others, others - own))
    return best if most >= _ENOUGH_SHARE * len(words) and lead >= _LEAD * behind else None
