"""The app served over real HTTP in this process, by default with a stand-in model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from standin import StandIn

import app


@contextmanager
def launched(model: Any = None) -> Iterator[str]:
    """Serve the app until the block ends; yield its address."""
    demo = app.build_demo(model or StandIn())
    demo.block_thread = lambda: None
    app.launch(demo, lambda: None)
    try:
        yield demo.local_url.rstrip("/")
    finally:
        demo.close()
