"""Laws of the playground; `python3 -m tests` runs all of them."""
