"""Pictures drawn in the learner's browser, one folder each: a typed function here, a small module there."""
