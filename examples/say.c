/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Messages without stdio, which takes locks and may allocate: see say.h. */
#include "say.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

struct line {
	char text[200];
	size_t used;
};

static void put_text(struct line *line, const char *text)
{
	while (*text != '\0' && line->used < sizeof line->text - 1)
		line->text[line->used++] = *text++;
}

static void put_number(struct line *line, uintmax_t number, unsigned base)
{
	char digits[24];
	char *at = digits + sizeof digits;

	*--at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	put_text(line, at);
}

void say(const char *format, ...)
{
	struct line line = { .used = 0 };
	va_list list;

	va_start(list, format);
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			put_text(&line, (const char[]){ *format, '\0' });
		} else if (*++format == 's') {
			put_text(&line, va_arg(list, const char *));
		} else if (*format == 'p') {
			put_text(&line, "0x");
			put_number(&line, (uintptr_t)va_arg(list, void *), 16);
		} else {
			format++;       /* the u of %zu */
			put_number(&line, va_arg(list, size_t), 10);
		}
	}
	va_end(list);
	line.text[line.used] = '\n';
	/* Nobody is left to tell if stderr does not take it. */
	if (write(STDERR_FILENO, line.text, line.used + 1) < 0)
		return;
}
