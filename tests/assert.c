/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The part of a failing assertion that is no macro: names of results, and the
 * dump of the set on standard error.
 */
#include "assert.h"

#include <errno.h>
#include <stdio.h>

#include "vmset.h"

/* A failing assertion may be in a helper far from the test that has the set. */
static const struct vmset *about;

#define NAME(error) { error, "-" #error }

static const struct {
	int error;
	const char *name;
} names[] = {
	{ 0, "0" },
	NAME(EACCES), NAME(EAGAIN), NAME(EBADF), NAME(EBUSY), NAME(EDEADLK),
	NAME(EEXIST), NAME(EFAULT), NAME(EINTR), NAME(EINVAL), NAME(EIO),
	NAME(ENOENT), NAME(ENOMEM), NAME(ENOSPC), NAME(ENOSYS), NAME(ENOTSUP),
	NAME(ENOTRECOVERABLE), NAME(ENOTTY), NAME(EPERM), NAME(ERANGE),
	NAME(ETIMEDOUT),
};

void assert_about(const struct vmset *set)
{
	about = set;
}

const char *assert_name(int result)
{
	static char number[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i].error == -result)
			return names[i].name;
	}
	snprintf(number, sizeof(number), "%d", result);
	return number;
}

/* Text for libcheck's message, which is copied before the next. */
static char text[512];

static void dump(const char *assertion)
{
	if (!about)
		return;
	fprintf(stderr, "The set when this failed: %s\n", assertion);
	vmset_dump(about, stderr);
}

const char *assert_describe(const char *assertion, int result,
			    const char *wanted)
{
	dump(assertion);
	snprintf(text, sizeof(text), "%s: returned %s, wanted %s", assertion,
		 assert_name(result), wanted);
	return text;
}

const char *assert_describe_false(const char *condition)
{
	dump(condition);
	snprintf(text, sizeof(text), "%s does not hold", condition);
	return text;
}

const char *assert_describe_values(const char *values, uintmax_t a,
				   uintmax_t b)
{
	dump(values);
	snprintf(text, sizeof(text), "%s: %#jx and %#jx", values, a, b);
	return text;
}
