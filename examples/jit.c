/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * jit [x=N | near=N | patch=N | EXPRESSION]...
 *
 * Compile each expression to machine code, nearest to byte N of the range, or
 * to the exit that all code shares; run it for the last x; and after patch=N
 * once more with N for its first constant.  After each step the set and the
 * kernel are asked whether anything is writable and executable.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmset.h>

#include "codespace.h"
#include "compile.h"
#include "emit.h"

#ifdef EMIT_MACHINE
#define RANGE ((size_t)64 << 20)

typedef int64_t compiled_function(int64_t x, int64_t *column);

struct jit {
	struct vmset *set;
	uintptr_t exit;         /* the code that a division by zero jumps to */
	struct vmset_range reach;       /* from where a jump reaches it */
	unsigned states;        /* looked at */

	/* What the arguments asked for. */
	int64_t x, patch;
	uintptr_t near;
	bool patched;
};

static void must(const char *what, const char *wrong)
{
	if (wrong == NULL)
		return;
	fflush(stdout);
	fprintf(stderr, "jit: %s: %s\n", what, wrong);
	exit(EXIT_FAILURE);
}

static const char *result(int r)
{
	return r < 0 ? strerror(-r) : r > 0 ? "they differ" : NULL;
}

/* Say what is wrong with the expression.  Always false. */
static bool complain(const char *text, size_t column, const char *error)
{
	fflush(stdout);
	fprintf(stderr, "jit: column %zu: %s\n  %s\n  %*s\n", column, error,
		text, (int)column, "^");
	return false;
}

/* Begin a line with the state of the piece, having looked at everything. */
static void show_state(struct jit *jit, const struct piece *piece)
{
	struct rights rights;

	must("check", codespace_check(jit->set, piece, &rights));
	must("set and kernel", result(vmset_verify(jit->set, NULL)));
	jit->states++;
	printf("  set %s, kernel %s: ", rights.set, rights.kernel);
}

static struct code code_in(const struct jit *jit, const struct piece *piece)
{
	return (struct code){ .start = (unsigned char *)piece->start,
			      .size = piece->size, .exit = jit->exit };
}

/* The range, and in its middle the exit. */
static void jit_open(struct jit *jit)
{
	struct vmset_range bounds;
	struct piece piece;
	struct code code;

	must("reserve", result(vmset_reserve(&jit->set, RANGE, 0)));
	bounds = vmset_bounds(jit->set);
	must("room for the exit",
	     result(codespace_get(jit->set, EMIT_EXIT_SIZE,
				  bounds.start + RANGE / 2, bounds, &piece)));
	code = code_in(jit, &piece);
	emit_exit(&code);
	must("seal", result(codespace_seal(jit->set, &piece)));
	jit->exit = jit->near = piece.start;
	jit->reach.start = jit->exit - EMIT_REACH;
	jit->reach.end = jit->exit + EMIT_REACH;
	if (jit->reach.start > jit->exit)
		jit->reach.start = 0;
	if (jit->reach.end < jit->exit)
		jit->reach.end = UINTPTR_MAX;
}

static bool run(struct jit *jit, const struct piece *piece, const char *text)
{
	int64_t column = 0, value;

	must("seal", result(codespace_seal(jit->set, piece)));
	show_state(jit, piece);
	value = ((compiled_function *)piece->start)(jit->x, &column);
	if (column != 0) {
		printf("no result\n");
		return complain(text, (size_t)column, "division by zero");
	}
	printf("%" PRId64 "\n", value);
	return true;
}

static bool patch_and_run(struct jit *jit, const struct piece *piece,
			  const struct compiled *compiled, const char *text)
{
	if (!compiled->has_constant)
		return complain(text, 1, "there is no constant to patch");
	must("write", result(codespace_write(jit->set, piece)));
	emit_patch((unsigned char *)piece->start + compiled->constant,
		   jit->patch);
	show_state(jit, piece);
	printf("the first constant is now %" PRId64 "\n", jit->patch);
	return run(jit, piece, text);
}

static bool evaluate(struct jit *jit, const char *text)
{
	struct compiled compiled;
	struct piece piece;
	struct code code;

	must("room for code",
	     result(codespace_get(jit->set, compile_bound(text), jit->near,
				  jit->reach, &piece)));
	code = code_in(jit, &piece);
	compiled = compile(text, &code);
	if (compiled.error != NULL) {
		must("unmap", result(vmset_unmap(jit->set, piece.start,
						 piece.size)));
		return complain(text, compiled.column, compiled.error);
	}
	printf("%s, x = %" PRId64 "\n", text, jit->x);
	show_state(jit, &piece);
	printf("%zu bytes of code, %+" PRIdPTR " from the place wanted, %+"
	       PRIdPTR " from the exit\n", code.used,
	       (intptr_t)(piece.start - jit->near),
	       (intptr_t)(piece.start - jit->exit));
	return run(jit, &piece, text) &&
	       (!jit->patched || patch_and_run(jit, &piece, &compiled, text));
}

/* The number behind "name=" in argument.  false: it is not of that form. */
static bool setting(const char *argument, const char *name, int64_t *value)
{
	const size_t length = strlen(name);
	char *end;

	if (strncmp(argument, name, length) != 0)
		return false;
	errno = 0;
	*value = strtoimax(argument + length, &end, 10);
	must(argument, end == argument + length || *end != '\0' || errno != 0 ?
	     "not a 64-bit number" : NULL);
	return true;
}

static bool serve(struct jit *jit, const char *argument)
{
	int64_t near;

	if (setting(argument, "x=", &jit->x))
		return true;
	if (setting(argument, "patch=", &jit->patch)) {
		jit->patched = true;
		return true;
	}
	if (!setting(argument, "near=", &near))
		return evaluate(jit, argument);
	must(argument, near < 0 || near >= (int64_t)RANGE ?
	     "outside the range of 64 MiB" : NULL);
	jit->near = vmset_bounds(jit->set).start + (size_t)near;
	return true;
}

int main(int argc, char **argv)
{
	static const char *const demo[] = {
		"x=10", "(x + 2) * (x - 3) / 4", "x % 7 - -x",
		"near=1000000", "patch=-5", "x * 3 + 1",
	};
	struct jit jit = { .x = 0 };
	bool good = true;
	int i;

	jit_open(&jit);
	for (i = 1; i < argc; i++)
		good = serve(&jit, argv[i]) && good;
	for (i = 0; argc == 1 && i < (int)(sizeof demo / sizeof *demo); i++)
		good = serve(&jit, demo[i]) && good;
	printf("%u states seen, nothing was writable and executable\n",
	       jit.states);
	if (argc == 1)
		must("dump", result(vmset_dump(jit.set, stdout)));
	must("destroy", result(vmset_destroy(jit.set)));
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else
int main(void)
{
	fprintf(stderr, "jit: makes code for x86-64 and aarch64 only\n");
	return 77;
}
#endif
