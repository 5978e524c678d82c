"""PyTorch's error messages, retold in a learner's words: what happened, the numbers, what to change."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch


def explain(error: BaseException, tensors: Sequence[torch.Tensor] = ()) -> str:
    """One or two sentences for an error that PyTorch raised on these tensors.

    The original text belongs behind a click (`SpecError.detail`); an unknown message comes back
    shortened to its first line.
    """
    text = str(error)
    for pattern, tell in _PATTERNS:
        found = re.search(pattern, text, re.DOTALL)
        if found:
            return tell(found, tensors)
    first = text.strip().split("\n")[0][:200] or type(error).__name__
    return f"PyTorch refused: {first}"


def shape(tensor: torch.Tensor) -> str:
    """A shape as PyTorch prints it in lessons: (2, 3)."""
    return str(tuple(tensor.shape))


def _shapes(tensors: Sequence[torch.Tensor]) -> str:
    return " and ".join(shape(t) for t in tensors[:3])


def _given(tensors: Sequence[torch.Tensor]) -> str:
    return f" The shapes are {_shapes(tensors)}." if len(tensors) > 1 else ""


def _broadcast(m: re.Match[str], tensors: Sequence[torch.Tensor]) -> str:
    return (
        f"The shapes don't broadcast: dimension {m[3]} has size {m[1]} in one tensor and {m[2]} in the other."
        f"{_given(tensors)} Aligned from the right, sizes must be equal or 1: "
        "change one shape, or insert a 1 with unsqueeze."
    )


def _matmul(m: re.Match[str], tensors: Sequence[torch.Tensor]) -> str:
    return (
        f"A matrix product needs the columns of the first to equal the rows of the second, "
        f"but here they are {m[2]} and {m[3]} (shapes ({m[1]}, {m[2]}) and ({m[3]}, {m[4]})). Transpose one of them with .T or change its shape."
    )


def _dim(m: re.Match[str], tensors: Sequence[torch.Tensor]) -> str:
    low, high = int(m[1]), int(m[2])
    return f"dim {m[3]} does not exist: this tensor's dims go from {low} to {high}. Choose a dim inside that range."


def _labels(m: re.Match[str], tensors: Sequence[torch.Tensor]) -> str:
    label = int(m[1])
    scores = next((t for t in tensors if t.is_floating_point() and t.dim()), None)
    count = 0 if scores is None else scores.shape[1 if scores.dim() > 1 else 0]
    there = (
        f"there are {count} classes, numbered 0 to {count - 1}"
        if count
        else "classes are numbered from 0"
    )
    if label < 0:
        return f"Label {label} does not exist: {there}. ignore_index={label} leaves such rows out."
    hint = " Labels that start at 1 need target - 1." if not count or label == count else ""
    return f"Label {label} does not exist: {there}.{hint or ' Give the scores one column per class, or change the label.'}"


def _channels(m: re.Match[str], tensors: Sequence[torch.Tensor]) -> str:
    wanted, got = int(m["wanted"]), int(m["got"])
    weight = f"the weight of size ({m['weight']})"
    way = "one group" if m["groups"] in (None, "1") else f"{m['groups']} groups"
    fix = (
        f"Repeat the one channel, as in x.repeat(1, {wanted}, 1, 1), or give the weight 1 input channel."
        if got == 1
        else "Change the input's channels (dim 1), or the weight's."
    )
    return f"The input has {got} channel{'s' * (got != 1)} (size ({m['input']})), but {weight} expects {wanted}, with {way}. {fix}"


def _two_kinds(first: str, second: str) -> str:
    one, two = _c_type(first), _c_type(second)
    if one.startswith("int") or one in ("uint8", "bool"):
        fix = "Convert the first: a.float() @ b."
    elif two.startswith("int") or two in ("uint8", "bool"):
        fix = "Convert the second: a @ b.float()."
    else:
        fix = f"Convert one: .to(torch.{two})."
    return f"A product needs one kind of number in both, but the first holds {one} and the second {two}. {fix}"


def _different(target: str, given: str) -> str:
    return (
        f"The target has shape ({target}) and the input ({given}); this loss needs equal shapes. "
        "Change one: squeeze(1) takes a dim of size 1 away, unsqueeze(1) adds it."
    )


def warn(message: str) -> str:
    """One of PyTorch's own warnings, retold; an unknown one comes back shortened."""
    found = re.search(
        r"target size \(torch\.Size\(\[([^\]]*)\]\)\) that is different to the input size \(torch\.Size\(\[([^\]]*)\]\)\)",
        message,
    )
    if found:
        sizes = [[int(n) for n in part.split(",") if n.strip()] for part in found.groups()]
        with contextlib.suppress(RuntimeError):
            wide = tuple(torch.broadcast_shapes(*sizes))
            return (
                f"The shapes differ: target {tuple(sizes[0])}, input {tuple(sizes[1])}. They were broadcast to {wide}, so the "
                "loss is over all those pairs, which is seldom meant. Give both one shape with squeeze or unsqueeze."
            )
    if "Implicit dimension choice" in message:
        return "PyTorch chose the dim itself, which it will stop doing. Say dim=…"
    if "'batchmean'" in message:
        return "reduction='mean' divides by every cell; the Kullback-Leibler divergence of a batch is reduction='batchmean'."
    return f"PyTorch warns: {message.strip().splitlines()[0][:300]}"


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], Sequence[torch.Tensor]], str]], ...] = (
    (
        r"Only Tensors of floating point and complex dtype can require gradients",
        lambda m, t: (
            "Only decimal numbers can collect gradients, and these are whole numbers. Write 1.0 in place of 1, or leave requires_grad away."
        ),
    ),
    (r"Target (-?\d+) is out of bounds", _labels),
    (
        r"expected target dtype to be Long or Byte, but got (\w+)|expected scalar type Long but found (Float|Double)\b(?=.*target)",
        lambda m, t: (
            f"The target holds {_c_type(m[1] or m[2])} numbers, but class labels are whole numbers (int64). Convert them: target.long()."
        ),
    ),
    (
        r"0D or 1D target tensor expected, multi-target not supported",
        lambda m, t: (
            f"One label per row is expected, as a vector, but the target has shape {shape(t[1]) if len(t) > 1 else 'with more dims'}. "
            "Take the dim of size 1 away: target.squeeze(1)."
        ),
    ),
    (
        r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)",
        lambda m, t: (
            f"The input has {m[1]} rows and the target {m[2]} labels; each row needs one.{_given(t)} Change one of them."
        ),
    ),
    (
        r"Expected floating point type for target with class probabilities, got (\w+)",
        lambda m, t: (
            f"A target of the input's own shape holds probabilities, which are decimal numbers, but this one holds {_c_type(m[1])}. "
            "Give one label per row (a vector), or convert with .float()."
        ),
    ),
    (
        r"weight tensor should be defined either for all (\d+) classes.*?shape: \[(\d+)\]",
        lambda m, t: (
            f"There are {m[1]} classes, but weight has {m[2]} numbers. Give one weight per class."
        ),
    ),
    (
        r"Given (?:groups=(?P<groups>\d+)|transposed=\w+), weight of size \[(?P<weight>[^\]]*)\], expected input\[(?P<input>[^\]]*)\] to have (?P<wanted>\d+) channels, but got (?P<got>\d+) channels",
        _channels,
    ),
    (
        r"Expected (\d)D \(unbatched\) or (\d)D \(batched\) input to (\w+), but got input of size: \[([^\]]*)\]",
        lambda m, t: (
            f"{m[3]} takes {m[1]} dims (channels first) or {m[2]} (a batch in front), but the input has shape ({m[4]}). "
            "Add what is missing with unsqueeze(0)."
        ),
    ),
    (
        r"Expected number of channels in input to be divisible by num_groups, but got input of shape \[\d+, (\d+).*num_groups=(\d+)",
        lambda m, t: (
            f"{m[1]} channels cannot be cut into {m[2]} equal groups. Choose a number of groups that divides {m[1]}."
        ),
    ),
    (
        r"Given normalized_shape=\[([^\]]*)\], expected input with shape \[[^\]]*\], but got input of size\s*\[([^\]]*)\]",
        lambda m, t: (
            f"normalized_shape is ({m[1]}), but the input's last sizes are another: its shape is ({m[2]}). Make them equal."
        ),
    ),
    (
        r"(running_mean|running_var|weight|bias) should contain (\d+) elements not (\d+)",
        lambda m, t: (
            f"The input has {m[2]} channels (dim 1), but {m[1]} holds {m[3]} numbers. Give one per channel."
        ),
    ),
    (
        r"Target size \(torch\.Size\(\[(?P<target>[^\]]*)\]\)\) must be the same as input size \(torch\.Size\(\[(?P<input>[^\]]*)\]\)\)|target size \(torch\.Size\(\[(?P<target2>[^\]]*)\]\)\) that is different to the input size \(torch\.Size\(\[(?P<input2>[^\]]*)\]\)\)",
        lambda m, t: _different(m["target"] or m["target2"] or "", m["input"] or m["input2"] or ""),
    ),
    (
        r"all elements of input should be between 0 and 1",
        lambda m, t: (
            "This loss takes probabilities between 0 and 1, and the input has numbers outside. Apply sigmoid first, or use "
            "binary_cross_entropy_with_logits, which takes any number."
        ),
    ),
    (
        r"Found dtype (Long|Int|Short|Char|Byte|Bool) but expected (\w+)",
        lambda m, t: (
            f"This loss compares decimal numbers, but the target holds {_c_type(m[1])}. Convert it: target.float()."
        ),
    ),
    (
        r"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got (?:torch\.)?(?:\w+\.)?(\w+?)(?:Tensor|Type)\b",
        lambda m, t: (
            f"An embedding is looked up by whole numbers (int64), and the indices hold {_c_type(m[1])}. Convert them: indices.long()."
        ),
    ),
    (
        r"one_hot is only applicable to index tensor",
        lambda m, t: (
            f"one_hot takes whole numbers (int64), and this tensor holds {_dtype(t)}. Convert it with .long()."
        ),
    ),
    (
        r"input tensors must have the same dtype, but got \w+, (\w+), and (\w+)|expected both vectors to have same dtype, but found (\w+) and (\w+)",
        lambda m, t: _two_kinds(m[1] or m[3], m[2] or m[4]),
    ),
    (
        r"expected scalar type (\w+) but found (\w+)",
        lambda m, t: (
            f"All must hold one kind of number, but one holds {_c_type(m[1])} and another {_c_type(m[2])}. Convert the "
            "whole numbers with .float(), or bring both to one dtype."
        ),
    ),
    (
        r"can't allocate memory: you tried to allocate (\d+) bytes",
        lambda m, t: (
            f"This needs {int(m[1]) / 1e6:,.0f} MB at once, more than one evaluation may take here. Use smaller sizes."
        ),
    ),
    (
        r"expected sequence of length (\d+) at dim (\d+) \(got (\d+)\)",
        lambda m, t: (
            f"The lists have different lengths: one has {m[1]} entries, another {m[3]}. A tensor needs the same number in every row."
        ),
    ),
    (
        r"(\w+)\(\): argument '(\w+)' \(position \d+\) must be (?:a )?Tensor, not (\w+)",
        lambda m, t: (
            f"{m[1].lstrip('_')} takes a tensor for {m[2]}, not a {m[3]}. Make one with torch.tensor(…)."
        ),
    ),
    (
        r"(\w+)\(\) received an invalid combination of arguments - got \((?:[^)]*?)\b(list|float|int|str|tuple)\b",
        lambda m, t: (
            f"{m[1]} takes other kinds of values here: it was given a {m[2]}, perhaps where a tensor belongs, "
            f"not a {m[2]}. Make a tensor with torch.tensor(…), or check the parameters' kinds."
        ),
    ),
    (
        r"At least one of '?min'? or '?max'? must not be None",
        lambda m, t: "clamp needs at least one limit. Set min, max or both.",
    ),
    (
        r"Negation, the `-` operator, on a bool tensor",
        lambda m, t: (
            "True and False have no minus. Turn a mask around with ~ or logical_not, or convert it with .int()."
        ),
    ),
    (
        r"^(\w+) did not match (\w+)$",
        lambda m, t: (
            f"Both must hold the same kind of number, but one is {_c_type(m[2])} and the other {_c_type(m[1])}. Convert one, for instance with .float()."
        ),
    ),
    (
        r"bitwise_\w+\" not implemented for '(Float|Double|Half|BFloat16)'|bitwise_\w+_cpu\" not implemented",
        lambda m, t: (
            "Bits exist in whole numbers and masks, not in decimal numbers. Convert with .long() or compare first (a > 0)."
        ),
    ),
    (
        r"boolean tensor|BoolTensor for mask|boolean masks",
        lambda m, t: (
            "A mask holds True and False, and this tensor holds other numbers. Compare first, for instance a > 2, or convert with .bool()."
        ),
    ),
    (
        r"contracted dimensions need to match, but first has size (\d+) in dim (-?\d+) and second has size (\d+) in dim (-?\d+)",
        lambda m, t: (
            f"The dims that are summed over have {m[1]} and {m[3]} places; these sizes must be equal. Change dims, or one of the shapes."
        ),
    ),
    (
        r"q must be in the range \[0, 1\] but got (\S+)",
        lambda m, t: f"q is {m[1]}, but a share lies between 0 and 1.",
    ),
    (
        r"expects a tensor with <= 2 dimensions, but self is (\d+)D",
        lambda m, t: (
            f"This works for at most 2 dims, and the tensor has {m[1]}. Use transpose or permute, which name the dims."
        ),
    ),
    (
        r"Supports 1D or 2D tensors\. Got (\d+)D",
        lambda m, t: f"This takes a 1-D or 2-D tensor, and this one has {m[1]} dims.",
    ),
    (
        r"linalg[\w.]*\(?.*?(?:at least 2 dimensions|2 or more dimensions)",
        lambda m, t: (
            f"Linear algebra works on matrices (2 dims or more), but the shape is {_shapes(t[:1])}. Add a dim with unsqueeze."
        ),
    ),
    (
        r"must have at least 2 dimensions",
        lambda m, t: (
            f"This needs at least 2 dims (rows and columns), but the shape is {_shapes(t[:1])}."
        ),
    ),
    (
        r"dtype of indices should be Long but got (\w+)",
        lambda m, t: (
            f"Indices are whole numbers (int64), but these are {_c_type(m[1])}. Convert them with .long()."
        ),
    ),
    (
        r"out of range: tried to access index (-?\d+) on a tensor of (\d+) elements",
        lambda m, t: (
            f"Index {m[1]} reaches past the end: the tensor has {m[2]} elements, so indices go from 0 to {int(m[2]) - 1}."
        ),
    ),
    (
        r"start \((-?\d+)\) \+ length \((-?\d+)\) exceeds dimension size \((\d+)\)",
        lambda m, t: (
            f"start + length is {int(m[1]) + int(m[2])}, but the dim has only {m[3]} places. Make one of them smaller."
        ),
    ),
    (
        r"index (-?\d+) out of range for tensor of size \[([^\]]*)\] at dimension (\d+)",
        lambda m, t: (
            f"Index {m[1]} does not exist in dim {m[3]}: indices go from 0 to {int(m[2].split(',')[int(m[3])]) - 1}."
        ),
    ),
    (
        r"Class values must be (smaller than num_classes|non-negative)",
        lambda m, t: (
            "A class number lies outside the classes. Class numbers go from 0 to num_classes − 1: raise num_classes or change the number."
        ),
    ),
    (
        r"number k out of range",
        lambda m, t: (
            "k is larger than the number of elements along that dim (or below 1). Choose a smaller k."
        ),
    ),
    (
        r"bincount only supports 1-d non-negative integral inputs",
        lambda m, t: (
            "bincount counts whole numbers from 0 upwards in a 1-D tensor. Change the values or flatten it."
        ),
    ),
    (
        r"maximum size for tensor at dimension (-?\d+) is (\d+) but size is (\d+)",
        lambda m, t: (
            f"The window of {m[3]} places does not fit: dim {m[1]} has only {m[2]}. Make size smaller."
        ),
    ),
    (
        r"X1 and X2 must have the same number of columns. X1: (\d+) X2: (\d+)",
        lambda m, t: (
            f"Points need the same number of columns to have a distance; these have {m[1]} and {m[2]}."
        ),
    ),
    (
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)",
        _broadcast,
    ),
    (r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", _matmul),
    (
        r"size mismatch, got input \((\d+)\), mat \((\d+)x(\d+)\), vec \((\d+)\)",
        lambda m, t: (
            f"The matrix has {m[3]} columns but the vector {m[4]} elements; they must be equal. Transpose the matrix or change the vector's length."
        ),
    ),
    (r"expected to be in range of \[(-?\d+), (-?\d+)\], but got (-?\d+)", _dim),
    (
        r"shape '\[([^\]]*)\]' is invalid for input of size (\d+)",
        lambda m, t: (
            f"The tensor has {m[2]} elements, and shape ({m[1]}) does not hold exactly that many. "
            "Make the product of the sizes equal, or leave one size to PyTorch as -1."
        ),
    ),
    (
        r"view size is not compatible",
        lambda m, t: (
            "view cannot describe this shape over the same memory: the elements do not lie next to each other "
            "(the tensor is not contiguous). Use reshape, which copies when it must, or call contiguous() first."
        ),
    ),
    (
        r"inconsistent tensor size, expected tensor \[(\d+)\] and src \[(\d+)\]",
        lambda m, t: (
            f"dot multiplies two vectors of the same length; these have {m[1]} and {m[2]} elements."
        ),
    ),
    (
        r"(\d+)D tensors expected, but got (\d+)D and (\d+)D|1D tensors expected",
        lambda m, t: (
            f"This operation takes vectors (1-D tensors).{_given(t)} Flatten them, or use matmul."
        ),
    ),
    (
        r"index (-?\d+) is out of bounds for (?:dimension|dim) (\d+) with size (\d+)",
        lambda m, t: (
            f"Index {m[1]} does not exist in dim {m[2]}: it has {m[3]} elements, so indices go from 0 to {int(m[3]) - 1}."
        ),
    ),
    (
        r"index (-?\d+) is out of bounds.*?size (\d+)",
        lambda m, t: (
            f"Index {m[1]} does not exist: that dim has {m[2]} elements, so indices go from 0 to {int(m[2]) - 1}."
        ),
    ),
    (
        r"index out of range in self|index out of range|element is out of DATA bounds",
        lambda m, t: (
            "One of the indices reaches past the end of that dim. Keep every index below its size."
        ),
    ),
    (
        r"selected index k out of range",
        lambda m, t: "k is larger than the number of elements along that dim. Choose a smaller k.",
    ),
    (
        r"too many indices for tensor of dimension (\d+)",
        lambda m, t: (
            f"There are more indices than dims: the tensor has {m[1]} dims. Remove an index."
        ),
    ),
    (
        r"shape of the mask \[([^\]]*)\] at index (\d+) does not match the shape of the indexed tensor \[([^\]]*)\]",
        lambda m, t: (
            f"The mask has shape ({m[1]}) but the tensor ({m[3]}); they differ in dim {m[2]}. A mask needs the sizes of the dims it selects from."
        ),
    ),
    (
        r"Boolean value of Tensor with (?:more than one value|no values) is ambiguous",
        lambda m, t: (
            "A whole tensor is neither true nor false. Combine comparisons with & and | (each in brackets) in place of 'and' and 'or', or reduce with .any() or .all()."
        ),
    ),
    (
        r"a Tensor with (\d+) elements cannot be converted to Scalar",
        lambda m, t: (
            f"item() needs exactly one element, and this tensor has {m[1]}. Reduce it first (sum, mean) or index one cell."
        ),
    ),
    (
        r"(mean|std|var|softmax|log_softmax|norm|linalg[\w.]*)[^\n]*(?:could not infer output dtype|Expected a floating|input dtype should be|Expected dtype|floating point)[^\n]*",
        lambda m, t: (
            f"{m[1]} needs decimal numbers, and this tensor holds {_dtype(t)}. Convert it with .float() first."
        ),
    ),
    (
        r"std and var only support floating point",
        lambda m, t: (
            f"std and var need decimal numbers, and this tensor holds {_dtype(t)}. Convert it with .float() first."
        ),
    ),
    (
        r"not implemented for '(\w+)'",
        lambda m, t: (
            f"PyTorch has no such operation for {_KERNELS.get(m[1], m[1])} numbers. Convert the tensor, for instance with .float() or .long()."
        ),
    ),
    (
        r"expected (?:m1 and m2|mat1 and mat2|both vectors) to have (?:the )?same dtype, but got: ([\w:<> ]+?) (?:!=|and) ([\w:<> ]+)",
        lambda m, t: _two_kinds(m[1], m[2]),
    ),
    (
        r"result type (\w+) can't be cast to the desired output type (\w+)",
        lambda m, t: (
            f"The result would be {_c_type(m[1])} numbers, which do not fit into a {_c_type(m[2])} tensor. In a loss, convert the target: target.float(). In place, use the variant that returns a new tensor."
        ),
    ),
    (
        r"[Ee]xpected (?:index|dtype int64|tensor for argument .*? to have one of the following scalar types: Long).*",
        lambda m, t: (
            "Indices must be whole numbers (int64), one for each place asked for. Convert them with .long(), and check that the index has as many dims as the input."
        ),
    ),
    (
        r"[Ii]ndex tensor must have the same number of dimensions",
        lambda m, t: (
            f"The index must have as many dims as the tensor it picks from.{_given(t)} Add a dim with unsqueeze."
        ),
    ),
    (
        r"tensors used as indices must be",
        lambda m, t: (
            "Only whole numbers and masks can index a tensor. Convert the index with .long() or .bool()."
        ),
    ),
    (
        r"Sizes of tensors must match except in dimension (\d+)\. (?:Expected|Got).*?(\d+).*?(\d+)",
        lambda m, t: (
            f"cat joins along dim {m[1]}, so every other size must be equal.{_given(t)} Change dim, or bring the other sizes into line."
        ),
    ),
    (
        r"stack expects each tensor to be equal size, but got \[([^\]]*)\] at entry 0 and \[([^\]]*)\] at entry (\d+)",
        lambda m, t: (
            f"stack needs tensors of one shape, but the first is ({m[1]}) and number {int(m[3]) + 1} is ({m[2]}). Use cat, or bring the shapes into line."
        ),
    ),
    (
        r"(?:Integers to negative integer powers|negative integer power)",
        lambda m, t: (
            "Whole numbers cannot be raised to a negative power. Convert with .float() first."
        ),
    ),
    (
        r"ZeroDivisionError|division by zero",
        lambda m, t: (
            "Whole numbers cannot be divided by zero (decimal numbers give inf or nan). Change the zero, or convert with .float()."
        ),
    ),
    (
        r"expanded size of the tensor \((-?\d+)\) must match the existing size \((\d+)\) at non-singleton dimension (\d+)",
        lambda m, t: (
            f"expand can only repeat a dim of size 1, but dim {m[3]} has size {m[2]} and {m[1]} was asked for. Use repeat for copies, or start from size 1."
        ),
    ),
    (
        r"number of sizes provided \((\d+)\) must be greater or equal to the number of dimensions in the tensor \((\d+)\)",
        lambda m, t: (
            f"The target shape has {m[1]} dims, but the tensor already {m[2]}. Give one size for each dim, -1 keeps it."
        ),
    ),
    (
        r"repeat dims can not be smaller|Number of dimensions of repeat dims",
        lambda m, t: (
            "repeat needs a number for every dim of the tensor. Give at least as many as the tensor has dims."
        ),
    ),
    (
        r"number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i\.e\. input\.dim\(\) = (\d+) is not equal to len\(dims\) = (\d+)",
        lambda m, t: (
            f"permute needs every dim named once: the tensor has {m[1]} dims but {m[2]} were given."
        ),
    ),
    (
        r"(?:duplicate|repeated) dim|dim (\d+) appears multiple times",
        lambda m, t: "One dim is named twice. Name every dim once.",
    ),
    (
        r"split_size|split_with_sizes expects split_sizes to sum exactly to (\d+)",
        lambda m, t: (
            "The sizes of the pieces must add up to the size of the dim. Change them so that they do."
        ),
    ),
    (
        r"[Bb]atch1? must be a 3D tensor|batch2 must be a 3D tensor",
        lambda m, t: (
            f"bmm multiplies batches of matrices: both tensors need 3 dims (batch, rows, columns).{_given(t)} Add a batch dim with unsqueeze(0), or use matmul."
        ),
    ),
    (
        r"self must be a matrix|mat2 must be a matrix|must be a matrix",
        lambda m, t: (
            f"This operation takes matrices (2-D tensors).{_given(t)} Use matmul for other numbers of dims."
        ),
    ),
    (
        r"must be batches of square matrices|must be square|square matrices",
        lambda m, t: (
            f"Only a square matrix works here (as many rows as columns), but the shape is {_shapes(t[:1])}."
        ),
    ),
    (
        r"singular|not invertible",
        lambda m, t: (
            "This matrix has no inverse: its rows depend on each other (its determinant is 0). Change a cell, or use pinv."
        ),
    ),
    (
        r"leading minor of order (\d+) is not positive-definite",
        lambda m, t: (
            "Cholesky needs a positive-definite matrix (symmetric, all eigenvalues above 0). Try a @ a.T plus a little on the diagonal."
        ),
    ),
    (
        r"einsum\(\): (.*)",
        lambda m, t: (
            f"The einsum equation does not fit the tensors: {m[1][:160].strip()}. Give every dim one letter; the same letter means the same size."
        ),
    ),
    (
        r"Expected reduction dim(?:ension)? (?:(-?\d+) )?to (?:have non-zero size|be specified)|cannot perform reduction function .* on (?:a )?tensor with no elements",
        lambda m, t: (
            "There is nothing to reduce: an empty tensor has no largest or smallest element. Give it at least one element (sum and prod of nothing do exist: 0 and 1)."
        ),
    ),
    (
        r"unsupported operation: more than one element of the written-to tensor refers to a single memory location",
        lambda m, t: (
            "This tensor shows one memory cell in several places (it was expanded), so PyTorch will not write to it. Call clone() first."
        ),
    ),
    (
        r"leaf Variable that requires grad is being used in an in-place operation|a view of a leaf Variable that requires grad",
        lambda m, t: (
            "A tensor that collects gradients cannot be changed in place. Use the variant that returns a new tensor."
        ),
    ),
    (
        r"all tensors to be on the same device|is not on the expected device|found at least two devices, ([\w:]+) and ([\w:]+)",
        lambda m, t: (
            "The tensors live on different devices. Move one with .to(device), so that both are on the same."
        ),
    ),
    (
        r"Padding length should be less than or equal|Padding size should be less than the corresponding input dimension|padding size",
        lambda m, t: (
            "This padding mode needs the padding smaller than the dim it extends, and two numbers for each padded dim. Make the padding smaller, or use mode 'constant'."
        ),
    ),
    (
        r"Expected size for first two dimensions of batch2 tensor to be: \[(\d+), (\d+)\] but got: \[(\d+), (\d+)\]",
        lambda m, t: (
            f"The batches don't match: the second tensor needs {m[1]} matrices of {m[2]} rows, but has {m[3]} of {m[4]}. Change one shape or transpose the last two dims."
        ),
    ),
    (
        r"(?:Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|not linked with support for|PyTorch is not linked)",
        lambda m, t: "This machine does not have that device. Use device='cpu'.",
    ),
    (
        r"value cannot be converted to type (\w+) without overflow",
        lambda m, t: (
            "The number does not fit into the tensor's dtype. Choose a wider dtype or a smaller number."
        ),
    ),
    (
        r"dimension (\d+)[^\n]*?out of range|Dimension out of range",
        lambda m, t: "That dim does not exist in this tensor. Choose one below its number of dims.",
    ),
)

_KERNELS = {
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Float": "float32",
    "Double": "float64",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}
_C_TYPES = {
    "long int": "int64",
    "long long": "int64",
    "short": "int16",
    "short int": "int16",
    "signed char": "int8",
    "unsigned char": "uint8",
    "c10::complex<float>": "complex64",
    "c10::complex<double>": "complex128",
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "long": "int64",
    "bool": "bool",
    "c10::Half": "float16",
    "c10::BFloat16": "bfloat16",
}


def _c_type(name: str) -> str:
    name = name.rstrip(",.;")
    return _C_TYPES.get(name, _KERNELS.get(name, name.lower()))


def _dtype(tensors: Sequence[Any]) -> str:
    return str(tensors[0].dtype).removeprefix("torch.") if tensors else "whole numbers"
