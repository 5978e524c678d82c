"""The expression evaluator: right numbers, every step, and nothing but tensors within reach."""

import subprocess
import sys
import time

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from models import expressions
from models.core.spec import SpecError

A = torch.arange(6.0).view(2, 3)
B = torch.arange(12.0).view(4, 3) - 5
M = A > 2
I = torch.tensor([1, 0])  # noqa: E741  # an index tensor
NAMES = {"a": A, "b": B, "m": M, "i": I}

RIGHT = {
    "(a @ b.T).softmax(dim=-1).sum(0)": (A @ B.T).softmax(dim=-1).sum(0),
    "a + b[0]": A + B[0],
    "a - 2 * a / 4": A - 2 * A / 4,
    "-a ** 2 % 3 // 2": -(A**2) % 3 // 2,
    "~m & (a < 5) | m ^ m": ~M & (A < 5) | M ^ M,
    "a[:, None, ::2]": A[:, None, ::2],
    "a[..., -1]": A[..., -1],
    "a[m]": A[M],
    "a[[1, 0], [2, 0]]": A[[1, 0], [2, 0]],
    "a[i]": A[I],
    "a[1]": A[1],
    "a.max(dim=1).values": A.max(dim=1).values,
    "a.max(1)[1]": A.max(1)[1],
    "a.reshape(*a.shape[::-1])": A.reshape(3, 2),
    "a.view(-1)[a.size(0) * 2]": A.view(-1)[4],
    "torch.cat([a, b], dim=0)": torch.cat([A, B]),
    "torch.where(a > 2, a, torch.tensor(0.0))": torch.where(A > 2, A, torch.tensor(0.0)),
    "torch.einsum('ij,kj->ik', a, b)": torch.einsum("ij,kj->ik", A, B),
    "torch.tensor([[1, 2], [3, 4.5]], dtype=torch.float64)": torch.tensor(
        [[1, 2], [3, 4.5]], dtype=torch.float64
    ),
    "F.softmax(a, dim=0)": F.softmax(A, dim=0),
    "torch.nn.functional.gelu(a)": F.gelu(A),
    "torch.linalg.norm(a)": torch.linalg.norm(A),
    "a.to(torch.int64)": A.long(),
    "torch.arange(a.sum())": torch.arange(15.0),
    "torch.full((2, 2), torch.pi)": torch.full((2, 2), torch.pi),
    "a.T.T.T.T": A,
    " a  @  a.T ": A @ A.T,
    "torch.zeros(0, 3).sum(0)": torch.zeros(3),
    "abs(a - 3) == torch.abs(a - 3)": torch.ones(2, 3, dtype=torch.bool),
}


@pytest.mark.parametrize("text", RIGHT)
def test_an_expression_equals_the_same_python(text: str) -> None:
    torch.testing.assert_close(expressions.evaluate(text, NAMES).value, RIGHT[text])


def test_numbers_shapes_and_pairs_are_values_too() -> None:
    assert expressions.evaluate("a.shape", NAMES).value == torch.Size([2, 3])
    assert expressions.evaluate("a.numel() * 2 - 1", NAMES).value == 11
    assert expressions.evaluate("a.dim() == 2 and a.size(0) < 3", NAMES).value is True
    assert expressions.evaluate("a.sum().item()", NAMES).value == 15.0
    assert len(expressions.evaluate("a.split(1)", NAMES).value) == 2


def test_every_intermediate_is_kept_with_its_text_and_inputs() -> None:
    text = "(a @ b.T).softmax(dim=-1).sum(0)"
    steps = expressions.evaluate(text, NAMES).steps
    assert [s.text for s in steps] == [
        "a", "b", "b.T", "a @ b.T", "(a @ b.T).softmax(dim=-1)", text,
    ]  # fmt: skip
    assert [s.inputs for s in steps] == [(), (), (1,), (0, 2), (3,), (4,)]
    assert [s.name for s in steps] == ["", "", "T", "@", "softmax", "sum"]
    for step in steps:
        assert text[step.start : step.end] == step.text
        torch.testing.assert_close(
            step.value, expressions.evaluate(step.text, NAMES, trace=False).value
        )


def test_steps_before_an_in_place_method_keep_what_they_were() -> None:
    a = A.clone()
    steps = expressions.evaluate("a.add_(1).mul_(2)", {"a": a}).steps
    assert [s.value[0, 0].item() for s in steps] == [0.0, 1.0, 2.0]
    torch.testing.assert_close(a, (A + 1) * 2)


def test_positions_count_characters_not_bytes() -> None:
    with pytest.raises(expressions.ExpressionError) as caught:
        expressions.evaluate("'é' == zz", NAMES)
    assert (caught.value.start, caught.value.end) == (7, 9)


def test_gradients_flow_and_a_recording_mode_sees_only_the_real_calls() -> None:
    class Recorder(TorchDispatchMode):
        seen: list[str] = []  # noqa: RUF012  # one instance

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.seen.append(str(func))
            return func(*args, **(kwargs or {}))

    w = torch.ones(3, requires_grad=True)
    with Recorder() as recorder:
        loss = expressions.evaluate("(a * w).sum()", {"a": A, "w": w}).value
    assert recorder.seen == ["aten.mul.Tensor", "aten.sum.default"]
    loss.backward()
    torch.testing.assert_close(w.grad, A.sum(0))


def test_random_functions_repeat_with_their_seed_and_leave_the_default_generator() -> None:
    before = torch.get_rng_state()
    first = expressions.evaluate("torch.rand(3) + torch.randn(3)", {}, seed=4).value
    again = expressions.evaluate("torch.rand(3) + torch.randn(3)", {}, seed=4).value
    other = expressions.evaluate("torch.rand(3) + torch.randn(3)", {}, seed=5).value
    torch.testing.assert_close(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_empty_shows_no_memory_of_others() -> None:
    assert expressions.evaluate("torch.empty(3)", {}).value.isnan().all()
    assert (expressions.evaluate("torch.empty(2, dtype=torch.int8)", {}).value == 127).all()


HOSTILE = {
    "": "empty",
    "   ": "empty",
    "import os": "statement",
    "from os import system": "statement",
    "__import__('os')": "underscore",
    "open('x')": "not offered here",
    "eval('1')": "no function",
    "exec('1')": "no function",
    "getattr(a, 'numpy')": "no function",
    "print(a)": "not offered here",
    "globals()": "no function",
    "a.__class__": "underscore",
    "a.__class__.__bases__[0].__subclasses__()": "underscore",
    "a.sum.__globals__": "underscore",
    "a._base": "underscore",
    "torch.__builtins__": "underscore",
    "torch.os.system('ls')": "no function",
    "torch.load('x')": "not offered here",
    "torch.save(a, 'x')": "not offered here",
    "torch.hub.load('x', 'y')": "no function",
    "torch.ops.load_library('x')": "no function",
    "torch.utils.cpp_extension.load('x')": "no function",
    "torch.from_file('x')": "no function",
    "torch.set_num_threads(1)": "no function",
    "torch.manual_seed(0)": "not offered here",
    "torch.set_default_dtype(torch.float64)": "not offered here",
    "torch._C": "underscore",
    "torch": "no name",
    "torch.sys.modules": "no name",
    "a.numpy().tofile('x')": "not offered here",
    "a.numpy": "not offered here",
    "a.storage()": "no method",
    "a.untyped_storage().data_ptr()": "no method",
    "a.data_ptr()": "no method",
    "a.apply_(abs)": "not offered here",
    "a.map_(a, abs)": "not offered here",
    "a.share_memory_()": "not offered here",
    "a.pin_memory()": "no method",
    "a.register_hook(abs)": "not offered here",
    "a.backward()": "not offered here",
    "a.data": "no attribute",
    "a.grad_fn": "no attribute",
    "a.resize_(10)": "not offered here",
    "a.set_(b)": "not offered here",
    "a.dtype.__reduce__()": "underscore",
    "'x'.join(['a'])": "no method",
    "'{0.__class__}'.format(a)": "no method",
    "f'{a}'": "f-strings",
    "lambda: 1": "lambda",
    "(lambda: 1)()": "lambda",
    "[x for x in a]": "Comprehensions",
    "{x for x in a}": "Comprehensions",
    "{x: 1 for x in a}": "Comprehensions",
    "sum(x for x in a)": "Comprehensions",
    "{'a': 1}": "Dictionaries",
    "{1, 2}": "Sets",
    "(x := a)": "assignment",
    "x = a": "assignment",
    "a; b": "cannot be read",
    "a if m else b": "where",
    "1 in a": "isin",
    "a is b": "==",
    "a\0b": "cannot be read",
    "a(1)": "function",
    "a[0](1)": "by their name",
    "torch.sum(*a)": "unpacks",
    "torch.sum(**a)": "name=value",
    "zz + 1": "no name",
    "abs": "is a function",
    "torch.relu": "is a function",
    "torch.relu + 1": "is a function",
    "a.sum": "is a method",
    "a.T()": "property",
    "torch.ones(2, 2, device='meta') @ torch.ones(2, 2)": "no numbers",
    "a.to('meta:0')": "no numbers",
    "b'x'": "Bytes",
    "'x' * 10": "Operators",
    "[0] * 10": "Operators",
    "'%s' % a": "Operators",
    "'" + "x" * 200 + "'": "100 characters",
    "9" * 40: "63 bits",
    "2 ** 999": "63 bits",
    "9 ** 9 ** 9": "refused",
    "1 << 10 ** 9": "refused",
    "(" * 60 + "1" + ")" * 60: "nested",
    "-" * 60 + "1": "nested",
    "a" + " + a" * 60: "nested",
    "a" + ".T" * 450: "parts",
    "[" + "1," * 420 + "1]": "parts",
    "a + " * 400 + "a": "characters",
    "a[" * 10: "cannot be read",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_a_tensor_expression_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(expressions.ExpressionError) as caught:
        expressions.evaluate(text, NAMES)
    assert HOSTILE[text] in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("kind", [torch.int8, torch.int32, torch.int64])
def test_the_quotient_that_would_stop_the_server_is_refused(kind: torch.dtype) -> None:
    low = torch.tensor([torch.iinfo(kind).min], dtype=kind)
    names = {"low": low, "n": torch.tensor([-1], dtype=kind)}
    for text in ("torch.div(low, n, rounding_mode='trunc')", "low.div_(-1, rounding_mode='trunc')"):
        with pytest.raises(SpecError, match="too large for its kind"):
            expressions.evaluate(text, names)
        with pytest.raises(SpecError, match="too large for its kind"):
            expressions.function(text)(names)
    near = expressions.evaluate("torch.div(low + 1, n, rounding_mode='trunc')", names).value
    assert near.item() == torch.iinfo(kind).max


HUGE = [
    "torch.zeros(10**12)",
    "torch.zeros((10**6, 10**6))",
    "torch.empty(10**12)",
    "torch.rand(10**6, 10**6)",
    "torch.full((10**6, 10**6), 1.0)",
    "torch.arange(10**12)",
    "torch.arange(torch.tensor(10**12))",
    "torch.zeros(torch.tensor(10**12), 2)",
    "torch.linspace(0, 1, 10**12)",
    "torch.eye(10**6)",
    "torch.randperm(10**12)",
    "a.repeat(10**6, 10**6)",
    "a.repeat(torch.tensor(10**6), 10**6)",
    "a.expand(10**12, 2, 3) + 1",
    "a.expand(10**12, 2, 3).sum()",
    "torch.ones(1).as_strided((10**12,), (0,)).max()",
    "torch.ones(1).expand(10**9, 1) @ torch.ones(1, 1)",
    "torch.kron(torch.ones(10**5), torch.ones(10**5))",
    "torch.outer(torch.ones(10**5), torch.ones(10**5))",
    "torch.ones(4096, 4096) @ torch.ones(4096, 4096)",
    "F.pad(a, (10**10, 10**10))",
    "F.one_hot(torch.tensor([10**12]))",
    "F.one_hot(i, 10**12)",
    "torch.bincount(torch.tensor([10**12]))",
    "a.repeat_interleave(10**12)",
    "torch.repeat_interleave(a, torch.tensor([10**12, 1]), dim=0)",
    "torch.histc(a, bins=10**12)",
    "a.new_zeros(10**12)",
    "torch.diag(torch.ones(10**5))",
    "torch.einsum('i,j,k->ijk', torch.ones(10**4), torch.ones(10**4), torch.ones(10**4))",
    "torch.vander(torch.ones(10**5), 10**6)",
    "torch.linalg.svd(torch.ones(4096, 4096))",
    "torch.ones(2**24) + torch.ones(2**24) + torch.ones(2**24) + torch.ones(2**24) + torch.ones(2**24) + torch.ones(2**24)",
]


@pytest.mark.parametrize("text", HUGE)
def test_what_would_be_too_large_is_refused_before_it_is_computed(text: str) -> None:
    start = time.process_time()
    with pytest.raises(SpecError, match=r"smaller|fewer|most is"):
        expressions.evaluate(text, NAMES)
    assert time.process_time() - start < 3


def test_the_largest_tensor_of_the_lesson_still_fits() -> None:
    value = expressions.evaluate("torch.ones(4096, 4096).sum(0)", {}).value
    assert value[0].item() == 4096.0


TORCH = {
    "a + b": "(2, 3) and (4, 3)",
    "a @ b": "columns of the first",
    "a.sum(dim=5)": "dims go from -2 to 1",
    "a[5]": "0 to 1",
    "a and m": "& and |",
    "i.mean()": "int64",
    "a.view(5)": "6 elements",
    "torch.zeros(2, dtype=int)": "function",
    "a.to('nowhere')": "refused",
    "1 / 0": "zero",
    "torch.tensor('x')": "not a text",
    "torch.cat([a, a.T])": "cat joins",
    "a.item()": "6",
}


@pytest.mark.parametrize("text", TORCH)
def test_pytorch_errors_become_sentences_with_the_original_kept(text: str) -> None:
    with pytest.raises(expressions.ExpressionError) as caught:
        expressions.evaluate(text, NAMES)
    assert TORCH[text] in str(caught.value)


def test_first_use_is_quick() -> None:
    """Evaluating must not import torch._dynamo (seconds on the first key press)."""
    script = (
        "import sys, torch; from models import expressions as e; "
        "e.evaluate('(a + 1).sum()', {'a': torch.ones(2)}); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


REFUSALS = {
    "torch.autograd.grad(a, b)": "Autograd page",
    "torch.autograd.backward(a)": "Autograd page",
    "nn.Linear(2, 3)": "F.linear",
    "[1, 2].append(3)": "[*l, x]",
    "a.tolist().append(3)": "[*l, x]",
    "a.register_hook(b)": "at its node",
    "a.backward()": "Autograd page",
    "sum(a)": "torch.sum",
    "range(3)": "torch.arange",
    "torch.softmx(a)": "F.softmax",
    "torch.linalg.nrm(a)": "torch.linalg.norm",
    "(3).sum()": "belongs to a tensor",
    "torch.cumsun(a, 0)": "torch.cumsum",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_says_what_to_write_instead_and_names_nothing_unrelated(text: str) -> None:
    with pytest.raises(expressions.ExpressionError) as caught:
        expressions.evaluate(text, {"a": torch.ones(2), "b": torch.ones(2)})
    assert REFUSALS[text] in str(caught.value)
    assert "scatter" not in str(caught.value)


@pytest.mark.parametrize("text", ["[[[a]]]", "[a, [a, a]]"])
def test_small_nested_lists_pass(text: str) -> None:
    assert expressions.evaluate(text, {"a": torch.ones(1)}).value


def test_a_list_is_bounded_however_it_was_nested() -> None:
    x: list = [torch.ones(1)]
    for _ in range(30):
        x = [x, x]
    y: list = []
    for _ in range(2000):
        y = [y]
    for deep in (x, y):
        with pytest.raises(expressions.ExpressionError, match="1000 entries"):
            expressions.evaluate("[n]", {"n": deep})
