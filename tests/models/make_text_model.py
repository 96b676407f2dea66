"""Tiny text models for tests, made in seconds from numpy alone: real GGUF files for the real engine.

``make_random_model``: random weights in llama's architecture; it writes nonsense, as true to any grammar as a good
model. ``make_scripted_model``: attention and feed-forward blocks add nothing and the output rows form a chain, so that
after each opening it always writes the sentence it was given, then stops. Both carry a byte-level BPE vocabulary
trained on a few lines here and one of two families' control tokens and chat template. Files are cached by what went
into them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CACHE = Path(__file__).resolve().parents[2] / "build" / "test-models"
ROOM = 4096
WIDTH, LAYERS, HEADS, KEY_HEADS, HEAD_WIDTH, INNER = 256, 2, 4, 2, 64, 256
CORPUS = (
    "The patient reports poor sleep since March and works two jobs.",
    "The clinician reviewed the sleep diary and asked about caffeine.",
    "Write the Subjective section of the progress note: what was told in these lines.",
    "- Continue sertraline 50 mg each morning and follow up in two weeks.\n",
    "C: How have you been sleeping? P: About five hours a night, waking at three.",
)


@dataclass(frozen=True, slots=True)
class Family:
    """Control tokens and chat template of a family of models. ``end`` closes a turn."""

    control: tuple[str, ...]
    begin: str
    end: str
    template: str
    adds_begin: bool


CHATML = Family(
    ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "<|endoftext|>",
    "<|im_end|>",
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n",
    adds_begin=False,
)
LLAMA3 = Family(
    ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "<|begin_of_text|>",
    "<|eot_id|>",
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    adds_begin=True,
)


def make_random_model(seed: int = 0, family: Family = CHATML) -> Path:
    """A model that writes nonsense; another seed, other nonsense."""
    path = _name_file("random", seed, family)
    if not path.exists():
        words = _train_words(CORPUS)
        random = np.random.default_rng(seed)
        size = len(words.tokens) + len(family.control)
        embedding = random.standard_normal((size, WIDTH)).astype(np.float32)
        output = random.standard_normal((size, WIDTH)).astype(np.float32)
        _write_model(path, words, family, embedding, output, random, gain=1.0)
    return path


def make_scripted_model(sentences: Mapping[str, str], family: Family = CHATML) -> Path:
    """A model that always goes on as told.

    Args:
        sentences: opening words (``"The patient "``) to the rest of the sentence (``"sleeps badly."``). Each opening
            must end in a word of its own: the model sees no more than the token before.
    """
    path = _name_file("scripted", dict(sentences), family)
    if not path.exists():
        endings = tuple(_spell_bytes(" " + rest) for rest in sentences.values())
        words = _train_words([*CORPUS, *(list(sentences) * 20)], endings)
        end = len(words.tokens) + family.control.index(family.end)
        chain = {words.find_last(opening.rstrip()): words.tokens.index(_spell_bytes(" " + rest))
                 for opening, rest in sentences.items()}  # fmt: skip
        chain[words.find_last("\n")] = end
        if len(chain) != len(sentences) + 1:
            raise ValueError("two openings end in the same token")
        size = len(words.tokens) + len(family.control)
        random = np.random.default_rng(0)
        embedding = random.choice([-1.0, 1.0], (size, WIDTH)).astype(np.float32) / np.float32(WIDTH**0.5)
        output = np.zeros((size, WIDTH), np.float32)
        for before, after in chain.items():
            output[after] += 4 * embedding[before]
        _write_model(path, words, family, embedding, output, random, gain=0.0)
    return path


@dataclass(frozen=True, slots=True)
class _Words:
    tokens: list[str]
    merges: list[str]
    tokenizer: Tokenizer

    def find_last(self, text: str) -> int:
        return int(self.tokenizer.encode(text).ids[-1])


def _train_words(corpus: list[str] | tuple[str, ...], endings: tuple[str, ...] = ()) -> _Words:
    """A byte-level BPE vocabulary; ``endings`` are added whole, out of reach of its merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([line for line in corpus for _ in range(20)], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    return _Words([*tokens, *endings], merges, tokenizer)


def _spell_bytes(text: str) -> str:
    """Text in the alphabet of byte-level vocabularies, in which a space is Ġ."""
    return str(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][0])


def _name_file(kind: str, *parts: object) -> Path:
    digest = hashlib.sha256(repr((parts, Path(__file__).read_text(encoding="utf-8"))).encode()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE / f"{kind}-{digest[:16]}.gguf"


def _write_model(
    path: Path,
    words: _Words,
    family: Family,
    embedding: NDArray[np.float32],
    output: NDArray[np.float32],
    random: np.random.Generator,
    gain: float,
) -> None:
    """Write the file, whole or not at all. ``gain`` scales what the blocks add to the stream."""
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(str(part), "llama")
    writer.add_name(path.stem.partition("-")[0])
    writer.add_context_length(ROOM)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(embedding))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _write_words(writer, words, family)

    def add(name: str, values: NDArray[np.float32]) -> None:
        writer.add_tensor(name, values.astype(np.float16))

    def draw(rows: int, columns: int, scale: float = 1.0) -> NDArray[np.float32]:
        return (random.standard_normal((rows, columns)) * scale / columns**0.5).astype(np.float32)

    add("token_embd.weight", embedding)
    add("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{norm}.weight", np.ones(WIDTH, np.float32))
        add(block + "attn_q.weight", draw(HEADS * HEAD_WIDTH, WIDTH))
        add(block + "attn_k.weight", draw(KEY_HEADS * HEAD_WIDTH, WIDTH))
        add(block + "attn_v.weight", draw(KEY_HEADS * HEAD_WIDTH, WIDTH))
        add(block + "attn_output.weight", draw(WIDTH, HEADS * HEAD_WIDTH, gain))
        add(block + "ffn_gate.weight", draw(INNER, WIDTH))
        add(block + "ffn_up.weight", draw(INNER, WIDTH))
        add(block + "ffn_down.weight", draw(WIDTH, INNER, gain))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def _write_words(writer: gguf.GGUFWriter, words: _Words, family: Family) -> None:
    first = len(words.tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*words.tokens, *family.control])
    writer.add_token_types([gguf.TokenType.NORMAL] * first + [gguf.TokenType.CONTROL] * len(family.control))
    writer.add_token_merges(words.merges)
    writer.add_bos_token_id(first + family.control.index(family.begin))
    writer.add_eos_token_id(first + family.control.index(family.end))
    writer.add_add_bos_token(family.adds_begin)
    writer.add_chat_template(family.template)
