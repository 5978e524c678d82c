"""Texts on their way to a network: normalised, cut into tokens, numbered, padded, and learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.data import DataLoader, Subset

from models.core import export
from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import image_folder, steps, text_steps, workspace
from models.data.text_steps import BagOfEmbeddings, ByLength, Texts

DOCS = "docstrings"  # the set to begin with
TOKENS = ("characters", "words", "byte pairs")


@dataclass(frozen=True)
class Spec(core.Spec):
    """Everything between the texts and a trained classifier."""

    data: str = knob(
        DOCS, "The set to begin with, or upload: and the id of an own one.", max_chars=80
    )
    lower: bool = knob(True, "Capital letters become small ones.", label="Lower case")
    accents: bool = knob(True, "é stays é; otherwise it becomes e.", label="Keep accents")
    tokens: str = knob("words", "What a text is cut into.", choices=TOKENS)
    vocabulary: int = knob(
        1000,
        "Different tokens at most, [PAD] and [UNK] among them.",
        minimum=10,
        maximum=20_000,
        log=True,
    )
    min_count: int = knob(
        1,
        "How often a token has to occur in the training texts.",
        label="Least count of a token",
        minimum=1,
        maximum=20,
    )
    max_length: int = knob(
        64, "Longer texts are cut.", label="Longest text", minimum=4, maximum=512
    )
    val: float = knob(
        0.2,
        "Part of the texts kept for validation.",
        label="Validation share",
        minimum=0.0,
        maximum=0.5,
        step=0.05,
    )
    split_seed: int = knob(
        0, "Another seed, another split.", label="Seed of the split", minimum=0, maximum=999
    )
    batch_size: int = knob(16, "Texts in a batch.", minimum=1, maximum=256)
    by_length: bool = knob(
        False, "Batches of texts of like length: less padding.", label="Batches by length"
    )
    dim: int = knob(
        16, "Numbers in the vector of a token.", label="Embedding size", minimum=1, maximum=128
    )
    lr: float = knob(
        0.02, "Learning rate of Adam.", label="Learning rate", minimum=1e-4, maximum=1.0, log=True
    )
    epochs: int = knob(10, "Passes over the training texts.", minimum=1, maximum=100)
    seed: int = knob(0, "Order and first weights follow from it.", minimum=0, maximum=999)


@dataclass(frozen=True)
class Parts:
    """Texts split, and a tokenizer that was trained on the training part alone."""

    rows: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    train: Tensor
    val: Tensor
    tokenizer: text_steps.Tokenizer
    data: Texts


@dataclass(frozen=True)
class Stages:
    """One text on its way: after normalising, as tokens, as numbers."""

    raw: str
    normal: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    cut: int  # tokens beyond max_length


def parts(spec: Spec) -> Parts:
    """The set of these settings, split and tokenised.

    Raises:
        SpecError: it is not on this server, or no text is left for training.
    """
    rows = _rows(spec.data, str(workspace.home()))
    classes = tuple(sorted({label for _, label in rows}))
    number = {name: k for k, name in enumerate(classes)}
    labels = torch.tensor([number[label] for _, label in rows])
    first: dict[str, int] = {}
    group = torch.tensor([first.setdefault(text, i) for i, (text, _) in enumerate(rows)])
    train, val, _ = image_folder.split_images(labels, group, spec.val, 0.0, spec.split_seed, True)
    if len(train) == 0:
        raise SpecError("No text is left for training. Make val smaller.", "val")
    tokenizer = text_steps.make_tokenizer(
        [rows[i][0] for i in train.tolist()], spec.tokens, spec.vocabulary, spec.min_count, spec.lower, spec.accents
    )  # fmt: skip
    data = Texts(list(rows), tokenizer, spec.max_length, list(classes))
    return Parts(rows, classes, train, val, tokenizer, data)


@lru_cache(maxsize=4)
def _rows(data: str, home: str) -> tuple[tuple[str, str], ...]:
    if data == DOCS:
        return tuple(text_steps.docstrings())
    id = data.removeprefix("upload:")
    path = workspace.get(id)
    try:
        rows = tuple(text_steps.read_texts(path))
        if not rows:
            raise ValueError("no line")
        return rows
    except (
        ValueError,
        LookupError,
        TypeError,
    ) as error:  # whatever a file of another kind looks like
        name = workspace.display_name(workspace.about(id).name)
        raise SpecError(
            f"{name} has not been taken in as texts. Upload the file on this page once more, or choose another set.",
            "data",
            str(error)[:500],
        ) from None


def stages(spec: Spec, made: Parts, text: str) -> Stages:
    """What becomes of one text."""
    found = made.tokenizer.encode(text)
    normal = made.tokenizer.normalizer.normalize_str(text)
    kept = spec.max_length
    return Stages(
        text,
        normal,
        tuple(found.tokens[:kept]),
        tuple(found.ids[:kept]),
        max(0, len(found.ids) - kept),
    )


def loader(spec: Spec, made: Parts) -> DataLoader:
    """Batches of the training texts: (ids, mask, labels)."""
    generator = torch.Generator().manual_seed(spec.seed)
    data = Subset(made.data, made.train.tolist())
    if spec.by_length:
        lengths = [len(made.data.ids[i]) for i in made.train.tolist()]
        batches = ByLength(lengths, spec.batch_size, generator)
        return DataLoader(
            data, batch_sampler=batches, collate_fn=text_steps.pad, generator=generator
        )
    return DataLoader(
        data,
        batch_size=spec.batch_size,
        shuffle=True,
        collate_fn=text_steps.pad,
        generator=generator,
    )


def packed(ids: Tensor, mask: Tensor) -> PackedSequence:
    """The same batch without any padding, as recurrent layers take it."""
    return pack_padded_sequence(ids, mask.sum(1), batch_first=True, enforce_sorted=False)


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """A row for each epoch; the last frame holds what each token speaks for.

    Raises:
        SpecError: there is one class only.
    """
    control = control or Control()
    made = parts(spec)
    if len(made.classes) < 2:
        raise SpecError(
            "The texts have no labels, or all the same one: there is nothing to tell apart. Upload texts with labels, "
            'such as lines of {"text": "…", "label": "…"}.',
            "data",
        )
    batches = loader(spec, made)
    torch.manual_seed(spec.seed)  # a worker's default generator is its own
    model = BagOfEmbeddings(made.tokenizer.get_vocab_size(), spec.dim, len(made.classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=spec.lr)
    masks: list[Tensor] = []
    for epoch in range(1, spec.epochs + 1):
        control.gate()
        total, masks = 0.0, []
        for ids, mask, labels in batches:
            loss = nn.functional.cross_entropy(model(ids), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(ids)
            masks.append(mask)
        row = {
            "step": epoch,
            "epoch": epoch,
            "train_loss": total / len(made.train),
            "train_metric": _accuracy(model, made, made.train),
            "val_metric": _accuracy(model, made, made.val),
        }
        final = epoch == spec.epochs
        frame = _frame(spec, made, model, masks, row) if final else None
        yield Snapshot(epoch, epoch, rows=(row,), frame=frame, final=final)


def _accuracy(model: nn.Module, made: Parts, rows: Tensor) -> float:
    return text_steps.accuracy(
        model, [made.data.ids[i] for i in rows.tolist()], made.data.labels[rows]
    )


def _frame(
    spec: Spec, made: Parts, model: BagOfEmbeddings, masks: list[Tensor], row: dict[str, float]
) -> dict[str, Any]:
    with torch.no_grad():
        scores = (
            model.embedding.weight @ model.linear.weight.T
        )  # (V, classes): mean of these + bias = logits
    vocabulary = made.tokenizer.get_vocab()
    return {
        "scores": scores.numpy(),
        "bias": model.linear.bias.detach().numpy(),
        "tokens": sorted(vocabulary, key=vocabulary.__getitem__),
        "classes": list(made.classes),
        "numbers": {
            "training_texts": len(made.train),
            "validation_texts": len(made.val),
            "vocabulary": made.tokenizer.get_vocab_size(),
            "padding": text_steps.waste(masks),
            "train_loss": row["train_loss"],
            "train_accuracy": row["train_metric"],
            "val_accuracy": row["val_metric"],
        },
    }


def numbers(result: Snapshot) -> dict[str, float]:
    """What the script prints."""
    return dict((result.frame or {})["numbers"])


def logits(frame: dict[str, Any], ids: list[int]) -> tuple[Tensor, Tensor]:
    """What the trained model says of a text, (classes,), and what each of its tokens adds to it, (L, classes)."""
    parts = torch.as_tensor(frame["scores"])[torch.tensor(ids or [1])] / max(1, len(ids))
    return parts.sum(0) + torch.as_tensor(frame["bias"]), parts


def file_name(spec: Spec) -> str:
    """The file that the script reads from its own folder; "" for the set to begin with."""
    if spec.data == DOCS:
        return ""
    id = spec.data.removeprefix("upload:")
    try:
        return workspace.file_name(workspace.about(id).name, ".jsonl")
    except SpecError:
        return f"texts-{workspace.display_name(id, 8)}.jsonl"


def to_code(spec: Spec) -> str:
    """A script that trains the same classifier."""
    own = file_name(spec)
    imports = f"""
        {"import json" if own else "import importlib" + chr(10) + "        import inspect" + chr(10) + "        import re"}
        from collections.abc import Iterator
        from pathlib import Path

        import torch
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
        from torch import Tensor, nn
        from torch.nn.utils.rnn import pad_sequence
        from torch.utils.data import DataLoader, Dataset, Sampler, Subset
    """
    read = text_steps.read_texts if own else text_steps.docstrings
    made = [read, text_steps.make_tokenizer, Texts, text_steps.pad]
    made += [ByLength] if spec.by_length else []
    made += [text_steps.waste, BagOfEmbeddings, text_steps.accuracy]
    cells = [
        imports,
        export.source(steps.split, image_folder.split_images),
        *(export.source(one) for one in made),
        _main(spec, f"read_texts({own!r})" if own else "docstrings()"),
    ]
    return export.script("From texts to a bag-of-embeddings classifier", cells)


def _main(spec: Spec, read: str) -> str:
    batching = (
        """lengths = [len(data.ids[i]) for i in train.tolist()]
sampler = ByLength(lengths, {size}, generator)
loader = DataLoader(Subset(data, train.tolist()), batch_sampler=sampler, collate_fn=pad, generator=generator)"""
        if spec.by_length
        else """loader = DataLoader(
    Subset(data, train.tolist()), batch_size={size}, shuffle=True, collate_fn=pad, generator=generator
)"""
    ).format(size=spec.batch_size)
    return f"""rows = {read}
classes = sorted({{label for _, label in rows}})
labels = torch.tensor([classes.index(label) for _, label in rows])
first: dict[str, int] = {{}}
group = torch.tensor([first.setdefault(text, i) for i, (text, _) in enumerate(rows)])  # the same text twice
train, val, _ = split_images(labels, group, val={spec.val}, test=0.0, seed={spec.split_seed}, stratify=True)
tokenizer = make_tokenizer(
    [rows[i][0] for i in train.tolist()],  # of the training texts alone
    tokens={spec.tokens!r},
    vocabulary={spec.vocabulary},
    min_count={spec.min_count},
    lower={spec.lower},
    accents={spec.accents},
)
data = Texts(rows, tokenizer, max_length={spec.max_length}, classes=classes)
generator = torch.Generator().manual_seed({spec.seed})
{batching}

torch.manual_seed({spec.seed})
model = BagOfEmbeddings(tokenizer.get_vocab_size(), dim={spec.dim}, classes=len(classes))
optimizer = torch.optim.Adam(model.parameters(), lr={spec.lr})
for epoch in range({spec.epochs}):
    total, masks = 0.0, []
    for ids, mask, labels in loader:
        loss = nn.functional.cross_entropy(model(ids), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(ids)
        masks.append(mask)


def accuracy_of(part):
    return accuracy(model, [data.ids[i] for i in part.tolist()], data.labels[part])


print(f"training_texts = {{len(train)}}")
print(f"validation_texts = {{len(val)}}")
print(f"vocabulary = {{tokenizer.get_vocab_size()}}")
print(f"padding = {{waste(masks):.8f}}")
print(f"train_loss = {{total / len(train):.8f}}")
print(f"train_accuracy = {{accuracy_of(train):.8f}}")
print(f"val_accuracy = {{accuracy_of(val):.8f}}")"""


VARIATIONS: dict[str, Spec] = {"data": Spec(data="upload:" + "0" * 64)}
