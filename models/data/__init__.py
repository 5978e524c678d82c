"""Data a learner trains on: bundled, made, or their own."""
