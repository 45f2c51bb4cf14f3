# SPDX-License-Identifier: GPL-2.0
#
# A curve for each heap. Set before: title, origin, data, svg, heaps and colours (words
# in quotes, one after the other), kind (latency, mmu or heap), unit, xlabel, ylabel.
# data has a block of lines for each heap, in that order: x, median, low, high.

set datafile separator "\t"
set terminal svg size 1000,440 font "sans,12" background "white" name "curves" \
	noenhanced
set output svg
set title sprintf("%s\n%s", title, origin)
set grid
set key outside right top vertical
set xlabel xlabel
set ylabel ylabel
set yrange [0:*]
if (kind eq "latency") {
	set logscale y
	set format y "%g"
	if (unit eq "us") {
		set ylabel "time (less is better)"
		set ytics ("10 ns" 0.01, "100 ns" 0.1, "1 us" 1, "10 us" 10, \
			"100 us" 100, "1 ms" 1000, "10 ms" 10000, \
			"100 ms" 100000, "1 s" 1000000, "10 s" 10000000)
	}
	set yrange [*:*]
	set xrange [0.2:5.2]
	set xtics ("50 %%" 0.30103, "90 %%" 1, "99 %%" 2, "99.9 %%" 3, \
		"99.99 %%" 4, "all" 5)
}
if (kind eq "mmu") {
	set logscale x
	set yrange [0:(unit eq "%" ? 100 : 1)]
	set xtics (0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 500, 1000)
	set offsets graph 0.05, graph 0.05, 0, 0
}
if (kind eq "heap") {
	set logscale x 2
	set xtics (1, 1.3, 1.5, 2, 3, 4, 8)
	set xrange [*<1.2:4.4<*]
}
plot for [i = 1:words(heaps)] data index i - 1 using 1:2:3:4 \
	with yerrorlines lc rgb word(colours, i) \
	lw (word(heaps, i) eq "goheap" ? 3 : 1.5) pt 7 ps 0.5 title word(heaps, i)
