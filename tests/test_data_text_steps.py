"""From texts to batches: padding and mask agree, batches of like length waste less, tokenizers give back what they cut."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_packed_sequence

from models.data import text_steps
from models.data.text_steps import BagOfEmbeddings, ByLength, Texts, make_tokenizer, pad, waste
from models.datasets import text

CORPUS = ["the cat sat on the mat", "the dog ate the cat", "a Bär und ein Café"]


def test_words_are_numbered_by_how_often_they_occur_behind_pad_and_unknown() -> None:
    tokenizer = make_tokenizer(CORPUS, "words", 100, 1, True, True)
    assert [tokenizer.id_to_token(i) for i in range(4)] == ["[PAD]", "[UNK]", "the", "cat"]
    assert tokenizer.encode("THE zebra").ids == [2, 1]


def test_capitals_and_accents_go_when_asked() -> None:
    kept = make_tokenizer(CORPUS, "words", 100, 1, False, True)
    assert kept.encode("Bär").tokens == ["Bär"]
    plain = make_tokenizer(CORPUS, "words", 100, 1, True, False)
    assert plain.encode("BÄR Café").tokens == ["bar", "cafe"]


def test_rare_tokens_and_a_full_vocabulary_become_unknown() -> None:
    assert make_tokenizer(CORPUS, "words", 100, 2, True, True).get_vocab_size() == 4  # the, cat
    assert make_tokenizer(CORPUS, "words", 10, 1, True, True).get_vocab_size() == 10


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40))
@settings(max_examples=40)
def test_characters_are_the_text_itself(body: str) -> None:
    tokenizer = make_tokenizer([body or "x"], "characters", 1000, 1, False, False)
    normal = tokenizer.normalizer.normalize_str(body)
    assert "".join(tokenizer.encode(body).tokens) == normal


def test_byte_pairs_join_what_often_stands_together() -> None:
    corpus = ["lower lowest low"] * 5
    few = make_tokenizer(corpus, "byte pairs", 12, 1, True, True).encode("low").tokens
    many = make_tokenizer(corpus, "byte pairs", 40, 1, True, True).encode("low").tokens
    assert "".join(few) == "low"
    assert many == ["low"]


ragged = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(ragged)
def test_a_padded_batch_holds_every_token_and_the_mask_counts_them(lengths: list[int]) -> None:
    samples = [(torch.arange(1, n + 1), n % 2) for n in lengths]
    ids, mask, labels = pad(samples)
    assert ids.shape == mask.shape == (len(lengths), max(lengths))
    assert torch.equal(mask, ids != 0)
    assert mask.sum(1).tolist() == lengths
    assert labels.tolist() == [n % 2 for n in lengths]
    assert waste([mask]) == 1 - sum(lengths) / (len(lengths) * max(lengths))
    again, counted = pad_packed_sequence(text.packed(ids, mask), batch_first=True)
    assert torch.equal(again, ids)
    assert counted.tolist() == lengths


@given(st.lists(st.integers(1, 30), min_size=1, max_size=50), st.integers(1, 8), st.integers(0, 9))
def test_batches_of_like_length_hold_every_text_once(
    lengths: list[int], size: int, seed: int
) -> None:
    sampler = ByLength(lengths, size, torch.Generator().manual_seed(seed))
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    spans = sorted((min(lengths[i] for i in b), max(lengths[i] for i in b)) for b in batches)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_an_empty_text_is_one_unknown_token() -> None:
    tokenizer = make_tokenizer(CORPUS, "words", 100, 1, True, True)
    data = Texts([("", "a"), ("the cat", "b")], tokenizer, 1, ["a", "b"])
    assert [row.tolist() for row, _ in data] == [[1], [2]]  # type: ignore[attr-defined]  # a Dataset iterates by index


def test_padding_changes_nothing_of_what_the_bag_says() -> None:
    torch.manual_seed(0)
    model = BagOfEmbeddings(20, 4, 3)
    ids = torch.tensor([[3, 5, 7]])
    padded = torch.tensor([[3, 5, 7, 0, 0]])
    torch.testing.assert_close(model(padded), model(ids))
    by_hand = model.linear(model.embedding.weight[[3, 5, 7]].mean(0))
    torch.testing.assert_close(model(ids)[0], by_hand)


def test_accuracy_counts_what_comes_out_right() -> None:
    torch.manual_seed(0)
    model = BagOfEmbeddings(20, 4, 3)
    rows = [torch.tensor([3]), torch.tensor([4, 9]), torch.tensor([5])]
    right = torch.cat([model(row[None]).argmax(1) for row in rows])
    assert text_steps.accuracy(model, rows, right) == 1.0
    right[0] = (right[0] + 1) % 3
    assert round(text_steps.accuracy(model, rows, right), 6) == round(2 / 3, 6)
    assert text_steps.accuracy(model, [], torch.tensor([])) != 0


def test_the_set_to_begin_with_is_balanced_enough_and_in_prose() -> None:
    rows = text_steps.docstrings()
    counts = {label: sum(a == label for _, a in rows) for _, label in rows}
    assert set(counts) == {"torch.nn", "pandas.DataFrame", "os"}
    assert min(counts.values()) > 80
    assert len({body for body, _ in rows}) == len(rows)
