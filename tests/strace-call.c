/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading a call from its line.  The result is looked for from the end, since
 * strings among the arguments may hold anything.  The arguments are read only
 * if the call was done: others may have had any.
 */
#include "strace-call.h"

#include <string.h>
#include <sys/mman.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/*
 * The arguments of a call, a letter for each: a address, l length, n new
 * length, p protection, m flags of mmap, r flags of mremap, k protection key,
 * x any number, f a file.  Those behind ? may be missing.  * is everything up
 * to the result, without looking; c likewise, with the flags of clone in it.
 */
static const struct call {
	const char *name;
	enum strace_kind kind;
	const char *args;
} calls[] = {
	{ "brk", STRACE_BRK, "a" },
	{ "mmap", STRACE_MMAP, "alpmfx" },
	{ "mmap2", STRACE_MMAP, "alpmfx" },
	{ "old_mmap", STRACE_MMAP, "alpmfx" },
	{ "munmap", STRACE_MUNMAP, "al" },
	{ "mprotect", STRACE_MPROTECT, "alp" },
	{ "pkey_mprotect", STRACE_MPROTECT, "alpk" },
	{ "mremap", STRACE_MREMAP, "alnr?x" },
	{ "madvise", STRACE_IDLE, "al*" },
	{ "process_madvise", STRACE_IDLE, "*" },
	{ "mlock", STRACE_IDLE, "*" },
	{ "mlock2", STRACE_IDLE, "*" },
	{ "mlockall", STRACE_IDLE, "*" },
	{ "munlock", STRACE_IDLE, "*" },
	{ "munlockall", STRACE_IDLE, "*" },
	{ "msync", STRACE_IDLE, "*" },
	{ "mincore", STRACE_IDLE, "*" },
	{ "mbind", STRACE_IDLE, "*" },
	{ "get_mempolicy", STRACE_IDLE, "*" },
	{ "set_mempolicy", STRACE_IDLE, "*" },
	{ "set_mempolicy_home_node", STRACE_IDLE, "*" },
	{ "migrate_pages", STRACE_IDLE, "*" },
	{ "move_pages", STRACE_IDLE, "*" },
	{ "remap_file_pages", STRACE_IDLE, "*" },
	{ "subpage_prot", STRACE_IDLE, "*" },
	{ "shmat", STRACE_SEGMENT, "*" },
	{ "shmdt", STRACE_SEGMENT, "*" },
	{ "mseal", STRACE_SEAL, "*" },
	{ "map_shadow_stack", STRACE_SHADOW, "*" },
	{ "clone", STRACE_CLONE, "c" },
	{ "clone2", STRACE_CLONE, "c" },
	{ "__clone2", STRACE_CLONE, "c" },
	{ "clone3", STRACE_CLONE, "c" },
	{ "fork", STRACE_CLONE, "*" },
	{ "vfork", STRACE_CLONE, "*" },
	{ "execve", STRACE_EXECVE, "*" },
	{ "execveat", STRACE_EXECVE, "*" },
};

_Static_assert(NR(calls) == STRACE_CALLS, "every call has a number");

const char *strace_name(unsigned int call)
{
	return calls[call].name;
}

/* A word of flags: what it means, and what strace -X raw prints for it. */
struct flag {
	const char *name;
	uint64_t raw;
	uint32_t prot, flags;
};

#define HUGE_SHIFT 26
#define HUGE_MASK  0x3fu
#define HUGE_USUAL ((uint64_t)2 << 20)

static const struct flag prot_flags[] = {
	{ "PROT_NONE", 0, PROT_NONE, 0 },
	{ "PROT_READ", 1, PROT_READ, 0 },
	{ "PROT_WRITE", 2, PROT_WRITE, 0 },
	{ "PROT_EXEC", 4, PROT_EXEC, 0 },
	{ "PROT_GROWSDOWN", 0x01000000, 0, STRACE_GROWSDOWN },
	{ NULL, ~(uint64_t)0x01000007, 0, STRACE_MORE_PROT },
};

static const struct flag mmap_flags[] = {
	{ "MAP_SHARED", 0x01, 0, STRACE_SHARED },
	{ "MAP_SHARED_VALIDATE", 0x01, 0, STRACE_SHARED },
	{ "MAP_DROPPABLE", 0x08, 0, 0 },
	{ "MAP_FIXED", 0x10, 0, STRACE_FIXED },
	{ "MAP_ANONYMOUS", 0x20, 0, STRACE_ANONYMOUS },
	{ "MAP_GROWSDOWN", 0x0100, 0, STRACE_GROWSDOWN },
	{ NULL, 0, 0, 0 },
};

static const struct flag mremap_flags[] = {
	{ "MREMAP_DONTUNMAP", 4, 0, STRACE_DONTUNMAP },
	{ NULL, 0, 0, 0 },
};

static const struct flag clone_flags[] = {
	{ "CLONE_VM", 0x100, 0, STRACE_SHARES_VM },
	{ NULL, 0, 0, 0 },
};

/* ---- words ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       is_digit(c) || c == '_';
}

static bool at_end(const struct strace_text *text)
{
	return text->at == text->end;
}

void strace_skip_blanks(struct strace_text *text)
{
	while (!at_end(text) && (*text->at == ' ' || *text->at == '\t'))
		text->at++;
}

bool strace_take(struct strace_text *text, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(text->end - text->at) < len ||
	    memcmp(text->at, word, len) != 0)
		return false;
	text->at += len;
	return true;
}

static int digit_of(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

static bool take_digits(struct strace_text *text, unsigned int base,
			uint64_t *number)
{
	const char *const from = text->at;
	uint64_t value = 0;

	for (; !at_end(text); text->at++) {
		const unsigned int digit = (unsigned int)digit_of(*text->at);

		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	*number = value;
	return text->at > from && (at_end(text) || !is_name(*text->at));
}

bool strace_take_number(struct strace_text *text, uint64_t *number)
{
	struct strace_text rest = *text;
	bool good;

	*number = 0;
	if (strace_take(&rest, "NULL"))
		good = at_end(&rest) || !is_name(*rest.at);
	else if (strace_take(&rest, "0x"))
		good = take_digits(&rest, 16, number);
	else
		good = take_digits(&rest, 10, number);
	if (good)
		*text = rest;
	return good;
}

/* Up to and with the character. */
static bool skip_past(struct strace_text *text, char c)
{
	const char *at = text->at;

	if (!at_end(text))
		at = memchr(at, c, (size_t)(text->end - at));
	if (!at || at_end(text))
		return false;
	text->at = at + 1;
	return true;
}

bool strace_take_pid(struct strace_text *text, uint32_t *pid)
{
	struct strace_text rest = *text;
	uint64_t number;

	if (at_end(&rest) || !is_digit(*rest.at) ||
	    !take_digits(&rest, 10, &number) || !number || number > INT32_MAX)
		return false;
	if (strace_take(&rest, "<") && !skip_past(&rest, '>'))
		return false;
	if (!at_end(&rest) && *rest.at != ' ' && *rest.at != ']')
		return false;
	*text = rest;
	*pid = (uint32_t)number;
	return true;
}

bool strace_take_name(struct strace_text *text, struct strace_text *name)
{
	const char *at = text->at;

	while (at < text->end && is_name(*at))
		at++;
	if (at == text->at || at == text->end || *at != '(' ||
	    is_digit(*text->at))
		return false;
	*name = (struct strace_text){ text->at, at };
	text->at = at + 1;
	return true;
}

/* ---- flags ---- */

static bool is_word(const struct strace_text *word, const char *name)
{
	const size_t len = strlen(name);

	return (size_t)(word->end - word->at) == len &&
	       memcmp(word->at, name, len) == 0;
}

static void add_flag(const struct flag *flag, struct strace_event *event)
{
	event->prot |= flag->prot;
	event->flags |= flag->flags;
}

/* Names that are not in the table stand for the last in it. */
static void add_named(const struct strace_text *word, const struct flag *table,
		      struct strace_event *event)
{
	while (table->name && !is_word(word, table->name))
		table++;
	add_flag(table, event);
	if (is_word(word, "MAP_HUGETLB") && !event->huge)
		event->huge = HUGE_USUAL;
}

static void add_raw(uint64_t raw, const struct flag *table,
		    struct strace_event *event)
{
	const bool of_mmap = table == mmap_flags;

	for (;; table++) {
		if (raw & table->raw)
			add_flag(table, event);
		if (!table->name)
			break;
	}
	if (of_mmap && raw & MAP_HUGETLB)
		event->huge = raw >> HUGE_SHIFT & HUGE_MASK ?
				      (uint64_t)1 << (raw >> HUGE_SHIFT &
						      HUGE_MASK) :
				      HUGE_USUAL;
}

/* 21<<MAP_HUGE_SHIFT, and what else strace prints so, which is nothing. */
static bool take_shift(struct strace_text *text, uint64_t number,
		       struct strace_event *event)
{
	if (!strace_take(text, "<<MAP_HUGE_SHIFT"))
		return false;
	if (number && number <= HUGE_MASK)
		event->huge = (uint64_t)1 << number;
	return true;
}

static bool take_flag(struct strace_text *text, const struct flag *table,
		      struct strace_event *event)
{
	struct strace_text word = { text->at, text->at };
	uint64_t number;

	if (!at_end(text) && is_digit(*text->at)) {
		if (!strace_take_number(text, &number))
			return false;
		if (!take_shift(text, number, event))
			add_raw(number, table, event);
		return true;
	}
	while (!at_end(text) && is_name(*text->at))
		text->at++;
	word.end = text->at;
	if (word.at == word.end)
		return false;
	add_named(&word, table, event);
	return true;
}

/* What strace adds for people, slash star … star slash. */
static bool skip_comment(struct strace_text *text)
{
	struct strace_text rest = *text;

	strace_skip_blanks(&rest);
	if (!strace_take(&rest, "/*"))
		return true;
	while (skip_past(&rest, '*')) {
		if (!strace_take(&rest, "/"))
			continue;
		*text = rest;
		return true;
	}
	return false;
}

static bool take_flags(struct strace_text *text, const struct flag *table,
		       struct strace_event *event)
{
	do {
		if (!take_flag(text, table, event) || !skip_comment(text))
			return false;
	} while (strace_take(text, "|"));
	return true;
}

/* Wherever among the arguments they stand. */
static bool find_clone_flags(struct strace_text text,
			     struct strace_event *event)
{
	while (skip_past(&text, 'f'))
		if (strace_take(&text, "lags="))
			return take_flags(&text, clone_flags, event);
	return true;
}

/* ---- arguments ---- */

/* 3, -1, AT_FDCWD, or with -y 3</path> and 3</path>(deleted). */
static bool take_file(struct strace_text *text)
{
	uint64_t number;

	strace_take(text, "-");
	if (!strace_take_number(text, &number))
		return false;
	if (!strace_take(text, "<"))
		return true;
	while (skip_past(text, '>')) {
		strace_take(text, "(deleted)");
		if (!at_end(text) && *text->at == ',')
			return true;
	}
	return false;
}

static bool take_arg(struct strace_text *text, char letter,
		     struct strace_event *event)
{
	uint64_t number;

	switch (letter) {
	case 'a':
		return strace_take_number(text, &event->addr);
	case 'l':
		return strace_take_number(text, &event->len);
	case 'n':
		return strace_take_number(text, &event->new_len);
	case 'p':
		return take_flags(text, prot_flags, event);
	case 'm':
		return take_flags(text, mmap_flags, event);
	case 'r':
		return take_flags(text, mremap_flags, event);
	case 'k':
		event->flags |= STRACE_MORE_PROT;
		return take_file(text);
	case 'f':
		return take_file(text);
	default:
		return strace_take_number(text, &number);
	}
}

static const char *parse_args(struct strace_text text, const char *letters,
			      struct strace_event *event)
{
	bool optional = false;
	bool first = true;

	for (; *letters && *letters != '*'; letters++) {
		if (*letters == '?') {
			optional = true;
			continue;
		}
		if (*letters == 'c')
			return find_clone_flags(text, event) ?
				       NULL :
				       "the flags cannot be read";
		if (optional && at_end(&text))
			return NULL;
		if (!first && !strace_take(&text, ", "))
			return "an argument is missing";
		first = false;
		if (!take_arg(&text, *letters, event) || !skip_comment(&text))
			return "an argument cannot be read";
	}
	return *letters || at_end(&text) ? NULL : "it has arguments too many";
}

/* ---- the result ---- */

/* Cut the text into the arguments and what is behind " = ". */
static bool cut_result(struct strace_text *args, struct strace_text *result)
{
	const char *at = args->end;

	while (at - args->at >= 3) {
		const char *close = --at;

		/* The = of the last ) = with any number of blanks. */
		if (*at != '=' || at[-1] != ' ')
			continue;
		while (close > args->at && close[-1] == ' ')
			close--;
		if (close == args->at || close[-1] != ')')
			continue;
		*result = (struct strace_text){ at + 1, args->end };
		args->end = close - 1;
		strace_skip_blanks(result);
		return true;
	}
	return false;
}

/* A pid as strace itself sees it, if it differs from what the program got. */
static void take_own_pid(struct strace_text text, struct strace_event *event)
{
	static const char tail[] = " in strace's PID NS */";
	uint64_t number;

	strace_skip_blanks(&text);
	if (strace_take(&text, "/* ") && strace_take_number(&text, &number) &&
	    strace_take(&text, tail))
		event->ret = number;
}

static const char *parse_result(struct strace_text text,
				struct strace_event *event)
{
	static const char bad[] = "its result cannot be read";

	event->result = STRACE_UNKNOWN;
	if (strace_take(&text, "?"))
		return at_end(&text) || *text.at == ' ' ? NULL : bad;
	event->result = STRACE_FAILED;
	if (strace_take(&text, "-"))
		return strace_take_number(&text, &event->ret) ? NULL : bad;
	event->result = STRACE_DONE;
	if (!strace_take_number(&text, &event->ret))
		return bad;
	if (!at_end(&text) && *text.at != ' ' && *text.at != '<')
		return bad;
	if (event->kind == STRACE_CLONE)
		take_own_pid(text, event);
	return NULL;
}

/* The number of a call, or STRACE_CALLS. */
static unsigned int find_call(const struct strace_text *name)
{
	unsigned int i = 0;

	while (i < STRACE_CALLS && !is_word(name, calls[i].name))
		i++;
	return i;
}

const char *strace_call_parse(struct strace_text text,
			      struct strace_event *event, bool *known)
{
	struct strace_text name, result;
	const char *why;

	*event = (struct strace_event){ 0 };
	if (!strace_take_name(&text, &name))
		return "it has no name";
	event->call = find_call(&name);
	*known = event->call < STRACE_CALLS;
	if (!cut_result(&text, &result))
		return "it is cut off: it has no result";
	if (!*known)
		return NULL;
	event->kind = calls[event->call].kind;
	why = parse_result(result, event);
	if (why || event->result != STRACE_DONE)
		return why;
	if (is_word(&name, "vfork"))
		event->flags |= STRACE_SHARES_VM;
	return parse_args(text, calls[event->call].args, event);
}
