/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The child that touches.  It notes in shared memory what it is about to do and
 * what the signal handler was told, so that the parent learns of both even if
 * the child dies.
 */
#include "touch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assert.h"
#include "tools.h"

/* An instruction that returns, as it stands in memory. */
#if defined(__x86_64__) || defined(__i386__)
static const unsigned char return_code[] = { 0xc3, 0xc3, 0xc3, 0xc3 };
#elif defined(__aarch64__)
static const unsigned char return_code[] = { 0xc0, 0x03, 0x5f, 0xd6 };
#elif defined(__riscv)
static const unsigned char return_code[] = { 0x82, 0x80, 0x82, 0x80 };
#else
#error "tell which instruction returns"
#endif

/* Only the child that touches uses these. */
static struct touch *touching;
static sigjmp_buf resume;
static bool deadly;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	touching->signal = signal;
	touching->code = info->si_code;
	touching->fault = (uintptr_t)info->si_addr;
	if (!deadly)
		siglongjmp(resume, 1);
	/* The instruction runs again, and now the signal kills. */
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

__attribute__((noinline, no_sanitize("address")))
static void use(struct touch *touch)
{
	volatile uint8_t *byte = (volatile uint8_t *)touch->addr;

	if (touch->how == TOUCH_READ)
		touch->value = *byte;
	else if (touch->how == TOUCH_WRITE)
		*byte = return_code[0]; /* A later jump may come here. */
	else
		((void (*)(void))touch->addr)();
}

static void child(struct touch *touches, size_t count)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO };

	prctl(PR_SET_DUMPABLE, 0);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	for (volatile size_t i = 0; i < count; i++) {
		touching = &touches[i];
		VALGRIND_DISABLE_ERROR_REPORTING;
		if (sigsetjmp(resume, 1) == 0)
			use(touching);
		VALGRIND_ENABLE_ERROR_REPORTING;
	}
	_exit(0);
}

/* Run the child over the touches, and return its wait status. */
static int run(struct touch *touches, size_t count, bool die)
{
	size_t size = count * sizeof(*touches);
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_that(shared != MAP_FAILED);
	memcpy(shared, touches, size);
	pid = fork();
	assert_that(pid >= 0);
	if (pid == 0) {
		deadly = die;
		child(shared, count);
	}
	assert_eq(waitpid(pid, &status, 0), pid);
	memcpy(touches, shared, size);
	munmap(shared, size);
	return status;
}

void touch_all(struct touch *touches, size_t count)
{
	int status = run(touches, count, false);

	assert_that(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void touch_works(uintptr_t addr, enum touch_how how)
{
	struct touch touch = { .addr = addr, .how = how };

	touch_all(&touch, 1);
	assert_eq(touch.signal, 0);
}

static void check_fault(const struct touch *touch, int code)
{
	assert_eq(touch->signal, SIGSEGV);
	assert_eq(touch->code, code);
	assert_eq(touch->fault, touch->addr);
}

void touch_kills(uintptr_t addr, enum touch_how how, int code)
{
	struct touch touch = { .addr = addr, .how = how };
	int status = run(&touch, 1, true);

	assert_that(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	check_fault(&touch, code);
}

/*
 * Whether the processor lets memory with the flags be used so: 1, 0, or -1 if
 * that differs between processors (what may only be written, or only run).
 */
static int allowed(uint32_t flags, enum touch_how how)
{
	static const uint32_t needed[] = {
		[TOUCH_READ] = VMSET_READ,
		[TOUCH_WRITE] = VMSET_WRITE,
		[TOUCH_JUMP] = VMSET_EXEC,
	};

	if (flags & needed[how])
		return 1;
	return how == TOUCH_READ && flags ? -1 : 0;
}

#define PROBES 6

/* The ways to touch both ends of a stretch. */
static void add_probes(struct touch *touches, uintptr_t start, uintptr_t end)
{
	uintptr_t last = end - sizeof(return_code);

	for (unsigned int i = 0; i < PROBES; i++)
		touches[i] = (struct touch){ .addr = i % 2 ? last : start,
					     .how = (enum touch_how)(i / 2) };
}

static void check_probes(const struct touch *touches, uint32_t flags)
{
	for (unsigned int i = 0; i < PROBES; i++) {
		int allow = allowed(flags, touches[i].how);

		if (allow == 1)
			assert_eq(touches[i].signal, 0);
		if (allow == 0)
			check_fault(&touches[i], SEGV_ACCERR);
	}
}

/*
 * Walk areas and gaps, with the probes of each in its turn: to note them, or
 * to check them if they were done.  Returns the number of probes.
 */
static size_t walk(const struct vmset *set, struct touch *touches, bool done)
{
	struct vmset_range bounds = vmset_bounds(set);
	uintptr_t at = bounds.start, end;
	struct vmset_area area;
	size_t count = 0;
	uint32_t flags;

	for (; at < bounds.end; at = end, count += PROBES) {
		if (vmset_next(set, at, &area) != 0)
			area.start = area.end = bounds.end;
		end = area.start > at ? area.start : area.end;
		flags = area.start > at ? 0 : area.flags;
		if (done)
			check_probes(touches + count, flags);
		else
			add_probes(touches + count, at, end);
	}
	return count;
}

void touch_check(const struct vmset *set)
{
	size_t most = (2 * vmset_len(set) + 1) * PROBES;
	struct touch *touches = calloc(most, sizeof(*touches));

	assert_that(touches);
	touch_all(touches, walk(set, touches, false));
	walk(set, touches, true);
	free(touches);
}

void touch_fill(uintptr_t start, size_t size)
{
	char *memory = (char *)start;

	for (size_t at = 0; at < size; at += sizeof(return_code))
		memcpy(memory + at, return_code, sizeof(return_code));
	__builtin___clear_cache(memory, memory + size);
}
