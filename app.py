"""The browser app: drop a picture and read classes, similar notes and a written note; type a note and get pictures.

    python app.py                                             # the embedded starter, on http://127.0.0.1:7860
    DERMNOTE_MODEL=org/name@revision python app.py            # a bundle of the Hugging Face Hub
    DERMNOTE_MODEL=bundle/ GRADIO_SERVER_PORT=8000 python app.py
    DERMNOTE_MODELS=org/one,org/two@v1 python app.py          # offers others on the Model tab
    OPENAI_API_KEY=... python app.py                          # notes by a language model too; DERMNOTE_LLM names it
    OPENAI_BASE_URL=http://127.0.0.1:8000/v1 DERMNOTE_LLM=medgemma python app.py

Research use only, never a diagnosis.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from dermnote.app.model_spec import load_wanted
from dermnote.app.serving.access import Accounts, take_accounts
from dermnote.app.serving.upload_folder import own_folder
from dermnote.errors import ConfigError, DermNoteError

if TYPE_CHECKING:
    import gradio as gr

    from dermnote import DermNote
    from dermnote.app.llm_quota.quota import Allowance

WRONG_USE, STOPPED = 2, 130
QUEUE, SESSIONS, MAX_UPLOAD = 32, 2000, "20mb"
NO_ENTRY = "DermNote. Research use only, never a diagnosis."
QUIET = {  # read by Gradio and the Hub's client while they are imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # For its dashboard, which is off, Gradio sums up the last 10,000 requests after each one.
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "MPLBACKEND": "agg",  # else it opens Matplotlib's windows to see which there are, while the first visitor waits
}


def build_demo(dermnote: DermNote, allowance: Allowance | None = None) -> gr.Blocks:
    """The page for a loaded model; an allowance of None is what the environment says."""
    from dermnote.app.page import (
        build_page,  # not above: Gradio takes seconds to import, and `main` loads the model meanwhile
    )

    return build_page(dermnote, allowance or find_allowance())


def find_allowance() -> Allowance:
    """What visitors may have asked of a language model; errors as `dermnote.app.llm_quota.limits.read_allowance`."""
    from dermnote.app.llm_quota.limits import read_allowance

    return read_allowance(os.environ)


def check_port(setting: str) -> None:
    """Refuses a GRADIO_SERVER_PORT that is no port; Gradio reads it while it is imported, and answers with a trace."""
    if setting and not (setting.isdecimal() and 0 < int(setting) < 65536):
        raise ConfigError(f"GRADIO_SERVER_PORT is '{setting}'.", "It is a number from 1 to 65535.")


def warm_up(dermnote: DermNote) -> None:
    """Reads a blank picture, so that the first visitor does not wait for what is only imported on first use."""
    from PIL import Image

    dermnote.classify(Image.new("RGB", (256, 256), "tan"))


def launch(demo: gr.Blocks, meanwhile: Callable[[], object], accounts: Accounts | None = None) -> None:
    """Serves the page until it is stopped. A Hugging Face Space listens on all addresses, anything else on its own.

    Args:
        demo: The page.
        meanwhile: Called once the page is up.
        accounts: Who may come in; None lets in everybody.
    """
    from dermnote.app.browser_scripts import WIRED
    from dermnote.app.serving.gate import let_tools_in
    from dermnote.app.serving.middleware import app_kwargs
    from dermnote.app.theme import CSS, make_theme

    demo.queue(max_size=QUEUE).launch(
        server_name="0.0.0.0" if os.environ.get("SPACE_ID") else None,  # a container's own  # noqa: S104  # nosec B104
        app_kwargs=app_kwargs(accounts),
        auth=None if accounts is None else accounts.admit,
        auth_message=NO_ENTRY,
        theme=make_theme(),
        css_paths=CSS,
        max_file_size=MAX_UPLOAD,
        js=WIRED,
        footer_links=["api"],
        show_error=False,
        share=False,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,  # else the browser keeps every picture and answer for whoever sits there next
        state_session_capacity=SESSIONS,
        mcp_server=True,  # the endpoints as tools, at /gradio_api/mcp/
        quiet=True,
        prevent_thread_lock=True,
    )
    if accounts is not None:
        let_tools_in(demo)
    gc.freeze()
    gc.enable()
    print(f"DermNote is at {demo.local_url} (research use only, never a diagnosis). Stop it with Ctrl+C.", flush=True)
    meanwhile()
    demo.block_thread()


def main() -> int:
    """Loads the model and Gradio side by side, then serves; a model that cannot be loaded is one line, and status 2."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    gc.disable()  # what is imported and loaded stays; to look through it for what could go takes seconds of the start
    try:
        check_port(os.environ.get("GRADIO_SERVER_PORT", ""))
        allowance = find_allowance()
        accounts = take_accounts(os.environ)
        os.environ["GRADIO_TEMP_DIR"] = str(own_folder(os.environ.get("GRADIO_TEMP_DIR", "")))
        with ThreadPoolExecutor(max_workers=1) as pool:
            loading: Future[DermNote] = pool.submit(load_wanted, os.environ.get("DERMNOTE_MODEL", ""))
            import gradio  # noqa: F401

            model = loading.result()
        launch(build_demo(model, allowance), partial(warm_up, model), accounts)
    except DermNoteError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:  # while it still loads; once it serves, Gradio stops without a trace by itself
        return STOPPED
    finally:
        gc.enable()
    return 0


if __name__ == "__main__":
    sys.exit(main())
