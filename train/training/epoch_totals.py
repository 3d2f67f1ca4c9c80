"""What an epoch adds up to: losses of the good updates, and updates left out because something was not finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Tally:
    """Counts on the device, so that no update has to wait for the host.

    Args:
        device: Where the losses are.
        state: What `state` gave before a stop; None to begin an epoch.
        in_row: Updates left out in a row at the end of the epoch before.
    """

    def __init__(self, device: torch.device, state: dict[str, Any] | None = None, in_row: int = 0) -> None:
        state = state or {"names": [], "sums": [], "good": 0, "skipped": 0, "in_row": in_row}
        self._names: list[str] = list(state["names"])
        self._sums = torch.tensor(state["sums"], dtype=torch.float64, device=device)
        counts = [state["good"], state["skipped"], state["in_row"]]
        self._counts = torch.tensor(counts, dtype=torch.int64, device=device)

    def add(self, parts: dict[str, Tensor], finite: Tensor) -> None:
        """Counts an update.

        Args:
            parts: Its losses by name.
            finite: Whether it was made, a bool tensor; if not, its losses do not count.
        """
        values = torch.stack([part.detach().double() for part in parts.values()])
        if not self._names:
            self._names, self._sums = list(parts), torch.zeros_like(values)
        self._sums += torch.where(finite, values, torch.zeros_like(values))
        good = finite.long()
        self._counts = torch.stack(
            [self._counts[0] + good, self._counts[1] + 1 - good, (self._counts[2] + 1) * (1 - good)]
        )

    def counts(self) -> tuple[int, int, int]:
        """Updates made, updates left out, and how many of the latest were left out in a row. Waits for the device."""
        good, skipped, in_row = self._counts.tolist()
        return good, skipped, in_row

    def means(self) -> dict[str, float]:
        """Mean of each loss over the updates made."""
        good = max(1, int(self._counts[0]))
        return {name: value / good for name, value in zip(self._names, self._sums.tolist(), strict=True)}

    def state(self) -> dict[str, Any]:
        """Plain values to go on from."""
        good, skipped, in_row = self.counts()
        sums = self._sums.tolist()
        return {"names": self._names, "sums": sums, "good": good, "skipped": skipped, "in_row": in_row}
