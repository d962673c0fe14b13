"""The formats that HGQ2 trained for the weights of a model: a fixed<k + i + f, k + i> of its own for each element."""

from __future__ import annotations

from typing import Any, NamedTuple

from flipscope._core import Error

#: A parameter as hls4ml calls it: HGQ2's quantizer of it, and where its quantized numbers are.
PARAMETERS = {"weight": ("kq", lambda layer: layer.qkernel), "bias": ("bq", lambda layer: layer.qbias)}
NORMALIZATION = {"scale": ("kq", lambda layer: layer.qscaler_and_qoffset[0]),
                 "bias": ("bq", lambda layer: layer.qscaler_and_qoffset[1])}


class ElementFormats(NamedTuple):
    """Arrays in the order in which hls4ml keeps the parameter."""

    widths: Any  #: stored bits; 0: the element is 0, and stored nowhere
    signs: Any
    fractions: Any


def is_hgq(layer: Any) -> bool:
    return type(layer).__module__.split(".")[0] == "hgq"


def layers_of(model: Any) -> dict[str, Any]:
    """HGQ2's layers by name, those of nested models too."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found.update(layers_of(layer))
        elif is_hgq(layer):
            found[layer.name] = layer
    return found


def formats_of(layer: Any, which: str, numbers: Any, outputs_first: bool) -> ElementFormats | None:
    """Of the parameter `which` of an HGQ2 layer, whose numbers are these in hls4ml. None where HGQ2 does not quantize it
    to fixed point."""
    import numpy
    from keras import ops

    parameters = NORMALIZATION if hasattr(layer, "qscaler_and_qoffset") else PARAMETERS
    name, quantized = parameters.get(which, (None, None))
    quantizer = getattr(layer, name, None) if name else None
    if quantizer is None or not hasattr(quantizer.quantizer, "kif"):
        return None
    if quantizer.scaler is not None or quantizer.affine is not None:
        raise Error(f"[hgq] layer '{layer.name}': its {which} is quantized with a scaler or affine, which does not map")
    values = ops.convert_to_numpy(quantized(layer))
    k, i, f = (numpy.broadcast_to(ops.convert_to_numpy(part), values.shape).astype(int)
               for part in quantizer.quantizer.kif)
    # An element without bits is stored nowhere; but one of a sign alone may be −2^i.
    widths = numpy.where(i + f > 0, k + i + f, numpy.where(values != 0, k, 0))
    if quantizer.quantizer.overflow_mode == "WRAP":  # Its range is traced from the number: of 0 there is none.
        widths = numpy.where(values == 0, 0, widths)
    fractions = numpy.where(widths > 0, f, 0)
    codes = values * 2.0 ** fractions
    inside = (codes == numpy.floor(codes)) & (codes >= -k * 2.0 ** (widths - k)) & (codes < 2.0 ** (widths - k))
    if not numpy.all(inside | (values == 0)):
        raise Error(f"[hgq] layer '{layer.name}': numbers of its {which} lie outside their formats; call "
                    "hgq.utils.trace_minmax with the model and samples first")

    def ordered(array: Any) -> Any:
        return (numpy.moveaxis(array, -1, 0) if outputs_first else array).reshape(numpy.shape(numbers))

    if values.size != numpy.size(numbers) or not numpy.array_equal(ordered(values), numbers):
        raise Error(f"[hgq] layer '{layer.name}': hls4ml has another {which} than the Keras model; convert it again")
    return ElementFormats(ordered(widths), ordered(k), ordered(fractions))
