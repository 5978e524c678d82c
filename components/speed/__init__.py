"""The parts of the Speed page, one file each."""
