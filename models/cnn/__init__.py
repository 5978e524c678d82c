"""Convolutional networks: built from a list, looked into, explained, transferred."""
