"""`python -m wavelens`: the command, with the Python that is asked."""

import sys
from pathlib import Path

if not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).parents[1]:
    del sys.path[0]  # the working folder, whose files are no modules for others, as for the command

from wavelens.cli import main

sys.exit(main())
