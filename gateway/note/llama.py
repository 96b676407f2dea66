"""llama.cpp as a ``TextModel``: one conversation, kept in one cache, answered in sentences bound by a grammar.

In: weights shared by all visits, a text and questions about it. Out: sentences. What makes it fast: the text is read
once, and where it has grown only its end; the cache is cut back to it for each question; llguidance says whether a
token is allowed, and hands back those that the grammar forces, which go through the model in one batch.
Temperature 0: the same text, read in the same pieces, gives the same draft.

The context (cache, threads, scratch memory) is made at the first ``read``, in the process that drafts, never before
a fork. Nothing is ever written to a disk or a log; ``close`` overwrites what the context held, then frees it.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import llama_cpp
import llguidance
import llguidance.numpy as masks
import numpy as np
from numpy.typing import NDArray

from gateway.errors import DraftError, ModelError
from gateway.note.textmodel import Bound, Cancelled, require_room
from gateway.note.weights import ChatMarks, Weights, load_weights, read_chat_marks

__all__ = ["ChatMarks", "LlamaTextModel", "Weights", "load_weights", "read_chat_marks"]

CHUNK_TOKENS = 128  # read between two looks at the clock: about half a second of a 1.5B model on 2 cores
SENTENCE_TOKENS = 60  # a sentence that has not ended by then is dropped
BULLET = "- "


class LlamaTextModel:
    """One conversation with a model whose weights are shared.

    Args:
        weights: as ``load_weights`` gave them.
        threads: for the computation; 0: one for each core that this process may use.
        room: tokens of the cache. f16 without flash attention, which is fastest on a CPU: 29 KB a token at 1.5B.
    """

    def __init__(self, weights: Weights, threads: int = 0, room: int = 4096) -> None:
        self._weights = weights
        self._threads = threads or len(os.sched_getaffinity(0))
        self._room = min(room, weights.trained_room)
        self._context: _Context | None = None
        self._held: list[int] = []  # the tokens that were read; an answer's come behind them in the cache
        self._ends = [0]  # how many were held after each piece: where the cache may be cut
        self._pending: list[int] = []  # tokens of the answer that the model has not seen yet
        self._matchers: dict[str, llguidance.LLMatcher] = {}  # by pattern: a format has a few
        self._closing = threading.Event()
        self._busy = threading.Lock()

    @property
    def name(self) -> str:
        return self._weights.name

    @property
    def sha256(self) -> str:
        return self._weights.sha256

    @property
    def room(self) -> int:
        return self._room

    def count_tokens(self, text: str) -> int:
        """See ``TextModel``."""
        return len(self._weights.tokenise_text(text))

    def read(self, instruction: str, text: str, bound: Bound) -> None:
        """See ``TextModel``."""
        with self._hold() as context:
            marks = self._weights.marks
            head = [
                *self._weights.tokenise_marks(marks.before_system, begins=True),
                *self._weights.tokenise_text(instruction),
                *self._weights.tokenise_marks(marks.before_user),
            ]
            body = self._weights.tokenise_text(text)
            self._pending = []
            require_room(len(head) + len(body), self._room)
            self._keep(context, [*head, *body])
            for part, start in ((head, 0), (body, len(head))):
                self._read_on(context, part[max(0, len(self._held) - start) :], bound)

    def ask(self, question: str, heading: str, bound: Bound) -> None:
        """See ``TextModel``. Nothing is computed yet: the question goes through with the first forced words."""
        with self._hold() as context:
            bound.check()
            context.cut(len(self._held))
            self._pending = [
                *self._weights.tokenise_text(question),
                *self._weights.tokenise_marks(self._weights.marks.before_answer),
                *self._weights.tokenise_text(heading),
            ]

    def write_sentence(self, pattern: str, may_end: bool, bound: Bound) -> str | None:
        """See ``TextModel``."""
        with self._hold() as context:
            if may_end and not self._wants_another(context, bound):
                return None
            matcher = self._find_matcher(pattern)
            written: list[int] = []
            while not matcher.is_stopped() and len(written) < SENTENCE_TOKENS:
                forced = matcher.compute_ff_tokens()
                if not forced:
                    forced = [self._choose(context, matcher, bound)]
                if not matcher.consume_tokens(forced):
                    raise DraftError("draft.grammar", "The text model failed; try again, or write the note yourself.")
                written += forced
                self._pending += forced
            text = self._weights.spell(written)
            if not text.endswith("\n"):
                self._pending += self._weights.tokenise_text("\n")
                return ""
            return text.removeprefix(BULLET).strip()

    def forget(self) -> None:
        """See ``TextModel``. Idempotent; a new context is made with the next text."""
        with self._busy:
            if self._context is not None:
                self._context.wipe()
                self._context = None
            self._held, self._ends, self._pending = [], [0], []

    def close(self) -> None:
        """See ``TextModel``. Idempotent; the model is of no use afterwards."""
        self._closing.set()
        self.forget()
        self._matchers.clear()

    @contextmanager
    def _hold(self) -> "Iterator[_Context]":
        """The context, made at first use, for one call at a time."""
        with self._busy:
            if self._closing.is_set():
                raise Cancelled
            if self._context is None:
                self._context = _Context(self._weights, self._threads, self._room)
            yield self._context

    def _keep(self, context: "_Context", wanted: list[int]) -> None:
        """Cut back to the last piece that is a beginning of what is wanted now.

        At the end of a piece and not within it, so that what is read again is read in the same pieces as before.
        """
        pairs = enumerate(zip(self._held, wanted, strict=False))
        same = next((place for place, (held, want) in pairs if held != want), min(len(self._held), len(wanted)))
        self._ends = [end for end in self._ends if end <= same]
        self._held = self._held[: self._ends[-1]]
        context.cut(len(self._held))

    def _read_on(self, context: "_Context", tokens: list[int], bound: Bound) -> None:
        for piece in _cut_pieces(tokens):
            self._decode(context, piece, bound)
            self._held += piece
            self._ends.append(len(self._held))

    def _decode(self, context: "_Context", piece: list[int], bound: Bound) -> None:
        if self._closing.is_set():
            raise Cancelled
        bound.check()
        context.decode(piece)

    def _catch_up(self, context: "_Context", bound: Bound) -> None:
        require_room(context.position + len(self._pending), self._room)
        for piece in _cut_pieces(self._pending):
            self._decode(context, piece, bound)
        self._pending = []

    def _find_matcher(self, pattern: str) -> llguidance.LLMatcher:
        """The grammar at its beginning; compiled at first use, and what it learns of the vocabulary is kept."""
        matcher = self._matchers.get(pattern)
        if matcher is None:
            matcher = self._matchers[pattern] = llguidance.LLMatcher(self._weights.words, _make_grammar(pattern))
        matcher.reset()
        if matcher.is_error():
            raise ModelError("model.grammar", "This note format can't be drafted; check its opening words.")
        return matcher

    def _wants_another(self, context: "_Context", bound: Bound) -> bool:
        """Left to itself, would the model begin another line?"""
        self._catch_up(context, bound)
        likeliest = int(context.scores().argmax())
        return self._weights.spell([likeliest]).lstrip().startswith(BULLET.strip())

    def _choose(self, context: "_Context", matcher: llguidance.LLMatcher, bound: Bound) -> int:
        """The likeliest token among those that the grammar allows.

        Mostly the likeliest of all is allowed, and asking that costs a fiftieth of a mask over the vocabulary.
        """
        self._catch_up(context, bound)
        likeliest = int(context.scores().argmax())
        if matcher.validate_tokens([likeliest]) == 1:
            return likeliest
        scores = context.scores().copy()[None]
        masks.fill_next_token_bitmask(matcher, context.mask, 0)
        masks.apply_token_bitmask_inplace(scores, context.mask)
        return int(scores[0].argmax())


class _Context:
    """llama.cpp's context for one conversation: cache, threads, one batch."""

    def __init__(self, weights: Weights, threads: int, room: int) -> None:
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = room
        options.n_batch = options.n_ubatch = CHUNK_TOKENS
        options.n_threads = options.n_threads_batch = threads
        options.n_seq_max = 1
        options.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._pointer = llama_cpp.llama_init_from_model(weights.model, options)
        if not self._pointer:
            raise DraftError(
                "draft.memory",
                "This computer has too little memory left to draft; close other visits and try again.",
            )
        self._memory = llama_cpp.llama_get_memory(self._pointer)
        self._batch = llama_cpp.llama_batch_init(CHUNK_TOKENS, 0, 1)
        self._vocabulary_size = weights.vocabulary_size
        self.mask: NDArray[np.int32] = masks.allocate_token_bitmask(1, weights.vocabulary_size)
        self.position = 0

    def decode(self, tokens: list[int]) -> None:
        """Put at most ``CHUNK_TOKENS`` tokens through the model; the last one's scores are kept."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index] = token
            batch.pos[index] = self.position + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = index == len(tokens) - 1
        status = llama_cpp.llama_decode(self._pointer, batch)
        if status:
            raise DraftError(
                "draft.engine", "The text model failed; try again, or write the note yourself.", f"llama {status}"
            )
        self.position += len(tokens)

    def scores(self) -> NDArray[np.float32]:
        """The last token's scores: float32 ``(vocabulary,)``, a view that the next ``decode`` overwrites."""
        found = llama_cpp.llama_get_logits_ith(self._pointer, -1)
        return np.ctypeslib.as_array(found, shape=(self._vocabulary_size,))

    def cut(self, position: int) -> None:
        """Forget all after ``position`` (the bytes stay until ``wipe``)."""
        llama_cpp.llama_memory_seq_rm(self._memory, 0, position, -1)
        self.position = position

    def wipe(self) -> None:
        """Overwrite cache, scores and batch, then free the context."""
        llama_cpp.llama_memory_clear(self._memory, True)
        scores = llama_cpp.llama_get_logits(self._pointer)
        if scores:
            ctypes.memset(scores, 0, self._vocabulary_size * ctypes.sizeof(ctypes.c_float))
        for field in (self._batch.token, self._batch.pos):
            ctypes.memset(field, 0, CHUNK_TOKENS * ctypes.sizeof(ctypes.c_int32))
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._pointer)


def _cut_pieces(tokens: list[int]) -> Iterator[list[int]]:
    return (tokens[start : start + CHUNK_TOKENS] for start in range(0, len(tokens), CHUNK_TOKENS))


def _make_grammar(pattern: str) -> str:
    """Exactly one bullet with one sentence in a line of its own."""
    return str(llguidance.LLMatcher.grammar_from_lark(f'start: "{BULLET}" SENTENCE "\\n"\nSENTENCE: /{pattern}/\n'))
