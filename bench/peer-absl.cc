/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * absl::btree_map, a B-tree.
 */
#include <absl/container/btree_map.h>

#include "ordered-map.hh"

using areas =
	bench::ordered_map<absl::btree_map<std::uintptr_t, bench::region>>;

extern const bench_peer bench_absl = bench::peer_of<areas>::make("absl btree");
