"""p(label | row, context) from one query per row: a network over closed-form evidence.

A committee asks it (:mod:`makeweight.committee.networks`), no generator does. Only its training imports torch.
"""
