/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the sandbox tells people: where a guest went wrong, and the map of the
 * range.  All of it goes to standard output.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

#include "rv64.h"
#include "vmset.h"

/* As in "r-x". */
struct report_rights {
	char text[4];
};
struct report_rights report_rights(uint32_t flags);

/*
 * Why the guest stopped; not for RV64_ECALL and RV64_ILLEGAL.  fault is for
 * RV64_PAGE_FAULT: its address is in or behind the first byte of the access.  An
 * area's data is its name, or NULL.
 */
void report_fault(const struct vmset *set, const struct rv64 *cpu,
		  enum rv64_stop stop, const struct vmset_fault *fault);

/* What an instruction that is none of RV64IM may be part of, in words. */
const char *report_extension(uint32_t insn);

/*
 * The set's dump, the kernel's lines for the same range, and what vmset_verify
 * says of both.
 */
void report_map(const struct vmset *set);

#endif /* REPORT_H */
