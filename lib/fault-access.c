/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Read, write or fetch: where each machine tells it in the context of a signal.
 */
#define _GNU_SOURCE                     /* names of registers */

#include "fault.h"

#include <string.h>
#include <ucontext.h>

#if defined(__x86_64__) || defined(__i386__)

/* The error code of a page fault. */
#define TRAP_PAGE_FAULT 14
#define ERROR_WRITE     0x02
#define ERROR_FETCH     0x10

static uint32_t access_of(const ucontext_t *context)
{
	const greg_t *regs = context->uc_mcontext.gregs;

	if (regs[REG_TRAPNO] != TRAP_PAGE_FAULT)
		return 0;
	if (regs[REG_ERR] & ERROR_FETCH)
		return VMSET_EXEC;
	return regs[REG_ERR] & ERROR_WRITE ? VMSET_WRITE : VMSET_READ;
}

#elif defined(__aarch64__)

/*
 * The syndrome register ESR_EL1 is in one of the records that the kernel puts
 * behind the registers, each with its number and size in front.
 */
#define RECORD_SYNDROME UINT32_C(0x45535201)
#define CLASS(syndrome) ((syndrome) >> 26 & 0x3f)
#define CLASS_FETCH     0x20            /* from the lower level, as all here */
#define CLASS_DATA      0x24
#define DATA_WRITE      0x40
#define DATA_CACHE      0x100           /* of the cache: says write always */

struct record {
	uint32_t number, size;
	uint64_t syndrome;
};

static uint32_t access_by(uint64_t syndrome)
{
	if (CLASS(syndrome) == CLASS_FETCH)
		return VMSET_EXEC;
	if (CLASS(syndrome) != CLASS_DATA || syndrome & DATA_CACHE)
		return 0;
	return syndrome & DATA_WRITE ? VMSET_WRITE : VMSET_READ;
}

static uint32_t access_of(const ucontext_t *context)
{
	const mcontext_t *machine = &context->uc_mcontext;
	const size_t room = sizeof machine->__reserved;
	struct record record;

	for (size_t at = 0; at + sizeof record <= room; at += record.size) {
		memcpy(&record, (const char *)machine->__reserved + at,
		       sizeof record);
		if (record.number == RECORD_SYNDROME)
			return access_by(record.syndrome);
		if (!record.number || !record.size)
			return 0;
	}
	return 0;
}

#else

static uint32_t access_of(const ucontext_t *context)
{
	(void)context;
	return 0;
}

#endif

uint32_t vmset__fault_access(const void *context)
{
	return access_of(context);
}
