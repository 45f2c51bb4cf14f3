# SPDX-License-Identifier: GPL-2.0
#
# Draw what `make run-cache` has measured. Set before: tsv, the lines of the
# program cache, and svg, where to draw.

MIB = 1048576.0
set datafile separator "\t"
set datafile missing "NaN"
set terminal svg size 900,960 font "sans,12" background "white"
set output svg
set multiplot layout 3,1
set lmargin 11
set rmargin 28
set key at graph 1.03,1 left top Left reverse samplen 2
set grid
set xrange [0:*] noextend

set title "operations per second"
set yrange [0:*]
set ylabel "thousand/s"
plot tsv using "second":(column("ops") / 1e3) with lines lw 2 \
	lc rgb "#1f77b4" title "get, set, delete"

set title "how long they took"
set yrange [*:*]
set ylabel "microseconds"
set logscale y
set format y "10^{%L}"
plot tsv using "second":(column("p50") / 1e3) with lines lw 2 \
		lc rgb "#2ca02c" title "half of them", \
	"" using "second":(column("p99") / 1e3) with lines lw 2 \
		lc rgb "#ff7f0e" title "99 %", \
	"" using "second":(column("p999") / 1e3) with lines lw 2 \
		lc rgb "#d62728" title "99.9 %", \
	"" using "second":(column("max") / 1e3) with lines lw 1 dt 2 \
		lc rgb "#7f7f7f" title "all"
unset logscale y
set format y

set title "memory"
set xlabel "seconds"
set yrange [0:*]
set ylabel "MiB"
plot tsv using "second":(column("cgroup_limit") / MIB) with steps lw 3 \
		lc rgb "#d62728" title "limit of the group", \
	"" using "second":(column("limit") / MIB) with steps lw 1 \
		lc rgb "#ff9896" title "of that for the heap", \
	"" using "second":(column("cgroup_use") / MIB) with lines lw 2 \
		lc rgb "#9467bd" title "use of the group", \
	"" using "second":(column("held") / MIB) with lines lw 2 \
		lc rgb "#1f77b4" title "held by the heap", \
	"" using "second":(column("alloc") / MIB) with lines lw 1 \
		lc rgb "#17becf" title "allocated", \
	"" using "second":(column("goal") / MIB) with lines lw 1 dt 2 \
		lc rgb "#7f7f7f" title "goal", \
	"" using "second":(column("live") / MIB) with lines lw 2 \
		lc rgb "#2ca02c" title "found live", \
	"" using "second":(column("released") / MIB) with lines lw 1 dt 3 \
		lc rgb "#8c564b" title "released"
unset multiplot
