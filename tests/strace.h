/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What strace printed, as a list of the calls that concern address spaces.
 *
 *     strace -f -e trace=memory,process -o FILE COMMAND
 *
 * Calls of other kinds may be in it, too.  Understood and skipped are, in
 * front of a call, the times of -t, -tt, -ttt and -r, the numbers of -n and the
 * addresses of -i, and behind it the times of -T; paths and names of -y and -Y.
 * Calls that were interrupted by others' lines are put together.
 *
 * A line that strace does not print is an error with its number.
 */
#ifndef TESTS_STRACE_H
#define TESTS_STRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

struct progress;

enum strace_kind {
	STRACE_BRK,
	STRACE_MMAP,
	STRACE_MUNMAP,
	STRACE_MPROTECT,
	STRACE_MREMAP,
	STRACE_IDLE,            /* leaves all areas as they are: madvise, … */
	STRACE_SEGMENT,         /* shmat, shmdt: without the size */
	STRACE_SEAL,
	STRACE_SHADOW,          /* map_shadow_stack */
	STRACE_CLONE,           /* ret is the new pid */
	STRACE_EXECVE,
	/* Not calls: */
	STRACE_EXIT,            /* the pid is gone */
	STRACE_ATTACHED,        /* the pid is new */
	STRACE_HEADLESS,        /* the end of a call begun before the log */
};

enum strace_result {
	STRACE_DONE,
	STRACE_FAILED,
	STRACE_UNKNOWN,         /* never returned, or strace saw no result */
};

/* Flags, whatever their numbers are on the machine. */
#define STRACE_FIXED      0x01u /* in place of what is there */
#define STRACE_GROWSDOWN  0x02u
#define STRACE_ANONYMOUS  0x04u
#define STRACE_SHARED     0x08u
#define STRACE_DONTUNMAP  0x10u
#define STRACE_SHARES_VM  0x20u /* of clone: the address space is the same */
#define STRACE_MORE_PROT  0x40u /* bits beside read, write and execute, a key */

struct strace_event {
	uint64_t addr, len;     /* in bytes, as they stand in the log */
	uint64_t new_len;       /* mremap */
	uint64_t huge;          /* mmap: the size of its huge pages, or 0 */
	uint64_t ret;           /* if done */
	uint32_t prot;          /* as PROT_READ and so on */
	uint32_t flags;         /* STRACE_…, the first set above */
	uint32_t pid;           /* 0: the line has none */
	uint32_t line;          /* where the call took effect, from 1 */
	enum strace_kind kind;
	enum strace_result result;
	unsigned int call;      /* a number for strace_name */
};

/* A SIGCHLD: so the child is a process, and not a thread. */
struct strace_child {
	uint32_t pid, parent;
};

struct strace_log {
	struct strace_event *events;    /* in the order of their effects */
	size_t nr_events;
	struct strace_child *children;  /* by pid */
	size_t nr_children;
	size_t nr_lines;
	size_t nr_others;               /* calls that were skipped */
};

/*
 * Whether plain text looks like strace's output: its first line with anything
 * on it does.
 */
bool strace_is_log(const void *bytes, size_t size);

/*
 * Read plain text.  0, and *log to be freed with strace_free; or -1 and the
 * reason in *error.  progress may be NULL.
 */
int strace_parse(struct strace_log *log, const void *bytes, size_t size,
		 struct progress *progress, struct trace_error *error);

void strace_free(struct strace_log *log);

/* The names of the calls of the events: from 0 up to, without, STRACE_CALLS. */
#define STRACE_CALLS 37u
const char *strace_name(unsigned int call);

#endif /* TESTS_STRACE_H */
