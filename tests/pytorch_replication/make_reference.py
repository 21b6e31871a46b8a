"""Trains convnet and resnet20 with PyTorch and writes the loss of each of 100 steps, for replication_test.cc.

Needs PyTorch 2.x and NumPy. From the root of the repository:

    python3 tests/pytorch_replication/make_reference.py

writes tests/pytorch_replication/convnet.txt and resnet20.txt, one loss a line, and says by how much each run differs from
the same run in double precision.

Both sides start from the same weights and see the same batches:
  * element i of the parameter called `name` is SplitMix64's number i + 1 from the seed FNV-1a(name), its upper 24 bits
    scaled to [-1, 1), times sqrt(6 / fan_in) where the parameter has two dimensions or more; other weights are 1 and
    biases 0;
  * batch s holds records 16 s to 16 s + 15, modulo their number, of data/testdata/sample_train.bin; pixel value b of a
    channel becomes (b / 255 - mean) / deviation, in double, then rounded to f32;
  * the loss is the mean cross-entropy; stochastic gradient descent with momentum 0.9, at the rates below, without weight
    decay.

The rates are low so that rounding alone does not part two runs: where a ReLU's input is nearly zero, or two pixels of a
pooling window nearly equal, the last bit decides, and momentum carries the difference on. At a rate of 0.001, PyTorch's
f32 run of resnet20 is off its own f64 run by 7e-6 after five steps, and the difference grows from step to step.
"""

import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional

STEPS = 100
BATCH = 16
MEAN = np.array([0.4914, 0.4822, 0.4465]).reshape(1, 3, 1, 1)
DEVIATION = np.array([0.2470, 0.2435, 0.2616]).reshape(1, 3, 1, 1)


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def split_mix(seed, count):
    """Numbers 1 to count from the seed, in [-1, 1)."""
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def initial_value(name, shape):
    if len(shape) >= 2:
        bound = np.sqrt(6 / np.prod(shape[1:]))
        return (split_mix(fnv1a(name), int(np.prod(shape))) * bound).astype(np.float32).reshape(shape)
    return np.full(shape, 1 if name.endswith("weight") else 0, np.float32)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, padding=3)
        self.fc1 = nn.Linear(32 * 16 * 16, 100)
        self.fc2 = nn.Linear(100, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        return self.fc2(functional.relu(self.fc1(x.flatten(1))))


class Residual(nn.Module):
    def __init__(self, before, channels):
        super().__init__()
        stride = 1 if before == channels else 2
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = nn.Sequential()
        if stride == 2:
            self.downsample = nn.Sequential(nn.Conv2d(before, channels, 1, 2, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.downsample(x))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Residual(16, 16), Residual(16, 16), Residual(16, 16))
        self.layer2 = nn.Sequential(Residual(16, 32), Residual(32, 32), Residual(32, 32))
        self.layer3 = nn.Sequential(Residual(32, 64), Residual(64, 64), Residual(64, 64))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def losses(network, learning_rate, records, dtype):
    network = network().to(dtype)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(initial_value(name, tuple(parameter.shape))))
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate, momentum=0.9)
    result = []
    for step in range(STEPS):
        batch = records[np.arange(step * BATCH, (step + 1) * BATCH) % len(records)]
        pixels = batch[:, 1:].reshape(-1, 3, 32, 32).astype(np.float64)
        images = torch.from_numpy(((pixels / 255 - MEAN) / DEVIATION).astype(np.float32)).to(dtype)
        loss = functional.cross_entropy(network(images), torch.from_numpy(batch[:, 0].astype(np.int64)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        result.append(loss.item())
    return np.array(result)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    records = np.fromfile(root / "data/testdata/sample_train.bin", np.uint8).reshape(-1, 3073)
    for name, network, learning_rate in [("convnet", ConvNet, 0.0001), ("resnet20", ResNet20, 0.00001)]:
        found = losses(network, learning_rate, records, torch.float32)
        exact = losses(network, learning_rate, records, torch.float64)
        (root / f"tests/pytorch_replication/{name}.txt").write_text("".join(f"{loss:.9g}\n" for loss in found))
        worst = np.max(np.abs(found / exact - 1))
        print(f"{name}: loss {found[0]:.4f} to {found[-1]:.4f}; f32 differs from f64 by at most {worst:.2g}, relative")


if __name__ == "__main__":
    main()
