/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All that a guest has: the system calls, a few lines of output, and memory
 * from brk.  The numbers are those of Linux on RISC-V.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>

#define SYS_write      64
#define SYS_exit       93
#define SYS_exit_group 94
#define SYS_brk        214
#define SYS_munmap     215
#define SYS_mmap       222
#define SYS_mprotect   226

#define EPERM  1
#define EBADF  9
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EEXIST 17
#define EINVAL 22

#define PROT_NONE  0
#define PROT_READ  1
#define PROT_WRITE 2
#define PROT_EXEC  4

#define MAP_PRIVATE         0x02
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_FIXED_NOREPLACE 0x100000

/* Each returns what the kernel does: a result, or a negative errno value. */
long guest_call(long number, long a, long b, long c, long d);

static inline long sys_write(int fd, const void *from, size_t size)
{
	return guest_call(SYS_write, fd, (long)from, (long)size, 0);
}

static inline long sys_brk(uintptr_t end)
{
	return guest_call(SYS_brk, (long)end, 0, 0, 0);
}

/* Anonymous private memory. */
static inline long sys_mmap(uintptr_t addr, size_t size, int prot, int flags)
{
	return guest_call(SYS_mmap, (long)addr, (long)size, prot,
			  flags | MAP_PRIVATE | MAP_ANONYMOUS);
}

static inline long sys_munmap(uintptr_t addr, size_t size)
{
	return guest_call(SYS_munmap, (long)addr, (long)size, 0, 0);
}

static inline long sys_mprotect(uintptr_t addr, size_t size, int prot)
{
	return guest_call(SYS_mprotect, (long)addr, (long)size, prot, 0);
}

/* The page size that the guest has to reckon with: that of any host. */
#define PAGE 0x10000ul

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

/*
 * Prints text.  %s is a string, %d a long in decimal, %x one in hexadecimal;
 * there is nothing else.
 */
__attribute__((format(printf, 1, 2)))
void say(const char *format, ...);

/* size zero bytes of new memory at the end of the heap, or NULL. */
void *more_heap(size_t size);

#endif /* GUEST_H */
