"""Help for generators that start from real rows: which are kept, on what scale, and how they vary."""
