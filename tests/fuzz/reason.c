/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A reason may quote the input, but not make a mess of the terminal with it.
 */
#include "../assert.h"
#include "fuzz.h"

void reason_check(const char *reason)
{
	assert_that(*reason);
	for (; *reason; reason++)
		assert_that(*reason >= ' ' && *reason <= '~');
}
