"""Builds a tiny Whisper that hears one given sentence in every window, for tests of the real engine without weights.

A CTranslate2 model of one layer (0.8 MB) from numpy and ``ctranslate2.specs`` alone. Its layers do their work, but
their contribution is damped nearly to nothing, and the row of each output token is tied to the position that must
emit it: so each window yields the sentence and the end of text, whatever the sound. Times and the detection of
speech are real. Usage: ``python tests/models/make_speech_model.py FOLDER ["Sentence to hear."]``
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ctranslate2.specs import whisper_spec
from tokenizers import Tokenizer

SENTENCE = "The patient slept well. She has no pain."

_WIDTH, _HEADS, _MELS = 64, 1, 80
_WINDOW_FRAMES, _MOST_TOKENS = 1500, 448
_DAMPING = 1e-3
_TEXT_TOKENS = 512
# Without languages the model is "English only": https://github.com/openai/whisper, tokenizer.py
_SPECIALS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)

Weights = npt.NDArray[np.float32]


def make_speech_model(folder: Path, sentence: str = SENTENCE, seed: int = 0) -> Path:
    """Build the model in ``folder`` unless it is there already, built by this very file for this sentence.

    Returns:
        The folder, with model.bin, config.json, vocabulary.json, tokenizer.json and preprocessor_config.json.
    """
    made_from = hashlib.sha256(Path(__file__).read_bytes() + f"{sentence}\n{seed}".encode()).hexdigest()
    stamp = folder / "made-from"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_from:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokens = _write_tokenizer(folder / "tokenizer.json", sentence)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(" " + sentence).ids
    _write_model(folder, tokens, ids, np.random.default_rng(seed))
    features = {"feature_size": _MELS, "hop_length": 160, "n_fft": 400, "chunk_length": 30, "sampling_rate": 16000}
    (folder / "preprocessor_config.json").write_text(json.dumps(features), encoding="utf-8")
    stamp.write_text(made_from, encoding="utf-8")
    return folder


def _write_tokenizer(file: Path, sentence: str) -> list[str]:
    """A byte-level BPE with a token for each word of the sentence; gives all tokens in order of their ids."""
    letters = _byte_letters()
    vocabulary = {letters[byte]: index for index, byte in enumerate(sorted(letters))}
    merges: list[list[str]] = []
    for word in sentence.split():
        joined, *rest = [letters[byte] for byte in f" {word}".encode()]
        for letter in rest:
            if joined + letter not in vocabulary:
                vocabulary[joined + letter] = len(vocabulary)
                merges.append([joined, letter])
            joined += letter
    if len(vocabulary) > _TEXT_TOKENS:
        raise ValueError(f"the sentence needs {len(vocabulary)} tokens and there are {_TEXT_TOKENS}")
    for number in range(_TEXT_TOKENS - len(vocabulary)):
        vocabulary[f"Ġ§{number}"] = len(vocabulary)
    times = [f"<|{step * 0.02:.2f}|>" for step in range(_WINDOW_FRAMES + 1)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": _TEXT_TOKENS + index, "content": token, **flags} for index, token in enumerate(_SPECIALS)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    return [*vocabulary, *_SPECIALS, *times]


def _byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in a byte-level BPE (as GPT-2 defined it)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + index) for index, byte in enumerate(others)}


def _write_model(folder: Path, tokens: Sequence[str], ids: Sequence[int], rng: np.random.Generator) -> None:
    spec = whisper_spec.WhisperSpec(1, _HEADS, 1, _HEADS)
    _fill_encoder(spec.encoder, rng)
    positions = np.zeros((_MOST_TOKENS, _WIDTH), np.float32)
    positions[:_WIDTH] = np.eye(_WIDTH) * _WIDTH**0.5  # at right angles, so that no token answers for another
    _fill_decoder(spec.decoder, positions, _tie_outputs(len(tokens), ids, positions, rng), rng)
    spec.register_vocabulary(list(tokens))
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [_TEXT_TOKENS]
    spec.config.lang_ids = []
    spec.config.alignment_heads = [(0, head) for head in range(_HEADS)]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))


def _tie_outputs(count: int, ids: Sequence[int], positions: Weights, rng: np.random.Generator) -> Weights:
    """float32 (count, width): rows that win at the positions which must emit them.

    The prompt is ``<|startoftranscript|><|notimestamps|>``: the first word comes out of position 1.
    """
    end_of_text, first = _TEXT_TOKENS, 1
    if first + len(ids) >= _WIDTH:
        raise ValueError(f"the sentence has {len(ids)} tokens and there are {_WIDTH - 2} positions")
    rows = rng.standard_normal((count, _WIDTH)).astype(np.float32) * 0.01
    for offset, token in enumerate([*ids, end_of_text]):
        rows[token] += positions[first + offset] * 0.5
    return rows


def _fill_encoder(encoder: Any, rng: np.random.Generator) -> None:
    encoder.conv1.weight = _matrix(rng, _WIDTH, _MELS * 3).reshape(_WIDTH, _MELS, 3)
    encoder.conv2.weight = _matrix(rng, _WIDTH, _WIDTH * 3).reshape(_WIDTH, _WIDTH, 3)
    encoder.conv1.bias = encoder.conv2.bias = np.zeros(_WIDTH, np.float32)
    steps = np.arange(_WINDOW_FRAMES)[:, None] / 10_000 ** (np.arange(_WIDTH // 2)[None] / (_WIDTH // 2 - 1))
    encoder.position_encodings.encodings = np.concatenate([np.sin(steps), np.cos(steps)], axis=1).astype(np.float32)
    _fill_norm(encoder.layer_norm)
    for layer in encoder.layer:
        _fill_attention(layer.self_attention, rng)
        _fill_feed_forward(layer.ffn, rng)


def _fill_decoder(decoder: Any, positions: Weights, outputs: Weights, rng: np.random.Generator) -> None:
    decoder.embeddings.weight = decoder.projection.weight = outputs  # tied, as in the published models
    decoder.position_encodings.encodings = positions
    _fill_norm(decoder.layer_norm)
    for layer in decoder.layer:
        _fill_attention(layer.self_attention, rng)
        _fill_cross_attention(layer.attention, rng)
        _fill_feed_forward(layer.ffn, rng)


def _fill_attention(attention: Any, rng: np.random.Generator) -> None:
    _fill_norm(attention.layer_norm)
    _fill_linear(attention.linear[0], _matrix(rng, 3 * _WIDTH, _WIDTH))
    _fill_linear(attention.linear[1], _matrix(rng, _WIDTH, _WIDTH) * _DAMPING)


def _fill_cross_attention(attention: Any, rng: np.random.Generator) -> None:
    _fill_norm(attention.layer_norm)
    _fill_linear(attention.linear[0], _matrix(rng, _WIDTH, _WIDTH))
    _fill_linear(attention.linear[1], _matrix(rng, 2 * _WIDTH, _WIDTH))
    _fill_linear(attention.linear[2], _matrix(rng, _WIDTH, _WIDTH) * _DAMPING)


def _fill_feed_forward(feed_forward: Any, rng: np.random.Generator) -> None:
    _fill_norm(feed_forward.layer_norm)
    _fill_linear(feed_forward.linear_0, _matrix(rng, 4 * _WIDTH, _WIDTH))
    _fill_linear(feed_forward.linear_1, _matrix(rng, _WIDTH, 4 * _WIDTH) * _DAMPING)


def _fill_linear(linear: Any, weight: Weights) -> None:
    linear.weight, linear.bias = weight, np.zeros(len(weight), np.float32)


def _fill_norm(norm: Any) -> None:
    norm.gamma, norm.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)


def _matrix(rng: np.random.Generator, rows: int, columns: int) -> Weights:
    return rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(columns**0.5)


if __name__ == "__main__":
    print(make_speech_model(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else SENTENCE))
