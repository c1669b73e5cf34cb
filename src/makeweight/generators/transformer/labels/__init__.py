"""p(label | row, context) from one query per row: a network over closed-form evidence.

Nothing here is used by the generators yet. torch is imported only by the modules of this room, never by this file.
"""
