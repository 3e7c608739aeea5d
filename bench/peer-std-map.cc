/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * std::map, a red-black tree.
 */
#include <map>

#include "ordered-map.hh"

using areas = bench::ordered_map<std::map<std::uintptr_t, bench::region>>;

extern const bench_peer bench_std_map =
	bench::peer_of<areas>::make("std::map");
