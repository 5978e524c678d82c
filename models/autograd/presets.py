"""Programs to start from: leaves, a few lines, and what there is to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """One program of the menu.

    Attributes:
        leaves, program: as the learner could have typed them; gradient: for results that are not scalars.
        about: what to look at, one or two sentences.
        preamble: lines that an exported script needs first; functions: what they define, made anew for each run.
        ends: "" when backward succeeds, otherwise the beginning of what goes wrong.
    """

    title: str
    leaves: str
    program: str
    about: str
    gradient: str = ""
    preamble: str = ""
    functions: Callable[[], dict[str, Callable[..., Any]]] = field(default=dict)
    ends: str = ""


def _resnet18() -> dict[str, Callable[..., Any]]:
    from torchvision.models import resnet18  # 2 s to import, needed for this preset only

    return {"resnet18": resnet18(weights=None)}


PRESETS: dict[str, Preset] = {
    "chain": Preset(
        "Scalar chain",
        """\
x = torch.tensor(0.5, requires_grad=True)
w = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(-0.3, requires_grad=True)""",
        """\
z = w * x + b
a = torch.tanh(z)
loss = (a - 1) ** 2""",
        "One number flows to the right, one gradient flows back. At every node: incoming gradient times local derivative.",
    ),
    "fan-out": Preset(
        "Fan-out",
        "x = torch.tensor(1.5, requires_grad=True)",
        """\
a = x * x
b = x.sin()
loss = a * b + x""",
        "x is used four times. Its gradient is the sum of what comes back along all four edges.",
    ),
    "broadcasting": Preset(
        "Broadcasting",
        """\
x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
scale = torch.tensor(0.5, requires_grad=True)
shift = torch.tensor([0.1, -0.2], requires_grad=True)""",
        """\
y = x * scale + shift
loss = (y ** 2).mean()""",
        "What the forward pass repeated, the backward pass sums: shift (2,) collects a sum over three rows, scale over all six cells.",
    ),
    "linear": Preset(
        "Matrix product and bias",
        """\
x = torch.tensor([[1.0, 2.0, -1.0], [0.5, -0.5, 2.0]])
weight = torch.tensor([[0.2, -0.4], [0.7, 0.1], [-0.3, 0.5]], requires_grad=True)
bias = torch.tensor([0.1, -0.1], requires_grad=True)""",
        """\
y = x @ weight + bias
loss = (y ** 2).sum()""",
        "The gradient of the weight is xᵀ times the incoming gradient; x itself asks for none, so no edge leads to it.",
    ),
    "cross-entropy": Preset(
        "Softmax cross-entropy",
        """\
logits = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]], requires_grad=True)
target = torch.tensor([0, 2])""",
        "loss = F.cross_entropy(logits, target)",
        "One line of yours, two nodes of PyTorch. The gradient that reaches the logits is (softmax − one-hot) / N.",
    ),
    "mlp": Preset(
        "Small network",
        """\
x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
target = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
w1 = torch.tensor([[0.9, -0.8, 0.4], [0.7, 0.6, -1.1]], requires_grad=True)
b1 = torch.tensor([0.0, 0.1, -0.1], requires_grad=True)
w2 = torch.tensor([[1.2], [-0.7], [0.5]], requires_grad=True)
b2 = torch.tensor([0.0], requires_grad=True)""",
        """\
hidden = torch.tanh(x @ w1 + b1)
logits = hidden @ w2 + b2
loss = F.binary_cross_entropy_with_logits(logits, target)""",
        "XOR, two layers. Follow the gradient from the loss back through w2 and tanh to w1.",
    ),
    "conv": Preset(
        "Convolution",
        """\
image = torch.randn(1, 1, 5, 5)
kernel = torch.randn(2, 1, 3, 3, requires_grad=True)
bias = torch.zeros(2, requires_grad=True)""",
        """\
features = F.relu(F.conv2d(image, kernel, bias))
pooled = F.max_pool2d(features, 3)
loss = (pooled ** 2).mean()""",
        "Only the cell that won the max passes a gradient on; the kernel's gradient is again a convolution.",
    ),
    "attention": Preset(
        "Attention",
        """\
x = torch.randn(3, 4)
wq = torch.randn(4, 4, requires_grad=True)
wk = torch.randn(4, 4, requires_grad=True)
wv = torch.randn(4, 4, requires_grad=True)""",
        """\
q, k, v = x @ wq, x @ wk, x @ wv
scores = q @ k.T / math.sqrt(4)
weights = scores.softmax(dim=-1)
out = weights @ v
loss = (out ** 2).mean()""",
        "The gradient reaches wq and wk only through the softmax, whose local Jacobian mixes every score of a row.",
    ),
    "rnn": Preset(
        "Recurrent network, unrolled",
        """\
inputs = torch.tensor([0.5, -1.0, 0.8, 0.3])
w = torch.tensor([[0.6, -0.4], [0.3, 0.8]], requires_grad=True)
u = torch.tensor([1.0, -0.5], requires_grad=True)""",
        """\
h = torch.zeros(2)
for t in range(4):
    h = torch.tanh(w @ h + u * inputs[t])
loss = h.pow(2).sum()""",
        "One line, four turns: w is used in each, so its gradient is a sum over time, and each step back passes tanh once more.",
    ),
    "abs": Preset(
        "abs at 0",
        "x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)",
        """\
y = x.abs()
loss = y.sum()""",
        "abs has no derivative at 0. PyTorch takes sign(0) = 0, one of the allowed slopes (a subgradient).",
    ),
    "where-nan": Preset(
        "NaN from where",
        "x = torch.tensor([0.0, 1.0, 4.0], requires_grad=True)",
        """\
y = torch.where(x > 0, x.sqrt(), torch.zeros(3))
loss = y.sum()""",
        "The forward value is fine, the gradient is NaN: where sends 0 into the branch not taken, and 0 × inf is NaN. "
        "Repair it: give sqrt a safe input, x.clamp(min=1e-6).",
    ),
    "in-place": Preset(
        "An in-place error",
        "x = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)",
        """\
a = x.exp()
b = a * 3
a += 1
loss = (a * b).sum()""",
        "exp kept its result for the backward pass and a += 1 wrote over it. Write a = a + 1 in line 3.",
        ends="one of the variables needed for gradient computation has been modified",
    ),
    "in-place-view": Preset(
        "In-place on a view",
        "x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)",
        """\
y = x * 2
row = y[0]
row *= 10
loss = (y ** 2).sum()""",
        "row is a view of y, so writing to it rewrites y's history: PyTorch inserts a CopySlices node.",
    ),
    "loop": Preset(
        "A loop whose length depends on data",
        "x = torch.tensor([0.4, -0.3], requires_grad=True)",
        """\
y = x
while y.norm() < 3:
    if y.sum() > 1:
        y = y + 1
    y = y * 2
loss = y.sum()""",
        "Change x and the graph itself changes: it records what ran, not what is written.",
    ),
    "split": Preset(
        "Split and max",
        "x = torch.tensor([[1.0, 5.0, 2.0, 4.0], [3.0, 0.0, 1.0, 2.0]], requires_grad=True)",
        """\
left, right = x.split(2, dim=1)
best, where = x.max(dim=1)
loss = (left * right).sum() + best.sum()""",
        "A node with two outputs waits for the gradients of both; max sends everything to the winner.",
    ),
    "no-grad": Preset(
        "detach and no_grad",
        """\
x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)""",
        """\
y = w * x
target = y.detach() + 1
with torch.no_grad():
    scale = y * 2
loss = (y - target) ** 2 * scale""",
        "Grey boxes ran but left no backward node: to autograd, target and scale are constants.",
    ),
    "non-scalar": Preset(
        "A result that is no scalar",
        "x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)",
        "y = x ** 2",
        "backward needs to know how much each element of y counts: that is its gradient argument, the vector in vᵀJ.",
        gradient="torch.tensor([1.0, 0.1, 0.01])",
    ),
    "resnet18": Preset(
        "ResNet-18",
        """\
images = torch.randn(2, 3, 64, 64)
target = torch.tensor([1, 7])""",
        """\
logits = resnet18(images)
loss = F.cross_entropy(logits, target)""",
        "A real network with random weights, from one line of yours: collapsed to its modules; open the ones you care about.",
        preamble="from torchvision import models\n\nresnet18 = models.resnet18(weights=None)",
        functions=_resnet18,
    ),
}  # fmt: skip
