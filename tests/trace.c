/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of recorded runs.  The whole text is taken into memory and parsed
 * line by line.  Nothing is guessed: a line that is not exactly as
 * tests/traces/README says is an error with its number.
 */
#include "trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "unxz.h"

/* A file being parsed: the rest of the text, and what is known so far. */
struct reader {
	struct trace *trace;
	struct trace_error *error;
	const char *at, *end;   /* of the line in hand, without its newline */
	uint32_t line;
	uint32_t pending;       /* areas that the last state still lacks */
};

/* A field of a line, not terminated. */
struct word {
	const char *at;
	size_t len;
};

/* ---- fields ---- */

static int bad(const struct reader *r, const char *name, const char *why)
{
	return trace_fail(r->error, r->line, "%s %s", name, why);
}

/* Take the next field, which one blank separates from what is before it. */
static int take_word(struct reader *r, const char *name, struct word *word)
{
	const char *at = r->at;

	if (at == r->end || *at != ' ')
		return bad(r, name, "is missing");
	word->at = ++at;
	while (at < r->end && *at != ' ')
		at++;
	word->len = (size_t)(at - word->at);
	if (!word->len)
		return bad(r, name, "is missing");
	r->at = at;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int take_number(struct reader *r, const char *name, uint32_t *number)
{
	struct word word;
	uint64_t value = 0;
	size_t i;
	int err;

	err = take_word(r, name, &word);
	if (err)
		return err;
	for (i = 0; i < word.len; i++) {
		int digit = hex_digit(word.at[i]);

		if (digit < 0)
			return bad(r, name, "is not a hex number");
		value = value * 16 + (unsigned int)digit;
		if (value > UINT32_MAX)
			return bad(r, name, "is too large");
	}
	*number = (uint32_t)value;
	return 0;
}

static int take_prot(struct reader *r, uint32_t *prot)
{
	static const char letters[] = "rwx";
	static const uint32_t bits[] = { PROT_READ, PROT_WRITE, PROT_EXEC };
	struct word word;
	size_t i;
	int err;

	err = take_word(r, "protection", &word);
	if (err)
		return err;
	if (word.len != 3)
		return bad(r, "protection", "is not like rwx or ---");
	*prot = 0;
	for (i = 0; i < 3; i++) {
		if (word.at[i] == letters[i])
			*prot |= bits[i];
		else if (word.at[i] != '-')
			return bad(r, "protection", "is not like rwx or ---");
	}
	return 0;
}

static int take_end(const struct reader *r)
{
	if (r->at != r->end)
		return bad(r, "line", "goes on behind its last field");
	return 0;
}

/* ---- lines ---- */

/* A comment, unless it is the one that says how many pages are needed. */
static int parse_comment(struct reader *r)
{
	static const char pages[] = " pages";
	const size_t len = sizeof(pages) - 1;
	int err;

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, pages, len) != 0)
		return 0;
	r->at += len;
	if (r->trace->pages)
		return bad(r, "number of pages", "is there twice");
	err = take_number(r, "number of pages", &r->trace->pages);
	if (!err && !r->trace->pages)
		return bad(r, "number of pages", "is 0");
	return err ? err : take_end(r);
}

static int parse_call(struct reader *r, enum trace_kind kind)
{
	struct trace_op op = { .kind = kind, .line = r->line };
	int err;

	err = take_number(r, "start", &op.start);
	if (!err)
		err = take_number(r, "length", &op.len);
	if (!err && kind != TRACE_UNMAP)
		err = take_prot(r, &op.prot);
	if (!err)
		err = take_end(r);
	if (err)
		return err;
	if (!op.len)
		return bad(r, "length", "is 0");
	if (op.start > r->trace->pages || op.len > r->trace->pages - op.start)
		return trace_fail(r->error, r->line,
				  "pages %x to %llx are not in the range, "
				  "which has %x", op.start,
				  (unsigned long long)op.start + op.len,
				  r->trace->pages);
	r->trace->ops[r->trace->nr_ops++] = op;
	return 0;
}

static int parse_state(struct reader *r)
{
	struct trace_op op = { .kind = TRACE_STATE, .line = r->line };
	int err;

	err = take_number(r, "number of areas", &op.len);
	if (!err)
		err = take_end(r);
	if (err)
		return err;
	op.start = (uint32_t)r->trace->nr_areas;
	r->pending = op.len;
	r->trace->ops[r->trace->nr_ops++] = op;
	return 0;
}

/* An area of a state must follow on the one before and not be a part of it. */
static int check_order(const struct reader *r, const struct trace_area *area)
{
	const struct trace *trace = r->trace;
	const struct trace_op *state = &trace->ops[trace->nr_ops - 1];
	const struct trace_area *last;

	if (trace->nr_areas == state->start)
		return 0;
	last = &trace->areas[trace->nr_areas - 1];
	if (area->start < last->end)
		return bad(r, "area", "starts before the end of the last one");
	if (area->start == last->end && area->prot == last->prot)
		return bad(r, "area", "is not joined with its equal neighbour");
	return 0;
}

static int parse_area(struct reader *r)
{
	struct trace_area area = { .line = r->line };
	int err;

	if (!r->pending)
		return bad(r, "area", "is not in the count of a state");
	err = take_number(r, "start", &area.start);
	if (!err)
		err = take_number(r, "end", &area.end);
	if (!err)
		err = take_prot(r, &area.prot);
	if (!err)
		err = take_end(r);
	if (err)
		return err;
	if (area.start >= area.end || area.end > r->trace->pages)
		return trace_fail(r->error, r->line,
				  "area %x to %x is empty or not in the range, "
				  "which has %x pages", area.start, area.end,
				  r->trace->pages);
	err = check_order(r, &area);
	if (err)
		return err;
	r->pending--;
	r->trace->areas[r->trace->nr_areas++] = area;
	return 0;
}

static int parse_line(struct reader *r)
{
	char letter = '\n';

	if (r->at < r->end)
		letter = *r->at++;
	if (letter == '#')
		return parse_comment(r);
	if (!r->trace->pages)
		return trace_fail(r->error, r->line,
				  "no line '# pages N' before the first call");
	if (letter == '=')
		return parse_area(r);
	if (r->pending)
		return trace_fail(r->error, r->line,
				  "the state lacks %x of its areas",
				  r->pending);
	switch (letter) {
	case 'm':
		return parse_call(r, TRACE_MAP);
	case 'u':
		return parse_call(r, TRACE_UNMAP);
	case 'p':
		return parse_call(r, TRACE_PROTECT);
	case 's':
		return parse_state(r);
	default:
		return bad(r, "line", "is none of # m u p s =");
	}
}

/* A run that is whole ends with the state it left. */
static int check_whole(const struct reader *r)
{
	const struct trace *trace = r->trace;

	if (!trace->pages)
		return trace_fail(r->error, 0, "no line '# pages N'");
	if (r->pending)
		return trace_fail(r->error, r->line,
				  "cut off: the last state lacks %x of its "
				  "areas", r->pending);
	if (!trace->nr_ops || trace->ops[trace->nr_ops - 1].kind != TRACE_STATE)
		return trace_fail(r->error, r->line,
				  "cut off: the run does not end with a state");
	return 0;
}

static size_t count_lines(const struct unxz_bytes *text)
{
	size_t lines = 0;
	size_t i;

	for (i = 0; i < text->size; i++)
		lines += text->at[i] == '\n';
	return lines;
}

static int parse_text(struct trace *trace, const struct unxz_bytes *text,
		      struct trace_error *error)
{
	struct reader r = { .trace = trace, .error = error };
	const size_t lines = count_lines(text);
	const char *at = text->at;
	const char *const end = at + text->size;

	/* No line makes more than one of either. */
	trace->ops = calloc(lines + 1, sizeof(*trace->ops));
	trace->areas = calloc(lines + 1, sizeof(*trace->areas));
	if (!trace->ops || !trace->areas)
		return trace_fail(error, 0, "%s", strerror(ENOMEM));
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		int err;

		r.line++;
		if (!newline)
			return bad(&r, "line", "is cut off: no newline");
		r.at = at;
		r.end = newline;
		err = parse_line(&r);
		if (err)
			return err;
		at = newline + 1;
	}
	return check_whole(&r);
}

/* ---- the interface ---- */

void trace_explain(struct trace_error *error, size_t line, const char *format,
		   ...)
{
	va_list args;

	error->line = line;
	va_start(args, format);
	vsnprintf(error->reason, sizeof(error->reason), format, args);
	va_end(args);
}

static int finish(struct trace *trace, struct unxz_bytes *text, const char *why,
		  struct trace_error *error)
{
	int err;

	*trace = (struct trace){ 0 };
	if (why)
		return trace_fail(error, 0, "%s", why);
	err = parse_text(trace, text, error);
	unxz_free(text);
	if (err)
		trace_free(trace);
	return err;
}

int trace_read(struct trace *trace, const char *path, struct trace_error *error)
{
	struct unxz_bytes text;
	const char *why = unxz_file(path, &text);

	return finish(trace, &text, why, error);
}

int trace_parse(struct trace *trace, const void *bytes, size_t size,
		struct trace_error *error)
{
	struct unxz_bytes text;
	const char *why = unxz_bytes(bytes, size, &text);

	return finish(trace, &text, why, error);
}

void trace_free(struct trace *trace)
{
	free(trace->ops);
	free(trace->areas);
	*trace = (struct trace){ 0 };
}

const char *trace_prot(uint32_t prot, char buf[4])
{
	buf[0] = prot & PROT_READ ? 'r' : '-';
	buf[1] = prot & PROT_WRITE ? 'w' : '-';
	buf[2] = prot & PROT_EXEC ? 'x' : '-';
	buf[3] = '\0';
	return buf;
}
