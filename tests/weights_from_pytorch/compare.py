"""Whether networks answer with PyTorch's weights as they do in PyTorch.

    python3 compare.py make DIR       with PyTorch and its safetensors package: weights, an image, PyTorch's logits
    python3 compare.py check DIR LOGITS_PROGRAM      bazel-bin/tests/weights_from_pytorch/logits

Every network below gets random weights and statistics, saved as .pth and .safetensors. Prints the largest difference
of a logit, relative to the largest logit; fails above 1e-4.
"""

import json
import pathlib
import subprocess
import sys

TOLERANCE = 1e-4


def make(directory):
    import torch
    from safetensors.torch import save_file

    import networks

    torch.manual_seed(2)
    cases = {
        "resnet18": (networks.resnet18(first_kernel=3, classes=10), 32),
        "resnet50": (networks.resnet50(classes=1000), 224),
    }
    for name, (module, size) in cases.items():
        module = networks.randomise(module).eval()
        torch.save(module.state_dict(), directory / f"{name}.pth")
        save_file(module.state_dict(), directory / f"{name}.safetensors")
        image = torch.randn(1, 3, size, size)
        (directory / f"{name}.image").write_bytes(image.numpy().tobytes())
        with torch.no_grad():
            logits = module.double()(image.double())[0].tolist()
        (directory / f"{name}.json").write_text(json.dumps(logits))


def check(directory, program):
    worst = 0
    for expected_file in sorted(directory.glob("*.json")):
        name, expected = expected_file.stem, json.loads(expected_file.read_text())
        for kind in ("pth", "safetensors"):
            command = [program, name, str(len(expected)), directory / f"{name}.{kind}", directory / f"{name}.image"]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode != 0:
                print(f"{name} from .{kind}: {run.stderr.strip()}")
                worst = 1
                continue
            logits = [float(line) for line in run.stdout.split()]
            off = max(abs(a - b) for a, b in zip(logits, expected)) / max(map(abs, expected))
            print(f"{name} from .{kind}: {len(logits)} logits, off by {off:.2e}; {run.stderr.splitlines()[0]}")
            worst = max(worst, off)
    return worst <= TOLERANCE


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]))
    else:
        sys.exit(0 if check(pathlib.Path(sys.argv[2]), sys.argv[3]) else 1)
