"""What a GPU would add to each part, told where there is none."""

from __future__ import annotations

import streamlit as st

from models.speed import machine


def explain(part: str) -> None:
    """The list for a part, on a machine that has only its CPU."""
    if any(machine.has(name) for name in ("cuda", "mps", "xpu")):
        return
    with st.expander("What a GPU would add here", icon=":material/developer_board:"):
        st.markdown("\n".join(f"- {line}" for line in _ADDS[part]))
        st.caption(
            "This machine has only its CPU, so nothing of this was measured. On a machine with a GPU, "
            "the setting *device* does it; the exported script does, too."
        )


_ADDS: dict[str, tuple[str, ...]] = {
    "benchmark": (
        "**device = cuda** puts model and batch on the GPU. Launching an operation returns before it is computed, so each "
        "time is read only after `torch.cuda.synchronize()`.",
        "The roofline's two ceilings would be the GPU's own: a large matrix product, and a copy inside its memory.",
    ),
    "profile": (
        "**Streams:** every kernel would lie on a line of its own stream below the CPU's threads, so that one sees the CPU "
        "run ahead of it, and the gaps in which the GPU has nothing to do.",
        "Phases, layers and the doctor would count the longer of issuing and computing, and the table a column *device ms*.",
    ),
    "precision": (
        "**TF32** (NVIDIA, Ampere and later) keeps float32 outside, and rounds the factors of matrix products and convolutions "
        "to 10 bits of mantissa inside: it would be a fourth candidate, against float32 with "
        "`torch.backends.cuda.matmul.allow_tf32` and `torch.backends.cudnn.allow_tf32` off.",
        "**float16 and bfloat16** have their own units there (tensor cores), and are mostly the faster ones.",
        "**GradScaler** would run on the GPU: it looks for inf there, without waiting for the CPU.",
    ),
    "memory": (
        "**The allocator:** PyTorch asks the GPU for large blocks and hands out pieces. Its own peak, what it reserved, and what "
        "is split and unused would stand here beside what the model needs.",
        "**Its snapshot** (`torch.cuda.memory._dump_snapshot`) would be a download: every allocation of one step with the "
        "lines that asked for it, for PyTorch's memory viewer.",
    ),
    "compile": (
        "Inductor would write **Triton** kernels in place of C++: what it merges saves trips to the GPU's memory as well as "
        "launches.",
    ),
    "levers": (
        "**Pinned memory** stays where it is, so the GPU can fetch the next batch by itself (`non_blocking=True`, on a stream of "
        "its own) while it computes this one.",
        "**CUDA graphs** record the kernels of a pass once and launch them all together, which saves the time between them.",
        "**Fused optimizers** matter more there: one kernel in place of a launch per tensor.",
    ),
}
