/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading strace's output line by line.
 *
 * A call that others interrupt stands on two lines, the first of which ends in
 * "<unfinished ...>".  It takes effect in between.  What counts as the moment:
 *
 *   - for a call that gives addresses or hands them on, its end: nobody uses
 *     what mmap returns before it has;
 *   - for one that takes addresses away, and for the making of a process, its
 *     beginning: the addresses, or the pid, may be at work in others' lines
 *     before the end is printed.
 */
#include "strace.h"

#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "strace-call.h"
#include "vector.h"

/* The first half of a call. */
struct half {
	struct strace_text text;
	uint32_t pid, line;
};

struct reader {
	struct strace_log *log;
	struct trace_error *error;
	size_t events_room, children_room;
	struct half *halves;
	size_t nr_halves, halves_room;
	char *joined; /* two halves */
	size_t joined_room;
	uint32_t line;
};

static int bad(const struct reader *r, const char *what, const char *why)
{
	return trace_fail(r->error, r->line, "%s: %s", what, why);
}

static int no_memory(const struct reader *r)
{
	return bad(r, "strace output", "no memory to keep it");
}

static bool at_end(const struct strace_text *text)
{
	return text->at == text->end;
}

static bool ends_in(const struct strace_text *text, const char *word)
{
	const size_t len = strlen(word);

	return (size_t)(text->end - text->at) >= len &&
	       memcmp(text->end - len, word, len) == 0;
}

/* Where the word last stands in the text, or NULL. */
static const char *find_last(const struct strace_text *text, const char *word)
{
	const size_t len = strlen(word);
	const size_t size = (size_t)(text->end - text->at);
	size_t i;

	for (i = size < len ? 0 : size - len + 1; i-- > 0;)
		if (text->at[i] == *word && !memcmp(text->at + i, word, len))
			return text->at + i;
	return NULL;
}

/* ---- what is kept ---- */

static int add_event(struct reader *r, const struct strace_event *event)
{
	struct strace_log *log = r->log;
	struct strace_event *at = vector_room(log->events, log->nr_events + 1,
					      &r->events_room, sizeof(*at));

	if (!at)
		return no_memory(r);
	log->events = at;
	log->events[log->nr_events++] = *event;
	return 0;
}

static int add_mark(struct reader *r, enum strace_kind kind, uint32_t pid)
{
	const struct strace_event event = {
		.kind = kind,
		.pid = pid,
		.line = r->line,
	};

	return add_event(r, &event);
}

static int add_child(struct reader *r, struct strace_child child)
{
	struct strace_log *log = r->log;
	struct strace_child *at = vector_room(log->children,
					      log->nr_children + 1,
					      &r->children_room, sizeof(*at));

	if (!at)
		return no_memory(r);
	log->children = at;
	log->children[log->nr_children++] = child;
	return 0;
}

static struct half *find_half(const struct reader *r, uint32_t pid)
{
	size_t i;

	for (i = 0; i < r->nr_halves; i++)
		if (r->halves[i].pid == pid)
			return &r->halves[i];
	return NULL;
}

/* ---- calls ---- */

/* Where a call that began and ended on other lines took effect. */
static uint32_t effect_line(const struct strace_event *event, uint32_t began,
			    uint32_t ended)
{
	switch (event->kind) {
	case STRACE_MUNMAP:
	case STRACE_MREMAP:
	case STRACE_CLONE:
		return began;
	default:
		return ended;
	}
}

static int whole_call(struct reader *r, struct strace_text text, uint32_t pid,
		      uint32_t began)
{
	struct strace_event event;
	bool known;
	const char *why = strace_call_parse(text, &event, &known);

	if (why)
		return bad(r, "call", why);
	if (!known) {
		r->log->nr_others++;
		return 0;
	}
	event.pid = pid;
	event.line = effect_line(&event, began, r->line);
	return add_event(r, &event);
}

static bool is_of_call(const struct half *half, const struct strace_text *name)
{
	const size_t len = (size_t)(name->end - name->at);
	const size_t size = (size_t)(half->text.end - half->text.at);

	return size > len && memcmp(half->text.at, name->at, len) == 0 &&
	       half->text.at[len] == '(';
}

/*
 * The first half of the call.  strace puts no pid before the lines of a process
 * that is alone, and it may become alone, or cease to be, within a call.
 */
static struct half *find_begun(const struct reader *r, uint32_t pid,
			       const struct strace_text *name)
{
	struct half *half = find_half(r, pid);
	size_t i;

	if (half || pid)
		return half ? half : find_half(r, 0);
	for (i = r->nr_halves; i-- > 0;)
		if (is_of_call(&r->halves[i], name))
			return &r->halves[i];
	return NULL;
}

static struct half take_half(struct reader *r, struct half *half)
{
	const struct half taken = *half;

	*half = r->halves[--r->nr_halves];
	return taken;
}

/* Put two pieces of text into one. */
static int join(struct reader *r, const struct strace_text *first,
		const struct strace_text *second, struct strace_text *whole)
{
	const size_t size = (size_t)(first->end - first->at);
	const size_t more = (size_t)(second->end - second->at);
	char *at = vector_room(r->joined, size + more, &r->joined_room, 1);

	if (!at)
		return no_memory(r);
	r->joined = at;
	memcpy(at, first->at, size);
	memcpy(at + size, second->at, more);
	*whole = (struct strace_text){ at, at + size + more };
	return 0;
}

/* A call whose end nobody saw. */
static int lose_half(struct reader *r, struct half *half)
{
	static const char unknown[] = ") = ?";
	const struct strace_text end = { unknown,
					 unknown + sizeof(unknown) - 1 };
	const struct half lost = take_half(r, half);
	struct strace_event event;
	struct strace_text whole;
	bool known;
	int err = join(r, &lost.text, &end, &whole);

	if (err)
		return err;
	if (strace_call_parse(whole, &event, &known) || !known)
		return 0;
	event.pid = lost.pid;
	event.line = lost.line;
	return add_event(r, &event);
}

static int begin_call(struct reader *r, struct strace_text text, uint32_t pid)
{
	struct strace_text rest = text;
	struct strace_text name;
	struct half *at;

	if (!strace_take_name(&rest, &name))
		return bad(r, "call", "it has no name");
	if (text.end[-1] == ' ')
		text.end--;
	at = vector_room(r->halves, r->nr_halves + 1, &r->halves_room,
			 sizeof(*at));
	if (!at)
		return no_memory(r);
	r->halves = at;
	r->halves[r->nr_halves++] = (struct half){ text, pid, r->line };
	return 0;
}

/* "<... munmap resumed>) = 0", from behind the dots. */
static int end_call(struct reader *r, struct strace_text text, uint32_t pid)
{
	struct strace_text name = text;
	struct strace_text whole;
	struct half *half;
	struct half begun;
	int err;

	while (!at_end(&text) && *text.at != ' ')
		text.at++;
	name.end = text.at;
	if (name.at == name.end || !strace_take(&text, " resumed>"))
		return bad(r, "end of a call",
			   "it is not like <... name "
			   "resumed>");
	half = find_begun(r, pid, &name);
	if (!half)
		return add_mark(r, STRACE_HEADLESS, pid);
	begun = take_half(r, half);
	if (!is_of_call(&begun, &name))
		return trace_fail(r->error, r->line,
				  "end of a call: the one "
				  "that began on line %u is another",
				  begun.line);
	strace_skip_blanks(&text);
	err = join(r, &begun.text, &text, &whole);
	return err ? err :
		     whole_call(r, whole, begun.pid ? begun.pid : pid,
				begun.line);
}

/*
 * A call may be cut in two, or strace may have been cut short.  Who begins a
 * call has ended the one before, even if no line says so.
 */
static int parse_call(struct reader *r, struct strace_text text, uint32_t pid)
{
	static const char *const cuts[] = {
		"<unfinished ...>",
		"<detached ...>",
		"<pid changed to ",
		"<ptrace(",
	};
	struct half *const half = find_half(r, pid);
	const char *at = NULL;
	struct strace_text whole, head, tail;
	size_t i;
	int err;

	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]) && !at; i++)
		at = ends_in(&text, ">") || !i ? find_last(&text, cuts[i]) :
						 NULL;
	if (half && lose_half(r, half))
		return -1;
	if (!at)
		return whole_call(r, text, pid, r->line);
	head = (struct strace_text){ text.at, at };
	tail = (struct strace_text){ at, text.end };
	if (at == text.at)
		return bad(r, "call", "it has no name");
	if (!strace_take(&tail, cuts[0]) || at_end(&tail))
		return begin_call(r, head, pid);
	/* "<unfinished ...>) = ?": it will not go on. */
	err = join(r, &head, &tail, &whole);
	return err ? err : whole_call(r, whole, pid, r->line);
}

/* ---- other lines ---- */

/* From behind +++, as "exited with 0 +++". */
static int parse_exit(struct reader *r, struct strace_text text, uint32_t pid)
{
	static const char superseded[] = " superseded by execve in pid ";
	struct half *const half = find_half(r, pid);
	struct half *caller;
	uint32_t other;

	if (!ends_in(&text, " +++"))
		return bad(r, "end of a process", "it does not end in +++");
	if (half && lose_half(r, half))
		return -1;
	if (!strace_take(&text, superseded))
		return add_mark(r, STRACE_EXIT, pid);
	if (!strace_take_pid(&text, &other))
		return bad(r, "end of a process", "its pid cannot be read");
	/* The thread that called execve lives on under this pid. */
	caller = find_half(r, other);
	if (caller)
		caller->pid = pid;
	return add_mark(r, STRACE_EXIT, other);
}

/* From behind ---, as "SIGCHLD {si_signo=SIGCHLD, ...} ---". */
static int parse_signal(struct reader *r, struct strace_text text, uint32_t pid)
{
	static const char field[] = "si_pid=";
	const char *at = find_last(&text, field);
	struct strace_child child = { .parent = pid };

	if (!ends_in(&text, " ---"))
		return bad(r, "signal", "it does not end in ---");
	/* Not those that kill sent. */
	if (!at || !find_last(&text, "si_code=CLD_") ||
	    !strace_take(&text, " SIGCHLD "))
		return 0;
	text.at = at + sizeof(field) - 1;
	at = memchr(text.at, ',', (size_t)(text.end - text.at));
	if (at)
		text.end = at;
	return strace_take_pid(&text, &child.pid) ? add_child(r, child) : 0;
}

/* "Process 12 attached", the rest of which does not matter. */
static int parse_note(struct reader *r, struct strace_text text)
{
	uint32_t pid;

	if (!strace_take(&text, "Process ") || !strace_take_pid(&text, &pid) ||
	    !strace_take(&text, " attached"))
		return 0;
	return add_mark(r, STRACE_ATTACHED, pid);
}

/* ---- what stands before ---- */

/* 12:34:56, 12:34:56.789012, 1700000000.789012: nothing but digits : and . */
static bool skip_time(struct strace_text *text)
{
	const char *at = text->at;
	bool dotted = false;

	for (; at < text->end && *at != ' '; at++) {
		if (*at == ':' || *at == '.')
			dotted = true;
		else if (*at < '0' || *at > '9')
			return false;
	}
	if (!dotted || at == text->end)
		return false;
	text->at = at;
	strace_skip_blanks(text);
	return true;
}

/* (+     0.000012) of -r with -t; it needs no look at what is in it. */
static bool skip_step(struct strace_text *text)
{
	struct strace_text rest = *text;

	if (!strace_take(&rest, "(+"))
		return false;
	while (!at_end(&rest) && *rest.at != ')')
		rest.at++;
	if (!strace_take(&rest, ") "))
		return false;
	*text = rest;
	strace_skip_blanks(text);
	return true;
}

/* [   9] of -n, [00007f0c31a00000] of -i, which may be unknown: [????] */
static bool skip_number(struct strace_text *text)
{
	struct strace_text rest = *text;

	if (!strace_take(&rest, "["))
		return false;
	while (!at_end(&rest) && memchr(" 0123456789abcdefx?", *rest.at, 19))
		rest.at++;
	if (!strace_take(&rest, "] "))
		return false;
	*text = rest;
	strace_skip_blanks(text);
	return true;
}

static void skip_extras(struct strace_text *text)
{
	while (skip_time(text) || skip_step(text) || skip_number(text))
		;
}

/* [pid 12] or, in a file, 12; or none. */
static uint32_t take_pid(struct strace_text *text)
{
	struct strace_text rest = *text;
	uint32_t pid = 0;
	bool closed = true;

	if (strace_take(&rest, "[pid")) {
		strace_skip_blanks(&rest);
		closed = strace_take_pid(&rest, &pid) &&
			 strace_take(&rest, "]");
	} else {
		closed = strace_take_pid(&rest, &pid) && !at_end(&rest) &&
			 *rest.at == ' ';
	}
	if (!closed)
		return 0;
	*text = rest;
	strace_skip_blanks(text);
	return pid;
}

/* The start of a line, and the pid that is in it. */
static uint32_t take_front(struct strace_text *text)
{
	uint32_t pid;

	strace_skip_blanks(text);
	pid = take_pid(text);
	skip_extras(text);
	return pid;
}

/* ---- lines ---- */

/* Blank lines and the frames of -k, and the note of another word size. */
static bool says_nothing(struct strace_text text)
{
	return at_end(&text) || strace_take(&text, "> ") ||
	       strace_take(&text, "[ Process PID=");
}

static bool is_call(struct strace_text text)
{
	struct strace_text name;

	return strace_take_name(&text, &name) || strace_take(&text, "???");
}

static int parse_line(struct reader *r, struct strace_text text)
{
	const uint32_t pid = take_front(&text);

	if (says_nothing(text))
		return 0;
	if (strace_take(&text, "+++"))
		return parse_exit(r, text, pid);
	if (strace_take(&text, "---"))
		return parse_signal(r, text, pid);
	if (strace_take(&text, "<... "))
		return end_call(r, text, pid);
	if (strace_take(&text, "strace: "))
		return parse_note(r, text);
	if (is_call(text))
		return parse_call(r, text, pid);
	return bad(r, "line", "it is nothing that strace prints");
}

static struct strace_text first_line(const char *at, const char *end)
{
	struct strace_text line = { at, end };
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	if (newline)
		line.end = newline;
	return line;
}

bool strace_is_log(const void *bytes, size_t size)
{
	const char *at = bytes;
	const char *const end = at + size;

	while (at < end) {
		struct strace_text line = first_line(at, end);

		at = line.end == end ? end : line.end + 1;
		take_front(&line);
		if (says_nothing(line))
			continue;
		return is_call(line) || strace_take(&line, "+++") ||
		       strace_take(&line, "---") ||
		       strace_take(&line, "<... ") ||
		       strace_take(&line, "strace: ");
	}
	return false;
}

static int parse_lines(struct reader *r, const char *at, size_t size,
		       struct progress *progress)
{
	const char *const begin = at;
	const char *const end = at + size;

	while (at < end) {
		const struct strace_text line = first_line(at, end);
		int err;

		if (r->line == UINT32_MAX)
			return bad(r, "strace output", "too many lines");
		r->line++;
		if (line.end == end)
			return bad(r, "line", "it is cut off: no newline");
		err = parse_line(r, line);
		if (err)
			return err;
		at = line.end + 1;
		progress_step(progress, "bytes read", (size_t)(at - begin),
			      size);
	}
	r->log->nr_lines = r->line;
	return 0;
}

/* ---- the order ---- */

/* No two events have the same line. */
static int by_line(const void *a, const void *b)
{
	const struct strace_event *x = a;
	const struct strace_event *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

static int by_pid(const void *a, const void *b)
{
	const struct strace_child *x = a;
	const struct strace_child *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void sort(struct strace_log *log)
{
	if (log->nr_events)
		qsort(log->events, log->nr_events, sizeof(*log->events),
		      by_line);
	if (log->nr_children)
		qsort(log->children, log->nr_children, sizeof(*log->children),
		      by_pid);
}

int strace_parse(struct strace_log *log, const void *bytes, size_t size,
		 struct progress *progress, struct trace_error *error)
{
	struct reader r = { .log = log, .error = error };
	int err;

	*log = (struct strace_log){ 0 };
	err = parse_lines(&r, bytes, size, progress);
	while (!err && r.nr_halves)
		err = lose_half(&r, r.halves);
	free(r.halves);
	free(r.joined);
	if (err)
		strace_free(log);
	else
		sort(log);
	return err;
}

void strace_free(struct strace_log *log)
{
	free(log->events);
	free(log->children);
	*log = (struct strace_log){ 0 };
}
