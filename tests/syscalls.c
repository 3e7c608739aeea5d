/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * mmap, munmap, mprotect, madvise, ioctl, read and getrandom for the whole
 * program, in place of libc's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "syscalls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* The system calls belong to the process, and so does this. */
static struct {
	struct vmset_range range;
	unsigned int calls, kept, ioctls;
	unsigned int fail_first;
	unsigned long fail_also;
	int error, ioctl_error;
	unsigned int reads_to_pass, reads_to_fail;
	int read_error;
	unsigned int random_to_pass;
	bool starving, crowded, forgetful, random_fails;
} watch;

void syscalls_watch(struct vmset_range range)
{
	memset(&watch, 0, sizeof(watch));
	watch.range = range;
}

void syscalls_stop(void)
{
	syscalls_watch((struct vmset_range){ 0, 0 });
}

unsigned int syscalls_count(void)
{
	return watch.calls;
}

unsigned int syscalls_kept(void)
{
	return watch.kept;
}

void syscalls_fail(unsigned int number, unsigned long also, int error)
{
	watch.calls = 0;
	watch.fail_first = number;
	watch.fail_also = also;
	watch.error = error;
}

void syscalls_starve(void)
{
	watch.starving = true;
}

void syscalls_crowd(void)
{
	watch.crowded = true;
}

void syscalls_forget_noreplace(void)
{
	watch.forgetful = true;
}

void syscalls_fail_random(unsigned int number)
{
	watch.random_to_pass = number - 1;
	watch.random_fails = true;
}

void syscalls_fail_reads(unsigned int number, unsigned int n, int error)
{
	watch.reads_to_pass = number - 1;
	watch.reads_to_fail = n;
	watch.read_error = error;
}

bool syscalls_reads_failed(void)
{
	return watch.reads_to_fail == 0;
}

void syscalls_fail_ioctl(int error)
{
	watch.ioctl_error = error;
}

unsigned int syscalls_ioctls(void)
{
	return watch.ioctls;
}

static bool watched(const void *addr)
{
	return (uintptr_t)addr >= watch.range.start &&
	       (uintptr_t)addr < watch.range.end;
}

/* Count a call in the range.  Whether it is to fail, with errno set. */
static bool fails(void)
{
	unsigned int number = ++watch.calls;
	unsigned int later = number - watch.fail_first;

	if (!watch.fail_first || number < watch.fail_first)
		return false;
	if (later && (later > 8 * sizeof(watch.fail_also) ||
		      !(watch.fail_also >> (later - 1) & 1)))
		return false;
	errno = watch.error;
	return true;
}

/* libc's functions, or those of a sanitizer that stands before it. */
static struct {
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	int (*munmap)(void *, size_t);
	int (*mprotect)(void *, size_t, int);
	int (*madvise)(void *, size_t, int);
	int (*ioctl)(int, unsigned long, ...);
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*getrandom)(void *, size_t, unsigned int);
} real;

/* POSIX has dlsym's result stored through a pointer to it. */
static void find(const char *name, void *function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(function, &symbol, sizeof(symbol));
}

/*
 * At the program's start, since dlsym may allocate, which a test may forbid;
 * or before, if somebody is earlier.
 */
__attribute__((constructor)) static void find_all(void)
{
	if (real.getrandom)
		return;
	find("mmap", &real.mmap);
	find("munmap", &real.munmap);
	find("mprotect", &real.mprotect);
	find("madvise", &real.madvise);
	find("ioctl", &real.ioctl);
	find("read", &real.read);
	find("getrandom", &real.getrandom);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	find_all();
	if (watched(addr)) {
		if (fails())
			return MAP_FAILED;
	} else if (flags & MAP_FIXED_NOREPLACE ? watch.crowded :
						 watch.starving) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (watch.forgetful)
		flags &= ~MAP_FIXED_NOREPLACE;
	return real.mmap(addr, len, prot, flags, fd, offset);
}

int munmap(void *addr, size_t len)
{
	find_all();
	if (!watched(addr) || !fails())
		return real.munmap(addr, len);
	watch.kept++;
	return -1;
}

int mprotect(void *addr, size_t len, int prot)
{
	find_all();
	return watched(addr) && fails() ? -1 : real.mprotect(addr, len, prot);
}

int madvise(void *addr, size_t len, int advice)
{
	find_all();
	return watched(addr) && fails() ? -1 : real.madvise(addr, len, advice);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	find_all();
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	watch.ioctls++;
	if (watch.ioctl_error) {
		errno = watch.ioctl_error;
		return -1;
	}
	return real.ioctl(fd, request, arg);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	find_all();
	if (watch.reads_to_pass) {
		watch.reads_to_pass--;
	} else if (watch.reads_to_fail) {
		watch.reads_to_fail--;
		errno = watch.read_error;
		return -1;
	}
	return real.read(fd, buffer, size);
}

ssize_t getrandom(void *buffer, size_t size, unsigned int flags)
{
	find_all();
	if (watch.random_fails && watch.random_to_pass-- == 0) {
		watch.random_to_pass = 0;
		errno = ENOSYS;
		return -1;
	}
	return real.getrandom(buffer, size, flags);
}
