"""``python -m makeweight``."""

import sys

from makeweight.cli import main

if __name__ == "__main__":
    sys.exit(main())
