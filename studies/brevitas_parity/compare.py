"""Random Brevitas models through flipscope.from_brevitas, beside Brevitas itself.

    python compare.py [MODELS] [SEED]

Needs flipscope, torch and brevitas (0.10). Prints a line for each model that differs, and a summary for each kind:

    powers of two   fixed-point quantizers for weights and activations: all bits must agree
    scaled          any scales, per tensor and per channel: outputs within 2e-5 of the sample's largest, or a
                    quantizer's tie is shown to be why (at_a_tie)

Then a random bit of the stored word of a random weight is flipped in both: in Flipscope by its fault, in Brevitas by setting
the integer that Brevitas gives for the weight. Exit status 1 where one differs by more.
"""

import sys

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.quant import binary, fixed_point, scaled_int, shifted_scaled_int, ternary

import flipscope

TOLERANCE = {"powers of two": 0.0, "scaled": 2e-5}
WEIGHTS = {"powers of two": [fixed_point.Int8WeightPerTensorFixedPoint],
           "scaled": [scaled_int.Int8WeightPerTensorFloat, scaled_int.Int8WeightPerChannelFloat,
                      shifted_scaled_int.ShiftedUint8WeightPerTensorFloat, binary.SignedBinaryWeightPerTensorConst,
                      ternary.SignedTernaryWeightPerTensorConst]}
SIGNED = {"powers of two": [fixed_point.Int8ActPerTensorFixedPoint],
          "scaled": [scaled_int.Int8ActPerTensorFloat, shifted_scaled_int.ShiftedUint8ActPerTensorFloat]}
UNSIGNED = {"powers of two": [fixed_point.Uint8ActPerTensorFixedPoint], "scaled": [scaled_int.Uint8ActPerTensorFloat]}
BIASES = {"powers of two": fixed_point.Int8BiasPerTensorFixedPointInternalScaling, "scaled": None}
FIXED_WIDTH = (binary.SignedBinaryWeightPerTensorConst, ternary.SignedTernaryWeightPerTensorConst)


class Maker:
    def __init__(self, kind, seed):
        self.kind, self.rng = kind, np.random.default_rng(seed)

    def one_of(self, choices):
        return choices[self.rng.integers(len(choices))]

    def weight(self):
        quantizer = self.one_of(WEIGHTS[self.kind])
        settings = {"weight_quant": quantizer, "bias": bool(self.rng.integers(2)),
                    "bias_quant": BIASES[self.kind]}
        if quantizer in FIXED_WIDTH:
            return settings | {"weight_scaling_init": float(2.0 ** -self.rng.integers(0, 4))}
        settings["weight_bit_width"] = int(self.rng.integers(2, 9))
        if self.kind == "powers of two":
            settings["weight_scaling_per_output_channel"] = bool(self.rng.integers(2))
        return settings

    def activation(self):
        bits = int(self.rng.integers(2, 9))
        if self.rng.random() < 0.6:
            return qnn.QuantReLU(bit_width=bits, act_quant=self.one_of(UNSIGNED[self.kind]))
        return qnn.QuantIdentity(bit_width=bits, act_quant=self.one_of(SIGNED[self.kind]))

    def convolution(self, channels):
        form = self.rng.integers(4)
        if form == 0:
            return qnn.QuantConv2d(channels, channels, 3, groups=channels, padding=1, **self.weight()), channels
        if form == 1:
            out = int(self.rng.integers(2, 5))
            return qnn.QuantConvTranspose2d(channels, out, 3, padding=1, **self.weight()), out
        out = int(self.rng.integers(2, 7))
        return qnn.QuantConv2d(channels, out, int(self.one_of([1, 3])), stride=int(self.rng.integers(1, 3)), padding=1,
                               **self.weight()), out

    def pooling(self):
        return self.one_of([torch.nn.MaxPool2d(2), torch.nn.AvgPool2d(2), torch.nn.Identity()])

    def normalization(self, channels):
        """Of the kind "scaled" only: its factors are no powers of two."""
        if self.kind != "scaled" or self.rng.random() < 0.5:
            return []
        layer = torch.nn.BatchNorm2d(channels)
        layer.weight.data.uniform_(0.5, 2)
        layer.bias.data.uniform_(-1, 1)
        return [layer]

    def module(self):
        """A module, and the shape of its input."""
        layers = [qnn.QuantIdentity(bit_width=int(self.rng.integers(3, 9)), act_quant=self.one_of(SIGNED[self.kind]))]
        if self.rng.random() < 0.5:
            size = features = int(self.rng.integers(4, 20))
            shape = (size,)
        else:
            channels = int(self.rng.integers(1, 4))
            shape = (channels, 8, 8)
            for _ in range(self.rng.integers(1, 4)):
                layer, channels = self.convolution(channels)
                layers += [layer, *self.normalization(channels), self.activation()]
            layers += [self.pooling(), torch.nn.Flatten()]
            features = torch.nn.Sequential(*layers)(torch.zeros(2, *shape)).shape[1]
        for _ in range(self.rng.integers(1, 3)):
            width = int(self.rng.integers(3, 12))
            layers += [qnn.QuantLinear(features, width, **self.weight()), self.activation()]
            features = width
        return torch.nn.Sequential(*layers, qnn.QuantLinear(features, 5, **self.weight())), shape


def strike(module, rng):
    """Flips a bit of a weight's word in the module, whose weights are then as they are set. (layer among those with
    weights, element, bit); the word is of the integer that the weight stands for: two's complement, offset binary
    where it is unsigned, the sign alone where it is ±1."""
    weighted = [layer for layer in module if hasattr(layer, "quant_weight")]
    at = int(rng.integers(len(weighted)))
    layer = weighted[at]
    quantized = layer.quant_weight()
    bits, signed = int(quantized.bit_width), bool(quantized.signed)
    element, bit = int(rng.integers(layer.weight.numel())), int(rng.integers(bits))
    values = quantized.value.detach().flatten().clone()
    scale, zero = (part.detach().expand_as(quantized.value).flatten()[element] for part in (quantized.scale, quantized.zero_point))
    code = int(torch.round(values[element] / scale + zero))
    if bits == 1:
        code = -code
    else:
        word = (code & (1 << bits) - 1) ^ 1 << bit
        code = word - (1 << bits) if signed and word >> (bits - 1) else word
    values[element] = (code - zero) * scale
    layer.weight.data = values.reshape(layer.weight.shape)
    layer.weight_quant.disable_quant = True
    return at, element, bit


def difference(actual, expected):
    """0 where all numbers agree; else the largest difference, relative to the sample's largest output if above 1."""
    if np.array_equal(actual, expected):
        return 0.0
    size = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
    return float((np.abs(actual - expected) / size).max())


def outputs(module, x):
    with torch.no_grad():
        return module(x).numpy()


def at_a_tie(module, x):
    """True where the first activation whose outputs differ from Brevitas's gets inputs that differ by rounding alone."""
    layers = list(module)
    for at, layer in enumerate(layers):
        if not isinstance(layer, (qnn.QuantReLU, qnn.QuantIdentity)) or at == 0:
            continue
        before, behind = (torch.nn.Sequential(*layers[:end]) for end in (at, at + 1))
        if difference(*flat(behind, x)) > 2e-6:
            return difference(*flat(before, x)) <= 2e-6
    return False


def flat(module, x):
    """What Flipscope and Brevitas compute, as [sample, value]."""
    expected = outputs(module, x)
    return (values.reshape(len(expected), -1) for values in (flipscope.from_brevitas(module, x[:1])(x.numpy()), expected))


def verdict_of(module, x, actual, kind):
    worst = difference(actual, outputs(module, x))
    if worst <= TOLERANCE[kind]:
        return "same bits" if worst == 0 else "within tolerance"
    return "at a tie" if kind == "scaled" and at_a_tie(module, x) else "different"


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    summary = {}
    for number in range(count):
        kind = list(TOLERANCE)[number % 2]
        torch.manual_seed(seed * count + number)
        maker = Maker(kind, seed * count + number)
        module, shape = maker.module()
        x = torch.randn(32, *shape) * 2
        for _ in range(3):
            module(x)  # Learns the ranges of activations.
        x[:2], x[2:4] = 0, 100 * x[2:4]  # Zeros and saturation.
        module.eval()
        model = flipscope.from_brevitas(module, x[:1])
        golden = verdict_of(module, x, model(x.numpy()), kind)
        layer, element, bit = strike(module, maker.rng)
        weights = [tensor["name"] for tensor in model.tensors if tensor["part"] == "weights"]
        fault = flipscope.Fault(weights[layer], element, bit)
        struck = verdict_of(module, x, model(x.numpy(), fault), kind)
        for what, verdict in (("golden", golden), ("struck", struck)):
            counts = summary.setdefault(f"{kind}, {what}", {})
            counts[verdict] = counts.get(verdict, 0) + 1
            if verdict == "different":
                print(f"{number} {kind}, {what}: {fault}")
    for kind, counts in summary.items():
        print(kind + ":", ", ".join(f"{number} {what}" for what, number in counts.items()))
    sys.exit(any("different" in counts for counts in summary.values()))


if __name__ == "__main__":
    main()
