/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The linker puts these functions in the place of libc's (option --wrap).  Not
 * by standing before libc's as tests/syscalls.c does, so that nobody but the
 * program's own code is counted.
 */
#include "calls.h"

#include <sys/mman.h>
#include <sys/types.h>

/* The calls belong to the process, and so does their count. */
static struct calls total;

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *addr, size_t len);
int __real_mprotect(void *addr, size_t len, int prot);
int __real_madvise(void *addr, size_t len, int advice);
int __real_msync(void *addr, size_t len, int flags);

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *addr, size_t len);
int __wrap_mprotect(void *addr, size_t len, int prot);
int __wrap_madvise(void *addr, size_t len, int advice);
int __wrap_msync(void *addr, size_t len, int flags);

void calls_count(struct calls *calls)
{
	*calls = total;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	total.mmap++;
	return __real_mmap(addr, len, prot, flags, fd, offset);
}

int __wrap_munmap(void *addr, size_t len)
{
	total.munmap++;
	return __real_munmap(addr, len);
}

int __wrap_mprotect(void *addr, size_t len, int prot)
{
	total.mprotect++;
	return __real_mprotect(addr, len, prot);
}

int __wrap_madvise(void *addr, size_t len, int advice)
{
	total.other++;
	return __real_madvise(addr, len, advice);
}

int __wrap_msync(void *addr, size_t len, int flags)
{
	total.other++;
	return __real_msync(addr, len, flags);
}
