/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arithmetic expressions to machine code: see compile.h. */
#include "compile.h"

#include <string.h>

#ifdef EMIT_MACHINE
#define MAX_DEPTH 500u

struct parser {
	const char *text;
	size_t at;
	unsigned depth;
	struct code *code;
	struct compiled result;
};

/* Always false: there is no more to parse. */
static bool fail(struct parser *p, const char *error)
{
	p->result.error = error;
	p->result.column = p->at + 1;
	return false;
}

static char peek(struct parser *p)
{
	while (p->text[p->at] == ' ')
		p->at++;
	return p->text[p->at];
}

static bool parse_number(struct parser *p)
{
	const size_t start = p->at;
	int64_t value = 0;
	size_t at;
	char c;

	while ((c = p->text[p->at]) >= '0' && c <= '9') {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, c - '0', &value)) {
			p->at = start;
			return fail(p, "this number is above 2^63 - 1");
		}
		p->at++;
	}
	at = emit_constant(p->code, value);
	if (!p->result.has_constant)
		p->result.constant = at;
	p->result.has_constant = true;
	return true;
}

static bool parse_level(struct parser *p, unsigned level);

static bool parse_unary(struct parser *p)
{
	const char c = peek(p);

	if (c >= '0' && c <= '9')
		return parse_number(p);
	if (c != 'x' && c != '-' && c != '(')
		return fail(p, "a number, x, - or ( is missing here");
	if (p->depth == MAX_DEPTH)
		return fail(p, "this is nested too deeply");
	p->at++;
	if (c == 'x') {
		emit_variable(p->code);
		return true;
	}
	p->depth++;
	if (c == '-') {
		if (!parse_unary(p))
			return false;
		emit_negate(p->code);
	} else {
		if (!parse_level(p, 0))
			return false;
		if (peek(p) != ')')
			return fail(p, "an operator or ) is missing here");
		p->at++;
	}
	p->depth--;
	return true;
}

/* Level 0 are sums, level 1 products, what these are made of is unary. */
static bool parse_level(struct parser *p, unsigned level)
{
	static const char *const operators[] = { "+-", "*/%" };
	char operation;
	size_t column;

	if (level == 2)
		return parse_unary(p);
	if (!parse_level(p, level + 1))
		return false;
	while ((operation = peek(p)) != '\0' &&
	       strchr(operators[level], operation) != NULL) {
		column = ++p->at;
		emit_push(p->code);
		if (!parse_level(p, level + 1))
			return false;
		emit_operation(p->code, operation, (uint32_t)column);
	}
	return true;
}

size_t compile_bound(const char *text)
{
	return 64 + 64 * strlen(text);
}

struct compiled compile(const char *text, struct code *code)
{
	struct parser p = { .text = text, .code = code };

	emit_enter(code);
	if (!parse_level(&p, 0))
		return p.result;
	if (peek(&p) != '\0')
		fail(&p, "an operator or the end is missing here");
	emit_leave(code);
	if (code->full)
		fail(&p, "there is no room for the code up to here");
	return p.result;
}
#endif
