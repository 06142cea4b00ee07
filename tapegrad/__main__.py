"""``python -m tapegrad``: see ``python -m tapegrad --help``."""

import sys

from tapegrad._cli.arguments import main

if __name__ == "__main__":
    sys.exit(main())
