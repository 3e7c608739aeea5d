/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations on a kernel reservation.  The first choice is the set's option,
 * the others are the steps'.
 */
#include "../steps.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct choices choices = { bytes, size };
	struct steps run = { .choose = choices_next, .arg = &choices,
			     .longest = 12 };

	steps_start_on_kernel(&run, 32, choices_next(&choices, 2) ?
			      VMSET_NO_MERGE : 0);
	while (choices.left) {
		steps_take(&run);
		steps_compare(&run);
	}
	steps_end(&run);
	return 0;
}
