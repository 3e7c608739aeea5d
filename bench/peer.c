/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of peers, and what malloc tells of them.
 */
#include <config.h>

#include "peer.h"

#ifdef HAVE_MALLINFO2
#include <malloc.h>
#endif

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

size_t bench_malloced(void)
{
#ifdef HAVE_MALLINFO2
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}
