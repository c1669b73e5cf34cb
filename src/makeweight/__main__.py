"""``python -m makeweight``, and the command ``makeweight``."""

import sys


def main() -> int:
    """Run the command line; an interrupt while it is being imported, too, ends it with a word and 130."""
    try:
        from makeweight.cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was written\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
