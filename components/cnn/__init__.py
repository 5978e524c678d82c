"""The parts of the CNN page."""
