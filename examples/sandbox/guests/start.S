/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a guest begins.  At sp stand, as on Linux, the number of arguments and
 * then their addresses.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	ld	a0, 0(sp)
	addi	a1, sp, 8
	call	main
	li	a7, 93
	ecall
