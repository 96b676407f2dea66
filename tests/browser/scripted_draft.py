"""What the scripted visits draft from their lines, and how it stands in another format."""

from tests.browser.page_scenes import HOSTILE, View
from tests.browser.scripted_lines import SPOKEN


def statement(number: int, text: str, lines: list[int], origin: str = "model", risk: bool = False) -> View:
    return {
        "number": number,
        "text": text,
        "segments": lines,
        "origin": origin,
        "risk": risk,
        "risk_decision": None,
    }


def script_draft(scene: str, segments: list[View]) -> tuple[list[View], list[View]]:
    """The draft of a scene: its sections and what was withheld. Line numbers stay within the segments."""
    last = max(1, len(segments))
    texts: dict[str, list[View]] = {
        "Subjective": [
            statement(1, "Sleeps about five hours a night and wakes at four most mornings.", [min(2, last)]),
            statement(2, "Mood a little better than two weeks ago, still low in the mornings.", [min(3, last)]),
            statement(
                3,
                "I have thought I'd be better off not here, but I would not do anything, because of my daughter.",
                sorted({min(4, last), min(5, last)}),
                "material",
                True,
            ),
        ],
        "Objective": [],
        "Assessment": [
            statement(4, "Taking sertraline 50 mg daily without side effects.", [min(7, last)]),
            statement(5, "Walked on four of the last seven days as agreed.", [min(6, last)]),
        ],
        "Plan": [
            statement(6, "Keep sertraline 50 mg once daily.", [min(9, last)]),
            statement(7, "Sleep diary, daily walk, safety plan reviewed.", [min(9, last)]),
            statement(8, "Next visit in two weeks.", [last]),
        ],
    }
    withheld = [
        {
            "number": 90,
            "section": "plan",
            "text": "Refer to a sleep clinic for further assessment.",
            "reason": "no line speaks of a referral or a sleep clinic",
            "segments": [min(2, last)],
        },
        {
            "number": 91,
            "section": "objective",
            "text": "Alert and oriented, good eye contact.",
            "reason": "nobody said or typed this",
            "segments": [],
        },
    ]
    if scene == "long":
        for place in range(52):
            part = list(texts.values())[place % 4]
            part.append(
                statement(
                    10 + place, f"{SPOKEN[place % 10]} (once more, {place})", [place % last + 1, (place * 7) % last + 1]
                )
            )
    if scene == "righttoleft":
        texts["Subjective"].insert(0, statement(70, "ישנה כחמש שעות בלילה 😴", [1]))
        texts["Subjective"].insert(1, statement(71, "المزاج أفضل قليلا", [min(2, last)]))
    if scene == "hostile":
        texts["Subjective"].insert(0, statement(70, HOSTILE, [1], HOSTILE))
        withheld[0] |= {"text": HOSTILE, "reason": HOSTILE}
    if scene == "empty":
        texts = {title: [] for title in texts}
    return [make_section(title, items) for title, items in texts.items()], withheld


def make_section(title: str, statements: list[View]) -> View:
    return {
        "id": title.lower(),
        "title": title,
        "decision": "open",
        "text": "",
        "empty_words": "Not assessed.",
        "statements": statements,
    }


FORMATS = {
    "soap": ("Subjective", "Objective", "Assessment", "Plan"),
    "dap": ("Data", "Assessment", "Plan"),
    "birp": ("Behavior", "Intervention", "Response", "Plan"),
}
KEEP_PLACE = {"Plan": "Plan", "Assessment": "Assessment"}  # the rest begins the note


def script_format(note_format: str, sections: list[View]) -> list[View]:
    """The same statements under other headings, every section open; what she wrote herself stays her own."""
    arranged = {title: make_section(title, []) for title in FORMATS[note_format]}
    first = next(iter(arranged.values()))
    for old in sections:
        new = arranged.get(KEEP_PLACE.get(old["title"], ""), first)
        if old["decision"] == "edited":
            new["statements"].append(statement(200 + len(new["statements"]), old["text"], [], "clinician"))
        else:
            new["statements"] += old["statements"]
    return list(arranged.values())
