# SPDX-License-Identifier: GPL-2.0
"""
Results of benchmarks: kept, compared, and made into tables, plots and a page.

Run from selftests/bench:

  python3 -m report table FILE...         tables for a terminal
  python3 -m report quoted TEXT FILE...   does a text show these tables?
  python3 -m report page FOLDER FILE...   plots, and index.html that shows them
  python3 -m report add FILE LINES ...    one more round, measured elsewhere
  python3 -m report compare FILE... --base FILE...
                                          what has changed beyond noise

A FILE is one document of results.py: all samples of one environment. Nothing here
runs a benchmark.
"""
