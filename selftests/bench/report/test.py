# SPDX-License-Identifier: GPL-2.0
"""
Tests of the modules here: python3 -m unittest report.test, from the folder above.

Documents are made up, with the noise of a generator whose seed is fixed.
"""

import argparse
import contextlib
import copy
import glob
import io
import os
import random
import tempfile
import unittest

from . import __main__ as command
from . import kinds, page, plots, stats, table, targets
from .compare import IMPROVED, PERHAPS, REGRESSED, SAME, Comparison
from .results import OWN, Refused, Results

MACHINE = {"cpu": "a CPU", "cpus": 2, "memory_mib": 1024, "kernel": "Linux",
           "virtual": False, "governor": None}
PEERS = ("glibc", "Go")
TIMES = ("alloc/8", "alloc/64", "tree/16")


def document(rounds=10, seed=1, speed=1.0, factors=None, peers=PEERS,
             environment="host", noise=0.01):
    """Results with noise; a slow round is slow for all heaps."""
    rng = random.Random(seed)
    factors = factors or {}
    results = Results.new(environment, {peer: "1.0" for peer in peers})
    results.doc["machine"] = dict(MACHINE)
    for name in TIMES:
        results.describe(name, f"the figure {name}", "ns", 15)
    results.describe("push", "only goheap's", "ns")
    results.describe("rate", "so many in a second", "M/s", 100)
    results.describe("churn", "so many of all heaps", "M/s")
    results.describe("store", "less than a nanosecond", "ns")
    results.describe("entries", "kernel entries", "", 1)
    results.begin_session()
    for _ in range(rounds):
        slow = speed * rng.choice((1.0, 1.0, 1.0, 1.2))

        def sample(name, value, rate=False, slow=slow):
            value *= factors.get(name, 1) * rng.gauss(1, noise)
            value = value / slow if rate else value * slow
            return (value, value * 1.01)

        round_ = {OWN: {name: sample(name, 10.0) for name in TIMES}}
        round_[OWN]["push"] = sample("push", 5.0)
        round_[OWN]["rate"] = sample("rate", 200.0, rate=True)
        round_[OWN]["churn"] = sample("churn", 50.0, rate=True)
        round_[OWN]["store"] = sample("store", 0.2)
        round_[OWN]["entries"] = (0.5 * factors.get("entries", 1),) * 2
        for peer in peers:
            round_[peer] = {name: sample(peer + "/" + name, 20.0)
                            for name in TIMES}
            round_[peer]["churn"] = sample(peer + "/churn", 25.0, rate=True)
        results.add_round(round_)
    return results


def verdicts(base, new):
    """name -> verdict"""
    return {c.name: c.verdict for c in Comparison(base, new).changes}


class Stats(unittest.TestCase):
    """Medians, intervals, ratios."""

    def test_rank(self):
        """The table that books have for 95 %."""
        for n, k in ((1, 0), (5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (12, 3),
                     (15, 4), (20, 6), (30, 10)):
            self.assertEqual(stats.rank(n), k, n)

    def test_estimate(self):
        """Of ten, the second and the ninth."""
        e = stats.estimate([10, 1, 9, 2, 8, 3, 7, 4, 6, 5])
        self.assertEqual(e, (5.5, 2, 9, 10, True))

    def test_few(self):
        """All of the range, and not sure."""
        self.assertEqual(stats.estimate([3, None, 1]), (2, 1, 3, 2, False))
        self.assertIsNone(stats.estimate([None]))

    def test_covers(self):
        """The true median is in the interval at least 95 times of 100."""
        rng = random.Random(5)
        hits = 0
        for _ in range(2000):
            e = stats.estimate([rng.expovariate(1) for _ in range(10)])
            hits += e.low <= 0.6931 <= e.high
        self.assertGreater(hits, 0.95 * 2000)
        self.assertLess(hits, 0.995 * 2000)

    def test_quotients(self):
        """Only where both are there, and never by nothing."""
        self.assertEqual(stats.quotients([2, None, 4, 8, 1], [1, 1, None, 2, 0]),
                         [2, None, None, 4, None])

    def test_pairs(self):
        """A round that is slow for both says nothing of their ratio."""
        results = document(peers=("glibc",))
        ratio = results.ratio("glibc", "alloc/8")
        self.assertLess(ratio.high - ratio.low, 0.1)
        self.assertTrue(ratio.low < 2 < ratio.high)


    def test_overhead(self):
        """Over the cheapest heap, which may be goheap itself."""
        results = document(factors={"Go/alloc/8": 0.25})
        self.assertAlmostEqual(results.overhead("alloc/8").median, 2, delta=0.1)
        self.assertEqual(results.overhead("alloc/64").median, 1)


class Kinds(unittest.TestCase):
    """What names mean."""

    def test_kind(self):
        """One of each."""
        for name, unit, kind in (
                ("alloc/8", "ns", "time"), ("churn", "M/s", "rate"),
                ("entries/8", "", "count"), ("rss", "MiB", "count"),
                ("touch", "faults", "count"), ("call", "ns/call", "time"),
                ("pause/p99.9", "ns", "latency"), ("pause/max", "us", "latency"),
                ("tree/mmu/10ms", "", "mmu"), ("tree/GOGC/50", "ms", "heap")):
            self.assertEqual(kinds.kind(name, unit), kind, name)

    def test_point(self):
        """Where on which curve."""
        self.assertEqual(kinds.point("a/b/max"), ("a/b", 5))
        self.assertAlmostEqual(kinds.point("a/p99.9")[1], 3)
        self.assertEqual(kinds.point("a/mmu/500us"), ("a", 0.5))
        self.assertEqual(kinds.point("a/GOGC/50"), ("a", 1.5))
        self.assertIsNone(kinds.point("alloc/8"))

    def test_clock(self):
        """Who waits for a lock takes no CPU time."""
        for name, unit, clock in (
                ("larson", "ns", "wall"), ("ring/2", "ns", "wall"),
                ("sizes/refs/64/2", "ns", "wall"), ("ring/2/p99", "us", "wall"),
                ("tree/mmu/10ms", "%", "wall"), ("ring/1", "ns", "cpu"),
                ("sizes/refs/2/1", "ns", "cpu"), ("larson/rss", "MiB", "cpu"),
                ("alloc/8", "ns", "cpu"), ("mark/tree/2", "M/s", "cpu")):
            self.assertEqual(kinds.clock(name, unit), clock, name)

    def test_better(self):
        """Which way is up."""
        self.assertTrue(kinds.more_is_better("a", "M/s"))
        self.assertTrue(kinds.more_is_better("a/mmu/1ms", ""))
        self.assertFalse(kinds.more_is_better("a", "ns"))


class Targets(unittest.TestCase):
    """What was aimed at."""

    @staticmethod
    def verdicts(target, name="alloc/8", results=None):
        """On these targets of a figure: (text, met)"""
        results = results or document()
        results.figures[name]["target"] = target
        return [(v.text, v.met) for v in targets.verdicts(results, name)]

    def test_numbers(self):
        """In the direction of the figure, or in that which is said."""
        self.assertEqual(self.verdicts(15), [("<= 15", True)])
        self.assertEqual(self.verdicts(5), [("<= 5", False)])
        self.assertEqual(self.verdicts(100, "rate"), [(">= 100", True)])
        self.assertEqual(self.verdicts(["< 0.5", "<= 0.5"], "entries"),
                         [("< 0.5", False), ("<= 0.5", True)])
        self.assertEqual(self.verdicts(None), [])

    def test_ratios(self):
        """To a heap, to another figure, and to what is not there."""
        self.assertEqual(self.verdicts(["<= 0.6 x Go", "<= 0.4 x glibc"]),
                         [("<= 0.6 x Go", True), ("<= 0.4 x glibc", False)])
        self.assertEqual(self.verdicts([">= 3 x churn", ">= 5 x churn"], "rate"),
                         [(">= 3 x churn", True), (">= 5 x churn", False)])
        self.assertEqual(self.verdicts("<= 1 x Rust"), [("<= 1 x Rust", None)])

    def test_not_measured(self):
        """Then it is neither met nor missed."""
        results = document()
        del results.doc["samples"][OWN]["alloc/8"]
        self.assertEqual(self.verdicts(5, results=results), [])

    def test_nothing(self):
        """Not a word is understood of it."""
        with self.assertRaisesRegex(ValueError, "alloc/8: no target: = 5"):
            self.verdicts("= 5")

    def test_shown(self):
        """In the table and on the page, with the ratio."""
        results = document()
        results.figures["alloc/8"]["target"] = ["<= 0.6 x Go", "<= 1 x Rust"]
        text = table.render(results)
        self.assertRegex(text, r"the figure alloc/8, ns +10\.\d\d +"
                               r"<= 0\.6 x Go  met, 0\.50 x\n")
        self.assertRegex(text, "<= 1 x Rust  not measured")
        self.assertIn("<td>&lt;= 0.6 x Go</td>", page.targets(results))


class Documents(unittest.TestCase):
    """Keeping them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "result.json")

    def test_there_and_back(self):
        """What is read is what was written, and has its licence on line two."""
        results = document()
        results.save(self.path)
        self.assertEqual(Results.load(self.path).doc, results.doc)
        with open(self.path, encoding="utf-8") as lines:
            self.assertIn("SPDX-License-Identifier: ", lines.readlines()[1])

    def test_rounds_stay_aligned(self):
        """What is missing in a round is null in it, whoever comes later."""
        results = Results.new("host", {})
        results.describe("a", "", "ns")
        results.describe("b", "", "ns")
        results.begin_session()
        results.add_round({OWN: {"a": (1, 1)}})
        results.add_round({OWN: {"a": (2, 2)}, "glibc": {"a": (3, 4)}})
        results.begin_session()
        results.add_round({OWN: {"b": (5, 6)}})
        self.assertEqual(results.rounds, 3)
        self.assertEqual(results.samples(OWN, "a"), [1, 2, None])
        self.assertEqual(results.samples(OWN, "b", "wall"), [None, None, 6])
        self.assertEqual(results.samples("glibc", "a", "wall"), [None, 4, None])
        self.assertEqual(results.ratio("glibc", "a").median, 1.5)

    def test_lost(self):
        """A heap that fails has no samples, until it runs again."""
        results = document()
        results.lose("Go", "it fell over")
        self.assertEqual(results.peers, ["glibc"])
        self.assertEqual(results.doc["missing"], {"Go": "it fell over"})
        results.add_round({"Go": {"alloc/8": (1, 1)}})
        self.assertEqual(results.doc["missing"], {})
        self.assertEqual(results.samples("Go", "alloc/8"), [None] * 10 + [1])

    def test_no_other_sessions(self):
        """Rounds of another commit, machine or version are not added."""
        for member in ("commit", "machine", "environment"):
            other = document()
            other.doc[member] = "another"
            with self.assertRaisesRegex(Refused, member):
                document().continue_with(other)
        other = document()
        other.doc["versions"]["Go"] = "2.0"
        with self.assertRaisesRegex(Refused, "version of Go"):
            document().continue_with(other)

    def test_more_sessions(self):
        """The same again, or another program's of the same commit."""
        document(rounds=4).save(self.path)
        machine = document().doc["machine"]
        results = Results.open(self.path, True, "host", {"Rust": "1"}, **machine)
        self.assertEqual([s["rounds"] for s in results.doc["sessions"]], [4, 0])
        self.assertEqual(results.doc["versions"],
                         {"glibc": "1.0", "Go": "1.0", "Rust": "1"})
        results = Results.open(self.path, False, "host", {}, **machine)
        self.assertEqual(results.rounds, 0)

    def test_not_a_document(self):
        """The reason is said."""
        for text, reason in (("[", "not JSON"), ("[]", "not a result"),
                             ('{"format": 0}', "not a result")):
            with open(self.path, "w", encoding="utf-8") as out:
                out.write(text)
            with self.assertRaisesRegex(Refused, reason):
                Results.load(self.path)
        with self.assertRaisesRegex(Refused, "No such file"):
            Results.load(self.path + "x")


class Compare(unittest.TestCase):
    """What has changed."""

    def test_noise(self):
        """Two results of the same are the same, forty times."""
        for seed in range(40):
            found = verdicts(document(seed=seed), document(seed=seed + 100))
            self.assertEqual(set(found.values()), {SAME}, seed)

    def test_much_noise(self):
        """Medians that are apart by chance; what is beyond it is found still."""
        apart = flagged = 0
        for seed in range(40):
            base = document(seed=seed, noise=0.1)
            for c in Comparison(base, document(seed=seed + 100,
                                               noise=0.1)).changes:
                apart += abs(c.percent) > 5
                flagged += c.verdict != SAME
        self.assertGreater(apart, 50)
        self.assertLessEqual(flagged, 2)
        found = verdicts(base, document(seed=7, noise=0.1,
                                        factors={"tree/16": 1.6}))
        self.assertEqual(found["tree/16"], REGRESSED)

    def test_planted(self):
        """Eight percent more are found, in any kind of figure, and only there."""
        for name in ("tree/16", "push", "entries"):
            found = verdicts(document(), document(seed=2, factors={name: 1.08}))
            self.assertEqual(found.pop(name), REGRESSED)
            self.assertEqual(set(found.values()), {SAME})

    def test_few_rounds(self):
        """Three of them prove nothing."""
        found = verdicts(document(rounds=3), document(
            rounds=10, seed=2, factors={"tree/16": 1.5}))
        self.assertEqual(found.pop("tree/16"), PERHAPS)
        self.assertLessEqual(set(found.values()), {SAME, PERHAPS})

    def test_direction(self):
        """More objects in a second are better, more nanoseconds worse."""
        self.assertEqual(verdicts(document(), document(
            seed=2, factors={"rate": 1.2}))["rate"], IMPROVED)
        for name in ("rate", "churn"):
            self.assertEqual(verdicts(document(), document(
                seed=2, factors={name: 0.9}))[name], REGRESSED)
        self.assertEqual(verdicts(document(), document(
            seed=2, factors={"tree/16": 0.9}))["tree/16"], IMPROVED)

    def test_small(self):
        """Four percent are not worth a word, however sure."""
        found = verdicts(document(rounds=40),
                         document(rounds=40, seed=2, factors={"entries": 1.04}))
        self.assertEqual(found["entries"], SAME)

    def test_resolution(self):
        """A third of next to nothing is nothing."""
        found = verdicts(document(), document(seed=2, factors={"store": 1.33}))
        self.assertEqual(found["store"], SAME)
        found = verdicts(document(), document(seed=2, factors={"store": 2}))
        self.assertEqual(found["store"], REGRESSED)

    def test_one_run(self):
        """It has no noise that one could know of."""
        comparison = Comparison(document(rounds=1), document(seed=2))
        self.assertEqual(comparison.changes, [])
        self.assertIn(("push", "one run only"), comparison.left_out)

    def test_peer_of_some_rounds(self):
        """Rounds without a peer are not measured by the others alone."""
        base = document(rounds=20, factors={f"Go/{name}": 9 for name in TIMES})
        new = document(rounds=20, seed=2,
                       factors={f"Go/{name}": 9 for name in TIMES})
        for both in new.doc["samples"]["Go"].values():
            both["cpu"][:12] = [None] * 12
        self.assertEqual(set(verdicts(base, new).values()), {SAME})

    def test_slow_machine(self):
        """It is slow for the peers as well."""
        found = verdicts(document(), document(seed=2, speed=1.5))
        self.assertEqual(set(found.values()), {SAME})
        self.assertEqual(len(found), 8)

    def test_slow_machine_hides_nothing(self):
        """A regression is one on a machine that is faster now, too."""
        found = verdicts(document(), document(seed=2, speed=0.7,
                                              factors={"alloc/8": 1.15}))
        self.assertEqual(found.pop("alloc/8"), REGRESSED)
        self.assertEqual(set(found.values()), {SAME})

    def test_no_peers(self):
        """Times of another machine say nothing then; counts do."""
        new = document(peers=(), seed=2)
        new.doc["machine"]["cpu"] = "another CPU"
        comparison = Comparison(document(peers=()), new)
        self.assertEqual([c.name for c in comparison.changes], ["entries"])
        self.assertIn(("push", "another machine, and no peers"),
                      comparison.left_out)

    def test_new_peer(self):
        """A peer that has changed is no measure."""
        new = document(seed=2, factors={f"Go/{name}": 0.5 for name in TIMES})
        new.doc["versions"]["Go"] = "2.0"
        self.assertEqual(set(verdicts(document(), new).values()), {SAME})

    def test_some_peers(self):
        """What only some peers can do is measured by those."""
        def slow_marker(seed, speed):
            results = document(seed=seed)
            del results.doc["samples"]["glibc"]["tree/16"]
            for heap in (OWN, "Go"):
                both = results.doc["samples"][heap]["tree/16"]
                both["cpu"] = [v * speed for v in both["cpu"]]
            return results

        found = verdicts(slow_marker(1, 1), slow_marker(2, 1.5))
        self.assertEqual(found["tree/16"], SAME)

    def test_not_measured(self):
        """A figure that is gone is named."""
        new = document(seed=2)
        del new.doc["samples"][OWN]["push"]
        comparison = Comparison(document(), new)
        self.assertIn(("push", "not measured now"), comparison.left_out)
        self.assertTrue(any("push" in line for line in comparison.render()))

    def test_not_in_the_base(self):
        """Nor is one that the base does not know, or has no samples of."""
        base = document()
        del base.doc["samples"][OWN]["push"]
        del base.doc["samples"][OWN]["rate"], base.doc["figures"]["rate"]
        comparison = Comparison(base, document(seed=2))
        self.assertEqual(comparison.left_out, [("push", "not in the base"),
                                               ("rate", "not in the base")])
        self.assertIn("not compared, not in the base: push, rate",
                      comparison.render())
        self.assertEqual(Comparison(base, base).left_out, [])

    def test_environments(self):
        """Figures of two environments are never compared."""
        with self.assertRaisesRegex(Refused, "different environments"):
            Comparison(document(), document(environment="uml"))


    def test_own_peer(self):
        """goheap in another way, which has no version, is nothing to go by."""
        documents = [document(peers=("glibc", "private")) for _ in range(2)]
        for results in documents:
            del results.doc["versions"]["private"]
        self.assertEqual(Comparison(*documents).peers, ["glibc"])


REFERENCES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../../../Documentation/bench/reference-*.json")


class Command(unittest.TestCase):
    """What `make bench-compare` says, and its exit status."""

    @staticmethod
    def compare(base, new):
        """(status, output) for two documents."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("base", "new")]
            for path, results in zip(paths, (base, new)):
                results.save(path)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                status = command.compare(argparse.Namespace(
                    base=[paths[0]], files=[paths[1]]))
        return status, said.getvalue()

    def test_regression(self):
        """One figure of many that is 30 % worse fails, and it is named."""
        status, said = self.compare(document(), document(
            seed=2, noise=0.03, factors={"alloc/64": 1.3}))
        self.assertEqual(status, 1)
        self.assertRegex(said, r"the figure alloc/64, ns .* \+\d\d\.\d%  REGRESSED")
        self.assertIn("1 regressed, 0 improved, 0 perhaps", said)

    def test_noise(self):
        """The same with nothing but noise in it does not."""
        status, said = self.compare(document(), document(seed=2, noise=0.03))
        self.assertEqual(status, 0)
        self.assertIn("0 regressed, 0 improved, 0 perhaps", said)

    def test_committed(self):
        """In each committed result that has intervals, 30 % are found in any figure
        whose interval is not as wide itself, and nowhere else."""
        for path in glob.glob(REFERENCES):
            base = Results.load(path)
            if not stats.rank(base.rounds):
                continue
            planted = 0
            for change in Comparison(base, base).changes:
                if (not change.base.sure or change.base.median < 1 or
                        change.base.high > 1.25 * change.base.low):
                    continue
                new = Results(copy.deepcopy(base.doc))
                worse = 1.3 if not kinds.more_is_better(
                    change.name, base.unit(change.name)) else 1 / 1.3
                for values in new.doc["samples"][OWN][change.name].values():
                    values[:] = [v and v * worse for v in values]
                found = Comparison(base, new).having(REGRESSED)
                self.assertEqual([c.name for c in found], [change.name], path)
                planted += 1
            self.assertGreater(planted, 0, path)


class Words(unittest.TestCase):
    """Tables, data of plots, the page."""

    def test_table(self):
        """Missing peers, targets, and who is better."""
        results = document(factors={"Go/alloc/8": 0.25})
        results.lose("libgc", "package libgc-dev is not installed")
        text = table.render(results)
        self.assertIn("missing: libgc: package libgc-dev is not installed", text)
        self.assertRegex(text, r"goheap loses: the figure alloc/8: Go 0\.[45]")
        self.assertRegex(text, r"the figure alloc/8, ns +10\.\d\d +<= 15  met")
        self.assertRegex(text, r"so many in a second.*>= 100  met")
        self.assertNotIn("loses: the figure alloc/64", text)

    def test_nothing_left(self):
        """Who has nothing of a window loses to who has some, by no ratio."""
        results = Results.new("host", {})
        results.describe("cache/mmu/10ms", "worst 10 ms", "%")
        results.describe("mark/tree/1", "mark tree", "M/s")
        results.describe("mark/tree/1/bytes", "mark tree, bytes", "GB/s")
        results.begin_session()
        results.add_round({
            OWN: {"cache/mmu/10ms": (0, 0), "mark/tree/1": (1, 1),
                  "mark/tree/1/bytes": (16, 16)},
            "Go": {"cache/mmu/10ms": (40, 40), "mark/tree/1": (2, 2),
                   "mark/tree/1/bytes": (32, 32)},
            "libgc": {"cache/mmu/10ms": (0, 0)}})
        self.assertEqual(list(table.losses(results)),
                         ["goheap loses: worst 10 ms: Go >999",
                          "goheap loses: mark tree: Go 2.00"])
        self.assertRegex(table.render(results), r"worst 10 ms, % +0 one run +- +- +-\n")

    def test_numbers(self):
        """Four digits."""
        for value, text in ((0, "0"), (0.4885, "0.488"), (2.3456, "2.346"),
                            (9.76, "9.760"), (302.686, "302.7"), (4567.8, "4568"),
                            (123456, "123456")):
            self.assertEqual(table.number(value), text)

    def test_bars(self):
        """A line for each figure that is shared, three columns for each peer."""
        found = list(plots.bars(document()))
        self.assertEqual([plot.title for plot in found],
                         ["Small objects", "Trees", "Others"])
        lines = [line for plot in found for line in plot.data.splitlines()]
        self.assertEqual([line.split("\t")[0] for line in lines],
                         [*TIMES, "churn"])
        self.assertEqual({len(line.split("\t")) for line in lines}, {7})
        for line in lines:  # of times and of rates, goheap has the better ones
            self.assertAlmostEqual(float(line.split("\t")[1]), 2, delta=0.1)
        self.assertEqual(list(plots.curves(document())), [])

    def test_many_bars(self):
        """In several plots, each figure in one of them; heaps where they have any."""
        results = document(rounds=1)
        names = [f"memory/{size}" for size in range(30)]
        for name in names:
            results.describe(name, name, "ns")
        results.add_round({"libgc": {names[-1]: (1, 1)},
                           **{heap: {name: (1, 1) for name in names}
                              for heap in results.heaps}})
        found = list(plots.bars(results))
        self.assertEqual([plot.name for plot in found],
                         [f"ratios-{i}" for i in range(1, 7)])
        self.assertEqual([plot.variables["peers"] for plot in found],
                         4 * ['"glibc" "Go"'] + ['"glibc" "Go" "libgc"',
                                                 '"glibc" "Go"'])
        self.assertEqual([line.split("\t")[0] for plot in found
                          for line in plot.data.splitlines()],
                         [*TIMES, *names, "churn"])

    def test_colours(self):
        """A heap has the same one beside whatever others, and no other has it."""
        some = plots.colours(["Go", "new"]).split()
        more = plots.colours(["libgc", "new", "Go", "newer"]).split()
        self.assertEqual(some[0], more[2])
        self.assertEqual(len(set(more)), 4)

    def test_curves(self):
        """Points of a curve are in the order of x, heaps in blocks."""
        results = Results.new("host", {})
        names = {"pause/max": 9, "pause/p50": 1, "pause/p99": 5,
                 "tree/mmu/10ms": 0.5, "tree/mmu/1ms": 0.1,
                 "tree/GOGC/300": 2, "tree/GOGC/100": 3, "alone/p50": 1,
                 "nothing/p50": 0, "nothing/p99": 0}
        for name in names:
            results.describe(name, name, "" if "mmu" in name else "us")
        for name in ("unmeasured/p50", "unmeasured/p99"):
            results.describe(name, name, "us")
        results.begin_session()
        sample = {name: (value, value) for name, value in names.items()}
        results.add_round({OWN: sample, "Go": sample})
        found = {plot.name: plot for plot in plots.curves(results)}
        self.assertEqual(set(found),
                         {"latency-pause", "mmu-tree", "heap-tree"})
        blocks = found["latency-pause"].data.split("\n\n\n")
        self.assertEqual(len(blocks), 2)
        self.assertEqual([line.split("\t")[1] for line in
                          blocks[0].split("\n")], ["1", "5", "9"])
        self.assertEqual(found["heap-tree"].data.split("\t")[:2], ["2", "3"])
        self.assertEqual(found["mmu-tree"].data.split("\t")[:2], ["1", "0.1"])

    def test_two_threads(self):
        """What waits for a lock is slow in the table, on the page and in words."""
        results = Results.new("host", {})
        results.describe("larson", "two threads", "ns")
        results.begin_session()
        results.add_round({OWN: {"larson": (10, 40)}, "Go": {"larson": (30, 20)}})
        self.assertEqual(results.estimate(OWN, "larson").median, 40)
        self.assertEqual(results.ratio("Go", "larson").median, 0.5)
        self.assertIn("goheap loses: two threads: Go 0.50", table.render(results))
        self.assertIn("0.50", page.comparison(results, None))

    def test_page(self):
        """What is said of an environment, a peer and a figure is on it."""
        results = document(peers=("a<b",))
        results.doc["versions"]["a<b"] = "1<2"
        results.lose("libgc", "not <there>")
        with tempfile.TemporaryDirectory() as folder:
            drawn = "\n".join(part for part in page.section(results, folder))
        self.assertIn("What it cannot.", drawn)
        self.assertIn("libgc: not &lt;there&gt;", drawn)
        self.assertIn("<th>a&lt;b</th>", drawn)
        self.assertIn("1&lt;2", drawn)
        self.assertEqual(drawn.count("<svg"), 3)
        self.assertIn("the core in one process, on this machine; a CPU, 2 CPUs; ",
                      drawn)
        self.assertNotIn("<script src", drawn)


if __name__ == "__main__":
    unittest.main()
