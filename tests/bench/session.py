"""An invented session of any length, at the pace of talk: the same matters come back with other numbers, and it ends
in the same last window and the same plan whatever its length."""

import itertools

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material

WORDS_A_MINUTE = 150
TALK = """
C: How has the sleep been since we met?
P: I went to bed at {a} most nights and slept about {b} hours, maybe a bit more on Sunday.
C: And the days at work?
P: There were {b} meetings on Tuesday and I left early because my heart was racing and I could not breathe well.
C: What did you do when that happened?
P: I walked around the block for {a} minutes, counted my breaths, and then it got better, so I went back inside.
C: That sounds like the exercise we practised.
P: Yes, it was. I wrote it down in the diary, and I tried it {b} more times with my sister on the phone.
C: How are things with your sister now?
P: We talk every {b} days. She worries about me, and she said I sound calmer than I did in spring.
C: Is there anything that you avoid?
P: The supermarket. I drove there and sat in the car for {a} minutes, and then I drove home without going in.
C: What went through your mind in the car?
P: That everybody would look at me, and that I would faint in line with {b} people behind me.
C: How strong was the fear, from zero to ten?
P: Maybe {b} at first, and after a while a little less. It did not go away, but I stayed.
C: What about meals?
P: I skip breakfast, and I drink {b} cups of coffee before noon, which I know is too many for me.
C: And are you moving at all?
P: I walk the dog for {a} minutes in the evening. My knee hurts on the stairs, but less than it did.
"""
LAST = """
C: Before we stop, how are you taking the sertraline?
P: Fifty milligrams in the morning. I missed two doses when I was away.
C: Your GAD-7 score is 11 today, it was 15 last month.
P: That is good to hear. I do feel that it is getting a little easier now.
C: I think you have generalized anxiety, and it is improving.
P: All right. I was afraid it would be something worse.
C: Let's continue the sertraline at fifty milligrams each morning.
P: Yes, I can do that.
C: I'd like you to keep the sleep diary and to go into the supermarket twice with your sister.
P: Twice, with her. I will try.
C: And cut the coffee down to two cups, please, none after noon.
P: That will be the hard part, but I will try it.
C: I'll see you in two weeks, on Monday at ten.
P: Monday at ten is fine. Thank you.
"""


def make_session(words: int) -> Material:
    """About so many words of talk between a clinician and a patient."""
    talk, last = TALK.strip().splitlines(), LAST.strip().splitlines()
    rest = words - _count_words(last)
    lines: list[str] = []
    for turn in itertools.count():
        if rest <= 0:
            break
        pair = talk[2 * turn % len(talk) :][:2]
        lines += (line.format(a=10 + 7 * turn % 49, b=2 + turn % 7) for line in pair)
        rest -= _count_words(pair)
    return gather_material(
        Segment(1, Source.SESSION, Speaker.CLINICIAN if line[0] == "C" else Speaker.PATIENT, line[3:])
        for line in [*lines, *last]
    )


def _count_words(lines: list[str]) -> int:
    return sum(len(line.split()) - 1 for line in lines)
