/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations on a set over the mock.  The first three choices are the backends'
 * promises, the set's option and granule, and the size of the space; the others
 * are the steps', calls that fail among them.
 */
#include "../steps.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct choices choices = { bytes, size };
	struct steps run = { .choose = choices_next, .arg = &choices };
	const uint32_t promises = choices_next(&choices, MOCK_PROMISES + 1);
	const uint32_t kind = choices_next(&choices, 4);
	const uint32_t count = 8 + choices_next(&choices, 120);

	run.longest = 1 + count / 3;
	steps_start_on_mock(&run, kind & 1 ? 0x10 : 1, count, promises,
			    kind & 2 ? VMSET_NO_MERGE : 0);
	while (choices.left) {
		steps_take(&run);
		steps_compare(&run);
	}
	steps_end(&run);
	return 0;
}
