"""`python -m wavelens`: the command, run by this Python."""

import os
import sys
from pathlib import Path

if sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]):
    del sys.path[0]  # put there by -m; as for the command, only functions by name are looked for in it

from wavelens.cli import main

sys.exit(main())
