"""Is the synthetic table any good: coded checks with stated limits, and one report of them."""
