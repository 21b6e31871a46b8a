#!/usr/bin/env python3
"""Measures how much of its speed Cotangent keeps beside other work and within quotas, and prints a table.

    ./bazelw run //tests/beside_other_work -- --networks=convnet,resnet20

Needs a machine that does nothing else. Each round trains every network alone, beside one busy loop and beside two, beside the
command of --beside, and in control groups that grant 1.5 and 0.5 processors; then it answers with it, one image at a time,
alone and beside one loop. Figures are medians over the rounds. A figure of a table is

    alone              milliseconds of a training step
    one loop, ...      the speed as a fraction of the speed alone
    quota 1.5, 0.5     the speed as a fraction of what the quota grants of the speed alone (with 2 threads, 3/4 and 1/4 of it)
    p99                the 99th percentile of an answer's time beside one loop, in medians of its time alone

and behind it, in parentheses, the figures of all rounds. Control groups need root; without it these columns are missing.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LOOP = ["sh", "-c", "while :; do :; done"]
# What each column promises: the least figure, or for p99 the largest.
PROMISED = {"one loop": 0.60, "two loops": 0.42, "command": 0.35, "quota 1.5": 0.9, "quota 0.5": 0.9, "p99": 4.0}


def find_benchmark(options):
    if options.benchmark:
        return pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."), options.benchmark).resolve()
    root = HERE.parent.parent
    for path in (pathlib.Path("tools/benchmark").resolve(), root / "bazel-bin" / "tools" / "benchmark"):
        if path.exists():
            return path
    sys.exit("no tools/benchmark: build it (./bazelw build //tools:benchmark) or name it: --benchmark=FILE")


@contextlib.contextmanager
def running(commands):
    """Runs programs meanwhile, each with a process group of its own, so that what they start is ended with them. Figures beside a
    program that has ended by itself are worth nothing: exits then."""
    programs = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0) for c in commands]
    try:
        yield
        for program in programs:
            if program.poll() is not None:
                sys.exit(f"{' '.join(program.args)}: ended with exit code {program.returncode} before what it ran beside")
    finally:
        for program in programs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()


@contextlib.contextmanager
def quota(processors):
    """Makes a control group, of version 2 or 1, that grants so many processors; gives the file that takes its processes."""
    tree = pathlib.Path("/sys/fs/cgroup")
    version_2 = (tree / "cgroup.controllers").exists()
    group = pathlib.Path(tempfile.mkdtemp(prefix="beside_other_work.", dir=tree if version_2 else tree / "cpu"))
    try:
        if version_2:
            (group / "cpu.max").write_text(f"{round(100_000 * processors)} 100000")
        else:
            (group / "cpu.cfs_period_us").write_text("100000")
            (group / "cpu.cfs_quota_us").write_text(str(round(100_000 * processors)))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def run(options, flags, group=None):
    command = [str(find_benchmark(options)), "--json", f"--seconds={options.seconds}", "--steps=3",
               f"--precision={options.precision}"] + flags
    enter = (lambda: group.write_text("0")) if group else None
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=enter)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def measure(options, network):
    """Returns the milliseconds of a network's columns in one round, and the number of threads."""
    train = [f"--network={network}", f"--batch_size={options.batch_size}"]
    alone = run(options, train)
    round_ = {"alone": alone["milliseconds_per_step"]}
    for name, loops in (("one loop", 1), ("two loops", 2)):
        with running([LOOP] * loops):
            round_[name] = run(options, train)["milliseconds_per_step"]
    if options.beside:
        with running([["sh", "-c", options.beside]]):
            round_["command"] = run(options, train)["milliseconds_per_step"]
    for processors in (1.5, 0.5):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            with quota(processors) as group:
                round_[f"quota {processors}"] = run(options, train, group)["milliseconds_per_step"]
    answer = [f"--network={network}", "--batch_size=1", "--inference"]
    round_["answer"] = run(options, answer)["milliseconds_per_step"]
    with running([LOOP]):
        round_["p99"] = run(options, answer)["milliseconds_p99"]
    return round_, alone["threads"]


def columns(times):
    """Returns the names of a table's columns; "answer" is only what "p99" is divided by."""
    return [name for name in times if name != "answer"]


def figure(name, times, threads):
    if name == "alone":
        return times["alone"]
    if name == "p99":
        return times["p99"] / times["answer"]
    kept = times["alone"] / times[name]
    return kept * threads / float(name.split()[1]) if name.startswith("quota") else kept


def row(network, rounds, threads):
    """Returns the text of a network's row, and the columns that fall short."""
    times = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    cells, short = [network], []
    for name in columns(times):
        value = figure(name, times, threads)
        each = " ".join(f"{figure(name, r, threads):.3g}" for r in rounds)
        cells.append(f"{value:.3g} ({each})")
        if name in PROMISED and (value > PROMISED[name] if name == "p99" else value < PROMISED[name]):
            short.append(f"{network}, {name}: {value:.3g}, promised {PROMISED[name]}")
    return "| " + " | ".join(cells) + " |", short


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="convnet,cifar94,resnet20,mobilenet_v3_small")
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="how long each program measures")
    parser.add_argument("--beside", help="a command to train beside, such as a build")
    parser.add_argument("--benchmark", help="the program to measure (default: this tree's)")
    options = parser.parse_args()
    networks = options.networks.split(",")
    for network in networks:  # what is measured for the plan is measured once, undisturbed
        run(options, [f"--network={network}", f"--batch_size={options.batch_size}"])
        run(options, [f"--network={network}", "--batch_size=1", "--inference"])
    rounds, threads = {network: [] for network in networks}, 1
    for number in range(options.rounds):
        for network in networks:
            times, threads = measure(options, network)
            rounds[network].append(times)
            print(f"round {number + 1}: {network}: "
                  + ", ".join(f"{name} {value:.4g} ms" for name, value in times.items()), file=sys.stderr, flush=True)
    names = columns(rounds[networks[0]][0])
    print(f"{options.precision}, batch {options.batch_size}, {threads} threads, medians of {options.rounds}\n")
    print("| network | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    missed = []
    for network in networks:
        text, short = row(network, rounds[network], threads)
        print(text)
        missed += short
    print("\n" + ("All hold what is promised." if not missed else "Less than promised:\n" + "\n".join(missed)))


if __name__ == "__main__":
    main()
