"""From texts to batches of token numbers. The app runs these functions, and exported scripts print them.

Each is complete in itself (standard library, tokenizers and torch only).
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler


def docstrings() -> list[tuple[str, str]]:
    """A set to begin with: the first paragraph of each documentation text of three modules, and the module's name."""
    found = {}
    for place in ("torch.nn", "pandas.DataFrame", "os"):
        module, _, name = place.partition(".")
        holder = importlib.import_module(module)
        for word in sorted(dir(getattr(holder, name) if name else holder)):
            about = inspect.getdoc(getattr(getattr(holder, name) if name else holder, word, None))
            parts = [" ".join(p.split()) for p in (about or "").split("\n\n")]
            prose = [p for p in parts if len(p.split()) > 4 and not re.match(r"\w+\(", p)]
            if prose and not word.startswith("_"):
                found.setdefault(prose[0][:300], place)
    return list(found.items())


def read_texts(path: str | Path) -> list[tuple[str, str]]:
    """(text, label) of every line of a JSON lines file."""
    with open(path, encoding="utf-8") as file:
        return [(row["text"], row["label"]) for row in map(json.loads, file)]


def make_tokenizer(
    texts: list[str], tokens: str, vocabulary: int, min_count: int, lower: bool, accents: bool
) -> Tokenizer:
    """A tokenizer whose vocabulary is learned from these texts; number 0 is [PAD], number 1 is [UNK].

    Args:
        tokens: "characters", "words" or "byte pairs". vocabulary: its size at most.
        min_count: a token has to occur so often. lower: capitals become small. accents: they are kept.
    """
    pairs = tokens == "byte pairs"
    tokenizer = Tokenizer((models.BPE if pairs else models.WordLevel)(unk_token="[UNK]"))
    steps = [normalizers.Lowercase()] if lower else []
    steps += [normalizers.NFC()] if accents else [normalizers.NFD(), normalizers.StripAccents()]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        if tokens == "characters"
        else pre_tokenizers.Whitespace()
    )
    trainer = (trainers.BpeTrainer if pairs else trainers.WordLevelTrainer)(
        vocab_size=vocabulary,
        min_frequency=min_count,
        special_tokens=["[PAD]", "[UNK]"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class Texts(Dataset):
    """Texts as token numbers: ragged, since each has its own length."""

    def __init__(
        self, rows: list[tuple[str, str]], tokenizer: Tokenizer, max_length: int, classes: list[str]
    ) -> None:
        encoded = tokenizer.encode_batch([text for text, _ in rows])
        # an empty text becomes one [UNK], so that every row has something to learn from
        self.ids = [torch.tensor(e.ids[:max_length] or [1]) for e in encoded]
        number = {name: k for k, name in enumerate(classes)}
        self.labels = torch.tensor([number[label] for _, label in rows])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.ids[index], int(self.labels[index])


def pad(samples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of ragged texts: ids (B, L) filled up with 0, mask (B, L) True at tokens, labels (B,)."""
    ids = pad_sequence([row for row, _ in samples], batch_first=True)
    lengths = torch.tensor([len(row) for row, _ in samples])
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    return ids, mask, torch.tensor([label for _, label in samples])


class ByLength(Sampler[list[int]]):
    """Batches of texts of like length, the batches in random order: little padding, and still shuffled."""

    def __init__(self, lengths: list[int], batch_size: int, generator: torch.Generator) -> None:
        self.lengths, self.batch_size, self.generator = lengths, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        chance = torch.rand(len(self.lengths), generator=self.generator).tolist()
        order = sorted(range(len(self.lengths)), key=lambda i: (self.lengths[i], chance[i]))
        for n in torch.randperm(len(self), generator=self.generator).tolist():
            yield order[n * self.batch_size : (n + 1) * self.batch_size]


class BagOfEmbeddings(nn.Module):
    """The mean of the vectors of a text's tokens, then one linear layer: the order of words is lost."""

    def __init__(self, vocabulary: int, dim: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary, dim, mode="mean", padding_idx=0)
        self.linear = nn.Linear(dim, classes)

    def forward(self, ids: Tensor) -> Tensor:
        return self.linear(self.embedding(ids))  # ids (B, L), logits (B, classes)


def waste(batches: list[Tensor]) -> float:
    """The part of the cells of these masks (B, L) that is padding."""
    cells = sum(mask.numel() for mask in batches)
    return 1 - sum(int(mask.sum()) for mask in batches) / max(1, cells)


def accuracy(model: nn.Module, rows: list[Tensor], labels: Tensor) -> float:
    """The part of these texts whose class comes out right; NaN of none."""
    if not rows:
        return float("nan")
    with torch.no_grad():
        logits = model(pad_sequence(rows, batch_first=True))
    return float((logits.argmax(1) == labels).double().mean())
