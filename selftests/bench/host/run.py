#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Run goheap and other heaps in turns:

  run.py FOLDER --result FILE [--append] [--rounds N] [--quick]
  run.py FOLDER --pack HEAPS --goheap PROGRAM [--private]
  run.py FOLDER --read OUTPUT --result FILE [--append] --environment NAME
         --guest TEXT [--private]

FOLDER has the programs workload-goheap, -malloc, -gc and -go. Each peer runs
its program once in each round, and each round begins with another one, so that
what disturbs the machine disturbs all of them. A program prints one figure for
each workload: CPU time of the process, and wall time. FILE is a document of
../report, which makes tables and plots of it; it is written after each round, and
--append adds rounds to those it has, if machine, commit and versions are the same.

For the same in a guest, --pack puts all that runs there into the folder HEAPS,
with PROGRAM as goheap's; selftests/bench/guest/compare runs it, and what that
prints is read from OUTPUT instead of running anything here. Targets of time are
those of a machine, not of an emulated one, and left out then. With --private
goheap is also a peer of its own: "private" has a heap for each process where goheap
has one for all.

A peer that is not there, does not build, fails or takes ten minutes is named with
the reason. The
exit status is 1 only if goheap was not measured.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# pylint: disable=wrong-import-position
from report import kinds  # noqa: E402
from report.results import Refused, Results, output  # noqa: E402

# Name, what it is, unit, ns per unit, target (../report/targets.py)
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
    *((f"binarytrees/{depth}", f"binary trees up to depth {depth}", "ms", 1e6, None)
      for depth in range(16, 22)),
    ("gcbench", "gcbench", "ms", 1e6, None),
    ("cache", "look-up in a cache of texts", "ns", 1, None),
    ("wordindex", "index a word", "ns", 1, None),
    ("larson", "two threads free each other's", "ns", 1, None),
    ("soak", "sizes that shift", "ms", 1e6, None),
    ("soak/peak", "the same: memory by what is live", "", 1, None),
    ("memory/32", "memory by what is live, 32 B", "", 1, None),
    ("memory/1024", "the same, 1 KiB", "", 1, None),
    ("startup", "from nothing to an object", "us", 1e3, None),
]

# What a larger heap saves; malloc() and its like cannot do that.
FIGURES += [
    (f"{base}/GOGC/{percent}", f"{what}, heap x {1 + percent / 100:g}", unit,
     scale, None)
    for base, what, unit, scale in (
        ("binarytrees/18", "binary trees to 18", "ms", 1e6),
        ("gcbench", "gcbench", "ms", 1e6),
        ("cache", "look-up in a cache", "ns", 1))
    for percent in (30, 100, 300)
]

# The most memory that a process has had.
FIGURES += [
    (f"{base}/rss", f"{base}: memory", "MiB", 1, None)
    for base in (*(f"binarytrees/{depth}" for depth in range(16, 22)), "gcbench",
                 "cache", "wordindex", "larson", "ring/1", "ring/2")
]

# Time of an operation, and of the slowest ones.
for base, label, worst, longest in (
        ("ring/1", "node of a ring, 1 thread", 10, 1000),
        ("ring/2", "node of a ring, 2 threads", 10, 1000),
        ("tail", "allocate 16 to 1024 B", None, None)):
    if base != "tail":
        FIGURES.append((base, label, "ns", 1, None))
    for part, limit in (("p50", None), ("p99", None), ("p99.9", None),
                        ("p99.99", worst), ("max", longest)):
        FIGURES.append((f"{base}/{part}", f"{label}, {part}", "us", 1e3, limit))

# One heap of several processes, or one for each (share.c)
FIGURES += [
    (f"share/{nr}/{part}", f"{nr} processes: {what}", unit, scale, None)
    for nr in (2, 4, 8)
    for part, what, unit, scale in (
        ("memory", "memory of all", "MiB", 1),
        ("pss", "what they have mapped", "MiB", 1),
        ("sys", "what the heaps say", "MiB", 1),
        ("build", "until all have it", "ms", 1e6),
        ("build/cpu", "until all have it, CPU", "ms", 1e6),
        ("use", "a look-up", "ns", 1),
        ("use/cpu", "a look-up, CPU", "ns", 1))
]

# Sizes: by kind and threads
FIGURES += [
    (f"sizes/{kind}/{size}/{threads}",
     f"{size} B, {what}, {threads} thread{'s' * (threads - 1)}", "ns", 1, None)
    for threads in (1, 2)
    for kind, what in (("noscan", "no refs"), ("refs", "refs"))
    for size in (8, 16, 32, 64, 256, 1024, 8192, 65536, 1 << 20)
]

# Not to be slower than Go with as many CPUs, and twice as fast with two.
MARK_TARGETS = {
    "mark/random/1": ">= 2 x Go",
    "mark/random/2": [">= 1 x Go", ">= 1.8 x mark/random/1"],
    "mark/tree/1": ">= 1.3 x Go",
    "mark/tree/2": [">= 1 x Go", ">= 1.8 x mark/tree/1"],
    "mark/list/1": [">= 1 x Go", ">= 1 x Go-old"],
    "mark/list/2": ">= 1 x Go",
    "mark/map/1": [">= 1 x Go", ">= 1 x Go-old"],
    "mark/map/2": [">= 1 x Go", ">= 1.8 x mark/map/1"],
    "mark/wide/1": ">= 1 x Go",
    "mark/wide/2": ">= 1 x Go",
}

# Collections; malloc() and its like have none. With two markers it is wall time.
FIGURES += [
    (f"mark/{shape}/{markers}{suffix}",
     f"mark {what}, {markers} CPU{'s' * (markers - 1)}{more}", unit, scale,
     MARK_TARGETS.get(f"mark/{shape}/{markers}{suffix}"))
    for shape, what in (("random", "random graph"), ("tree", "tree"),
                        ("list", "list"), ("map", "map"), ("wide", "arrays"))
    for markers in (1, 2)
    for suffix, more, unit, scale in (("", "", "M/s", 1e6),
                                      ("/bytes", ", bytes", "GB/s", 1e9))
]

# Shares of windows, for those that collect.
FIGURES += [
    (f"{name}/mmu/{ms}ms", f"{name}, worst {ms} ms", "%", 1, None)
    for name in ("binarytrees", "gcbench", "cache")
    for ms in (1, 5, 10, 50)
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
    ("marking/store", "marking/plain", "goheap_store() while marking, over plain",
     "ns", 10),
    ("push", None, "push and pop of a handle", "ns", 1),
    ("hstack", None, "push and pop on a managed stack", "ns", 1),
    ("metadata/32", None, "metadata, 32 B objects", "%", 4),
    ("refill/8", None, "refill, 8 B, no references", "ns", 2),
    ("refill/16", None, "refill, 16 B, no references", "ns", 2),
    ("refill/node", None, "refill, 16 B node", "ns", 2),
    ("refill/64", None, "refill, 64 B, no references", "ns", None),
    ("refill/1024", None, "refill, 1 KiB, no references", "ns", None),
    ("entries/8", None, "kernel entries per 1000, 8 B", "", "< 1"),
    ("entries/16", None, "kernel entries per 1000, 16 B", "", "< 1"),
    ("entries/node", None, "kernel entries per 1000, 16 B node", "", "< 1"),
    ("entries/64", None, "kernel entries per 1000, 64 B", "", "< 1"),
    ("entries/1024", None, "kernel entries per 1000, 1 KiB", "", None),
    ("entries/store", None, "kernel entries per 1000 stores", "", 0),
    ("entries/push", None, "kernel entries per 1000 pushes", "", 0),
    ("entries/marking", None, "kernel entries per 1000 stores while marking", "",
     None),
]

PRELOADED = [
    ("mimalloc", "libmimalloc.so.2*", "libmimalloc2.0"),
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
]

# Patterns of figures for a quick look, and how many samples of each.
QUICK = ("alloc/*", "zeroed/*", "tree/*", "binarytrees/16", "ring/1",
         "mark/random/1", "mark/tree/1", "store/4K/*", "push", "hstack", "refill/*",
         "entries/*")
QUICK_SAMPLES = 5

SECONDS = 600

# What programs print for nothing.
LEAST = 0.001


def package_version(name):
    """Of a package that is installed, or None."""
    return output("dpkg-query", "-W", "-f", "${Version}", name)


def go_version(program):
    """What the tool chain has left in its program."""
    with open(program, "rb") as binary:
        found = re.search(rb"\xff Go buildinf:.{0,40}?(go1[.0-9]+)",
                          binary.read(), re.S)
    return found[1].decode() if found else None


class Peer:
    """A heap: how to run its program, and what that has printed."""

    def __init__(self, name, program, version, **settings):
        self.name = name
        self.program = program
        self.version = version
        self.settings = settings
        self.env = dict(os.environ, **settings)
        self.rounds = {}
        self.missing = None

    def run(self, turn, patterns, samples):
        """Run once for each pattern; an error makes the peer a missing one."""
        for pattern in patterns:
            try:
                done = subprocess.run(
                    [self.program, pattern, *samples], env=self.env, text=True,
                    capture_output=True, check=False, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                self.missing = f"it takes longer than {SECONDS} s"
                return
            except OSError as error:
                self.missing = error.strerror
                return
            if done.returncode or done.stderr:
                self.missing = (done.stderr.strip().split("\n")[0] or
                                f"exit status {done.returncode}")
                return
            for line in done.stdout.splitlines():
                self.add(turn, *line.split())

    def add(self, turn, name, cpu, wall):
        """One line of the program's."""
        self.rounds.setdefault(turn, {})[name] = (float(cpu), float(wall))


def tried_to_build(folder):
    """Names of programs that make has tried to make."""
    try:
        with open(os.path.join(folder, "programs"), encoding="ascii") as names:
            return names.read().split()
    except OSError:
        return []


def find_peers(folder, missing, here, private):
    """All peers that can be run; the reasons of others go into @missing."""
    tried = tried_to_build(folder)
    peers = []

    def add(name, program, version, otherwise="its program is not there",
            **settings):
        """If there is its program; or say why not."""
        path = os.path.join(folder, "workload-" + program)
        if os.path.exists(path):
            peers.append(Peer(name, path, version or go_version(path), **settings))
        else:
            missing[name] = ("its program does not build" if program in tried
                             else otherwise)

    own = os.path.join(folder, "workload-goheap")
    peers.append(Peer("goheap", own, None))
    if private:
        peers.append(Peer("private", own, None, BENCH_PRIVATE="1"))
    add("glibc", "malloc", os.confstr("CS_GNU_LIBC_VERSION"))
    for name, pattern, package in PRELOADED:
        found = sorted(glob.glob("/usr/lib/*/" + pattern))
        if found:
            add(name, "malloc", package_version(package), LD_PRELOAD=found[0])
        else:
            missing[name] = f"package {package} is not installed"
    add("libgc", "gc", package_version("libgc-dev"),
        "package libgc-dev is not installed", GC_MARKERS="1")
    no_go = "no tool chain: see scripts/go.sh"
    add("Go", "go", None, no_go, GOMAXPROCS="1")
    if here:
        add("Go-old", "go-old", None, no_go, GOMAXPROCS="1", BENCH_ONLY="mark/*")
    return peers


def figures_of(printed):
    """A round of goheap's or a peer's, in the units of the tables."""
    figures = {}
    for name, _, unit, scale, _ in FIGURES:
        if name in printed:
            figures[name] = tuple(v / scale for v in printed[name])
            if kinds.kind(name, unit) == "mmu":
                figures[name] = tuple(v if v > LEAST else 0 for v in figures[name])
    for name, base, *_ in OWN:
        less = printed.get(base, (0, 0))
        if name in printed and (base is None or base in printed):
            figures[name] = tuple(v - b for v, b in zip(printed[name], less))
    return figures


def unknown_figures(peers):
    """Names that programs have printed and no table has."""
    known = {row[0] for row in FIGURES + OWN} | {row[1] for row in OWN}
    return sorted({name for p in peers for printed in p.rounds.values()
                   for name in printed} - known)


def keep(results, peers, turn):
    """Add a round to the document."""
    results.add_round({p.name: figures_of(p.rounds[turn]) for p in peers
                       if turn in p.rounds and not p.missing})
    for peer in peers:
        if peer.missing:
            results.lose(peer.name, peer.missing)


def measure(results, peers, args):
    """Interleave the runs, each round in another order."""
    patterns = QUICK if args.quick else ["*"]
    samples = [str(QUICK_SAMPLES)] if args.quick else []
    for turn in range(args.rounds):
        first = (results.rounds + turn) % len(peers)
        for peer in peers[first:] + peers[:first]:
            if not peer.missing:
                peer.run(turn, patterns, samples)
        if peers[0].missing:
            return
        keep(results, peers, turn)
        results.save(args.result)
        print(f">> round {turn + 1} of {args.rounds}", file=sys.stderr)


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

    own = peers[0].program
    for peer in peers:
        if peer.program == own:
            peer.program = goheap
    with open(os.path.join(folder, "list"), "w", encoding="ascii") as out:
        for peer in peers:
            line = [peer.name, copy(peer.program)]
            for variable, value in peer.settings.items():
                if variable == "LD_PRELOAD":
                    value = "/heaps/" + copy(value)
                line.append(f"{variable}={value}")
            print(*line, file=out)


def read(results, peers, path):
    """Take what these peers have printed in a guest."""
    by_name = {p.name: p for p in peers}
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            word = line.split()
            match word:
                case ["figure", turn, name, *figure] if name in by_name:
                    by_name[name].add(int(turn), *figure)
                case ["missing", name, *reason] if name in by_name:
                    by_name[name].missing = " ".join(reason)
    for peer in peers:
        if not peer.rounds and not peer.missing:
            peer.missing = "it printed nothing"
    for turn in sorted({turn for p in peers for turn in p.rounds}):
        keep(results, peers, turn)


def open_results(args, peers, missing):
    """The document to add to."""
    versions = {"compiler": output("cc", "--version"),
                **{p.name: p.version for p in peers if p.version}}
    results = Results.open(args.result, args.append, args.environment, versions,
                           **({"guest": args.guest} if args.guest else {}))
    emulated = args.environment == "tcg"
    for name, what, unit, _, target in FIGURES:
        results.describe(name, what, unit, None if emulated and unit else target)
    for name, _, what, unit, target in OWN:
        results.describe(name, what, unit, None if emulated and unit else target)
    for name, reason in missing.items():
        results.lose(name, reason)
    return results


def arguments():
    """The command line."""
    args = argparse.ArgumentParser()
    args.add_argument("folder")
    args.add_argument("--rounds", type=int, default=10)
    args.add_argument("--quick", action="store_true")
    args.add_argument("--result")
    args.add_argument("--append", action="store_true")
    args.add_argument("--pack")
    args.add_argument("--goheap")
    args.add_argument("--private", action="store_true")
    args.add_argument("--read")
    args.add_argument("--environment", default="host")
    args.add_argument("--guest")
    return args.parse_args()


def main():
    """Measure and keep."""
    args = arguments()
    missing = {}
    peers = find_peers(args.folder, missing,
                       here=not args.pack and not args.read,
                       private=args.private)
    if args.pack:
        pack(peers, args.goheap, args.pack)
        return
    if not args.result:
        sys.exit("run.py: --result FILE is needed")
    try:
        results = open_results(args, peers, missing)
    except Refused as refused:
        sys.exit(f"run.py: {args.result}: {refused}")
    if args.read:
        read(results, peers, args.read)
    else:
        measure(results, peers, args)
    if peers[0].missing:
        sys.exit("run.py: goheap was not measured: " + peers[0].missing)
    results.save(args.result)
    for name in unknown_figures(peers):
        print(f"run.py: no table has the figure {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
