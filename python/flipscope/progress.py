"""Progress of a campaign, in terminals and notebooks."""

from __future__ import annotations

import sys
from typing import Callable, Union

#: Called as progress(done, total, seconds), at most ten times a second, in the caller's thread.
Progress = Callable[[int, int, float], None]

WIDTH = 24


class Bar:
    """A line on standard error, drawn again and again."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, done: int, total: int, seconds: float) -> None:
        cells = WIDTH * done // max(total, 1)
        rate = done / seconds if seconds > 0 else 0.0
        line = f"{'█' * cells}{' ' * (WIDTH - cells)}▏{done:,} of {total:,} faults, {seconds:.0f} s, {rate:.3g}/s"
        print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
        self._shown = True

    def clear(self) -> None:
        if self._shown:
            print("\r" + " " * 78 + "\r", end="", file=sys.stderr, flush=True)


def _watched() -> bool:
    """True where someone sees standard error: a terminal, or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def bar_for(progress: Union[bool, Progress]) -> tuple:
    """(what to call, how to end) for an argument `progress`."""
    if callable(progress):
        return progress, lambda: None
    if progress and _watched():
        bar = Bar()
        return bar, bar.clear
    return None, lambda: None
