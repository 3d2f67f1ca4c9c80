"""A process of `python app.py`, its memory, and its folder of uploads."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).parents[3]
PATIENCE = 180.0  # seconds a start may take on a busy machine


class AppServer:
    """The app at a free port, with uploads and log in `work`; `settings` are environment variables."""

    def __init__(self, work: Path, **settings: str) -> None:
        self.port, self.uploads, self._log = free_port(), work / "uploads", work / "log.txt"
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENAI_", "DERMNOTE_", "GRADIO_"))
        }
        here = {"GRADIO_SERVER_PORT": str(self.port), "GRADIO_TEMP_DIR": str(self.uploads)}
        self._environment = kept | here | settings

    def start(self) -> float:
        """Start the process; return the seconds until the page is served."""
        begun = time.monotonic()
        with self._log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=REPOSITORY, env=self._environment, stdout=stream, stderr=stream
            )
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - begun > PATIENCE:
                raise RuntimeError(f"The app did not start:\n{self.log()}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url, timeout=10).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """Kill the process, which gets no chance to clean up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the process as Ctrl+C does, if it still runs."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=30)

    def memory_mb(self) -> float:
        """Return the resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def processor_seconds(self) -> float:
        """Return user and system time of the process so far."""
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def kept_files(self) -> list[Path]:
        """Return every file in the folder of uploads."""
        return [path for path in self.uploads.rglob("*") if path.is_file()]

    def log(self) -> str:
        """Return the output of the app."""
        return self._log.read_text(errors="replace")


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
