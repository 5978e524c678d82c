"""Which names, functions, methods and operators an expression may use: nothing else exists for it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F


def _empty(*size: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> torch.Tensor:
    """`torch.empty` as PyTorch fills it under deterministic algorithms: NaN, or the largest whole number.

    Memory that is truly left as it was found could hold another learner's numbers.
    """
    made = torch.empty(*size, dtype=dtype, **kwargs)
    if made.is_floating_point() or made.is_complex():
        return made.fill_(math.nan)
    return made.fill_(True if made.dtype == torch.bool else torch.iinfo(made.dtype).max)


ROOTS = ("torch", "F", "nn", "math")

NODES = frozenset(
    {
        ast.Name, ast.Load, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.Call, ast.keyword, ast.Subscript,
        ast.Attribute, ast.Slice, ast.Constant, ast.List, ast.Tuple, ast.Starred,
        ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd, ast.Invert,
        ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult,
        ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift,
        ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    }
)  # fmt: skip

REFUSED: dict[type, str] = {
    ast.Lambda: "lambda makes a function, and only PyTorch's own functions work here.",
    ast.ListComp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.SetComp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.DictComp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.GeneratorExp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.NamedExpr: "An assignment (:=) is not offered inside an expression.",
    ast.IfExp: "if … else is not offered; torch.where(condition, a, b) chooses cell by cell.",
    ast.JoinedStr: "f-strings are not offered here.",
    ast.Dict: "Dictionaries are not offered here; use lists or tensors.",
    ast.Set: "Sets are not offered here; use lists or tensors.",
    ast.Await: "await is not offered here.",
    ast.Yield: "yield is not offered here.",
    ast.YieldFrom: "yield is not offered here.",
    ast.In: "'in' is not offered; torch.isin(a, b) asks it cell by cell.",
    ast.NotIn: "'not in' is not offered; ~torch.isin(a, b) asks it cell by cell.",
    ast.Is: "'is' is not offered; compare values with ==.",
    ast.IsNot: "'is not' is not offered; compare values with !=.",
}

OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

SIGNS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Not: "not", ast.And: "and", ast.Or: "or",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip

# methods and properties of a tensor; nothing here reads or writes outside its own memory
_PROPERTIES = """
shape ndim dtype device layout T mT H mH real imag itemsize nbytes requires_grad is_leaf is_sparse
"""

_METHODS = """
abs absolute acos acosh add addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle any arccos arcsin
arctan arctan2 argmax argmin argsort argwhere asin asinh atan atan2 atanh baddbmm bfloat16 bincount bitwise_and
bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bmm bool broadcast_to byte ceil char cholesky
chunk clamp clamp_max clamp_min clip clone conj contiguous copysign corrcoef cos cosh count_nonzero cov cpu cross cummax
cummin cumprod cumsum deg2rad det detach diag diagonal diff digamma dim dist div divide dot double dsplit
element_size eq equal erf erfc erfinv exp exp2 expand expand_as expm1 fix flatten flip fliplr flipud float
float_power floor floor_divide fmax fmin fmod frac gather ge gcd geqrf ger greater greater_equal gt half heaviside
histc hsplit hypot index_add index_copy index_fill index_put index_select inner int inverse isclose isfinite
isinf isnan isneginf isposinf isreal is_complex is_contiguous is_floating_point is_nonzero is_signed item kron
kthvalue lcm ldexp le lerp less less_equal lgamma log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp
logdet logical_and logical_not logical_or logical_xor logit logsumexp long lt masked_fill masked_scatter masked_select
matmul matrix_exp matrix_power max maximum mean median min minimum mm mode moveaxis movedim mul multiply mv
nan_to_num nanmean nanmedian nanquantile nansum narrow ndimension ne neg negative nelement new_full new_ones new_tensor
new_zeros nonzero norm not_equal numel nextafter outer permute pinverse positive pow prod qr quantile rad2deg ravel
reciprocal relu remainder renorm repeat repeat_interleave reshape reshape_as resolve_conj roll rot90 round rsqrt
scatter scatter_add scatter_reduce select select_scatter sgn short sigmoid sign signbit sin sinc sinh size slogdet slice_scatter
softmax sort split split_with_sizes sqrt square squeeze std storage_offset stride sub subtract sum svd swapaxes swapdims
t take take_along_dim tan tanh tensor_split tile to topk trace transpose tril triu true_divide trunc type_as unbind unflatten
unfold unique unique_consecutive unsqueeze var vdot view view_as vsplit where xlogy is_same_size is_set_to
as_strided index_reduce tolist
abs_ add_ addcdiv_ addcmul_ clamp_ clamp_max_ clamp_min_ copy_ cos_ cumsum_ div_ divide_ eq_ exp_ fill_ floor_ ge_ gt_ index_add_
index_copy_ index_fill_ le_ log_ lt_ masked_fill_ mul_ multiply_ neg_ pow_ reciprocal_ relu_ round_ rsqrt_ scatter_
scatter_add_ index_reduce_ sigmoid_ sin_ sqrt_ square_ sub_ subtract_ tanh_ transpose_ t_ unsqueeze_ squeeze_ zero_ fill_diagonal_
ceil_ trunc_ tril_ triu_ bernoulli_ normal_ uniform_ random_ lerp_ remainder_ fmod_ bitwise_and_ bitwise_or_ bitwise_xor_
logical_not_ nan_to_num_ swapdims_
"""

_TORCH = """
abs absolute acos acosh add addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle any arange arccos arcsin arctan
argmax argmin argsort argwhere as_tensor asin asinh atan atan2 atanh atleast_1d atleast_2d atleast_3d baddbmm bernoulli bincount
bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor block_diag bmm broadcast_shapes
broadcast_tensors broadcast_to bucketize can_cast cat cdist ceil celu chunk clamp clamp_max clamp_min clip clone column_stack complex
concat conj copysign corrcoef cos cosh count_nonzero cov cross cummax cummin cumprod cumsum cumulative_trapezoid deg2rad
det diag diagflat diagonal diff digamma dist div divide dot dsplit dstack einsum empty eq equal erf erfc erfinv exp exp2 eye
expm1 fix flatten flip fliplr flipud float_power floor floor_divide fmax fmin fmod frac full full_like gather gcd ge
greater greater_equal gt heaviside histc hsplit hstack hypot index_add index_copy index_fill index_select inner inverse
is_complex is_floating_point isclose isfinite isin isinf isnan isneginf isposinf isreal kron kthvalue lcm ldexp le lerp less
less_equal lgamma linspace log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not
logical_or logical_xor logit logspace logsumexp lt masked_fill masked_select matmul matrix_exp matrix_power max maximum mean median
meshgrid min minimum mm mode moveaxis movedim mul multinomial multiply mv nan_to_num nanmean nanmedian nanquantile nansum narrow ne
neg negative nextafter nonzero norm normal not_equal numel ones ones_like outer permute pinverse poisson polar positive pow prod
promote_types quantile rad2deg rand rand_like randint randint_like randn randn_like randperm ravel reciprocal relu remainder
repeat_interleave reshape result_type roll rot90 round row_stack rsqrt scatter scatter_add scatter_reduce searchsorted select selu
sgn sigmoid sign signbit sin sinc sinh slogdet softmax sort split sqrt square squeeze stack std std_mean sub subtract sum svd
swapaxes swapdims t take take_along_dim tan tanh tensor tensor_split tensordot tile topk trace transpose trapezoid tril triu
true_divide trunc unbind unflatten unique unique_consecutive unsqueeze vander var var_mean vdot view_as_complex view_as_real vsplit vstack
where xlogy zeros zeros_like as_strided cartesian_prod combinations index_reduce finfo iinfo
"""

_FUNCTIONAL = """
relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign softmin softmax log_softmax gumbel_softmax sigmoid tanh
hardtanh hardsigmoid hardswish hardshrink softshrink tanhshrink threshold logsigmoid glu prelu normalize linear bilinear
layer_norm rms_norm cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy
binary_cross_entropy_with_logits kl_div hinge_embedding_loss margin_ranking_loss cosine_similarity pairwise_distance
cosine_embedding_loss triplet_margin_loss poisson_nll_loss gaussian_nll_loss pad one_hot conv1d conv2d conv3d conv_transpose1d
conv_transpose2d max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d
unfold fold pixel_shuffle pixel_unshuffle interpolate dropout embedding scaled_dot_product_attention logit batch_norm group_norm
"""

_LINALG = """
norm vector_norm matrix_norm det slogdet inv pinv solve lstsq eigh eigvalsh eig eigvals svd svdvals qr cholesky matrix_rank
matrix_power matrix_exp cross multi_dot cond diagonal vecdot matmul tensorinv
"""

_FFT = """
fft ifft rfft irfft fft2 ifft2 rfft2 irfft2 fftn ifftn hfft ihfft fftshift ifftshift fftfreq rfftfreq
"""
_SPECIAL = (
    "erf erfc expit exp2 expm1 gammaln log1p logit logsumexp softmax log_softmax sinc xlogy entr"
)


def _words(text: str) -> list[str]:
    return text.split()


def _listed(module: Any, names: str, prefix: str) -> dict[str, Callable[..., Any]]:
    return {f"{prefix}.{n}": getattr(module, n) for n in names.split() if hasattr(module, n)}


ATTRIBUTES = frozenset(n for n in (_PROPERTIES + _METHODS).split() if hasattr(torch.Tensor, n))

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_listed(torch, _TORCH, "torch"),
    **_listed(F, _FUNCTIONAL, "F"),
    **_listed(F, _FUNCTIONAL, "torch.nn.functional"),
    **_listed(F, _FUNCTIONAL, "nn.functional"),
    **_listed(torch.linalg, _LINALG, "torch.linalg"),
    **_listed(torch.fft, _FFT, "torch.fft"),
    **_listed(torch.special, _SPECIAL, "torch.special"),
    **_listed(math, "sqrt exp log log2 log10 sin cos tan tanh floor ceil prod", "math"),
    "torch.empty": _empty,
    "abs": abs,
    "len": len,
    "float": float,
    "int": int,
    "bool": bool,
}  # fmt: skip

CONSTANTS: dict[str, Any] = {
    **{
        f"torch.{n}": getattr(torch, n)
        for n in _words(
            "float16 bfloat16 float32 float64 float double half uint8 int8 int16 int32 int64 int long short bool complex64 complex128 "
            "pi e inf nan newaxis strided preserve_format contiguous_format"
        )
        if hasattr(torch, n)
    },
    **{f"math.{n}": getattr(math, n) for n in ("pi", "e", "inf", "nan", "tau")},
}

RANDOM = frozenset(
    _words(
        "rand randn randint randperm rand_like randn_like randint_like normal bernoulli multinomial poisson dropout gumbel_softmax "
        "normal_ uniform_ random_ bernoulli_ scaled_dot_product_attention"
    )
)


def _named_results() -> dict[type, frozenset[str]]:
    """torch.return_types.* (values and indices of max, sort, topk, …)."""
    found = {}
    for name in dir(torch.return_types):
        kind = getattr(torch.return_types, name)
        if isinstance(kind, type) and issubclass(kind, tuple) and kind is not tuple:
            fields = [
                f
                for f in dir(kind)
                if not f.startswith(("_", "n_")) and f not in ("count", "index")
            ]
            found[kind] = frozenset(fields)
    return found


# what a plain value lets be read of it
OPEN: dict[type, frozenset[str]] = {
    torch.Size: frozenset({"numel"}),
    torch.dtype: frozenset({"itemsize", "is_floating_point", "is_complex", "is_signed"}),
    torch.finfo: frozenset({"bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution"}),
    torch.iinfo: frozenset({"bits", "max", "min"}),
    **_named_results(),
}
