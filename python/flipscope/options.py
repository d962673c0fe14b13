"""Python values as words of the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flipscope import session

#: Options whose value may be an array; lists of numbers are arrays there too.
SAMPLES = ("inputs", "labels", "targets", "expect")


def text_of(value: Any) -> str:
    if hasattr(value, "__fspath__"):
        return os.fspath(value)
    if isinstance(value, float):
        return repr(value)
    return str(value)


def word_of(name: str, value: Any) -> str:
    """What stands after --name on the command line."""
    if isinstance(value, (str, bytes)) or hasattr(value, "__fspath__"):
        return os.fsdecode(value)
    if name in SAMPLES:
        return session.array_file(value)
    if isinstance(value, Mapping) or hasattr(value, "columns"):
        from flipscope.table import write_csv

        return write_csv({column: value[column] for column in value})
    if isinstance(value, (list, tuple)):
        return ",".join(text_of(v) for v in value)
    return text_of(value)


def words(options: Mapping[str, Any]) -> list[str]:
    """{"in_": "weights", "scale": 0.5, "quiet": True, "bits": None} → --in weights --scale 0.5 --quiet."""
    result = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        option = "--" + name.rstrip("_").replace("_", "-")
        result.append(option if value is True else f"{option}={word_of(name, value)}")
    return result
