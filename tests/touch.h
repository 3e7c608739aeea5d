/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory held to its rights by using it: a child process reads, writes or jumps
 * there, and what became of it is compared with what should.
 */
#ifndef TESTS_TOUCH_H
#define TESTS_TOUCH_H

#include <stddef.h>
#include <stdint.h>

#include "vmset.h"

enum touch_how { TOUCH_READ, TOUCH_WRITE, TOUCH_JUMP };

struct touch {
	uintptr_t addr;
	enum touch_how how;
	/* Found out: */
	int signal;             /* 0: it worked */
	int code;               /* si_code */
	uintptr_t fault;        /* si_addr */
	uint8_t value;          /* that was read */
};

/* Do them all in one child, which lives on after each fault. */
void touch_all(struct touch *touches, size_t count);

/* It must work. */
void touch_works(uintptr_t addr, enum touch_how how);

/*
 * It must kill the child that does it by SIGSEGV, with the address in si_addr
 * and code, SEGV_MAPERR or SEGV_ACCERR, in si_code.
 */
void touch_kills(uintptr_t addr, enum touch_how how, int code);

/*
 * At both ends of each area of a set from vmset_reserve, and of the room
 * between areas, read, write and jump.  Each must work, or fault with
 * SEGV_ACCERR, as the flags say.  Executable areas must hold what
 * touch_fill put there.
 */
void touch_check(const struct vmset *set);

/* Fill writable memory with instructions that return at once. */
void touch_fill(uintptr_t start, size_t size);

#endif /* TESTS_TOUCH_H */
