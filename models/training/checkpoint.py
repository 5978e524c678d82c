"""A run as a file: the weights for others, or everything, to go on exactly where it stopped."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from models.core.spec import SpecError
from models.training import changes
from models.training.history import State
from models.training.run import Run
from models.training.spec import RunSpec, Spec

FORMAT = "pytorch-playground training checkpoint 1"
MAX_BYTES = 64 * 2**20
_STATE = [field.name for field in dataclasses.fields(State)]
_REFUSED = "This file is no training checkpoint of this page"


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was read: its settings, the state, and the curves so far."""

    spec: RunSpec
    state: State
    rows: tuple[Mapping[str, Any], ...]


def write(run: Run) -> bytes:
    """Weights, optimizer, scheduler, random states, settings, position and curves of a run."""
    state = run.capture()
    parts = {name: getattr(state, name) for name in _STATE}
    content = {
        "format": FORMAT,
        "spec": json.dumps(dataclasses.asdict(run.spec)),
        "rows": json.dumps(run.course_so_far()),
        "state": _on_cpu({**parts, "model": dict(state.model)}),
    }
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def weights(run: Run) -> bytes:
    """The `state_dict` alone, as safetensors, with the settings in its header."""
    from safetensors.torch import save  # only a download needs it

    tensors = {
        name: value.detach().cpu().contiguous() for name, value in run.model.state_dict().items()
    }
    return save(
        tensors, metadata={"format": "pt", "spec": json.dumps(dataclasses.asdict(run.spec))}
    )


def read(data: bytes, spec_type: type[RunSpec] = Spec) -> Loaded:
    """A checkpoint from bytes that may come from anywhere; nothing in them is run.

    Raises:
        SpecError: it is too large, truncated, foreign or hostile.
    """
    _check_archive(data)
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:
        raise SpecError(
            f"{_REFUSED}: it is damaged, or holds more than numbers. Download it again.",
            detail=str(error)[:2000],
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SpecError(f"{_REFUSED}, though it is a PyTorch file. Choose one saved here.")
    try:
        fields = json.loads(content["spec"])
        rows = tuple(json.loads(content["rows"]))
        state = State(**{name: content["state"][name] for name in _STATE})
        _check_state(state)
        spec = spec_type(**fields)
    except SpecError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SpecError(
            f"{_REFUSED}: parts are missing or of the wrong kind.", detail=repr(error)[:2000]
        ) from None
    return Loaded(spec, state, rows)


def read_weights(data: bytes, most: int = MAX_BYTES) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        SpecError: it is too large or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if len(data) > most:
        raise SpecError(_too_large(len(data)))
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise SpecError(
            "This file is no safetensors file, or it is damaged. Download it again.",
            detail=str(error)[:2000],
        ) from None


def load_weights(run: Run, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give the run's network these weights.

    Raises:
        SpecError: names or shapes differ from the network's.
    """
    check_weights(run.model, tensors)
    run.model.load_state_dict(dict(tensors))


def check_weights(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Whether these are weights of this very network; raises `SpecError` with the first that differs."""
    own = model.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        if name not in tensors or name not in own:
            where = "file" if name not in tensors else "network"
            raise SpecError(
                f"The {where} has no {name}; the layers must be the same as those saved.", "layers"
            )
        if own[name].shape != tensors[name].shape:
            raise SpecError(
                f"{name} has shape {tuple(tensors[name].shape)} in the file and {tuple(own[name].shape)} in the "
                "network. Give it the same layers and data.",
                "layers",
            )


def restore(run: Run, loaded: Loaded) -> None:
    """Put a run where the checkpoint was written; it goes on as if it had never stopped.

    Raises:
        SpecError: the run's settings are not the checkpoint's, or the state does not fit its network.
    """
    if loaded.spec.replace(changes="") != run.spec.replace(changes=""):
        saved, own = loaded.spec, run.spec
        names = [
            f.name
            for f in dataclasses.fields(own)
            if getattr(saved, f.name) != getattr(own, f.name)
        ]
        raise SpecError(
            f"The checkpoint was saved with other settings ({', '.join(n for n in names if n != 'changes')}). "
            "Open it with its own settings.",
            names[0],
        )
    _restore_state(run, loaded.state)
    run.spec = loaded.spec
    run.resumed([dict(row) for row in loaded.rows], list(changes.parse(loaded.spec.changes)))


def _restore_state(run: Run, state: State) -> None:
    """Restore a state from a file into the run, or say why it does not fit and leave the run as it was."""
    check_weights(run.model, state.model)
    now = run.capture()
    try:
        _check_position(run, state)
        run.restore(state, due=False)
        for p in run.model.parameters():
            for name, value in run.optimizer.state.get(p, {}).items():
                if isinstance(value, torch.Tensor) and value.ndim and value.shape != p.shape:
                    raise ValueError(f"{name} has shape {tuple(value.shape)}, not {tuple(p.shape)}")
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        run.restore(now, due=False)
        raise SpecError(
            f"{_REFUSED}: its state does not fit its own settings.", detail=str(error)[:2000]
        ) from None


def _check_position(run: Run, state: State) -> None:
    n = len(run.x)
    if state.epoch * run.batches + state.position != state.step or state.position >= run.batches:
        raise ValueError("step, epoch and position contradict each other")
    if (state.order is None) != (state.position == 0):
        raise ValueError("an epoch under way needs its order, and only it")
    if state.order is not None and not torch.equal(state.order.sort().values, torch.arange(n)):
        raise ValueError("the order is no permutation of the training rows")
    if (state.rng is None) == run.dropout:
        raise ValueError("only a network with dropout has the state of its generator")
    own = run.capture()
    _check_alike("settings", state.settings, own.settings)
    _check_alike("stop", state.stop, own.stop)
    needed = {"lr", "step", "epoch", "train_loss", "train_metric"}
    _check_alike("row", {k: state.row[k] for k in needed}, {k: own.row[k] for k in needed})
    if (state.scheduler is None) != (own.scheduler is None):
        raise ValueError("one of file and settings has a scheduler, the other has not")
    _check_alike("scheduler", state.scheduler or {}, own.scheduler or {})
    groups = state.optimizer["param_groups"]
    for mine, other in zip(own.optimizer["param_groups"], groups, strict=True):
        _check_alike("optimizer", other, mine)


def _check_alike(what: str, given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """The same names, and for each a value of the same kind."""
    if given.keys() != own.keys():
        raise ValueError(f"{what} has {sorted(given)}, not {sorted(own)}")
    for name, value in given.items():
        numbers = isinstance(value, (int, float)) and isinstance(own[name], (int, float))
        if type(value) is not type(own[name]) and not numbers:
            raise TypeError(f"{name} of {what} is a {type(value).__name__}")


def _check_archive(data: bytes) -> None:
    """A zip as torch.save writes it, whose parts are no larger unpacked than packed files may be."""
    if len(data) > MAX_BYTES:
        raise SpecError(_too_large(len(data)))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise SpecError(
            f"{_REFUSED}: it is damaged or of another kind. Download it again.", detail=str(error)
        ) from None
    if unpacked > 2 * MAX_BYTES:
        raise SpecError(_too_large(unpacked))


def _check_state(state: State) -> None:
    """The types of what the file calls a state; whether it fits the network is seen on restoring."""
    kinds: Mapping[str, tuple[type, ...]] = {
        "order": (torch.Tensor, type(None)),
        "scheduler": (dict, type(None)),
        "order_rng": (torch.Tensor,),
        "rng": (torch.Tensor, type(None)),
        "device_rng": (torch.Tensor, type(None)),
    }
    for name in _STATE:
        value = getattr(state, name)
        wanted = kinds.get(name, (int,) if name in ("step", "epoch", "position") else (dict,))
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise TypeError(f"{name} is a {type(value).__name__}")
        if isinstance(value, int) and not 0 <= value < 2**40:
            raise ValueError(f"{name} is {value}")
    if not all(isinstance(value, torch.Tensor) for value in state.model.values()):
        raise TypeError("the model holds something that is no tensor")


def _too_large(size: int) -> str:
    return f"The file holds {size / 2**20:.0f} MB; a checkpoint of this page has at most {MAX_BYTES // 2**20} MB."


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {k: _on_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_on_cpu(v) for v in value]
    return value
