/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * emit: machine code of x86-64 and aarch64 for 64-bit wrapping arithmetic.
 *
 * What is emitted computes into one register, the result, and keeps what is
 * not yet used on the stack.  A function is
 *
 *     int64_t function(int64_t x, int64_t *column)
 *
 * and sets *column if it divides by zero.  Then it leaves through an exit that
 * all functions share, by a jump, and so must stand within EMIT_REACH of it.
 */
#ifndef EMIT_H
#define EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined __x86_64__ && defined __LP64__
#define EMIT_MACHINE "x86-64"
#define EMIT_REACH   0x7fff0000u
#elif defined __aarch64__ && defined __LP64__
#define EMIT_MACHINE "aarch64"
#define EMIT_REACH   0x7ff0000u
#endif

#define EMIT_EXIT_SIZE 32u

/* Where code is written.  It must be writable, and is run where it stands. */
struct code {
	unsigned char *start;
	size_t size, used;
	uintptr_t exit;         /* the shared exit */
	bool full;              /* something did not fit in */
};

/* The shared exit, of at most EMIT_EXIT_SIZE bytes. */
void emit_exit(struct code *code);

/* A function's first and last instructions. */
void emit_enter(struct code *code);
void emit_leave(struct code *code);

/* result = value.  Returns where the instruction is, for emit_patch. */
size_t emit_constant(struct code *code, int64_t value);

/* result = x */
void emit_variable(struct code *code);

/* result = -result */
void emit_negate(struct code *code);

/* Push the result. */
void emit_push(struct code *code);

/* result = popped operation result, where operation is one of + - * / %. */
void emit_operation(struct code *code, char operation, uint32_t column);

/* Write another value into the constant at start. */
void emit_patch(unsigned char *start, int64_t value);

#endif /* EMIT_H */
