#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Compare goheap with other heaps:

  run.py FOLDER [--rounds N] [--json FILE]
  run.py FOLDER --pack HEAPS --goheap PROGRAM
  run.py FOLDER --read OUTPUT [--json FILE]

FOLDER has the programs workload-goheap, -malloc, -gc and -go. Each peer runs
its program once in each round, and each round begins with another one, so that
what disturbs the machine disturbs all of them. A program prints one figure for
each workload; what is shown is the median over the rounds, with lowest and
highest for goheap, and for each peer its median and how many times goheap's that
is. Figures are CPU time of the process; FILE has wall time as well, a line of
JSON for each figure.

For the same in a guest, --pack puts all that runs there into the folder HEAPS,
with PROGRAM as goheap's; selftests/bench/guest/compare runs it, and what that
prints is read from OUTPUT instead of running anything here. Targets of time are
those of a machine, not of an emulated one, and left out then.

A peer that is not there is named with the reason. A target that is missed is no
failure; the exit status is 1 only if goheap was not measured.
"""

import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys

# Name, what it is, unit, ns per unit, target
FIGURES = [
    ("alloc/8", "8 B, no references", "ns", 1, 2.5),
    ("alloc/node", "16 B node, two references", "ns", 1, 3),
    ("alloc/32", "32 B, no references", "ns", 1, None),
    ("alloc/64", "64 B, no references", "ns", 1, None),
    ("alloc/256", "256 B, no references", "ns", 1, None),
    ("alloc/1024", "1 KiB, no references", "ns", 1, None),
    ("alloc/8192", "8 KiB, no references", "ns", 1, None),
    ("zeroed/8192", "8 KiB, zeroed", "ns", 1, 60),
    ("tree/16", "tree of depth 16: build, walk, drop", "ms", 1e6, 0.8),
    ("tree/16+16", "the same beside another one", "ms", 1e6, None),
]

# The same for what only goheap has; a second name is to be subtracted.
OWN = [
    ("store/4K/atomic", "store/4K/plain", "atomic store over plain, 4 KiB",
     "ns", None),
    ("store/4K/goheap", "store/4K/plain", "goheap_store() over plain, 4 KiB",
     "ns", 1),
    ("store/16M/atomic", "store/16M/plain", "atomic store over plain, 16 MiB",
     "ns", None),
    ("store/16M/goheap", "store/16M/plain", "goheap_store() over plain, 16 MiB",
     "ns", 1),
    ("marking/goheap", "store/4K/plain", "the same while marking, 4 KiB",
     "ns", 10),
    ("push", None, "push and pop of a handle", "ns", 1),
    ("refill/8", None, "refill, 8 B, no references", "ns", 2),
    ("refill/16", None, "refill, 16 B, no references", "ns", 2),
    ("refill/node", None, "refill, 16 B node", "ns", 2),
    ("refill/64", None, "refill, 64 B, no references", "ns", None),
    ("refill/1024", None, "refill, 1 KiB, no references", "ns", None),
    ("entries/8", None, "kernel entries per 1000, 8 B", "", 1),
    ("entries/16", None, "kernel entries per 1000, 16 B", "", 1),
    ("entries/node", None, "kernel entries per 1000, 16 B node", "", 1),
    ("entries/64", None, "kernel entries per 1000, 64 B", "", 1),
    ("entries/1024", None, "kernel entries per 1000, 1 KiB", "", None),
]

PRELOADED = [
    ("mimalloc", "libmimalloc.so.2*", "libmimalloc2.0"),
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
]


class Peer:
    """A heap: how to run its program, and what it has printed."""

    def __init__(self, name, program, **settings):
        self.name = name
        self.program = program
        self.settings = settings
        self.env = dict(os.environ, **settings)
        self.cpu = {}
        self.wall = {}
        self.missing = None

    def run(self):
        """Run once; an error makes the peer a missing one."""
        done = subprocess.run([self.program], env=self.env, text=True,
                              capture_output=True, check=False)
        if done.returncode or done.stderr:
            self.missing = (done.stderr.strip().split("\n")[0] or
                            f"exit status {done.returncode}")
            return
        for line in done.stdout.splitlines():
            self.add(*line.split())

    def add(self, name, cpu, wall):
        """One line of the program's."""
        self.cpu.setdefault(name, []).append(float(cpu))
        self.wall.setdefault(name, []).append(float(wall))

    def median(self, name):
        """Median of a figure, or None."""
        return statistics.median(self.cpu[name]) if name in self.cpu else None

    def less(self, name, base):
        """Samples of a figure, less another one of the same run."""
        if base is None:
            return self.cpu[name]
        return [a - b for a, b in zip(self.cpu[name], self.cpu[base])]


def find_peers(folder, missing):
    """All peers that can be run; the reasons of others go into @missing."""
    def program(name):
        return os.path.join(folder, "workload-" + name)

    peers = [Peer("goheap", program("goheap")),
             Peer("glibc", program("malloc"))]
    for name, pattern, package in PRELOADED:
        found = sorted(glob.glob("/usr/lib/*/" + pattern))
        if found:
            peers.append(Peer(name, program("malloc"), LD_PRELOAD=found[0]))
        else:
            missing[name] = f"package {package} is not installed"
    if os.path.exists(program("gc")):
        peers.append(Peer("libgc", program("gc"), GC_MARKERS="1"))
    else:
        missing["libgc"] = "package libgc-dev is not installed"
    if os.path.exists(program("go")):
        peers.append(Peer("Go", program("go"), GOMAXPROCS="1"))
    else:
        missing["Go"] = "no tool chain: see scripts/go.sh"
    return peers


def measure(peers, rounds):
    """Interleave the runs, each round in another order."""
    for i in range(rounds):
        first = i % len(peers)
        for peer in peers[first:] + peers[:first]:
            if not peer.missing:
                peer.run()
        print(f">> round {i + 1} of {rounds}", file=sys.stderr)


def pack(peers, goheap, folder):
    """Copy what a guest needs to run the peers into its folder /heaps."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)

    def copy(path):
        """To be executable is a sign for initramfs.sh to bring libraries."""
        to = os.path.join(folder, os.path.basename(path))
        shutil.copyfile(path, to)
        os.chmod(to, 0o755)
        return os.path.basename(path)

    peers[0].program = goheap
    with open(os.path.join(folder, "list"), "w", encoding="ascii") as out:
        for peer in peers:
            line = [peer.name, copy(peer.program)]
            for variable, value in peer.settings.items():
                if variable == "LD_PRELOAD":
                    value = "/heaps/" + copy(value)
                line.append(f"{variable}={value}")
            print(*line, file=out)


def read(peers, path):
    """Take what these peers have printed in a guest; return the rounds."""
    by_name = {p.name: p for p in peers}
    rounds = 0
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            word = line.split()
            match word:
                case ["figure", turn, name, *figure] if name in by_name:
                    by_name[name].add(*figure)
                    rounds = max(rounds, int(turn))
                case ["missing", name, *reason] if name in by_name:
                    by_name[name].missing = " ".join(reason)
    for peer in peers:
        if not peer.cpu and not peer.missing:
            peer.missing = "it printed nothing"
    return rounds


def without_targets(figures):
    """The same figures, and targets only of those that have no unit."""
    return [(*f[:-1], f[-1] if "" in f else None) for f in figures]


def verdict(value, target):
    """What a target says of a value."""
    if target is None:
        return ""
    return "met" if value <= target else "missed"


def spread(values, scale):
    """Lowest and highest."""
    return f"{min(values) / scale:.2f}..{max(values) / scale:.2f}"


def print_comparison(figures, own, peers):
    """The table of figures that all heaps have."""
    print(f"{'':36}{'target':>7}{'goheap':>8} {'':15}", end="")
    print("".join(f"{p.name:>15}" for p in peers))
    for name, what, unit, scale, target in figures:
        mine = own.median(name)
        row = f"{what + ', ' + unit:36}"
        row += f"{'' if target is None else f'<= {target}':>7}"
        row += f"{mine / scale:8.2f} {spread(own.cpu[name], scale):15}"
        for peer in peers:
            value = peer.median(name)
            row += (f"{value / scale:8.2f} {value / mine:5.2f}x"
                    if value is not None else f"{'-':>15}")
        print(f"{row}  {verdict(mine / scale, target)}".rstrip())


def print_own(figures, own):
    """The table of figures that only goheap has."""
    print(f"\n{'':44}{'target':>7}{'goheap':>8}")
    for name, base, what, unit, target in figures:
        if name not in own.cpu:
            continue
        values = own.less(name, base)
        value = statistics.median(values)
        label = what + (", " + unit if unit else "")
        print(f"{label:44}{'' if target is None else f'<= {target}':>7}"
              f"{value:8.2f} {spread(values, 1):15}"
              f"  {verdict(value, target)}".rstrip())


def write_json(path, peers):
    """A line for each figure of each peer."""
    with open(path, "w", encoding="ascii") as out:
        for peer in peers:
            for name, values in peer.cpu.items():
                json.dump({
                    "name": f"{peer.name}/{name}",
                    "unit": "" if name.startswith("entries/") else "ns",
                    "median": statistics.median(values),
                    "min": min(values),
                    "max": max(values),
                    "samples": len(values),
                    "wall": statistics.median(peer.wall[name]),
                }, out, separators=(",", ":"))
                out.write("\n")


def show(peers, rounds, missing, emulated):
    """All tables."""
    print(f"CPU time, median of {rounds} runs; behind a peer's its ratio to "
          "goheap's")
    print_comparison(without_targets(FIGURES) if emulated else FIGURES,
                     peers[0], peers[1:])
    print_own(without_targets(OWN) if emulated else OWN, peers[0])
    for name, reason in missing.items():
        print(f"missing: {name}: {reason}")


def arguments():
    """The command line."""
    args = argparse.ArgumentParser()
    args.add_argument("folder")
    args.add_argument("--rounds", type=int, default=10)
    args.add_argument("--json")
    args.add_argument("--pack")
    args.add_argument("--goheap")
    args.add_argument("--read")
    return args.parse_args()


def main():
    """Measure and print."""
    args = arguments()
    missing = {}
    peers = find_peers(args.folder, missing)
    if args.pack:
        pack(peers, args.goheap, args.pack)
        return
    rounds = args.rounds
    if args.read:
        rounds = read(peers, args.read)
    else:
        measure(peers, rounds)
    for peer in peers:
        if peer.missing:
            missing[peer.name] = peer.missing
    if peers[0].missing:
        sys.exit("goheap was not measured: " + peers[0].missing)
    peers = [p for p in peers if not p.missing]
    show(peers, rounds, missing, emulated=bool(args.read))
    if args.json:
        write_json(args.json, peers)


if __name__ == "__main__":
    main()
