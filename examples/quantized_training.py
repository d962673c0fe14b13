"""The two example networks and their training with straight-through fake quantization (PyTorch, CPU)."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Format:
    """A fixed-point format: `bits` in all, signed or not, code times 2^exponent."""

    def __init__(self, bits, exponent, signed):
        self.bits, self.exponent, self.signed = bits, exponent, signed
        self.scale = 2.0 ** exponent
        self.low = -(2 ** (bits - 1)) if signed else 0
        self.high = self.low + 2 ** bits - 1

    def __call__(self, x):
        """Rounds half to even and clips; the gradient is one inside the range and zero outside."""
        clipped = torch.clamp(x, self.low * self.scale, self.high * self.scale)
        rounded = torch.clamp(torch.round(x / self.scale), self.low, self.high) * self.scale
        return clipped + (rounded - clipped).detach()


WEIGHT = Format(6, -5, True)


class Classifier(nn.Module):
    """12 x 12 image -> five logits. 1,476 weights of 6 bits, exact sums but for the float batch normalization."""

    image_format = Format(8, -8, False)
    bias_format = Format(8, -5, True)
    hidden1_format = Format(8, -6, False)
    hidden2_format = Format(8, -5, False)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.dense = nn.Linear(108, 5)

    def normalized(self, x):
        """What the first activation quantizer reads."""
        return F.relu(self.bn1(F.conv2d(self.image_format(x), WEIGHT(self.conv1.weight), stride=2, padding=1)))

    def forward(self, x):
        h = self.hidden1_format(self.normalized(x))
        h = F.conv2d(h, WEIGHT(self.conv2.weight), self.bias_format(self.conv2.bias), stride=2, padding=1)
        h = self.hidden2_format(F.relu(h))
        return F.linear(h.flatten(1), WEIGHT(self.dense.weight), self.bias_format(self.dense.bias))


class Encoder(nn.Module):
    """6 x 6 cells -> latent of eight, quantized."""

    cell_format = Format(10, -9, False)
    bias_format = Format(6, -5, True)
    hidden_format = Format(8, -7, False)
    latent_format = Format(8, -6, False)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.dense = nn.Linear(54, 8)
        with torch.no_grad():  # start where every ReLU is alive: the cells are mostly small
            self.conv.weight.mul_(2.0)
            self.conv.bias.fill_(0.25)
            self.dense.bias.fill_(0.75)

    def forward(self, x):
        h = F.conv2d(self.cell_format(x), WEIGHT(self.conv.weight), self.bias_format(self.conv.bias), stride=2, padding=1)
        h = self.hidden_format(F.relu(h)).flatten(1)
        return self.latent_format(F.relu(F.linear(h, WEIGHT(self.dense.weight), self.bias_format(self.dense.bias))))


class Decoder(nn.Module):
    """Latent of eight -> 6 x 6 cells, float32."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(8, 108)
        self.deconv = nn.ConvTranspose2d(12, 1, 4, stride=2, padding=1)
        nn.init.constant_(self.deconv.bias, -3.0)  # sigmoid(-3) is about the mean cell

    def forward(self, z):
        h = F.relu(self.dense(z)).reshape(-1, 12, 3, 3)
        return torch.sigmoid(self.deconv(h))


class Autoencoder(nn.Module):
    """A quantized encoder, as it would sit on a detector, and its float decoder."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, x):
        return self.decoder(self.encoder(x))


def _train(model, loss, arrays, epochs, rate, batch=100):
    """Adam with a cosine schedule; batches in an order that the seed of torch fixes."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    count = len(arrays[0])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (count // batch))
    model.train()
    for _ in range(epochs):
        order = torch.randperm(count)
        for start in range(0, count - batch + 1, batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            loss(*(a[chosen] for a in arrays)).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def train_classifier(images, labels, epochs):
    """images uint8 [N, 1, 12, 12], labels uint8 [N]."""
    model = Classifier()
    x = torch.from_numpy(images.astype(np.float32) / 256)
    y = torch.from_numpy(labels.astype(np.int64))
    return _train(model, lambda a, b: F.cross_entropy(model(a), b), (x, y), epochs, 4e-3)


def telescope_loss(predicted, true):
    """Squared errors weighted by the larger charge, of cells, of all 2 x 2 groups and of the four quadrants."""
    total = 0.0
    for size, stride, weight in ((1, 1, 4.0), (2, 1, 2.0), (3, 3, 1.0)):
        p = F.avg_pool2d(predicted, size, stride) * size * size
        t = F.avg_pool2d(true, size, stride) * size * size
        total = total + weight * ((p - t) ** 2 * torch.maximum(p, t)).mean()
    return total


def train_autoencoder(cells, epochs):
    """cells float32 [N, 1, 6, 6]."""
    model = Autoencoder()
    x = torch.from_numpy(cells)
    return _train(model, lambda a: telescope_loss(model(a), a), (x,), epochs, 4e-3)


@torch.no_grad()
def evaluate(function, array):
    """Runs a model or a method of one on a numpy array; float32 numpy out."""
    return function(torch.from_numpy(array.astype(np.float32))).numpy()
