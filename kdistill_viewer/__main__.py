"""``python -m kdistill_viewer``."""

import sys

from kdistill_viewer.app import main

if __name__ == "__main__":
    sys.exit(main())
