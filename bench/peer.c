/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of peers.
 */
#include "peer.h"

const struct bench_peer *const bench_peers[] = {
	&bench_vmset,
#ifdef BENCH_CXX
	&bench_std_map,
#endif
#ifdef BENCH_ABSL
	&bench_absl,
#endif
#ifdef BENCH_ICL
	&bench_icl,
#endif
	&bench_linear,
	NULL,
};
