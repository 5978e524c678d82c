"""Data for every page: made sets, bundled sets, and the learner's own tables."""
