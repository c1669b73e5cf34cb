"""Exit codes of the command."""

BAD_INPUT, SHORTFALL, INTERRUPTED, BROKEN_PIPE = 2, 3, 130, 141
#: Of a check that was asked for and did not pass.
GATE_FAILED = 3
