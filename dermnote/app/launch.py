"""Start of the app: settings, model and Gradio loaded in parallel, then the server."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from dermnote.app.llm_quota.metering import read_allowance
from dermnote.app.service import load_model
from dermnote.app.serving.access import Accounts, read_accounts
from dermnote.app.serving.uploads import own_folder
from dermnote.errors import ConfigError, DermNoteError

if TYPE_CHECKING:
    import gradio as gr

    from dermnote import DermNote

WRONG_USE, STOPPED = 2, 130
QUEUE, SESSIONS, MAX_UPLOAD = 32, 2000, "20mb"
LOGIN_MESSAGE = "DermNote. Research use only, never a diagnosis."
# Set when a page's scripts run: Gradio draws the page a moment before its buttons work. For browser automation.
MARK_READY = "() => { document.documentElement.dataset.wired = ''; }"
ENVIRONMENT = {  # read by Gradio and the Hub's client while they are imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # For its dashboard, which is off, Gradio sums up the last 10,000 requests after each one.
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "MPLBACKEND": "agg",  # else Matplotlib probes its window systems while the first visitor waits
}


def check_port(setting: str) -> None:
    """Raise ConfigError if GRADIO_SERVER_PORT is no port; Gradio reads it at import, and fails with a trace."""
    if setting and not (setting.isdecimal() and 0 < int(setting) < 65536):
        raise ConfigError(f"GRADIO_SERVER_PORT is '{setting}'.", "It is a number from 1 to 65535.")


def warm_up(model: DermNote) -> None:
    """Classify a blank image, so that the first visitor does not wait for imports."""
    from PIL import Image

    model.classify(Image.new("RGB", (256, 256), "tan"))


def launch(demo: gr.Blocks, when_up: Callable[[], object], accounts: Accounts | None = None) -> None:
    """Serve the page until it is stopped: on all addresses on a Hugging Face Space, else on this machine's own."""
    from dermnote.app.gradio_patches import log_in_mcp_server
    from dermnote.app.serving.middleware import app_kwargs
    from dermnote.app.theme import CSS, make_theme

    demo.queue(max_size=QUEUE).launch(
        server_name="0.0.0.0" if os.environ.get("SPACE_ID") else None,  # a container's own  # noqa: S104  # nosec B104
        app_kwargs=app_kwargs(accounts),
        auth=None if accounts is None else accounts.admit,
        auth_message=LOGIN_MESSAGE,
        theme=make_theme(),
        css_paths=CSS,
        max_file_size=MAX_UPLOAD,
        js=MARK_READY,
        footer_links=["api"],
        show_error=False,
        share=False,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,  # else the browser keeps every image and answer for its next user
        state_session_capacity=SESSIONS,
        mcp_server=True,  # the endpoints as tools, at /gradio_api/mcp/
        quiet=True,
        prevent_thread_lock=True,
    )
    if accounts is not None:
        log_in_mcp_server(demo)
    gc.freeze()
    gc.enable()
    sys.stdout.write(f"DermNote is at {demo.local_url} (research use only, never a diagnosis). Stop it with Ctrl+C.\n")
    sys.stdout.flush()
    when_up()
    demo.block_thread()


def main() -> int:
    """Load model and Gradio in parallel, then serve; return 2 after printing the error of a setting or the model."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    gc.disable()  # what is imported and loaded stays; searching it for garbage takes seconds of the start
    try:
        check_port(os.environ.get("GRADIO_SERVER_PORT", ""))
        allowance = read_allowance(os.environ)
        accounts = read_accounts(os.environ)
        os.environ["GRADIO_TEMP_DIR"] = str(own_folder(os.environ.get("GRADIO_TEMP_DIR", "")))
        with ThreadPoolExecutor(max_workers=1) as pool:
            loading: Future[DermNote] = pool.submit(load_model, os.environ.get("DERMNOTE_MODEL", ""))
            from dermnote.app.page import build_page  # imports Gradio, which takes seconds

            model = loading.result()
        launch(build_page(model, allowance), partial(warm_up, model), accounts)
    except DermNoteError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG_USE
    except KeyboardInterrupt:  # while loading; once it serves, Gradio stops without a trace
        return STOPPED
    finally:
        gc.enable()
    return 0
