"""With the published base model: the language of synthetic voices is told from the sound, and never taken for English.

Voices of espeak-ng say invented talk. English, Spanish and French have to be told; of German and Portuguese, whose
synthetic voices the base model hardly knows, only that they are not heard as English. Every guess is printed.
"""

import threading

import pytest

from gateway.capture.audio import Samples
from gateway.capture.language import LanguageGuess, hear_language, read_language
from gateway.capture.whisper import WhisperTranscriber
from gateway.models.catalogue import read_catalogue
from gateway.models.installed import is_present, open_installed
from gateway.settings import read_settings
from tests.weights.spoken import speak

pytestmark = pytest.mark.weights

SAID = {
    "en": "How have you been sleeping since we last met? I go to bed at eleven but I wake up at three and then I lie "
    "there thinking about work. My doctor gave me sertraline and I take it every morning. I had two panic attacks on "
    "the bus on Wednesday, and I got off and walked home. My sister says that I should talk to somebody about it.",
    "es": "¿Cómo ha dormido desde la última vez? Me acuesto a las once pero me despierto a las tres y luego me quedo "
    "pensando en el trabajo. El médico me dio sertralina y la tomo todas las mañanas. Tuve dos ataques de pánico en el "
    "autobús el miércoles, y me bajé y caminé a casa. Mi hermana dice que debería hablar con alguien.",
    "fr": "Comment avez-vous dormi depuis la dernière fois ? Je me couche à onze heures mais je me réveille à trois "
    "heures et je pense au travail. Le médecin m'a donné de la sertraline et je la prends tous les matins. J'ai eu "
    "deux crises de panique dans le bus mercredi, et je suis rentrée à pied. Ma sœur dit que je devrais en parler.",
    "de": "Wie haben Sie seit dem letzten Mal geschlafen? Ich gehe um elf ins Bett, aber ich wache um drei auf und "
    "denke dann an die Arbeit. Der Arzt hat mir Sertralin gegeben und ich nehme es jeden Morgen. Am Mittwoch hatte ich "
    "zwei Panikattacken im Bus und bin nach Hause gelaufen. Meine Schwester sagt, dass ich mit jemandem sprechen soll.",
    "pt": "Como você tem dormido desde a última vez? Eu me deito às onze mas acordo às três e fico pensando no "
    "trabalho. O médico me deu sertralina e eu tomo todas as manhãs. Tive duas crises de pânico no ônibus na quarta, e "
    "desci e fui a pé para casa. A minha irmã diz que eu devia falar com alguém sobre isso.",
}
TOLD = ("en-us", "en-us+f3", "en-gb-scotland", "en-029", "es", "es-419", "es+f3", "fr-fr")
HARD = ("de", "de+f3", "pt", "pt-br")


@pytest.fixture(scope="module")
def base() -> WhisperTranscriber:
    settings = read_settings()
    entry = read_catalogue(settings.config_dir).models["whisper-base"]
    if not is_present(entry, settings.models):
        pytest.skip("whisper-base is not installed: countersign models pull whisper-base")
    return WhisperTranscriber(open_installed(entry, settings.models), threads=2)


def listen(base: WhisperTranscriber, voice: str, capsys: pytest.CaptureFixture[str]) -> str | None:
    """The language that is heard; its guesses are printed."""
    guesses: list[LanguageGuess] = []

    def guess(part: Samples) -> LanguageGuess | None:
        made = base.detect_language(part)
        guesses.extend([made] if made else [])
        return made

    heard = hear_language(speak(SAID[voice[:2]], voice), guess)
    with capsys.disabled():
        print(f"\n{voice}: {heard} by " + ", ".join(f"{one.language} {one.probability:.2f}" for one in guesses))
    return heard


@pytest.mark.parametrize("voice", TOLD)
def test_tells_the_language_of_a_voice(base, voice: str, capsys) -> None:
    assert listen(base, voice, capsys) == voice[:2]


@pytest.mark.parametrize("voice", HARD)
def test_a_voice_that_the_model_hardly_knows_is_not_heard_as_english(base, voice: str, capsys) -> None:
    assert listen(base, voice, capsys) != "en"


def test_what_the_model_writes_of_spanish_does_not_show_that_it_was_spanish(base) -> None:
    segments = list(base.transcribe(speak(SAID["es"], "es"), threading.Event(), lambda done: None))
    assert read_language(" ".join(segment.text for segment in segments)) == "en"
