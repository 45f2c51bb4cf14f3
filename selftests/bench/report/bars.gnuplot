# SPDX-License-Identifier: GPL-2.0
#
# By what factor goheap is better than each peer: bars up from 1, or down where it
# is worse. Set before: title, origin, data, svg, peers and colours (words in quotes,
# one after the other), rows. A line of data is a label, and median, low and high for
# each peer.

set datafile separator "\t"
set datafile missing "-"
set terminal svg size 1000,440 font "sans,12" background "white" name "bars" \
	noenhanced
set output svg
set title sprintf("%s: goheap beside other heaps\n%s", title, origin)
set logscale y
set ytics (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, \
	50, 100, 200, 500, 1000)
set ylabel "worse (below 1)     goheap is so many times     better (above 1)"
set xtics rotate by -30 nomirror scale 0
set grid ytics
set key outside right top vertical
set xrange [-0.5:rows - 0.5]
# Whatever the ratios are, 1 is there, and room around it.
set yrange [*<0.5:2<*]
n = words(peers)
w = 0.8 / n
set arrow from graph 0, first 1 to graph 1, first 1 nohead lw 2 front
plot data using 0:(1):xtic(1) with points ps 0 notitle, \
	for [i = 1:n] data using ($0 - 0.4 + (i - 0.5) * w):(1): \
		($0 - 0.4 + (i - 1) * w):($0 - 0.4 + i * w): \
		(1):(column(3 * i - 1)) \
		with boxxyerror fs solid noborder lc rgb word(colours, i) \
		title word(peers, i), \
	for [i = 1:n] data using ($0 - 0.4 + (i - 0.5) * w):(column(3 * i)): \
		(0):(column(3 * i + 1) - column(3 * i)) \
		with vectors nohead lw 1 lc rgb "#202020" notitle
