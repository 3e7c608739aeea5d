/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An interpreter of RISC-V: the 64-bit base set and its multiplications and
 * divisions (RV64IM), as an unprivileged program sees them.
 *
 * Guest memory is 4 GiB of host memory: guest address a is host address
 * base + a.  A load or store checks that it ends below 4 GiB and then goes
 * there.  Whether something is mapped there, and with which rights, is for the
 * host's page tables: a wrong access is a SIGSEGV of the host in the middle of
 * rv64_run, and cpu->access and cpu->pc say what the guest was doing.
 */
#ifndef RV64_H
#define RV64_H

#include <stdbool.h>
#include <stdint.h>

#define RV64_SPAN (UINT64_C(1) << 32)

/* Registers that have a meaning in system calls. */
#define RV64_SP 2
#define RV64_A0 10
#define RV64_A7 17

/* Why rv64_run came back. */
enum rv64_stop {
	RV64_ECALL = 1,         /* a system call; pc is behind it */
	RV64_EBREAK,            /* pc and all below: at the instruction */
	RV64_ILLEGAL,           /* none of RV64IM; it is in insn */
	RV64_MISALIGNED,        /* a jump to access.addr, no multiple of 4 */
	RV64_BEYOND,            /* an access that does not end below 4 GiB */
	RV64_NOT_CODE,          /* a fetch where fetch says no */
	RV64_PAGE_FAULT,        /* never returned: for who catches one */
};

enum rv64_what { RV64_FETCH, RV64_LOAD, RV64_STORE };

struct rv64_access {
	enum rv64_what what;
	unsigned int width;     /* bytes */
	uint64_t addr;          /* the guest's */
};

/* The guest addresses from start up to, and without, end. */
struct rv64_range {
	uint64_t start, end;
};

/*
 * Asked for a stretch of code around pc: stores it, multiples of 4, and returns
 * true, or returns false if nothing may be executed there.  The answer
 * is kept until rv64_run returns.
 */
typedef bool rv64_fetch_fn(uint64_t pc, struct rv64_range *code,
			   const void *arg);

struct rv64 {
	uint64_t x[32];
	uint64_t pc;            /* of the instruction at work */
	uint64_t steps;         /* instructions that were completed */
	uint32_t insn;          /* the one at work */
	struct rv64_access access; /* the last one begun */
	unsigned char *base;
	rv64_fetch_fn *fetch;
	const void *fetch_arg;
};

/* Runs the guest until it stops. */
enum rv64_stop rv64_run(struct rv64 *cpu);

#endif /* RV64_H */
