"""Which language is heard or written. The texts are invented for these tests."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.audio import SAMPLE_RATE
from gateway.capture.language import (
    FEWEST_WORDS,
    LanguageEar,
    LanguageGuess,
    hear_language,
    read_language,
)
from gateway.ehr.language import UNDETERMINED

TEXTS = {
    "en talk": "How did the week go since we met? I slept five hours at most, and on Tuesday I had to leave the bus "
    "because my heart was racing. My sister came to get me. I am still on the sertraline, fifty in the morning.",
    "en note": "Mrs. Okonkwo-Lindqvist reports low mood and poor sleep since the death of her brother. She denies any "
    "thoughts of suicide. Continue sertraline 50 mg and the sleep diary; review in two weeks.",
    "en names": "Wolfgang and María José from Guadalajara were at the table when Jürgen said to François that he had "
    "seen the doctor about his lamotrigine, and that it was not helping him at all.",
    "es talk": "¿Cómo le fue esta semana? Dormí cinco horas como mucho, y el martes me tuve que bajar del autobús "
    "porque el corazón me iba muy rápido. Mi hermana vino a buscarme. Sigo con la sertralina, cincuenta por la mañana.",
    "es note": "La señora Lindqvist refiere ánimo bajo y mal sueño desde la muerte de su hermano. Niega ideas de "
    "suicidio. Continuar con sertralina 50 mg y el diario de sueño; revisión en dos semanas.",
    "fr talk": "Comment s'est passée la semaine ? J'ai dormi cinq heures au plus, et mardi j'ai dû descendre du bus "
    "parce que mon cœur battait trop vite. Ma sœur est venue me chercher. Je prends toujours la sertraline le matin.",
    "fr note": "La patiente décrit une humeur basse et un mauvais sommeil depuis la mort de son frère. Elle n'a pas "
    "d'idées de suicide. On continue la sertraline 50 mg et l'agenda du sommeil ; on se revoit dans deux semaines.",
    "de talk": "Wie war die Woche? Ich habe höchstens fünf Stunden geschlafen, und am Dienstag musste ich aus dem Bus "
    "steigen, weil mein Herz so schnell schlug. Meine Schwester hat mich abgeholt. Ich nehme noch das Sertralin.",
    "de note": "Die Patientin berichtet über gedrückte Stimmung und schlechten Schlaf seit dem Tod ihres Bruders. Sie "
    "hat keine Gedanken an Suizid. Sertralin 50 mg und das Schlaftagebuch werden fortgeführt, wieder in zwei Wochen.",
    "pt talk": "Como foi a semana? Dormi no máximo cinco horas, e na terça tive que descer do ônibus porque o meu "
    "coração estava muito rápido. A minha irmã foi me buscar. Ainda tomo a sertralina, cinquenta de manhã.",
    "pt note": "A paciente relata humor baixo e sono ruim desde a morte do irmão. Não tem ideias de suicídio. Manter a "
    "sertralina 50 mg e o diário do sono; retorno em duas semanas com a doutora e a família.",
}

ELSEWHERE = {
    "ru": "С прошлой встречи я сплю лучше, но всё ещё просыпаюсь в три часа и думаю о работе. Врач дал мне сертралин.",
    "zh": "上次见面以后我睡得好一些，但是还是三点醒来，然后想工作的事情。医生给我开了药，我每天早上吃。",
    "ar": "منذ لقائنا الأخير أنام أفضل لكنني ما زلت أستيقظ في الثالثة وأفكر في العمل وأعطاني الطبيب دواء آخذه كل صباح",
}

NOT_TOLD = {
    "nothing": "",
    "too short": "She slept well and the mood was better than it has been.",
    "without sentences": "Pt c/o HA x3d, photophobia, nausea. Denies SI/HI, AVH. Sertraline 50 mg qAM, trazodone 50 mg "
    "qHS prn. PHQ-9 14, GAD-7 11. Plan: increase sertraline 75 mg, f/u 2 wk, CBT weekly.",
    "medications": ", ".join(("sertraline 50 mg", "lamotrigine 100 mg", "quetiapine 25 mg", "hydroxyzine 25 mg") * 5),
    "half and half": f"{TEXTS['en talk']} {TEXTS['de talk']}",
    "no language": " ".join(["mm-hmm"] * 40),
}


@pytest.mark.parametrize("name", TEXTS)
def test_tells_the_language_of_a_text_with_names_and_medications_in_it(name: str) -> None:
    assert read_language(TEXTS[name]) == name.split()[0]
    assert read_language(TEXTS[name].upper()) == name.split()[0]


@pytest.mark.parametrize("language", ELSEWHERE)
def test_another_script_is_none_of_the_languages_that_it_knows(language: str) -> None:
    assert read_language(ELSEWHERE[language]) == UNDETERMINED


@pytest.mark.parametrize("name", NOT_TOLD)
def test_says_nothing_where_the_words_do_not_say_it(name: str) -> None:
    assert read_language(NOT_TOLD[name]) is None


@pytest.mark.parametrize("name", TEXTS)
def test_a_few_words_are_never_enough(name: str) -> None:
    words = TEXTS[name].replace("'", "’").split()[: FEWEST_WORDS // 2]
    assert read_language(" ".join(words)) is None


def test_a_sentence_of_another_language_among_many_does_not_change_it() -> None:
    said = f"{TEXTS['en talk']} Mi abuela siempre dice que no hay mal que por bien no venga. {TEXTS['en note']}"
    assert read_language(said) == "en"


WORDS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(" ".join(TEXTS.values()).split())).map(" ".join),
    st.lists(st.text(string.ascii_letters + "äéñßçŁж上\u202e\ud800'’-")).map(" ".join),
)


@given(WORDS)
def test_answers_for_any_text(text: str) -> None:
    assert read_language(text) in (None, UNDETERMINED, "en", "es", "fr", "de", "pt")


def listen(*guesses: tuple[str, float] | None) -> str | None:
    ear = LanguageEar()
    for number, guess in enumerate(guesses, start=1):
        ear.take(number, LanguageGuess(*guess) if guess else None)
    return ear.heard


@pytest.mark.parametrize(
    ("guesses", "heard"),
    [
        ([], None),
        ([("es", 0.99)], None),
        ([("es", 0.7), ("es", 0.7)], "es"),
        ([("es", 0.55), ("es", 0.55)], None),
        ([("es", 0.55), ("es", 0.55), ("es", 0.55)], "es"),
        ([("th", 0.97), ("en", 0.8), ("en", 0.8)], "en"),
        ([("en", 0.8), ("th", 0.97), ("en", 0.8)], "en"),
        ([("en", 0.9), ("es", 0.9), ("fr", 0.9)], None),
        ([("en", 0.9), ("es", 0.9), ("en", 0.9), ("es", 0.9)], None),
        ([("en", 0.9), ("es", 0.9), ("en", 0.9), ("es", 0.9), ("es", 0.9)], "es"),
        ([("en", 0.39)] * 9, None),
        ([("en", 0.5), ("en", 0.6), ("en", 0.6)], "en"),
        ([("en", 0.35), ("es", 0.8), ("en", 0.35), ("es", 0.8), ("en", 0.35)], "es"),
        ([None] * 9, None),
        ([None, ("en", 0.9), None, ("en", 0.9)], "en"),
    ],
)
def test_hears_what_most_good_guesses_say(guesses: list[tuple[str, float] | None], heard: str | None) -> None:
    assert listen(*guesses) == heard


def test_a_session_that_goes_on_in_another_language_is_heard_as_that_in_the_end() -> None:
    begun = [("en", 0.9)] * 3
    assert listen(*begun, *[("es", 0.9)] * 2) == "en"
    assert listen(*begun, *[("es", 0.9)] * 4) == "es"


def ask_about(lengths: list[float]) -> list[int]:
    """The numbers of the pieces that the ear wants to know of."""
    ear = LanguageEar()
    wanted = []
    for number, seconds in enumerate(lengths, start=1):
        if ear.wants(number, seconds):
            wanted.append(number)
            ear.take(number, LanguageGuess("en", 0.9))
    return wanted


def test_asks_about_the_first_three_pieces_and_then_every_tenth() -> None:
    assert ask_about([12.0] * 40) == [1, 2, 3, 13, 23, 33]


def test_passes_over_pieces_that_are_too_short_to_tell() -> None:
    assert ask_about([4.9, 5.0, 2.0, 25.0, 1.0, 9.0, *[12.0] * 9, 3.0, 12.0, 12.0]) == [2, 4, 6, 17]


def test_asks_about_no_more_than_three_first_pieces_of_a_model_that_makes_no_guesses() -> None:
    ear = LanguageEar()
    wanted = []
    for number in range(1, 20):
        if ear.wants(number, 12.0):
            wanted.append(number)
            ear.take(number, None)
    assert wanted == [1, 2, 3, 13]


@pytest.mark.parametrize(("seconds", "length"), [(5, 5), (9, 5), (30, 10), (75, 25), (3600, 25)])
def test_a_recording_is_judged_by_three_parts_from_its_beginning_to_its_end(seconds: int, length: int) -> None:
    samples = np.arange(seconds * SAMPLE_RATE, dtype=np.float32)
    parts: list[np.ndarray] = []

    def guess(part: np.ndarray) -> LanguageGuess:
        parts.append(part)
        return LanguageGuess("es", 0.8)

    assert hear_language(samples, guess) == "es"
    assert [len(part) for part in parts] == [length * SAMPLE_RATE] * 3
    assert (parts[0][0], parts[2][-1]) == (samples[0], samples[-1])


def test_a_recording_of_a_few_seconds_or_one_that_the_model_can_not_judge_has_no_language() -> None:
    second = np.ones(SAMPLE_RATE, np.float32)
    assert hear_language(np.tile(second, 4), lambda part: LanguageGuess("en", 1.0)) is None
    assert hear_language(np.tile(second, 40), lambda part: None) is None
