# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Cost against the number of areas, a panel for each work, from the CSV file of
# bench:  gnuplot -e "csv='FILE'; svg='FILE'" plot.gp

set terminal svg size 1500,1150 dynamic background rgb 'white' font 'sans,13'
set output svg
set datafile separator comma
set datafile missing NaN
set datafile columnheaders

works = '"build in random order" "find independent" "find dependent" iterate \
	"free area only at the far end" "free area random hint and size" \
	"unmap that splits" "map that fills and joins" "protect that splits" \
	"protect back which joins" "alloc and unmap" "memory of an area"'
peers = '"vmset" "std::map" "absl btree" "Boost.ICL" "linear"'

set logscale xy
set autoscale xfix
set format x '10^{%T}'
set grid xtics ytics lt 1 lc rgb '#dddddd'
set key top left reverse Left samplen 2
set multiplot layout 3,4 title \
	'libvmset and its peers: cost of an operation, by number of areas'
do for [w = 1:words(works)] {
	work = word(works, w)
	set title work
	set ylabel (work eq 'memory of an area' ? 'bytes' : 'ns')
	# The last peer does this work only.
	drawn = words(peers) - (work ne 'free area only at the far end')
	plot for [p = 1:drawn] csv \
		using 3:(strcol(2) eq work && strcol(4) eq word(peers, p) && \
			 strcol(1) eq 'in memory' ? $6 : NaN) \
		with linespoints lw (p == 1 ? 3 : 1.5) pt 6 + p ps 0.6 lc p \
		title (w == 1 || p == words(peers) ? word(peers, p) : '')
}
unset multiplot
