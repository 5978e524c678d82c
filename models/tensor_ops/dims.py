"""Names for dims: given by a comment on the shelf, carried through an operation by who made which cell.

`a = torch.rand(2, 3, 4)  # batch, row, column` names the dims of `a`. An output dim takes the name of an input dim
when they move together: each place along the one is made of cells at one place along the other, and no two are
made of the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from models.tensor_ops import create
from models.tensor_ops.provenance import Links

_NAME = re.compile(r"[A-Za-z][\w ]{0,15}")


def given(text: str, tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """The dims' names by tensor, from the comments of the shelf's lines; a comment that names other than every dim is one."""
    found = {}
    for name, expression in create.lines(text):
        words = tuple(word.strip() for word in create.comment(expression).split(","))
        tensor = tensors.get(name)
        if tensor is None or len(words) != tensor.dim() or len(set(words)) < len(words):
            continue
        if all(_NAME.fullmatch(word) for word in words):
            found[name] = words
    return found


def carried(
    names: Mapping[str, Sequence[str]],
    inputs: Mapping[str, Tensor],
    outputs: Sequence[tuple[str, Tensor]],
    links: Mapping[str, Links] | None,
) -> dict[str, tuple[str, ...]]:
    """The names of every output's dims, "" where none is known.

    Without links, and for dims that were mixed (sorted, summed up so far), an output of an input's very shape
    keeps the names at their places.
    """
    found = {}
    start = 0
    for label, output in outputs:
        made = [""] * output.dim()
        stop = start + output.numel()
        for name, words in names.items():
            link = (links or {}).get(name)
            if link is not None:
                mine = (link.output >= start) & (link.output < stop)
                _follow(
                    made, words, output, inputs[name], link.output[mine] - start, link.input[mine]
                )
        for name, words in names.items():
            if inputs[name].shape == output.shape:
                for d, word in enumerate(words):
                    if not made[d] and word not in made:
                        made[d] = word
        if any(made):
            found[label] = tuple(made)
        start = stop
    return found


def _follow(
    made: list[str], words: Sequence[str], output: Tensor, source: Tensor, to: Tensor, of: Tensor
) -> None:
    """Give `made` the name of every dim of `source` that moves together with one of `output`."""
    if not len(to):
        return
    places = torch.unravel_index(to.long(), output.shape) if output.dim() else ()
    origins = torch.unravel_index(of.long(), source.shape) if source.dim() else ()
    for d, place in enumerate(places):
        for k, origin in enumerate(origins):
            if output.shape[d] < 2 or made[d] or words[k] in made:
                continue
            pairs = len((place * source.shape[k] + origin).unique())
            if pairs == len(place.unique()) == len(origin.unique()):
                made[d] = words[k]
