"""Training a network on a table, live: settings, the loop, pictures, doctor, evaluation, files, and its export."""

from models.data.tabular import files
from models.training.loop import threads, train
from models.training.script import VARIATIONS, numbers, to_code
from models.training.spec import Spec

__all__ = ["VARIATIONS", "Spec", "files", "numbers", "threads", "to_code", "train"]
