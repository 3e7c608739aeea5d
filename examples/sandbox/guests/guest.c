/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The guests' run-time library.
 */
#include "guest.h"

#include <stdarg.h>

long guest_call(long number, long a, long b, long c, long d)
{
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = -1;    /* mmap: no file */
	register long a5 __asm__("a5") = 0;     /* mmap: from its start */
	register long a7 __asm__("a7") = number;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return a0;
}

void *memcpy(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	while (size--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *t = to;

	while (size--)
		*t++ = (unsigned char)byte;
	return to;
}

/* One line, which write gets whole. */
struct line {
	size_t size;
	char text[256];
};

static void add_char(struct line *line, char c)
{
	if (line->size < sizeof(line->text))
		line->text[line->size++] = c;
}

static void add_text(struct line *line, const char *text)
{
	while (*text)
		add_char(line, *text++);
}

static void add_number(struct line *line, unsigned long n, unsigned int base)
{
	char digits[20];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	while (count)
		add_char(line, digits[--count]);
}

static void add_decimal(struct line *line, long n)
{
	if (n < 0)
		add_char(line, '-');
	add_number(line, n < 0 ? -(unsigned long)n : (unsigned long)n, 10);
}

void say(const char *format, ...)
{
	struct line line = { .size = 0 };
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			add_char(&line, *format);
			continue;
		}
		format++;
		if (*format == 'l')
			format++;
		if (*format == 's')
			add_text(&line, va_arg(args, const char *));
		else if (*format == 'd')
			add_decimal(&line, va_arg(args, long));
		else
			add_number(&line, va_arg(args, unsigned long), 16);
	}
	va_end(args);
	sys_write(1, line.text, line.size);
}

void *more_heap(size_t size)
{
	const uintptr_t end = (uintptr_t)sys_brk(0);
	const uintptr_t start = (end + 15) & ~(uintptr_t)15;

	if ((uintptr_t)sys_brk(start + size) != start + size)
		return NULL;
	return (void *)start;
}
