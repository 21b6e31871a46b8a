"""Writes the weight files of training/weights/testdata with PyTorch: what real files of torch.save() look like.

    python3 tests/weights_from_pytorch/make_testdata.py OUTPUT_DIR

Needs PyTorch 2.x and its safetensors package.
"""

import io
import os
import pathlib
import sys
import zipfile
from collections import OrderedDict

import torch
from safetensors.torch import save_file
from torch import nn

from networks import randomise, resnet18, resnet50


class Small(nn.Module):
    """The network kSmallNetwork of initial_weights_test.cc."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(x.mean((2, 3)))


def image():
    """[1, 3, 8, 8]: element i is ((37 i) mod 101) / 50 - 1."""
    return ((37 * torch.arange(3 * 8 * 8)) % 101 / 50.0 - 1).reshape(1, 3, 8, 8)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch was_executed",))


def main():
    out = pathlib.Path(sys.argv[1])
    torch.manual_seed(1)
    small = randomise(Small()).eval()
    state = small.state_dict()
    torch.save(state, out / "small.pth")
    torch.save(state, out / "small_protocol4.pt", pickle_protocol=4)
    save_file(state, out / "small.safetensors")
    optimizer = torch.optim.SGD(small.parameters(), lr=0.1, momentum=0.9)
    small(image()).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "best": 0.5, "optimizer": optimizer.state_dict(), "model": state}, out / "run.pth")
    small.load_state_dict(torch.load(out / "small.pth"))
    with torch.no_grad():
        print("logits of the small network:", small.double()(image().double()).tolist())

    base = torch.arange(12, dtype=torch.float32)
    torch.save(
        OrderedDict(
            f64=torch.tensor([1.5, -2.25], dtype=torch.float64),
            f16=torch.tensor([1.5, -2.25, 6e-8, 65504, float("inf")], dtype=torch.float16),
            bf16=torch.tensor([1.5, -2.25], dtype=torch.bfloat16),
            int64=torch.tensor(7),
            transposed=base.reshape(3, 4).t(),
            view=base[4:8],
            empty=torch.zeros(0, 3),
            parameter=nn.Parameter(torch.tensor([3.0])),
        ),
        out / "types.pth",
    )
    torch.save({"weight": Evil()}, out / "runs_a_command.pth")
    torch.save(small, out / "whole_module.pth")
    torch.save(state, out / "old_format.pth", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(out / "small.pth") as source, zipfile.ZipFile(out / "compressed.pth", "w", zipfile.ZIP_DEFLATED) as z:
        for entry in source.infolist():
            z.writestr(entry.filename, source.read(entry.filename))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bomb/data.pkl", b"\0" * 10_000_000)
    (out / "bomb.pth").write_bytes(bomb.getvalue())

    # Names and shapes as torchvision and timm call them.
    for network, module in (("resnet18", resnet18(first_kernel=7, classes=1000)), ("resnet50", resnet50(classes=1000))):
        with open(out / f"{network}_names.txt", "w") as names:
            for name, tensor in module.state_dict().items():
                print(name, *tensor.shape, file=names)


if __name__ == "__main__":
    main()
