"""Generators of other packages behind the same contract: one file each, imported only when named."""
