"""The other side of compare.py: how fast PyTorch trains a network of the zoo, or PyTorch or ONNX Runtime answers with it.

compare.py gives this file to the peer's Python on its standard input. Prints one JSON object with the fields of
`tools:benchmark --json`. The images are made up.

Variants:
  nchw, nhwc                      PyTorch as it is, in either memory layout
  frozen-nchw, frozen-nhwc        inference: torch.jit.freeze and optimize_for_inference (batch norm folded)
  compiled-nchw, compiled-nhwc    inference: torch.compile with frozen weights; needs a C++ compiler
  onnxruntime                     inference: the network exported to ONNX
bf16 is autocast in training; in inference weights and images are bf16.

The C library's allocator is told to keep what is freed: by default every intermediate of PyTorch's is fresh memory of the
system's, which on some virtual machines makes it up to three times slower.
"""

import argparse
import ctypes
import json
import os
import resource
import statistics
import sys
import tempfile
import time
import types

START = time.monotonic()


def keep_freed_memory():
    """Where the C library is glibc; elsewhere it is as it is."""
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**26)
    mallopt(mmap_max, 0)


# ---- The networks of the zoo ------------------------------------------------------------------------------------------


def network_of(name):
    import torch
    import torch.nn as nn

    def convolution(inputs, outputs, stride=1, kernel=3):
        return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]

    class Residual(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.branch = nn.Sequential(*convolution(inputs, outputs, stride), nn.ReLU(), *convolution(outputs, outputs))
            same = stride == 1 and inputs == outputs
            self.shortcut = nn.Identity() if same else nn.Sequential(*convolution(inputs, outputs, stride, 1))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.branch(x) + self.shortcut(x))

    def resnet(width, blocks):
        layers, inputs = [*convolution(3, width), nn.ReLU()], width
        for stage, count in enumerate(blocks):
            for block in range(count):
                outputs = width << stage
                layers.append(Residual(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
                inputs = outputs
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))

    def vgg():
        layers, inputs = [], 3
        for outputs, count in ((64, 2), (128, 2), (256, 3)):
            for _ in range(count):
                layers += [*convolution(inputs, outputs), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 16, 512), nn.ReLU(), nn.Linear(512, 10))

    def convnet():
        return nn.Sequential(
            nn.Conv2d(3, 32, 7, padding=3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 256, 100), nn.ReLU(), nn.Linear(100, 10))

    def cifar94():
        def block(inputs, outputs):
            first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            return [first, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.GELU(), *convolution(outputs, outputs), nn.GELU()]

        return nn.Sequential(
            nn.Conv2d(3, 24, 2), nn.GELU(), *block(24, 64), *block(64, 256), *block(256, 256),
            nn.MaxPool2d(3), nn.Flatten(), nn.Linear(256, 10, bias=False))

    class Sum(nn.Module):
        """x plus what `branch` makes of it, or nothing of it for an image that is dropped."""

        def __init__(self, branch, drop=0.0):
            super().__init__()
            self.branch, self.drop = branch, drop

        def forward(self, x):
            y = self.branch(x)
            if self.training and self.drop > 0:
                keep = 1 - self.drop
                y = y * y.new_empty((y.shape[0], 1, 1, 1)).bernoulli_(keep).div_(keep)
            return x + y

    class Gate(nn.Module):
        def __init__(self, channels, gates, inner, outer):
            super().__init__()
            self.gate = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, gates, 1), inner(), nn.Conv2d(gates, channels, 1), outer())

        def forward(self, x):
            return x * self.gate(x)

    def depthwise(channels, kernel, stride=1, act=nn.ReLU):
        return [nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False),
                nn.BatchNorm2d(channels), act()]

    def mobilenet_v3_small():
        def unit(inputs, expanded, gates, outputs, kernel, stride=1, act=nn.Hardswish):
            layers = [] if expanded == inputs else [*convolution(inputs, expanded, 1, 1), act()]
            layers += depthwise(expanded, kernel, stride, act)
            layers += [Gate(expanded, gates, nn.ReLU, nn.Hardsigmoid)] if gates else []
            layers = nn.Sequential(*layers, *convolution(expanded, outputs, 1, 1))
            return Sum(layers) if stride == 1 and inputs == outputs else layers

        return nn.Sequential(
            *convolution(3, 16), nn.Hardswish(), unit(16, 16, 8, 16, 3, act=nn.ReLU),
            unit(16, 72, 0, 24, 3, 2, nn.ReLU), unit(24, 88, 0, 24, 3, 1, nn.ReLU), unit(24, 96, 24, 40, 5, 2),
            unit(40, 240, 64, 40, 5), unit(40, 240, 64, 40, 5), unit(40, 120, 32, 48, 5), unit(48, 144, 40, 48, 5),
            unit(48, 288, 72, 96, 5, 2), unit(96, 576, 144, 96, 5), unit(96, 576, 144, 96, 5),
            *convolution(96, 576, 1, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(576, 1024),
            nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1024, 10))

    def efficientnet():
        layers = [*convolution(3, 32), nn.SiLU(), *depthwise(32, 3, 1, nn.SiLU), Gate(32, 8, nn.SiLU, nn.Sigmoid),
                  *convolution(32, 16, 1, 1)]
        inputs, before = 16, 1
        for outputs, kernel, stride, count in (
                (24, 3, 1, 2), (40, 5, 2, 2), (80, 3, 2, 3), (112, 5, 1, 3), (192, 5, 2, 4), (320, 3, 1, 1)):
            for block in range(count):
                unit = nn.Sequential(
                    *convolution(inputs, 6 * inputs, 1, 1), nn.SiLU(),
                    *depthwise(6 * inputs, kernel, stride if block == 0 else 1, nn.SiLU),
                    Gate(6 * inputs, inputs // 4, nn.SiLU, nn.Sigmoid), *convolution(6 * inputs, outputs, 1, 1))
                layers.append(unit if block == 0 else Sum(unit, 0.2 * before / 16))
                inputs, before = outputs, before + 1
        return nn.Sequential(
            *layers, *convolution(320, 1280, 1, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2),
            nn.Linear(1280, 10))

    def convnext():
        class Norm(nn.LayerNorm):
            def forward(self, x):
                return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

        class Scale(nn.Module):
            def __init__(self, channels):
                super().__init__()
                self.scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))

            def forward(self, x):
                return x * self.scale

        def unit(dim, drop):
            return Sum(nn.Sequential(
                nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Norm(dim, 1e-6), nn.Conv2d(dim, 4 * dim, 1), nn.GELU(),
                nn.Conv2d(4 * dim, dim, 1), Scale(dim)), drop)

        layers, before, inputs = [nn.Conv2d(3, 40, 2, 2), Norm(40, 1e-6)], 0, 40
        for dim, count in ((40, 2), (80, 2), (160, 6), (320, 2)):
            if dim != inputs:
                layers += [Norm(inputs, 1e-6), nn.Conv2d(inputs, dim, 2, 2)]
            for _ in range(count):
                layers.append(unit(dim, 0.1 * before / 11))
                before += 1
            inputs = dim
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(320, 1e-6), nn.Linear(320, 10))

    def densenet():
        class Unit(nn.Module):
            def __init__(self, inputs):
                super().__init__()
                self.branch = nn.Sequential(
                    nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 12, 3, padding=1, bias=False))

            def forward(self, x):
                return torch.cat([x, self.branch(x)], 1)

        layers, channels = [nn.Conv2d(3, 16, 3, padding=1, bias=False)], 16
        for block in range(3):
            for _ in range(12):
                layers.append(Unit(channels))
                channels += 12
            if block < 2:
                layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False), nn.AvgPool2d(2)]
        return nn.Sequential(
            *layers, nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))

    def wide_resnet():
        class Unit(nn.Module):
            def __init__(self, inputs, outputs, stride):
                super().__init__()
                self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
                self.branch = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
                    nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False))
                self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

            def forward(self, x):
                y = self.first(x)
                return self.branch(y) + (x if self.shortcut is None else self.shortcut(y))

        layers, inputs = [nn.Conv2d(3, 16, 3, padding=1, bias=False)], 16
        for outputs, stride in ((64, 1), (128, 2), (256, 2)):
            layers += [Unit(inputs, outputs, stride), Unit(outputs, outputs, 1)]
            inputs = outputs
        return nn.Sequential(
            *layers, nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))

    def resnet50():
        def unit(inputs, width, stride):
            branch = nn.Sequential(
                *convolution(inputs, width, 1, 1), nn.ReLU(), *convolution(width, width, stride), nn.ReLU(),
                *convolution(width, 4 * width, 1, 1))
            residual = Residual(inputs, 4 * width, stride)
            residual.branch = branch
            return residual

        layers, inputs = [*convolution(3, 64, 2, 7), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
        for stage, count in enumerate((3, 4, 6, 3)):
            for block in range(count):
                layers.append(unit(inputs, 64 << stage, 2 if stage > 0 and block == 0 else 1))
                inputs = 256 << stage
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))

    makers = {
        "cifar94": cifar94,
        "convnet": convnet,
        "convnext": convnext,
        "densenet": densenet,
        "efficientnet": efficientnet,
        "mobilenet_v3_small": mobilenet_v3_small,
        "resnet18": lambda: resnet(64, (2, 2, 2, 2)),
        "resnet20": lambda: resnet(16, (3, 3, 3)),
        "resnet50": resnet50,
        "vgg": vgg,
        "wide_resnet": wide_resnet,
    }
    if name not in makers:
        sys.exit(f"--network={name}: expected one of {', '.join(makers)}")
    return makers[name]()


def images_of(options, torch, batch_size=None):
    size = 224 if options.network == "resnet50" else 32
    return torch.randn(batch_size or options.batch_size, 3, size, size)


# ---- What is timed: functions that make a function that does one step -------------------------------------------------


def torch_training(options):
    import torch
    from torch.nn import functional

    torch.set_num_threads(options.threads)
    layout = torch.channels_last if options.variant == "nhwc" else torch.contiguous_format
    network = network_of(options.network).to(memory_format=layout)
    images = images_of(options, torch).contiguous(memory_format=layout)
    labels = torch.randint(0, 10, (options.batch_size,))
    if options.network == "convnext":
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = functional.cross_entropy(network(images).float(), labels)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def torch_inference(options):
    if options.variant.startswith("compiled"):
        os.environ["TORCHINDUCTOR_FREEZING"] = "1"
    import torch

    torch.set_num_threads(options.threads)
    layout = torch.channels_last if options.variant.endswith("nhwc") else torch.contiguous_format
    kind = torch.bfloat16 if options.precision == "bf16" else torch.float32
    network = network_of(options.network).eval().to(memory_format=layout, dtype=kind)
    images = images_of(options, torch).contiguous(memory_format=layout)
    with torch.no_grad():
        if options.variant.startswith("frozen"):
            traced = torch.jit.trace(network, images.to(kind))
            network = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
            try:
                network(images.to(kind))
            except RuntimeError:  # 2.14 has no max pooling for what optimize_for_inference makes of f32
                network = torch.jit.freeze(traced)
        elif options.variant.startswith("compiled"):
            network = torch.compile(network)

    def step():
        with torch.no_grad():
            network(images.to(kind)).float()

    return step


def export_to_onnx(options, path):
    """Writes the network as ONNX, its batch size free."""
    import torch

    try:
        import onnx
    except ImportError:
        # The exporter calls this only to add functions, of which these networks have none.
        nothing = types.SimpleNamespace(graph=types.SimpleNamespace(node=[]))
        sys.modules["onnx"] = types.ModuleType("onnx")
        sys.modules["onnx"].load_model_from_string = lambda _: nothing
    torch.onnx.export(
        network_of(options.network).eval(), (images_of(options, torch, 1),), path, dynamo=False, opset_version=20,
        input_names=["images"], dynamic_axes={"images": {0: "batch"}})


def onnxruntime_inference(options):
    if options.precision != "f32":
        sys.exit("ONNX Runtime has no bf16 convolutions for CPUs")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "network.onnx")
        # Runs in a separate process, so that PyTorch's memory and threads do not count for ONNX Runtime.
        exporter = os.fork()
        if exporter == 0:
            export_to_onnx(options, path)
            os._exit(0)
        if os.waitpid(exporter, 0)[1] != 0:
            sys.exit("the export to ONNX failed")
        import numpy
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[2]
    images = numpy.random.randn(options.batch_size, 3, size, size).astype(numpy.float32)
    return lambda: session.run(None, {"images": images})


# ---- Timing -----------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", required=True)
    parser.add_argument("--batch_size", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--variant", default="nhwc")
    parser.add_argument("--seconds", type=float, default=3, help="for how long to measure, at least")
    parser.add_argument("--steps", type=int, default=5, help="how many steps to measure, at least")
    options = parser.parse_args()
    keep_freed_memory()

    if not options.inference:
        step = torch_training(options)
    elif options.variant == "onnxruntime":
        step = onnxruntime_inference(options)
    else:
        step = torch_inference(options)
    step()
    first_step_seconds = time.monotonic() - START
    for _ in range(2):
        step()
    times = []
    while len(times) < options.steps or sum(times) < options.seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    seconds = statistics.median(times)
    print(json.dumps({
        "images_per_second": options.batch_size / seconds,
        "milliseconds_per_step": seconds * 1e3,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first_step_seconds": first_step_seconds,
        "batch_size": options.batch_size,
        "precision": options.precision,
        "threads": options.threads,
        "variant": options.variant,
    }))


main()
