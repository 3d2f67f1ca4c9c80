"""Training pipeline: prepare -> generate_notes -> fit -> evaluate -> build_index -> push_to_hub."""

import gc
import sys

if sys.argv[0] == "-m":  # a step is being started
    # Imported objects stay until the end, and scanning them repeatedly would add a third to the start-up time.
    # `train.runtime.console.run` enables garbage collection again.
    gc.disable()
