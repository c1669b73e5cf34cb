"""The embedded default: a small pretrained transformer that writes rows in context.

Shown a table, it writes new rows of any group by the chain rule over columns. Nothing is trained on the
user's data. torch is imported only by the modules of this room, never by this file.
"""
