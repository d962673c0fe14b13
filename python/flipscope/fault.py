"""Faults that a model can be given: flipped bits of stored tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Union


class Fault(NamedTuple):
    """One flipped bit."""

    tensor: str  #: as the model file calls it
    index: int  #: of the element, C order
    bit: int  #: from 0 = least significant


Faults = Union[Fault, tuple, Iterable]


def faults_of(faults: Faults) -> list[Fault]:
    """One fault, or several that strike together."""
    if isinstance(faults, tuple) and len(faults) == 3 and isinstance(faults[0], str):
        faults = [faults]
    return [Fault(str(tensor), int(index), int(bit)) for tensor, index, bit in faults]
