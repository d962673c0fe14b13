#!/usr/bin/env python3
"""What the usual way costs: one whole inference per flip, in PyTorch.

Times FKeras's CIFAR-10 CNN and ECON-T Medium as float32 networks with fake quantization (what the
reference tools run), and ResNet-20, on random weights and inputs of the right shapes: the time of a
dense network does not depend on its numbers. Needs PyTorch (Debian: python3-torch).
"""

import argparse
import os
import time

import torch
from torch import nn


class Quantize(nn.Module):
    """Fixed point, rounded half to even and saturated."""

    def __init__(self, bits, integer_bits, signed):
        super().__init__()
        self.step = 2.0 ** (integer_bits - bits)
        self.low = -(2 ** (bits - 1)) if signed else 0
        self.high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1

    def forward(self, x):
        return torch.clamp(torch.round(x / self.step), self.low, self.high) * self.step


def quantized(layer, bits, integer_bits):
    """The layer with its weights through a quantizer at every inference."""
    weight_quantizer = Quantize(bits, integer_bits, True)
    plain = layer.forward

    def forward(x):
        kept = layer.weight.data
        layer.weight.data = weight_quantizer(kept)
        y = plain(x)
        layer.weight.data = kept
        return y

    layer.forward = forward
    return layer


def cifar_cnn():
    def block(inputs, outputs, kernel, stride=1):
        before, after = ((kernel - 1) // 2, kernel // 2) if stride == 1 else (0, 0)
        return [nn.ZeroPad2d((before, after, before, after)),
                quantized(nn.Conv2d(inputs, outputs, kernel, stride), 8, 3),
                nn.BatchNorm2d(outputs), Quantize(8, 2, False)]

    return nn.Sequential(*block(3, 32, 1), *block(32, 4, 4), *block(4, 32, 4), *block(32, 32, 4, 4),
                         *block(32, 32, 4), nn.Flatten(), quantized(nn.Linear(2048, 10), 8, 3))


def econt_medium():
    encoder = [quantized(nn.Conv2d(1, 8, 3, 2, 1), 6, 2), Quantize(8, 2, False), nn.Flatten(),
               quantized(nn.Linear(128, 16), 6, 2), Quantize(9, 2, False)]
    decoder = [nn.Linear(16, 128), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)),
               nn.ConvTranspose2d(8, 8, 3, 2, 1, 1), nn.ReLU(),
               nn.ConvTranspose2d(8, 1, 3, 1, 1), nn.Sigmoid()]
    return nn.Sequential(*encoder, *decoder)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride, self.extra = stride, outputs - inputs
        self.body = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                                  nn.BatchNorm2d(outputs), nn.ReLU(),
                                  nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                                  nn.BatchNorm2d(outputs))

    def forward(self, x):
        short = x[:, :, :: self.stride, :: self.stride]
        short = nn.functional.pad(short, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))
        return torch.relu(self.body(x) + short)


def resnet20():
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for outputs in (16, 32, 64):
        for k in range(3):
            layers.append(Residual(inputs, outputs, 2 if outputs > 16 and k == 0 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


NETWORKS = {
    "cifar_cnn": (cifar_cnn, (3, 32, 32), 1017),
    "econt_medium": (econt_medium, (1, 8, 8), 20000),
    "resnet20": (resnet20, (3, 32, 32), 1017),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    parser.add_argument("--flips", type=int, default=5, help="inferences that are timed")
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads or os.cpu_count())
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, (make, shape, samples) in NETWORKS.items():
        torch.manual_seed(0)
        network = make().eval()
        batches = torch.rand(samples, *shape).split(options.batch)
        with torch.no_grad():
            for batch in batches:
                network(batch)
            start = time.perf_counter()
            for _ in range(options.flips):
                for batch in batches:
                    network(batch)
            seconds = (time.perf_counter() - start) / options.flips
        print(f"{name}: {seconds:.3g} s a flip on {samples} samples, "
              f"{1e6 * seconds / samples:.4g} us a (flip, sample) pair")


if __name__ == "__main__":
    main()
