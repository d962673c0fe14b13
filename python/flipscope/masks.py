"""Protection masks for hardware: which bits of each weight are protected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flipscope._core import Error

if TYPE_CHECKING:
    import numpy

    from flipscope.model import Model


def masks(model: Model, bits: Any, strategy: str | None = None) -> dict[str, numpy.ndarray]:
    """Tensor → uint32 for each of its words, with a one for each bit that is named.

    `bits` is a table with the columns tensor, index, bit (a ranking's first rows, a store's rows), or faults.
    Words have the tensor's shape in the model file. With `strategy` "latency" or "resource" they come in the order of
    the file `firmware/weights/wN.txt` that hls4ml writes for a Keras layer of that strategy: as they are, or with
    the outputs first."""
    import numpy

    if strategy not in (None, "latency", "resource"):
        raise Error(f'[masks] strategy is "latency" or "resource", not "{strategy}"')
    if strategy and model.layout != "nhwc":
        raise Error(f"[masks] hls4ml's order is known for Keras models; {model.path} is none")
    if isinstance(bits, Mapping) or hasattr(bits, "columns"):
        bits = zip(bits["tensor"], bits["index"], bits["bit"])
    tensors = {tensor["name"]: tensor for tensor in model.tensors}
    words: dict[str, numpy.ndarray] = {}
    for tensor, index, bit in bits:
        if tensor not in tensors:
            raise Error(f"[masks] {model.path} stores no tensor '{tensor}'")
        stored = tensors[tensor]
        mask = words.setdefault(tensor, numpy.zeros(stored["shape"], numpy.uint32)).reshape(-1)
        inside = 0 <= index < mask.size
        widths = stored.get("widths")
        width = stored["bits"] if widths is None or not inside else widths.reshape(-1)[index]
        if not (inside and 0 <= bit < width):
            raise Error(f"[masks] '{tensor}' has no bit {bit} of element {index}")
        mask[index] |= numpy.uint32(1 << int(bit))
    if strategy == "resource":
        words = {name: numpy.moveaxis(mask, -1, 0) if mask.ndim > 1 else mask for name, mask in words.items()}
    return {name: numpy.ascontiguousarray(mask) for name, mask in words.items()}
