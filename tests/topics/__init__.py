"""Small topics made for tests."""
