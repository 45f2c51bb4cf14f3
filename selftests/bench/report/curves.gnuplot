# SPDX-License-Identifier: GPL-2.0
#
# A curve for each heap. Set before: data, svg, heaps (names in quotes, one after
# the other), kind (latency, mmu or heap), xlabel, ylabel. data has a block of lines
# for each heap, in that order: x, median, low, high.

set datafile separator "\t"
set terminal svg size 800,420 font "sans,12" background "white" name "curves"
set output svg
set grid
set key outside
set xlabel xlabel
set ylabel ylabel
set yrange [0:*]
if (kind eq "latency") {
	set logscale y
	set yrange [*:*]
	set xrange [0.2:5.2]
	set xtics ("50 %%" 0.30103, "90 %%" 1, "99 %%" 2, "99.9 %%" 3, \
		"99.99 %%" 4, "all" 5)
}
if (kind eq "mmu") {
	set logscale x
	set yrange [0:(ylabel eq "%" ? 100 : 1)]
}
if (kind eq "heap") {
	set logscale x 2
}
plot for [i = 1:words(heaps)] data index i - 1 using 1:2:3:4 \
	with yerrorlines lc i lw 2 pt 7 ps 0.5 title word(heaps, i)
