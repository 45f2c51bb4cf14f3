# SPDX-License-Identifier: GPL-2.0
"""
The command line; see __init__.py.
"""

import argparse
import json
import sys
import textwrap

from . import page, table
from .compare import REGRESSED, Comparison
from .results import OWN, Refused, Results


def take_lines(results, lines):
    """A round from lines {"name", "unit", "median", "p99", "max"}.

    What has a p99 is a latency, and its three figures are called as such.
    """
    samples = {}
    for line in lines:
        read = json.loads(line)
        name, unit = read["name"], read["unit"]
        points = {name: read["median"]}
        if "p99" in read and not unit.endswith("/s"):
            points = {f"{name}/p50": read["median"], f"{name}/p99": read["p99"],
                      f"{name}/max": read["max"]}
        for point, value in points.items():
            results.describe(point, point, unit)
            samples[point] = (value, value)
    results.add_round({OWN: samples})


def add(args):
    """One more round, of lines that a program has printed."""
    results = Results.open(args.file, args.append, args.environment, {},
                           **({"guest": args.guest} if args.guest else {}))
    with open(args.lines, encoding="utf-8") as lines:
        take_lines(results, lines)
    results.save(args.file)


def show(args):
    """Tables."""
    print("\n\n".join(table.render(Results.load(f)).rstrip() for f in args.files))


def quoted(args):
    """Fail unless a document shows the tables of results as they are."""
    with open(args.document, encoding="utf-8") as lines:
        text = lines.read()
    wrong = [path for path in args.files if textwrap.indent(
        table.render(Results.load(path), table.QUOTED), "   ") not in text]
    for path in wrong:
        print(f"{args.document} does not show the tables of {path}")
    return 1 if wrong else 0


def write_page(args):
    """Plots and the page."""
    print(page.write(args.folder, [Results.load(f) for f in args.files]))


def compare(args):
    """What has changed beyond noise since the base of the same environment.

    Exit status 1 if something has regressed, 2 if nothing can be said.
    """
    bases = {base.doc["environment"]: base for base in map(Results.load, args.base)}
    compared = regressed = 0
    for path in args.files:
        results = Results.load(path)
        base = bases.get(results.doc["environment"])
        if not base:
            print(f"{path}: no base of that environment\n")
            continue
        comparison = Comparison(base, results)
        print("\n".join(comparison.render()) + "\n")
        compared += len(comparison.changes)
        regressed += len(comparison.having(REGRESSED))
    if not compared:
        raise Refused("nothing to compare")
    return 1 if regressed else 0


def main():
    """Of the command line."""
    parser = argparse.ArgumentParser(prog="report")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("table", help=show.__doc__)
    command.add_argument("files", nargs="+", metavar="FILE")
    command.set_defaults(run=show)

    command = commands.add_parser("quoted", help=quoted.__doc__)
    command.add_argument("document")
    command.add_argument("files", nargs="+", metavar="FILE")
    command.set_defaults(run=quoted)

    command = commands.add_parser("page", help=write_page.__doc__)
    command.add_argument("folder")
    command.add_argument("files", nargs="+", metavar="FILE")
    command.set_defaults(run=write_page)

    command = commands.add_parser("add", help=add.__doc__)
    command.add_argument("file")
    command.add_argument("lines")
    command.add_argument("--environment", required=True)
    command.add_argument("--guest", help="the machine inside of the machine")
    command.add_argument("--append", action="store_true",
                         help="to the rounds that are there")
    command.set_defaults(run=add)

    command = commands.add_parser("compare", help=compare.__doc__)
    command.add_argument("files", nargs="+", metavar="FILE")
    command.add_argument("--base", nargs="+", required=True, metavar="FILE")
    command.set_defaults(run=compare)

    args = parser.parse_args()
    try:
        return args.run(args) or 0
    except Refused as refused:
        print(f"report: {refused}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
