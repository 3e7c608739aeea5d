/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Choices are one byte each, or two where one does not do.
 */
#include "fuzz.h"

uint32_t choices_next(void *choices, uint32_t limit)
{
	struct choices *input = choices;
	const size_t width = limit > 256 ? 2 : 1;
	uint32_t value = 0;

	if (input->left < width)
		input->left = 0;
	for (size_t i = 0; i < width && input->left; i++) {
		value = value << 8 | *input->at++;
		input->left--;
	}
	return value % limit;
}
