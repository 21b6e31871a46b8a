#!/usr/bin/env python3
"""Compares Cotangent's speed and memory with PyTorch's and ONNX Runtime's on this machine, in turn, and prints tables.

    ./bazelw run //tests/compare_with_pytorch -- --peer="python3"

The peer is the command of a Python that has PyTorch and, for inference, NumPy and ONNX Runtime: `python3` where
`pip install torch numpy onnxruntime` or Debian's python3-torch and python3-onnxruntime put them there, or one in a container
(`docker run --rm -i IMAGE python3`, `chroot ROOT python3`). It is given peer.py on its standard input, so it need not see
these files. COTANGENT_PEER may name it as well.

Each round runs every program of a comparison once, one after the other; figures are medians over the rounds, a ratio is that
of the medians. Of the peer's variants (memory layouts, ways to compile) the best is taken: those that fall short of the
first round's best by a quarter are left out of the rounds that follow.
"""

import argparse
import json
import math
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NETWORKS = ("cifar94", "vgg", "resnet18", "resnet20", "convnet")
# Networks for which no ratio is promised yet.
MORE_NETWORKS = ("mobilenet_v3_small", "convnext", "efficientnet", "wide_resnet", "densenet", "resnet50")
ANSWERING = ("cifar94", "resnet18")
TRAINING_VARIANTS = ("nhwc", "nchw")
INFERENCE_VARIANTS = ("nhwc", "nchw", "frozen-nhwc", "frozen-nchw", "compiled-nhwc", "compiled-nchw")
# A variant whose speed in the first round is below this fraction of the best is not measured in later rounds.
HOPELESS = 0.75

# The promised limits for training: of the geometric mean of all ratios, and of the smallest ratio.
TRAINING_LIMITS = {"f32": (2.5, 1.8), "bf16": (1.5, 1.15)}
MEMORY_LIMIT = 0.6
INFERENCE_LIMIT = 1.3
LARGE_BATCH_LIMIT = 0.95
THREADS_LIMIT = 1.8
DATA_LIMIT = 0.98
CONVOLUTIONS_LIMIT = 0.85


class Failure(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- Running the two sides --------------------------------------------------------------------------------------------


class Sides:
    """Makes the commands of both sides; each returns a function that runs it and returns its figures."""

    def __init__(self, options):
        self.options = options
        self.under = shlex.split(options.under)
        self.peer = shlex.split(options.peer or "")
        self.peer_script = (HERE / "peer.py").read_text()
        self.tools = self.find_tools()

    def find_tools(self):
        if self.options.tools:
            return pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."), self.options.tools)
        root = HERE.parent.parent
        for directory in (pathlib.Path("tools").resolve(), root / "bazel-bin" / "tools"):
            if (directory / "benchmark").exists():
                return directory
        raise Failure(f"no tools/benchmark under {root}: build it (./bazelw build //tools:benchmark //tools:train) or "
                      "name its directory: --tools=DIR")

    def run(self, command, script=None):
        done = subprocess.run(self.under + command, input=script, capture_output=True, text=True)
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["(it says nothing)"]
            raise Failure(f"{shlex.join(command)}: exit code {done.returncode}: {last[0]}")
        return done.stdout

    def arguments(self, network, batch, precision, threads, inference):
        return ([f"--network={network}", f"--batch_size={batch}", f"--precision={precision}",
                 f"--threads={threads or self.options.threads}", f"--seconds={self.options.seconds}"] +
                (["--inference"] if inference else []))

    def ours(self, network, batch, precision, threads=None, inference=False):
        command = [str(self.tools / "benchmark"), "--json"] + self.arguments(network, batch, precision, threads, inference)
        return lambda: json.loads(self.run(command))

    def convolutions_alone(self, network, batch, precision):
        """Our step as fast as its convolutions alone."""
        command = [str(self.tools / "benchmark"), "--json", "--explain"] + self.arguments(network, batch, precision, None, False)

        def run():
            return {"images_per_second": 1e3 * batch / json.loads(self.run(command))["milliseconds_of_convolutions_alone"]}

        return run

    def theirs(self, network, batch, precision, variant, inference=False):
        command = (self.peer + ["-"] + self.arguments(network, batch, precision, None, inference) + [f"--variant={variant}"])
        return lambda: json.loads(self.run(command, self.peer_script).splitlines()[-1])

    def training_on_data(self, network, batch, precision, steps):
        """A step of `train` with its data path, from the log: decoding and augmentation run beside it."""

        def run():
            with tempfile.TemporaryDirectory() as directory:
                self.run([str(self.tools / "train"), f"--network={network}", f"--batch_size={batch}",
                          f"--precision={precision}", f"--threads={self.options.threads}", f"--output_dir={directory}",
                          f"--max_steps={steps}", "--log_every=1"])
                log = (pathlib.Path(directory) / "metrics.jsonl").read_text().splitlines()
            lines = [json.loads(line) for line in log]
            seconds = [line["train_seconds"] for line in lines if "learning_rate" in line]
            # Leaves out the first steps, which warm caches up.
            times = [after - before for before, after in zip(seconds[2:], seconds[3:])]
            return {"images_per_second": batch / statistics.median(times)}

        return run


class Figures:
    """What the rounds of one program gave."""

    def __init__(self):
        self.rows = []
        self.failure = None

    def median(self, field):
        return statistics.median(row[field] for row in self.rows)

    @property
    def speed(self):
        return self.median("images_per_second") if self.rows else 0


def in_turn(options, title, programs, rivals=()):
    """Runs the programs (name: function) round after round. Of `rivals`, those without hope drop out after the first, and one
    that fails is left out; any other failure ends the comparison."""
    figures = {name: Figures() for name in programs}
    for round_number in range(options.rounds):
        best = max([figures[name].speed for name in rivals], default=0)
        for name, run in programs.items():
            mine = figures[name]
            if mine.failure or (name in rivals and round_number > 0 and mine.speed < HOPELESS * best):
                continue
            try:
                mine.rows.append(run())
                say(f"{title}, round {round_number + 1}: {name} {mine.rows[-1]['images_per_second']:.1f} images/s")
            except Failure as failure:
                if name not in rivals:
                    raise
                mine.failure = failure
                say(f"{title}: {name} is left out: {failure}")
    if rivals and not any(figures[name].rows for name in rivals):
        raise Failure(f"{title}: the peer did not run: {figures[rivals[0]].failure}")
    return figures


def best_of(figures, names):
    return max((name for name in names if figures[name].rows), key=lambda name: figures[name].speed)


# ---- Tables -----------------------------------------------------------------------------------------------------------


class Limits:
    """What is promised, and whether it holds."""

    def __init__(self):
        self.rows = []

    def at_least(self, what, value, limit):
        self.rows.append((what, f"at least {limit:g}", f"{value:.2f}", "holds" if value >= limit else "**missed**"))

    def at_most(self, what, value, limit):
        self.rows.append((what, f"at most {limit:g}", f"{value:.2f}", "holds" if value <= limit else "**missed**"))

    def print(self):
        print_table("What is promised", ("", "promised", "measured", ""), self.rows)


def print_table(title, head, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def number(value):
    """Four digits, or all before the point."""
    return f"{value:.{max(0, 3 - int(math.floor(math.log10(value))))}f}" if value > 0 else "0"


# ---- Comparisons ------------------------------------------------------------------------------------------------------


def compare_training(options, sides, limits):
    for precision in options.precision:
        rows, ratios, memory_ratios = [], [], []
        for network in options.networks or NETWORKS:
            batch = options.batch_size
            programs = {"Cotangent": sides.ours(network, batch, precision)}
            programs.update({v: sides.theirs(network, batch, precision, v) for v in TRAINING_VARIANTS})
            figures = in_turn(options, f"training {network} {precision}", programs, TRAINING_VARIANTS)
            ours, variant = figures["Cotangent"], best_of(figures, TRAINING_VARIANTS)
            theirs = figures[variant]
            memory, peer_memory = ours.median("peak_rss_mib"), theirs.median("peak_rss_mib")
            ratios.append(ours.speed / theirs.speed)
            memory_ratios.append(memory / peer_memory)
            rows.append((f"`{network}`", number(ours.speed), f"{number(theirs.speed)} ({variant})", f"{ratios[-1]:.2f}",
                         f"{memory:.0f}", f"{peer_memory:.0f}", f"{memory_ratios[-1]:.2f}",
                         f"{ours.median('first_step_seconds'):.1f}", f"{theirs.median('first_step_seconds'):.1f}"))
        mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
        rows.append(("geometric mean", "", "", f"{mean:.2f}", "", "", "", "", ""))
        print_table(f"Training step, {precision}, batch {options.batch_size}, {options.threads} threads",
                    ("network", "images/s", "PyTorch", "ratio", "peak MiB", "PyTorch", "ratio", "first step s", "PyTorch"),
                    rows)
        mean_limit, least_limit = TRAINING_LIMITS[precision]
        limits.at_least(f"training, {precision}: geometric mean", mean, mean_limit)
        limits.at_least(f"training, {precision}: least", min(ratios), least_limit)
        limits.at_most(f"training, {precision}: most memory", max(memory_ratios), MEMORY_LIMIT)


def compare_inference(options, sides, limits):
    for precision in options.precision:
        rows, ratios = [], []
        for network in options.networks or ANSWERING:
            for batch in (1, 256):
                programs = {"Cotangent": sides.ours(network, batch, precision, inference=True)}
                for variant in INFERENCE_VARIANTS:
                    programs[variant] = sides.theirs(network, batch, precision, variant, inference=True)
                # ONNX Runtime has no bf16 for CPUs, so it is compared in f32.
                programs["onnxruntime"] = sides.theirs(network, batch, "f32", "onnxruntime", inference=True)
                rivals = INFERENCE_VARIANTS + ("onnxruntime",)
                figures = in_turn(options, f"inference {network} {precision} batch {batch}", programs, rivals)
                ours, variant = figures["Cotangent"], best_of(figures, INFERENCE_VARIANTS)
                theirs, onnx = figures[variant], figures["onnxruntime"]
                ratios.append(ours.speed / max(theirs.speed, onnx.speed))
                milliseconds = ["" if not side.rows else number(side.median("milliseconds_per_step"))
                                for side in (ours, theirs, onnx)]
                rows.append((f"`{network}`", batch, milliseconds[0], f"{milliseconds[1]} ({variant})", milliseconds[2],
                             number(ours.speed), number(theirs.speed), number(onnx.speed) if onnx.rows else "",
                             f"{ratios[-1]:.2f}"))
        print_table(f"Inference, {precision}, {options.threads} threads",
                    ("network", "batch", "ms", "PyTorch", "ONNX Runtime (f32)", "images/s", "PyTorch", "ONNX Runtime",
                     "ratio to the better"), rows)
        limits.at_least(f"inference, {precision}: least", min(ratios), INFERENCE_LIMIT)


def compare_scaling(options, sides, limits):
    rows = []

    def ratio(what, network, precision, over, under, limit):
        figures = in_turn(options, f"{network} {precision}", {"over": over, "under": under})
        over, under = figures["over"].speed, figures["under"].speed
        rows.append((f"`{network}`", precision, what, number(over), number(under), f"{over / under:.3f}"))
        limits.at_least(f"`{network}`, {precision}: {what}", over / under, limit)

    for precision in options.precision:
        for network in options.networks or ("cifar94",):
            ratio("batch 2000 against 128", network, precision, sides.ours(network, 2000, precision),
                  sides.ours(network, 128, precision), LARGE_BATCH_LIMIT)
            ratio("the step against its convolutions alone", network, precision, sides.ours(network, 512, precision),
                  sides.convolutions_alone(network, 512, precision), CONVOLUTIONS_LIMIT)
            ratio("two threads against one", network, precision, sides.ours(network, 128, precision, threads=2),
                  sides.ours(network, 128, precision, threads=1), THREADS_LIMIT)
            ratio("CIFAR-10 with augmentation against made-up images", network, precision,
                  sides.training_on_data(network, 128, precision, options.data_steps),
                  sides.ours(network, 128, precision), DATA_LIMIT)
    print_table("Training, against itself", ("network", "precision", "what", "images/s", "against", "ratio"), rows)


COMPARISONS = {"training": compare_training, "inference": compare_inference, "scaling": compare_scaling}


def list_of(allowed):
    def parse(text):
        items = tuple(text.split(","))
        for item in items:
            if item not in allowed:
                raise argparse.ArgumentTypeError(f"'{item}': expected some of {','.join(allowed)}")
        return items

    return parse


def parse_command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("COTANGENT_PEER"), help="the command of a Python with PyTorch")
    parser.add_argument("--modes", type=list_of(COMPARISONS), default=tuple(COMPARISONS), help="of " + ",".join(COMPARISONS))
    parser.add_argument("--networks", type=list_of(NETWORKS + MORE_NETWORKS), help="instead of those that the promises are about")
    parser.add_argument("--precision", type=list_of(TRAINING_LIMITS), default=tuple(TRAINING_LIMITS), help="f32,bf16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="how long each program measures in a round, at least")
    parser.add_argument("--batch_size", type=int, default=128, help="in training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data_steps", type=int, default=40, help="steps of training on CIFAR-10 in a round")
    parser.add_argument("--under", default="", help="a command to run each program under, such as 'chrt -f 10'")
    parser.add_argument("--tools", type=pathlib.Path, help="the directory of benchmark and train")
    options = parser.parse_args()
    if not options.peer and set(options.modes) != {"scaling"}:
        parser.error("which PyTorch? --peer=COMMAND, such as --peer=python3; --help says more")
    if options.rounds < 1 or options.threads < 1 or options.batch_size < 1 or options.data_steps < 5:
        parser.error("--rounds, --threads and --batch_size are 1 or more, --data_steps 5 or more")
    return options


def main():
    options = parse_command_line()
    limits = Limits()
    try:
        sides = Sides(options)
        for mode in options.modes:
            COMPARISONS[mode](options, sides, limits)
    except Failure as failure:
        say(f"error: {failure}")
        return 1
    limits.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
