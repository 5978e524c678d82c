"""The parts of the Tensors page."""
