"""Side-by-side measurements, each printing a table of ratios; never part of a test's verdict."""
