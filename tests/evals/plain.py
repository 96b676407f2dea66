"""The plain way to a note, to hold ours against: everything after the end, one prompt, one token a decode.

It reads the whole session once it is over and writes the note token by token; with a grammar, llama.cpp's own weighs
the whole vocabulary at every token, as llama-cpp-python does. Nothing is forced, cut back or kept.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass

import llama_cpp
import numpy as np

from gateway.note.weights import Weights

BATCH_TOKENS = 512
SYSTEM = "You are a clinical scribe. You write the progress note of a visit from its transcript."
QUESTION = (
    "\nWrite the SOAP note of this visit with the sections Subjective, Objective, Assessment and Plan. Short sentences "
    "in bullet points. Use only what was said."
)
NOTE_GRAMMAR = r"""root ::= "Subjective:\n" items "Objective:\n" items "Assessment:\n" items "Plan:\n" items
items ::= item item? item? item? item? item?
item ::= "- " sentence "\n"
sentence ::= [A-Z] char{8,160} "."
char ::= [^.\n\[\]?:] | [0-9] [.:] [0-9]
"""


@dataclass(frozen=True, slots=True)
class PlainNote:
    """What came out, and what it took."""

    text: str
    read_tokens: int
    written_tokens: int
    read_seconds: float
    write_seconds: float


class PlainWriter:
    """One context of ``room`` tokens over weights that are loaded."""

    def __init__(self, weights: Weights, threads: int, room: int) -> None:
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = room, BATCH_TOKENS, BATCH_TOKENS
        options.n_threads = options.n_threads_batch = threads
        options.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._weights, self._room = weights, room
        self._context = llama_cpp.llama_init_from_model(weights.model, options)
        self._position = 0

    def write(
        self, transcript: str, most_tokens: int, grammar: str = "", clock: Callable[[], float] = time.perf_counter
    ) -> PlainNote:
        """Read a transcript that is over and write its note, at temperature 0.

        Args:
            transcript: lines ``C: …`` and ``P: …``.
            most_tokens: the note is cut there.
            grammar: GBNF; empty: the model writes as it likes.
            clock: seconds.
        """
        marks, weights = self._weights.marks, self._weights
        tokens = [
            *weights.tokenise_marks(marks.before_system, begins=True),
            *weights.tokenise_text(SYSTEM),
            *weights.tokenise_marks(marks.before_user),
            *weights.tokenise_text(f"Transcript:\n{transcript}{QUESTION}"),
            *weights.tokenise_marks(marks.before_answer),
        ]
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        self._position = 0
        started = clock()
        for start in range(0, len(tokens), BATCH_TOKENS):
            self._decode(tokens[start : start + BATCH_TOKENS])
        read = clock()
        written = self._write_tokens(min(most_tokens, self._room - len(tokens)), grammar)
        return PlainNote(weights.spell(written), len(tokens), len(written), read - started, clock() - read)

    def close(self) -> None:
        llama_cpp.llama_free(self._context)

    def _write_tokens(self, most: int, grammar: str) -> list[int]:
        vocabulary, size = self._weights.vocabulary, self._weights.vocabulary_size
        sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root") if grammar else None
        candidates = (llama_cpp.llama_token_data * size)()
        table = np.ctypeslib.as_array(candidates)
        written: list[int] = []
        while len(written) < most:
            scores = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self._context, -1), shape=(size,))
            token = int(scores.argmax())
            if sampler:
                table["id"], table["logit"] = np.arange(size), scores
                array = llama_cpp.llama_token_data_array(data=candidates, size=size, selected=-1, sorted=False)
                llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
                token = int(table["id"][table["logit"].argmax()])
            if llama_cpp.llama_vocab_is_eog(vocabulary, token):
                break
            if sampler:
                llama_cpp.llama_sampler_accept(sampler, token)
            written.append(token)
            self._decode([token])
        if sampler:
            llama_cpp.llama_sampler_free(sampler)
        return written

    def _decode(self, tokens: list[int]) -> None:
        array = (llama_cpp.llama_token * len(tokens))(*tokens)  # the batch only points to it
        batch = llama_cpp.llama_batch_get_one(array, len(tokens))
        if llama_cpp.llama_decode(self._context, batch):
            raise RuntimeError("llama.cpp could not decode")
        self._position += len(tokens)
