/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Machine code for arithmetic: see emit.h. */
#include "emit.h"

#include <string.h>

#ifdef EMIT_MACHINE
static void emit(struct code *c, const void *bytes, size_t size)
{
	if (c->full || size > c->size - c->used) {
		c->full = true;
		return;
	}
	memcpy(c->start + c->used, bytes, size);
	c->used += size;
}
#endif

#if defined __x86_64__ && defined __LP64__
/*
 * rdi: x, rsi: column, rax: result, rcx: right operand.  rbp holds the stack as
 * it was, so that the exit may be reached from any depth.
 */
#define EMIT(c, ...) \
	emit(c, (const unsigned char[]){ __VA_ARGS__ }, \
	     sizeof (const unsigned char[]){ __VA_ARGS__ })

void emit_enter(struct code *c)
{
	EMIT(c, 0x55);                          /* push rbp */
	EMIT(c, 0x48, 0x89, 0xe5);              /* mov rbp, rsp */
}

void emit_leave(struct code *c)
{
	EMIT(c, 0xc9, 0xc3);                    /* leave; ret */
}

void emit_exit(struct code *c)
{
	EMIT(c, 0x48, 0x89, 0x16);              /* mov [rsi], rdx */
	EMIT(c, 0x31, 0xc0);                    /* xor eax, eax */
	emit_leave(c);
}

size_t emit_constant(struct code *c, int64_t value)
{
	const size_t at = c->used;

	EMIT(c, 0x48, 0xb8);                    /* mov rax, value */
	emit(c, &value, sizeof value);
	return at;
}

void emit_patch(unsigned char *start, int64_t value)
{
	memcpy(start + 2, &value, sizeof value);
}

void emit_variable(struct code *c)
{
	EMIT(c, 0x48, 0x89, 0xf8);              /* mov rax, rdi */
}

void emit_negate(struct code *c)
{
	EMIT(c, 0x48, 0xf7, 0xd8);              /* neg rax */
}

void emit_push(struct code *c)
{
	EMIT(c, 0x50);                          /* push rax */
}

/* Quotient to rax, remainder to rdx.  idiv faults for INT64_MIN / -1. */
static void emit_divide(struct code *c, uint32_t column)
{
	int32_t jump;

	EMIT(c, 0xba);                          /* mov edx, column */
	emit(c, &column, sizeof column);
	EMIT(c, 0x48, 0x85, 0xc9);              /* test rcx, rcx */
	EMIT(c, 0x0f, 0x84);                    /* jz exit */
	jump = (int32_t)(c->exit - (uintptr_t)c->start - c->used - sizeof jump);
	emit(c, &jump, sizeof jump);
	EMIT(c, 0x48, 0x83, 0xf9, 0xff);        /* cmp rcx, -1 */
	EMIT(c, 0x74, 0x07);                    /* je minus */
	EMIT(c, 0x48, 0x99);                    /* cqo */
	EMIT(c, 0x48, 0xf7, 0xf9);              /* idiv rcx */
	EMIT(c, 0xeb, 0x05);                    /* jmp done */
	emit_negate(c);                         /* minus: */
	EMIT(c, 0x31, 0xd2);                    /* xor edx, edx; done: */
}

void emit_operation(struct code *c, char operation, uint32_t column)
{
	EMIT(c, 0x48, 0x89, 0xc1);              /* mov rcx, rax */
	EMIT(c, 0x58);                          /* pop rax */
	if (operation == '+')
		EMIT(c, 0x48, 0x01, 0xc8);      /* add rax, rcx */
	else if (operation == '-')
		EMIT(c, 0x48, 0x29, 0xc8);      /* sub rax, rcx */
	else if (operation == '*')
		EMIT(c, 0x48, 0x0f, 0xaf, 0xc1);        /* imul rax, rcx */
	else
		emit_divide(c, column);
	if (operation == '%')
		EMIT(c, 0x48, 0x89, 0xd0);      /* mov rax, rdx */
}

#elif defined __aarch64__ && defined __LP64__
/*
 * x0: x, x1: column, x9: result, x10: right operand.  x29 holds the stack as it
 * was, so that the exit may be reached from any depth.
 */
static void word(struct code *c, uint32_t instruction)
{
	const unsigned char bytes[] = {
		instruction & 0xff, instruction >> 8 & 0xff,
		instruction >> 16 & 0xff, instruction >> 24,
	};

	emit(c, bytes, sizeof bytes);
}

/* movz and movk: the quarters of value to a register. */
static void move(struct code *c, unsigned reg, uint64_t value)
{
	word(c, 0xd2800000 | (uint32_t)(value & 0xffff) << 5 | reg);
	word(c, 0xf2a00000 | (uint32_t)(value >> 16 & 0xffff) << 5 | reg);
	word(c, 0xf2c00000 | (uint32_t)(value >> 32 & 0xffff) << 5 | reg);
	word(c, 0xf2e00000 | (uint32_t)(value >> 48) << 5 | reg);
}

void emit_enter(struct code *c)
{
	word(c, 0xa9bf7bfd);            /* stp x29, x30, [sp, -16]! */
	word(c, 0x910003fd);            /* mov x29, sp */
}

void emit_leave(struct code *c)
{
	word(c, 0xaa0903e0);            /* mov x0, x9 */
	word(c, 0x910003bf);            /* mov sp, x29 */
	word(c, 0xa8c17bfd);            /* ldp x29, x30, [sp], 16 */
	word(c, 0xd65f03c0);            /* ret */
}

void emit_exit(struct code *c)
{
	word(c, 0xf900002b);            /* str x11, [x1] */
	emit_leave(c);
}

size_t emit_constant(struct code *c, int64_t value)
{
	const size_t at = c->used;

	move(c, 9, (uint64_t)value);
	return at;
}

void emit_patch(unsigned char *start, int64_t value)
{
	struct code c = { .start = start, .size = 16 };

	move(&c, 9, (uint64_t)value);
}

void emit_variable(struct code *c)
{
	word(c, 0xaa0003e9);            /* mov x9, x0 */
}

void emit_negate(struct code *c)
{
	word(c, 0xcb0903e9);            /* neg x9, x9 */
}

void emit_push(struct code *c)
{
	word(c, 0xf81f0fe9);            /* str x9, [sp, -16]! */
}

/* Quotient to x12.  sdiv gives INT64_MIN for INT64_MIN / -1. */
static void emit_divide(struct code *c, uint32_t column)
{
	uintptr_t jump;

	move(c, 11, column);
	word(c, 0xb500004a);            /* cbnz x10, divide */
	jump = c->exit - (uintptr_t)c->start - c->used;
	word(c, 0x14000000 | (jump >> 2 & 0x3ffffff));  /* b exit */
	word(c, 0x9aca0d2c);            /* divide: sdiv x12, x9, x10 */
}

void emit_operation(struct code *c, char operation, uint32_t column)
{
	word(c, 0xaa0903ea);            /* mov x10, x9 */
	word(c, 0xf84107e9);            /* ldr x9, [sp], 16 */
	if (operation == '/' || operation == '%')
		emit_divide(c, column);
	if (operation == '+')
		word(c, 0x8b0a0129);    /* add x9, x9, x10 */
	else if (operation == '-')
		word(c, 0xcb0a0129);    /* sub x9, x9, x10 */
	else if (operation == '*')
		word(c, 0x9b0a7d29);    /* mul x9, x9, x10 */
	else if (operation == '/')
		word(c, 0xaa0c03e9);    /* mov x9, x12 */
	else
		word(c, 0x9b0aa589);    /* msub x9, x12, x10, x9 */
}
#endif
