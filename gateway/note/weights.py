"""A text model's weights, loaded once and shared by every process forked afterwards; on a GPU, by each for itself.

In: a GGUF file. Out: ``Weights``: the model, its vocabulary, llguidance's view of it and the marks of its chat
template. Without a GPU loading starts no thread and makes no context, so that a fork server may do it before it forks;
what is loaded is only read from then on. Never holds anything of a patient but for the moment in which text is
tokenised.
"""

import ctypes
import warnings
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import llguidance
from llama_cpp._ggml import libggml
from llguidance.llamacpp import lltokenizer_from_vocab

from gateway.errors import ModelError
from gateway.note.processor import require_processor

THOUGHT = "<think>\n\n</think>\n\n"
"""What a reasoning model is given as its own thought, so that it answers at once: Qwen3's template writes the same for
``enable_thinking=False``, and other models whose template has these marks go on from it."""
SYSTEM_PLACE, USER_PLACE = "\x11system\x11", "\x11user\x11"


@dataclass(frozen=True, slots=True)
class ChatMarks:
    """The model's own words between the turns of a conversation, control tokens among them."""

    before_system: str
    before_user: str
    before_answer: str


@dataclass(frozen=True, slots=True)
class Weights:
    """Loaded weights. ``model`` and ``vocabulary`` are llama.cpp's pointers; ``words`` is llguidance's tokenizer."""

    name: str
    sha256: str
    model: llama_cpp.llama_model_p
    vocabulary: llama_cpp.llama_vocab_p
    vocabulary_size: int
    trained_room: int
    marks: ChatMarks
    words: llguidance.LLTokenizer

    def tokenise_text(self, text: str) -> list[int]:
        """Tokens of plain text: nothing in it can become a control token."""
        return self._tokenise(text, begins=False, control=False)

    def tokenise_marks(self, text: str, begins: bool = False) -> list[int]:
        """Tokens of the template's own marks; ``begins`` adds what the model wants at the very start."""
        return self._tokenise(text, begins=begins, control=True)

    def _tokenise(self, text: str, begins: bool, control: bool) -> list[int]:
        raw = text.encode("utf-8", "replace")
        size = len(raw) + 8  # a token is at least a byte; the rest are marks that the model adds by itself
        tokens = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self.vocabulary, raw, len(raw), tokens, size, begins, control)
        found = list(tokens[: max(count, 0)])
        ctypes.memset(tokens, 0, ctypes.sizeof(tokens))
        if count < 0:
            raise ModelError(
                "model.tokens",
                "The text model can't read this text; choose another model, or write the note yourself.",
            )
        return found

    def spell(self, tokens: list[int]) -> str:
        """The text of tokens; control tokens have none."""
        return b"".join(self._spell_token(token) for token in tokens).decode("utf-8", "replace")

    def _spell_token(self, token: int) -> bytes:
        piece = ctypes.create_string_buffer(256)
        size = llama_cpp.llama_token_to_piece(self.vocabulary, token, piece, len(piece), 0, False)
        return piece.raw[: max(size, 0)]

    def close(self) -> None:
        """Free the weights; no context may be left."""
        llama_cpp.llama_model_free(self.model)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]  # a ctypes function type, without annotations
def _drop_log(level: int, text: bytes, data: object) -> None:
    """llama.cpp's own log is free text: it goes nowhere."""


def is_built_for(instructions: str) -> bool:
    """Whether llama.cpp here uses an instruction set (ggml's name, such as ``avx2``)."""
    return bool(getattr(libggml, f"ggml_cpu_has_{instructions}")())


def has_gpu() -> bool:
    """Whether llama.cpp was built for a GPU and finds one.

    Asking starts the GPU's own runtime, which no process can carry across a fork: never in one that forks visits.
    """
    return bool(llama_cpp.llama_supports_gpu_offload())


def load_weights(path: Path, sha256: str = "", repack: bool = True, gpu_layers: int = 0) -> Weights:
    """Load a GGUF file.

    Args:
        path: the file; its checksum is the caller's business.
        sha256: the file's SHA-256 in hex, to be named in the Provenance.
        repack: copy the matrices into the layout that this CPU writes fastest from. Measured with a 1.5B Q4_K_M on
            2 cores: 36 against 26 tokens a second written, 155 against 235 read, for 650 MB of memory shared by
            every visit. A draft writes more than it reads, so it is on.
        gpu_layers: how many layers a GPU computes; -1: all. 0: no GPU is touched, even where llama.cpp knows one.

    Raises:
        ModelError: the processor can't run this build of llama.cpp; there is no GPU for ``gpu_layers``, or no room on
            it; or the file is missing, damaged, or not an instruct model whose chat marks are known.
    """
    require_processor(is_built_for)  # before the first call that computes
    llama_cpp.llama_log_set(_drop_log, None)
    if gpu_layers and not has_gpu():  # llama.cpp would compute on the processor and say nothing
        raise ModelError(
            "model.gpu",
            "llama.cpp finds no GPU here: install llama.cpp built for this machine's GPU, with its driver "
            "(docs/models.md, On a GPU), or set gpu_layers = 0.",
        )
    llama_cpp.llama_backend_init()
    options = llama_cpp.llama_model_default_params()
    options.n_gpu_layers = gpu_layers
    options.use_extra_bufts = repack
    no_device = (ctypes.c_void_p * 1)()  # a list that ends at once; without one llama.cpp takes every GPU it finds
    if not gpu_layers:
        options.devices = ctypes.addressof(no_device)
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), options) if path.is_file() else None
    if not model and gpu_layers and path.is_file():
        raise ModelError(
            "model.gpu",
            "The text model could not be loaded onto the GPU: finish a visit that is open, and try again. If none is "
            "open, tell the operator: the GPU has too little memory for gpu_layers, or the model's file is damaged.",
        )
    if not model:
        raise ModelError(
            "model.unreadable",
            "The text model's file is missing or damaged; run `countersign models verify`, then pull it again.",
            path.name,
        )
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    try:
        marks = read_chat_marks(llama_cpp.llama_model_chat_template(model, None))
    except ModelError:
        llama_cpp.llama_model_free(model)
        raise
    return Weights(
        name=_read_name(model) or path.stem,
        sha256=sha256,
        model=model,
        vocabulary=vocabulary,
        vocabulary_size=llama_cpp.llama_vocab_n_tokens(vocabulary),
        trained_room=llama_cpp.llama_model_n_ctx_train(model),
        marks=marks,
        words=_read_words(vocabulary),
    )


def read_chat_marks(template: bytes | None) -> ChatMarks:
    """Learn the marks of a chat template by rendering a conversation whose turns are place holders.

    A model that reasons aloud is told not to: its answer begins behind an empty thought.

    Raises:
        ModelError: there is no template, or not one that llama.cpp knows with a system and a user turn.
    """
    turns = (llama_cpp.llama_chat_message * 2)()
    turns[0].role, turns[0].content = b"system", SYSTEM_PLACE.encode()
    turns[1].role, turns[1].content = b"user", USER_PLACE.encode()
    page = ctypes.create_string_buffer(4096)
    size = llama_cpp.llama_chat_apply_template(template, turns, len(turns), True, page, len(page)) if template else -1
    text = page.raw[:size].decode("utf-8", "replace") if 0 < size <= len(page) else ""
    before_system, found_system, rest = text.partition(SYSTEM_PLACE)
    before_user, found_user, before_answer = rest.partition(USER_PLACE)
    if not (found_system and found_user):
        raise ModelError(
            "model.chat",
            "This text model has no chat template that is known here; choose an instruct model such as Qwen or Llama.",
        )
    thinks = template is not None and THOUGHT.split()[0].encode() in template
    return ChatMarks(before_system, before_user, before_answer + THOUGHT if thinks else before_answer)


def _read_words(vocabulary: llama_cpp.llama_vocab_p) -> llguidance.LLTokenizer:
    with warnings.catch_warnings():  # llguidance 1.9 still asks for token attributes by their old name
        warnings.simplefilter("ignore", DeprecationWarning)
        return lltokenizer_from_vocab(vocabulary)


def _read_name(model: llama_cpp.llama_model_p) -> str:
    value = ctypes.create_string_buffer(200)
    size = llama_cpp.llama_model_meta_val_str(model, b"general.name", value, len(value))
    return value.value.decode("utf-8", "replace") if size > 0 else ""
