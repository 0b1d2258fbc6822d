"""`python -m wavelens`: the command, with the Python that is asked."""

import sys

from wavelens.cli import main

sys.exit(main())
