"""The way of the data: prepare -> generate_notes -> fit -> evaluate -> build_index -> push_to_hub."""

import gc
import sys

if sys.argv[0] == "-m":  # a step is being started
    # What its imports make stays until the end; to look through it again and again for what could go would take a third
    # of the time until the step begins. `train.runtime.console.run` has the looking begin.
    gc.disable()
