# SPDX-License-Identifier: GPL-2.0
"""
One document of JSON for the results of one environment:

  environment  one of environments.py
  commit       what was measured
  machine      processor, number of CPUs, memory, kernel, governor ...
  versions     of the compiler and of each peer
  sessions     date, load average at the start, and number of rounds of each session
  missing      peers that could not be had, with the reason
  figures      what is measured: in words, its unit, and a target (targets.py) or null
  samples      heap -> figure -> cpu, wall: one value per round, or null

Sessions are runs on one machine, of one commit and with the same versions, so that
many rounds can be had in pieces, and of several programs. A sample is in the unit of its figure, with five
digits. "wall" is left out where it is the same as "cpu"; kinds.py says which of them
a figure is about.
"""

import datetime
import json
import math
import os
import platform
import re
import subprocess

from . import environments, kinds, stats

FORMAT = 1
OWN = "goheap"

# What two documents have in common whose times can be compared, and two sessions
# of one.
SAME_MACHINE = ("environment", "machine")
SAME_SESSIONS = SAME_MACHINE + ("commit",)


class Refused(Exception):
    """A document that is not what it is used for; says why."""


def first_line(path):
    """Of a file, or None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return lines.readline().strip() or None
    except OSError:
        return None


def output(*command):
    """First line that a command prints, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.split("\n")[0].strip() or None


def describe_machine():
    """The machine that this runs on."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        cpuinfo = info.read()
    model = re.search(r"^model name\s*: (.*)", cpuinfo, re.M)
    mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return {
        "cpu": model[1] if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": mib,
        "kernel": f"{platform.system()} {platform.release()}",
        "virtual": bool(re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.M)),
        "governor": first_line(
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }


def now():
    """To the minute, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime(
        "%Y-%m-%d %H:%M UTC")


def rounded(value):
    """Five digits are more than any clock has to say."""
    return None if value is None else float(f"{value:.5g}")


class Results:
    """A document."""

    def __init__(self, doc):
        self.doc = doc

    @classmethod
    def new(cls, environment, versions, **machine):
        """An empty one, for this machine and this checkout."""
        folder = os.path.dirname(os.path.abspath(__file__))
        return cls({
            "license": "SPDX-License-Identifier: GPL-2.0",
            "format": FORMAT,
            "environment": environment,
            "commit": output("git", "-C", folder, "describe", "--always",
                             "--dirty", "--abbrev=12", "--exclude=*"),
            "machine": {**describe_machine(), **machine},
            "versions": versions,
            "sessions": [],
            "missing": {},
            "figures": {},
            "samples": {},
        })

    @classmethod
    def open(cls, path, append, *description, **machine):
        """A session of a new document, or one more of that in a file."""
        results = fresh = cls.new(*description, **machine)
        if append and os.path.exists(path):
            results = cls.load(path)
            results.continue_with(fresh)
        results.begin_session()
        return results

    @classmethod
    def load(cls, path):
        """From a file."""
        try:
            with open(path, encoding="utf-8") as lines:
                doc = json.load(lines)
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise Refused(f"{path}: not JSON: {error}") from error
        if not isinstance(doc, dict) or doc.get("format") != FORMAT:
            raise Refused(f"{path}: not a result of this format ({FORMAT})")
        if doc["environment"] not in environments.ENVIRONMENTS:
            raise Refused(f"{path}: unknown environment {doc['environment']}")
        return cls(doc)

    def save(self, path):
        """To a file, samples of a figure on one line; all of it or nothing."""
        text = json.dumps(self.doc, indent=1, ensure_ascii=False)
        text = re.sub(r"\[[^][{}\"]*\]", lambda m: "".join(m[0].split()), text)
        with open(path + ".tmp", "w", encoding="utf-8") as out:
            out.write(text + "\n")
        os.replace(path + ".tmp", path)

    def continue_with(self, other):
        """Refuse to add sessions of @other's kind if they differ."""
        for member in SAME_SESSIONS:
            if self.doc[member] != other.doc[member]:
                raise Refused(f"not the same {member}: {self.doc[member]} and "
                              f"{other.doc[member]}; start a new result")
        versions = self.doc["versions"]
        for name, version in other.doc["versions"].items():
            if versions.setdefault(name, version) != version:
                raise Refused(f"not the same version of {name}: "
                              f"{versions[name]} and {version}; "
                              "start a new result")

    def begin_session(self):
        """What comes now is of one session."""
        self.doc["sessions"].append({"date": now(), "rounds": 0,
                                     "load": round(os.getloadavg()[0], 2)})

    def describe(self, name, what, unit, target=None):
        """Say what a figure is."""
        self.doc["figures"][name] = {"what": what, "unit": unit,
                                     "target": target}

    def add_round(self, samples):
        """One round: heap -> figure -> (cpu, wall), of figures described."""
        before = self.rounds
        for heap, figures in samples.items():
            self.doc["missing"].pop(heap, None)
            kept = self.doc["samples"].setdefault(heap, {})
            for name, pair in figures.items():
                both = kept.setdefault(name, {"cpu": [None] * before})
                cpu, wall = map(rounded, pair)
                if cpu != wall and "wall" not in both:
                    both["wall"] = list(both["cpu"])
                both["cpu"].append(cpu)
                if "wall" in both:
                    both["wall"].append(wall)
        self.doc["sessions"][-1]["rounds"] += 1
        for kept in self.doc["samples"].values():
            for both in kept.values():
                for values in both.values():
                    values += [None] * (self.rounds - len(values))

    def lose(self, heap, reason):
        """A heap that was not measured, or not to the end."""
        self.doc["missing"][heap] = reason
        self.doc["samples"].pop(heap, None)

    @property
    def rounds(self):
        """Of all sessions."""
        return sum(s["rounds"] for s in self.doc["sessions"])

    def crowded(self):
        """Whether others wanted more than the machine has."""
        return any(s["load"] > self.doc["machine"]["cpus"]
                   for s in self.doc["sessions"])

    @property
    def figures(self):
        """name -> what, unit, target"""
        return self.doc["figures"]

    @property
    def heaps(self):
        """All that have samples, goheap first."""
        return sorted(self.doc["samples"], key=lambda heap: heap != OWN)

    @property
    def peers(self):
        """All but goheap."""
        return [heap for heap in self.heaps if heap != OWN]

    def unit(self, name):
        """Of a figure."""
        return self.figures[name]["unit"]

    def label(self, name):
        """What it is, and in which unit."""
        figure = self.figures[name]
        return figure["what"] + (", " + figure["unit"] if figure["unit"] else "")

    def samples(self, heap, name, clock=None):
        """One per round, by the figure's own clock if none is named."""
        both = self.doc["samples"].get(heap, {}).get(name)
        if not both:
            return []
        clock = clock or kinds.clock(name, self.unit(name))
        return both.get(clock, both["cpu"])

    def estimate(self, heap, name, clock=None):
        """Median and interval, or None."""
        return stats.estimate(self.samples(heap, name, clock))

    def ratio(self, peer, name, clock=None):
        """How many times goheap's a peer's figure is, or None."""
        return stats.estimate(stats.quotients(
            self.samples(peer, name, clock), self.samples(OWN, name, clock)))

    def overhead(self, name, clock=None):
        """How many times the cost of the cheapest heap of a round goheap's is.

        What the program itself costs is not more than that heap, so this is a
        lower bound of what goheap adds to it.
        """
        mine = self.samples(OWN, name, clock)
        rounds = [[v for v in row if v] for row in zip(*(
            self.samples(heap, name, clock) for heap in self.heaps
            if self.samples(heap, name, clock)))]
        if kinds.more_is_better(name, self.unit(name)):
            best = [max(row, default=None) for row in rounds]
            return stats.estimate(stats.quotients(best, mine))
        best = [min(row, default=None) for row in rounds]
        return stats.estimate(stats.quotients(mine, best))

    def shared(self):
        """Figures that a peer has too."""
        return [name for name in self.figures if self.samples(OWN, name) and
                any(self.samples(peer, name) for peer in self.peers)]

    def own(self):
        """Figures that only goheap has."""
        shared = self.shared()
        return [name for name in self.figures
                if self.samples(OWN, name) and name not in shared]

    def worse_than(self, name):
        """Peers whose whole interval is better than goheap, best first.

        To what is 0 of goheap's, and should be more, there is no ratio but infinity.
        """
        up = kinds.more_is_better(name, self.unit(name))
        mine = self.estimate(OWN, name)
        found = []
        for peer in self.peers:
            ratio = self.ratio(peer, name)
            theirs = self.estimate(peer, name)
            if ratio and (ratio.low > 1 if up else ratio.high < 1):
                found.append((peer, ratio.median))
            elif up and theirs and mine.high == 0 < theirs.low:
                found.append((peer, math.inf))
        return sorted(found, key=lambda pair: pair[1], reverse=up)
