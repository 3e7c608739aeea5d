/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A well-behaved guest that uses all there is of memory, and checks that it
 * gets what Linux would give it.  What it leaves behind makes a map worth
 * looking at.
 */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

static long failures;

#define CHECK(expr) check(expr, #expr)

static void check(int good, const char *what)
{
	if (good)
		return;
	say("WRONG: %s\n", what);
	failures++;
}

static unsigned char *at(uintptr_t start, unsigned long unit)
{
	return (unsigned char *)(start + unit * PAGE);
}

/* Whether all bytes of the units [from, to) are byte. */
static int all(uintptr_t start, unsigned long from, unsigned long to, int byte)
{
	const unsigned long step = PAGE / 16;
	const unsigned char *p;

	for (p = at(start, from); p < at(start, to); p += step)
		if (p[0] != byte || p[step - 1] != byte)
			return 0;
	return 1;
}

static void fill(uintptr_t start, unsigned long from, unsigned long to,
		 int byte)
{
	const unsigned long step = PAGE / 16;
	unsigned char *p;

	for (p = at(start, from); p < at(start, to); p += step) {
		p[0] = (unsigned char)byte;
		p[step - 1] = (unsigned char)byte;
	}
}

/* Eight units: a gap, read only, a gap filled again, no access. */
static void split(uintptr_t m)
{
	CHECK(all(m, 0, 8, 0));
	fill(m, 0, 8, 7);

	CHECK(sys_mprotect(m + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	CHECK(all(m, 0, 8, 7));
	say("Two of eight units are read only now, and kept their bytes.\n");

	CHECK(sys_munmap(m + 5 * PAGE, 2 * PAGE) == 0);
	CHECK(sys_munmap(m + 5 * PAGE, 2 * PAGE) == 0);
	CHECK(sys_write(1, at(m, 5), 8) == -EFAULT);
	CHECK(sys_mprotect(m + 4 * PAGE, 2 * PAGE, PROT_READ) == -ENOMEM);
	say("Two are gone: what is there cannot be printed or protected.\n");

	CHECK(sys_mmap(m + 5 * PAGE, PAGE, RW, MAP_FIXED_NOREPLACE) ==
	      (long)(m + 5 * PAGE));
	CHECK(sys_mmap(m + 4 * PAGE, PAGE, RW, MAP_FIXED_NOREPLACE) ==
	      -EEXIST);
	CHECK(sys_mmap(m + PAGE, PAGE, RW, MAP_FIXED) == (long)(m + PAGE));
	CHECK(all(m, 5, 6, 0) && all(m, 4, 5, 7) && all(m, 1, 2, 0) &&
	      all(m, 0, 1, 7));
	say("One came back, one was replaced: both read as zeros.\n");

	CHECK(sys_mprotect(m + 7 * PAGE, PAGE, PROT_NONE) == 0);
	CHECK(sys_write(1, at(m, 7), 8) == -EFAULT);
	CHECK(sys_mprotect(m + 7 * PAGE, PAGE, PROT_READ) == 0);
	CHECK(all(m, 7, 8, 7));
	CHECK(sys_mprotect(m + 7 * PAGE, PAGE, PROT_NONE) == 0);
}

/* Code made at run time: never writable and executable at once. */
static void compile(void)
{
	const long page = sys_mmap(0, PAGE, RW, 0);
	uint32_t *const code = (uint32_t *)page;
	long (*const answer)(void) = (long (*)(void))page;

	CHECK(page > 0);
	code[0] = 0x02a00513;   /* li a0, 42 */
	code[1] = 0x00008067;   /* ret */
	CHECK(sys_mprotect((uintptr_t)page, PAGE, RX) == 0);
	__asm__ volatile("fence.i" ::: "memory");
	CHECK(answer() == 42);
	CHECK(sys_mprotect((uintptr_t)page, PAGE, RW) == 0);
	code[0] = 0x02b00513;   /* li a0, 43 */
	CHECK(sys_mprotect((uintptr_t)page, PAGE, RX) == 0);
	__asm__ volatile("fence.i" ::: "memory");
	CHECK(answer() == 43);
	say("Wrote two functions and called them, writable or executable.\n");
}

static void heap(void)
{
	const uintptr_t start = ((uintptr_t)sys_brk(0) + PAGE - 1) & -PAGE;

	CHECK(sys_brk(start + 4 * PAGE) == (long)(start + 4 * PAGE));
	CHECK(all(start, 0, 4, 0));
	fill(start, 0, 4, 9);
	CHECK(sys_brk(start + PAGE) == (long)(start + PAGE));
	CHECK(sys_brk(start + 3 * PAGE) == (long)(start + 3 * PAGE));
	CHECK(all(start, 0, 1, 9) && all(start, 1, 3, 0));
	CHECK(sys_brk(0x1000) == (long)(start + 3 * PAGE));
	CHECK(sys_brk(0xffffffffffff) == (long)(start + 3 * PAGE));
	say("The heap grew, shrank and grew: what came back reads as zeros.\n");
}

static void errors(uintptr_t m)
{
	CHECK(sys_mmap(0, 0, RW, 0) == -EINVAL);
	CHECK(sys_mmap(m + 1, PAGE, RW, MAP_FIXED) == -EINVAL);
	CHECK(sys_mmap(0, 1ul << 40, RW, 0) == -ENOMEM);
	CHECK(sys_mmap(0, (1ul << 32) - PAGE, RW, 0) == -ENOMEM);
	CHECK(sys_mmap(1ul << 40, PAGE, RW, MAP_FIXED) == -ENOMEM);
	CHECK(sys_mmap(0, PAGE, RW, MAP_FIXED) == -EPERM);
	CHECK(sys_munmap(m + 1, PAGE) == -EINVAL);
	CHECK(sys_munmap(m, 0) == -EINVAL);
	CHECK(sys_munmap(m, -PAGE) == -EINVAL);
	CHECK(sys_mprotect(m + 1, PAGE, PROT_READ) == -EINVAL);
	CHECK(sys_mprotect(m, PAGE, 0x40) == -EINVAL);
	CHECK(sys_mprotect(m, 0, PROT_READ) == 0);
	CHECK(sys_write(7, "x", 1) == -EBADF);
	CHECK(sys_write(1, NULL, 1) == -EFAULT);
	CHECK(sys_write(1, "x", -1ul) == -EFAULT);
	say("Wrong requests got the errors that Linux gives.\n");
}

int main(void)
{
	const long m = sys_mmap(0, 8 * PAGE, RW, 0);

	CHECK(m > 0);
	split((uintptr_t)m);
	compile();
	heap();
	errors((uintptr_t)m);
	say(failures ? "%ld checks failed.\n" : "All is as on Linux.\n",
	    failures);
	return failures != 0;
}
