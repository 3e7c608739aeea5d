/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * compile: arithmetic expressions to machine code, in one pass.
 *
 *     sum     = product { ("+" | "-") product }
 *     product = unary { ("*" | "/" | "%") unary }
 *     unary   = "-" unary | number | "x" | "(" sum ")"
 *
 * All values are 64-bit integers and wrap.  Blanks may stand between symbols.
 */
#ifndef COMPILE_H
#define COMPILE_H

#include <stdbool.h>
#include <stddef.h>

#include "emit.h"

struct compiled {
	const char *error;      /* NULL: it is an expression */
	size_t column;          /* of the error, from 1 */
	bool has_constant;
	size_t constant;        /* where the first one is, for emit_patch */
};

/* No text needs more code than this. */
size_t compile_bound(const char *text);

struct compiled compile(const char *text, struct code *code);

#endif /* COMPILE_H */
