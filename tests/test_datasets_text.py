"""Texts to a classifier: nothing of validation is learned from, and its own tokens explain every answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from models.core import export
from models.core.spec import SpecError
from models.data import text_steps, workspace
from models.datasets import text
from models.datasets.text import Spec

SMALL = Spec(epochs=2, batch_size=64)


def test_the_vocabulary_is_of_the_training_texts_alone() -> None:
    made = text.parts(Spec(vocabulary=20_000))
    known = set(made.tokenizer.get_vocab()) - {"[PAD]", "[UNK]"}

    def words(rows: torch.Tensor) -> set[str]:
        tokens = [made.tokenizer.encode(made.rows[i][0]).tokens for i in rows.tolist()]
        return {word for line in tokens for word in line}

    assert words(made.train) == known
    assert "[UNK]" in words(made.val)
    assert not {made.rows[i][0] for i in made.train.tolist()} & {
        made.rows[i][0] for i in made.val.tolist()
    }


def test_the_stages_of_a_text_follow_from_one_another() -> None:
    spec = Spec(max_length=4)
    made = text.parts(spec)
    found = text.stages(spec, made, "Returns the MEAN of a tensor")
    assert found.normal == "returns the mean of a tensor"
    assert len(found.tokens) == len(found.ids) == 4
    assert found.cut == 2
    assert [made.tokenizer.token_to_id(t) for t in found.tokens] == list(found.ids)


def test_batches_of_like_length_waste_less() -> None:
    made = text.parts(Spec())
    mixed, alike = (
        text_steps.waste([mask for _, mask, _ in text.loader(Spec(by_length=b), made)])
        for b in (False, True)
    )
    assert alike < 0.5 * mixed


def test_it_learns_and_the_tokens_add_up_to_its_answer() -> None:
    spec = Spec(epochs=5)
    *_, last = text.train(spec)
    assert text.numbers(last)["val_accuracy"] > 0.8
    made = text.parts(spec)
    frame = dict(last.frame or {})
    right = 0
    for i in made.val.tolist():
        logits, parts = text.logits(frame, made.data.ids[i].tolist())
        torch.testing.assert_close(parts.sum(0) + torch.as_tensor(frame["bias"]), logits)
        right += int(logits.argmax()) == int(made.data.labels[i])
    assert right / len(made.val) == pytest.approx(text.numbers(last)["val_accuracy"])


def test_an_own_set_trains_and_its_script_prints_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    rows = [
        {"text": f"{'good' if i % 2 else 'bad'} number {i}", "label": "<b>"[: 1 + i % 2]}
        for i in range(20)
    ]
    id = workspace.put("".join(json.dumps(r) + "\n" for r in rows).encode(), "own (texts).jsonl")
    spec = SMALL.replace(data=f"upload:{id}", by_length=True, tokens="byte pairs", batch_size=4)
    *_, last = text.train(spec)
    (tmp_path / text.file_name(spec)).write_bytes(workspace.get(id).read_bytes())
    printed = export.numbers(export.run(text.to_code(spec), tmp_path))
    assert printed == pytest.approx(text.numbers(last), rel=1e-6)


def test_texts_of_one_class_can_be_looked_at_but_not_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    id = workspace.put(b'{"text": "a b", "label": ""}\n' * 3, "x.jsonl")
    spec = SMALL.replace(data=f"upload:{id}")
    assert len(text.parts(spec).train) == 3  # copies of one text stay in one part
    with pytest.raises(SpecError, match="no labels"):
        list(text.train(spec))
