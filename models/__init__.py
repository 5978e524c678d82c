"""Everything that is computed: PyTorch only, no screen."""
