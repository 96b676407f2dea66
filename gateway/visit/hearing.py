"""What a visit hears with: one transcriber, two hearings of each piece of a session, the risk phrases of its language.

The capture's parts know no risk; the visit hands them what finds it.
"""

from gateway.capture.differences import compare_hearings
from gateway.capture.hearer import PieceHearer
from gateway.capture.hotwords import fit_hotwords
from gateway.capture.transcriber import Transcriber
from gateway.note.risk import RiskRules, find_risk_words


def make_hearer(transcriber: Transcriber, rules: RiskRules) -> PieceHearer:
    """Hears each piece plainly, and once more for the risk phrases that the model has room for.

    Runs in the models' thread: the first count of tokens opens the model.
    """
    hotwords = fit_hotwords(rules.hotwords, transcriber.count_tokens)

    def find_categories(text: str) -> list[str]:
        return [category for category, _ in find_risk_words(text, rules)]

    def differ(first: str, second: str) -> bool:
        return bool(compare_hearings(first, second, find_categories))

    return PieceHearer(transcriber, hotwords, differ)
