/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of peers.
 */
#include "peer.h"

#include <string.h>

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

bool bench_peer_is_named(const struct bench_peer *peer, const char *names)
{
	const size_t length = strlen(peer->name);

	if (!names)
		return true;
	for (; *names; names += strspn(names, ",")) {
		size_t n = strcspn(names, ",");

		if (n == length && !strncmp(names, peer->name, n))
			return true;
		names += n;
	}
	return false;
}
