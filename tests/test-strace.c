/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The replay of strace's output: every form of a line, damage, who lives in
 * which address space and what is mapped there, by logs whose outcome is known;
 * and the plain map that sets are held against.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intervals.h"
#include "replay-log.h"
#include "rng.h"
#include "shorten.h"
#include "spaces.h"
#include "strace.h"
#include "suites.h"
#include "tools.h"

#define NR(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define ENOUGH 4096

/* A log, and what comes of it as text. */
struct sample {
	const char *log, *outcome;
};

/* ---- the plain map ---- */

#define WORLD 40

/* A byte a page: 0 nothing, else the protection and 1. */
static void assert_map_is(const struct intervals *map, const uint8_t *pages)
{
	size_t i, page;
	size_t nr = 0;

	for (page = 0; page < WORLD; page++) {
		const size_t next = intervals_find(map, page);
		const bool there = next < map->nr &&
				   map->at[next].start <= page;

		nr += pages[page] && (!page || pages[page] != pages[page - 1]);
		ck_assert_uint_eq(there, pages[page] != 0);
		ck_assert(!there || map->at[next].prot + 1u == pages[page]);
		ck_assert_uint_eq(intervals_meet(map, page, page + 1), there);
	}
	ck_assert_uint_eq(map->nr, nr);
	for (i = 0; i < map->nr; i++)
		ck_assert(map->at[i].start < map->at[i].end &&
			  (!i || map->at[i - 1].end <= map->at[i].start));
}

START_TEST(test_intervals)
{
	unsigned long rounds = tools_rounds(5000);
	struct rng rng = { 17 };
	struct intervals map = { 0 };
	struct intervals copy = { 0 };
	uint8_t pages[WORLD] = { 0 };

	while (rounds-- > 0) {
		const uint64_t a = rng_below(&rng, WORLD);
		const uint64_t b = a + 1 + rng_below(&rng, WORLD - a);
		const uint32_t what = (uint32_t)rng_below(&rng, 4);

		if (what)
			ck_assert_int_eq(intervals_set(&map, (struct interval){
							a, b, what - 1 }), 0);
		else
			ck_assert_int_eq(intervals_clear(&map, a, b), 0);
		memset(pages + a, (int)what, b - a);
		assert_map_is(&map, pages);
	}
	ck_assert_int_eq(intervals_copy(&copy, &map), 0);
	assert_map_is(&copy, pages);
	intervals_free(&map);
	intervals_free(&copy);
}
END_TEST

/* ---- the reader ---- */

/* Events in few letters, one after the other. */
static void describe_event(const struct strace_event *event, FILE *out)
{
	static const char *const marks[] = {
		[STRACE_EXIT] = "exit", [STRACE_ATTACHED] = "attached",
		[STRACE_HEADLESS] = "headless",
	};
	char prot[4];

	fprintf(out, "%u:%u ", event->line, event->pid);
	if (event->kind >= STRACE_EXIT) {
		fprintf(out, "%s; ", marks[event->kind]);
		return;
	}
	fprintf(out, "%s", strace_name(event->call));
	if (event->result != STRACE_DONE) {
		fputs(event->result == STRACE_FAILED ? " failed; " : " ?; ",
		      out);
		return;
	}
	fprintf(out, " %llx+%llx", (unsigned long long)event->addr,
		(unsigned long long)event->len);
	if (event->new_len)
		fprintf(out, ">%llx", (unsigned long long)event->new_len);
	if (event->huge)
		fprintf(out, " huge %llx", (unsigned long long)event->huge);
	fprintf(out, " %s %x = %llx; ", trace_prot(event->prot, prot),
		event->flags, (unsigned long long)event->ret);
}

static FILE *open_text(char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	ck_assert_ptr_nonnull(out);
	return out;
}

static void assert_outcome(const struct sample *sample, char *is)
{
	size_t len = strlen(sample->outcome);

	/* With or without a blank at the end. */
	while (len && sample->outcome[len - 1] == ' ')
		len--;
	ck_assert_msg(strncmp(is, sample->outcome, len) == 0 &&
		      strspn(is + len, " ") == strlen(is + len),
		      "%s\nis: %s\nexpected: %s", sample->log, is,
		      sample->outcome);
	free(is);
}

static void parse(struct strace_log *log, const char *text)
{
	struct trace_error error;

	ck_assert_msg(strace_is_log(text, strlen(text)), "%s", text);
	ck_assert_msg(strace_parse(log, text, strlen(text), NULL, &error) == 0,
		      "%s\nline %zu: %s", text, error.line, error.reason);
}

#define UNMAP "munmap(0x1000, 8192) = 0\n"
#define UNMAPPED "munmap 1000+2000 --- 0 = 0;"

static const struct sample lines[] = {
	/* What stands before a call, and behind it. */
	{ UNMAP, "1:0 " UNMAPPED },
	{ "7 " UNMAP, "1:7 " UNMAPPED },
	{ "12345  " UNMAP, "1:12345 " UNMAPPED },
	{ "    7 " UNMAP, "1:7 " UNMAPPED },
	{ "7<sh> " UNMAP, "1:7 " UNMAPPED },
	{ "[pid     7] " UNMAP, "1:7 " UNMAPPED },
	{ "[pid 7<a b>] " UNMAP, "1:7 " UNMAPPED },
	{ "12:34:56 " UNMAP, "1:0 " UNMAPPED },
	{ "7 12:34:56.123456 " UNMAP, "1:7 " UNMAPPED },
	{ "[pid 7] 1700000000.123456 " UNMAP, "1:7 " UNMAPPED },
	{ "     0.000123 " UNMAP, "1:0 " UNMAPPED },
	{ "7      0.000123 " UNMAP, "1:7 " UNMAPPED },
	{ "7 12:34:56 (+     0.000012) " UNMAP, "1:7 " UNMAPPED },
	{ "[  11] " UNMAP, "1:0 " UNMAPPED },
	{ "7 0.5 [  11] [00007f0c31a012ef] " UNMAP, "1:7 " UNMAPPED },
	{ "[????????????????] " UNMAP, "1:0 " UNMAPPED },
	{ "munmap(0x1000, 8192)                    = 0\n", "1:0 " UNMAPPED },
	{ "munmap(0x1000, 8192) = 0 <0.000012>\n", "1:0 " UNMAPPED },
	{ "munmap(0x1000, 0x2000) = 0 (INJECTED)\n", "1:0 " UNMAPPED },
	{ "\n\n" UNMAP " > /lib/libc.so.6(munmap+0x7) [0x11]\n\n",
	  "3:0 " UNMAPPED },

	/* Arguments. */
	{ "brk(NULL) = 0x5000\n", "1:0 brk 0+0 --- 0 = 5000;" },
	{ "brk(0x6000) = 0x6000\n", "1:0 brk 6000+0 --- 0 = 6000;" },
	{ "mmap(NULL, 10, PROT_READ|PROT_WRITE|PROT_EXEC, "
	  "MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x1000\n",
	  "1:0 mmap 0+a rwx 4 = 1000;" },
	{ "mmap(0x1000, 1, PROT_NONE, MAP_SHARED|MAP_FIXED, 3, 0x2000) = "
	  "0x1000\n", "1:0 mmap 1000+1 --- 9 = 1000;" },
	{ "mmap2(0x1000, 1, PROT_READ, MAP_PRIVATE|MAP_FIXED_NOREPLACE|"
	  "MAP_GROWSDOWN|MAP_NEW, 3</a, b) = 1>(deleted), 0) = 0x1000\n",
	  "1:0 mmap2 1000+1 r-- 2 = 1000;" },
	{ "[ Process PID=7 runs in 32 bit mode. ]\n"
	  "old_mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|"
	  "MAP_ANONYMOUS, -1, 0) = 0xf7ff9000\n",
	  "2:0 old_mmap 0+2000 rw- 4 = f7ff9000;" },
	{ "old_mmap(0xdeadbeef) = -1 EFAULT (Bad address)\n",
	  "1:0 old_mmap failed;" },
	{ "mmap(NULL, 1, 0x3, 0x32, 0xffffffff, 0) = 0x1000\n",
	  "1:0 mmap 0+1 rw- 5 = 1000;" },
	{ "mmap(NULL, 1, 0x3 /* PROT_READ|PROT_WRITE */, 0x11 /* MAP_SHARED|"
	  "MAP_FIXED */, -1, 0) = 0x1000\n", "1:0 mmap 0+1 rw- 9 = 1000;" },
	{ "mmap(NULL, 1, PROT_READ|0x10, MAP_PRIVATE|0x80000000 /* MAP_??? */,"
	  " -1, 0) = 0x1000\n", "1:0 mmap 0+1 r-- 40 = 1000;" },
	{ "mmap(NULL, 1, PROT_READ|PROT_BTI, MAP_PRIVATE|MAP_HUGETLB, -1, 0)"
	  " = 0x1000\n", "1:0 mmap 0+1 huge 200000 r-- 40 = 1000;" },
	{ "mmap(NULL, 1, PROT_READ, MAP_HUGETLB|30<<MAP_HUGE_SHIFT, -1, 0)"
	  " = 0x1000\n", "1:0 mmap 0+1 huge 40000000 r-- 0 = 1000;" },
	{ "mmap(NULL, 1, 1, 0x54040020, -1, 0) = 0x1000\n",
	  "1:0 mmap 0+1 huge 200000 r-- 4 = 1000;" },
	{ "mprotect(0x1000, 4096, PROT_READ|PROT_GROWSDOWN) = 0\n",
	  "1:0 mprotect 1000+1000 r-- 2 = 0;" },
	{ "pkey_mprotect(0x1000, 4096, PROT_EXEC, -1) = 0\n",
	  "1:0 pkey_mprotect 1000+1000 --x 40 = 0;" },
	{ "mremap(0x1000, 4096, 8192, 0) = 0x1000\n",
	  "1:0 mremap 1000+1000>2000 --- 0 = 1000;" },
	{ "mremap(0x1000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_FIXED|"
	  "MREMAP_DONTUNMAP, 0x9000) = 0x9000\n",
	  "1:0 mremap 1000+1000>1000 --- 10 = 9000;" },
	{ "madvise(0x1000, 4096, MADV_DONTNEED) = 0\n",
	  "1:0 madvise 1000+1000 --- 0 = 0;" },
	{ "mincore(0x1000, 4096, [1, 0]) = 0\n", "1:0 mincore 0+0 --- 0 = 0;" },
	{ "shmat(5, NULL, 0) = 0x1000\n", "1:0 shmat 0+0 --- 0 = 1000;" },

	/* Processes. */
	{ "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, "
	  "child_tidptr=0x7f) = 12\n", "1:0 clone 0+0 --- 0 = c;" },
	{ "clone(child_stack=0x7f, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 12\n",
	  "1:0 clone 0+0 --- 20 = c;" },
	{ "clone3({flags=CLONE_VM|CLONE_FS, child_tid=0x7f, exit_signal=0} => "
	  "{parent_tid=[12]}, 88) = 12\n", "1:0 clone3 0+0 --- 20 = c;" },
	{ "clone(flags=0x3d0f00) = 12<java>\n", "1:0 clone 0+0 --- 20 = c;" },
	{ "fork() = 2 /* 12 in strace's PID NS */\n",
	  "1:0 fork 0+0 --- 0 = c;" },
	{ "vfork() = 12\n", "1:0 vfork 0+0 --- 20 = c;" },
	{ "execve(\"/a) = 3\", [\"a, b\"...], 0x7f /* 3 vars */) = 0\n",
	  "1:0 execve 0+0 --- 0 = 0;" },
	{ "strace: Process 12 attached\n", "1:12 attached;" },
	{ "[pid 7] strace: Process 12 attached\n", "1:12 attached;" },
	{ "7 +++ exited with 0 +++\n", "1:7 exit;" },
	{ "+++ killed by SIGKILL (core dumped) +++\n", "1:0 exit;" },

	/* What is no concern of ours. */
	{ "read(3, \"+++ <unfinished ...>\"..., 99) = 99\n" UNMAP,
	  "2:0 " UNMAPPED },
	{ "exit_group(0) = ?\n", "" },
	{ "syscall_0x1f4(0, 0) = -1 ENOSYS (Function not implemented)\n", "" },
	{ "7 --- SIGSEGV {si_signo=SIGSEGV, si_addr=NULL} ---\n", "" },
	{ "--- stopped by SIGSTOP ---\n", "" },
	{ "strace: [ Process PID=7 runs in 32 bit mode. ]\n"
	  "[ Process PID=7 runs in 32 bit mode. ]\n" UNMAP, "3:0 " UNMAPPED },
	{ "restart_syscall(<... resuming interrupted read ...>) = 1\n", "" },

	/* Not done. */
	{ "munmap(0x1, 8192) = -1 EINVAL (Invalid argument)\n",
	  "1:0 munmap failed;" },
	{ "mmap(NULL, 99999999999999999999, PROT_READ, 0, -1, 0) = -1 ENOMEM "
	  "(Cannot allocate memory)\n", "1:0 mmap failed;" },
	{ "munmap(0x1000, 8192) = ?\n", "1:0 munmap ?;" },
	{ "munmap(0x1000, 8192 <unfinished ...>) = ?\n", "1:0 munmap ?;" },
	{ "munmap(0x1000, 8192) = ? <unavailable>\n", "1:0 munmap ?;" },

	/* Two halves. */
	{ "7 munmap(0x1000, 8192 <unfinished ...>\n"
	  "8 brk(NULL) = 0x5000\n"
	  "7 <... munmap resumed>) = 0\n",
	  "1:7 " UNMAPPED " 2:8 brk 0+0 --- 0 = 5000;" },
	{ "7 brk(NULL <unfinished ...>\n"
	  "8 brk(NULL <unfinished ...>\n"
	  "7 <... brk resumed> )      = 0x5000\n"
	  "8 <... brk resumed>)       = 0x6000\n",
	  "3:7 brk 0+0 --- 0 = 5000; 4:8 brk 0+0 --- 0 = 6000;" },
	{ "7 mremap(0x1000, 4096,  <unfinished ...>\n"
	  "7 <... mremap resumed>8192, MREMAP_MAYMOVE) = 0x9000 <0.1>\n",
	  "1:7 mremap 1000+1000>2000 --- 0 = 9000;" },
	{ "7 clone(flags=SIGCHLD <unfinished ...>\n"
	  "12 " UNMAP
	  "7 <... clone resumed>, child_tidptr=0x7f) = 12\n",
	  "1:7 clone 0+0 --- 0 = c; 2:12 " UNMAPPED },
	{ "[pid 7] munmap(0x1000, 8192 <unfinished ...>\n"
	  "[pid 8] +++ exited with 0 +++\n"
	  "<... munmap resumed>) = 0\n", "1:7 " UNMAPPED " 2:8 exit;" },
	{ "munmap(0x1000, 8192 <unfinished ...>\n"
	  "strace: Process 8 attached\n"
	  "[pid 7] <... munmap resumed>) = 0\n",
	  "1:7 " UNMAPPED " 2:8 attached;" },
	{ "7 futex(0x7f, FUTEX_WAIT, 1, NULL <unfinished ...>\n"
	  "7 <... futex resumed>) = 0\n", "" },
	{ "7 <... munmap resumed>) = 0\n", "1:7 headless;" },
	{ "7 munmap(0x1000, 8192 <unfinished ...>\n", "1:7 munmap ?;" },
	{ "7 munmap(0x1000, 8192 <unfinished ...>\n7 +++ exited with 0 +++\n",
	  "1:7 munmap ?; 2:7 exit;" },
	{ "7 munmap(0x1000, 8192 <unfinished ...>\n7 " UNMAP,
	  "1:7 munmap ?; 2:7 " UNMAPPED },
	{ "7 munmap(0x1000, 8192 <unfinished ...>\n"
	  "7 brk(NULL <unfinished ...>\n"
	  "7 <... brk resumed>) = 0x5000\n",
	  "1:7 munmap ?; 3:7 brk 0+0 --- 0 = 5000;" },
	{ "munmap(0x1000, 8192 <detached ...>\n", "1:0 munmap ?;" },
	{ "munmap(0x1000, 8192 <ptrace(SYSCALL):No such process>\n",
	  "1:0 munmap ?;" },
	{ "8 execve(\"a\", [], 0x7f <pid changed to 7 ...>\n"
	  "7 +++ superseded by execve in pid 8 +++\n"
	  "7 <... execve resumed>) = 0\n",
	  "2:8 exit; 3:7 execve 0+0 --- 0 = 0;" },
};

START_TEST(test_line)
{
	const struct sample *sample = &lines[_i];
	struct strace_log log;
	size_t i, size;
	char *is;
	FILE *out = open_text(&is, &size);

	parse(&log, sample->log);
	for (i = 0; i < log.nr_events; i++)
		describe_event(&log.events[i], out);
	strace_free(&log);
	fclose(out);
	assert_outcome(sample, is);
}
END_TEST

/* A signal of a child's end shows that it is a process. */
START_TEST(test_children)
{
	struct strace_log log;

	parse(&log, "7 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, "
	      "si_pid=12, si_uid=0} ---\n"
	      "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, "
	      "si_pid=9} ---\n"
	      "7 --- SIGCHLD {si_signo=SIGCHLD, si_code=SI_USER, si_pid=3, "
	      "si_uid=0} ---\n"
	      "7 --- SIGUSR1 {si_code=CLD_EXITED, si_pid=4, si_uid=0} ---\n"
	      "write(1, \"x\", 1) = 1\n");
	ck_assert_uint_eq(log.nr_events, 0);
	ck_assert_uint_eq(log.nr_lines, 5);
	ck_assert_uint_eq(log.nr_others, 1);
	ck_assert_uint_eq(log.nr_children, 1);
	ck_assert_uint_eq(log.children[0].pid, 12);
	ck_assert_uint_eq(log.children[0].parent, 7);
	strace_free(&log);
}
END_TEST

static const struct {
	const char *text;
	size_t line;
	const char *reason;
} damages[] = {
	{ UNMAP "munmap(0x10", 2, "line: it is cut off: no newline" },
	{ UNMAP "munmap(0x10\n", 2, "call: it is cut off: it has no result" },
	{ "munmap(0x1000, 8192)\n", 1, "call: it is cut off" },
	{ "munmap(0x1000, 8192) =\n", 1, "call: its result cannot be read" },
	{ "munmap(0x1000, 8192) = \n", 1, "call: its result cannot be read" },
	{ "munmap(0x1000, 8192) = x\n", 1, "call: its result cannot be read" },
	{ "munmap(0x1000, 8192) = 0x\n", 1, "call: its result cannot be read" },
	{ "munmap(0x1000, 8192) = 0,\n", 1, "call: its result cannot be read" },
	{ "munmap(0x1000, 8192) = -E\n", 1, "call: its result cannot be read" },
	{ "munmap(0x1000, 8192) = ?0\n", 1, "call: its result cannot be read" },
	{ "brk(NULL) = 0x10000000000000000\n", 1,
	  "call: its result cannot be read" },
	{ "read(3, 0x7f, 9\n", 1, "call: it is cut off" },
	{ "munmap() = 0\n", 1, "call: an argument cannot be read" },
	{ "munmap(0x1000) = 0\n", 1, "call: an argument is missing" },
	{ "munmap(0x1000,8192) = 0\n", 1, "call: an argument is missing" },
	{ "munmap(0x1000, 8192, 0) = 0\n", 1,
	  "call: it has arguments too many" },
	{ "munmap(-1, 8192) = 0\n", 1, "call: an argument cannot be read" },
	{ "munmap(0xfffffffffffffffff, 8192) = 0\n", 1,
	  "call: an argument cannot be read" },
	{ "munmap(0x1000, 18446744073709551616) = 0\n", 1,
	  "call: an argument cannot be read" },
	{ "munmap(0x1000z, 8192) = 0\n", 1,
	  "call: an argument cannot be read" },
	{ "mprotect(0x1000, 1, PROT_READ|) = 0\n", 1,
	  "call: an argument cannot be read" },
	{ "mprotect(0x1000, 1, 1 /* x) = 0\n", 1,
	  "call: an argument cannot be read" },
	{ "mmap(NULL, 1, PROT_READ, MAP_SHARED, 3</a, 0) = 0x1000\n", 1,
	  "call: an argument cannot be read" },
	{ "clone(flags=) = 12\n", 1, "call: the flags cannot be read" },
	{ UNMAP "\n\xff\xfe\n", 3, "line: it is nothing that strace prints" },
	{ UNMAP "hello world\n", 2, "line: it is nothing that strace prints" },
	{ UNMAP "9brk(NULL) = 0\n", 2, "line: it is nothing that strace" },
	{ UNMAP "[pid 7 brk(NULL) = 0\n", 2,
	  "line: it is nothing that strace prints" },
	{ UNMAP "99999999999 brk(NULL) = 0\n", 2,
	  "line: it is nothing that strace prints" },
	{ "7 +++ exited with 0\n", 1, "end of a process: it does not end in" },
	{ "7 +++ superseded by execve in pid x +++\n", 1,
	  "end of a process: its pid cannot be read" },
	{ "7 --- SIGCHLD {si_signo=SIGC\n", 1, "signal: it does not end in" },
	{ "7 <... munmap>) = 0\n", 1, "end of a call: it is not like <..." },
	{ "7 brk(NULL <unfinished ...>\n7 <... munmap resumed>) = 0\n", 2,
	  "end of a call: the one that began on line 1 is another" },
	{ "7 brk(NULL <unfinished ...>\n7 <... br resumed>) = 0\n", 2,
	  "end of a call: the one that began on line 1 is another" },
	{ "7 ??? <unfinished ...>\n", 1, "call: it has no name" },
	{ "7 a(1) = 0\n<unfinished ...>\n", 2, "line: it is nothing that" },
};

START_TEST(test_damaged_log)
{
	const char *text = damages[_i].text;
	struct trace_error error;
	struct strace_log log;

	ck_assert_msg(strace_parse(&log, text, strlen(text), NULL,
				   &error) == -1, "taken for good: %s", text);
	ck_assert_msg(error.line == damages[_i].line &&
		      strstr(error.reason, damages[_i].reason),
		      "%s\nline %zu: %s", text, error.line, error.reason);
	ck_assert_ptr_null(log.events);
	ck_assert_ptr_null(log.children);
}
END_TEST

static const char *const no_logs[] = {
	"", "\n\n", "# pages 10\ns 0\n", "m 0 1 rw-\n", "hello\n", "7\n",
	"12:34:56 \n", "(NULL) = 0\n",
};

START_TEST(test_no_log)
{
	ck_assert(!strace_is_log(no_logs[_i], strlen(no_logs[_i])));
}
END_TEST

/* ---- address spaces ---- */

static void describe_areas(const struct space *space, FILE *out)
{
	size_t i;
	char prot[4];

	for (i = 0; i < space->areas.nr; i++) {
		const struct interval *area = &space->areas.at[i];

		fprintf(out, "%llx-%llx %s; ",
			(unsigned long long)area->start,
			(unsigned long long)area->end,
			trace_prot(area->prot, prot));
	}
}

static const char *const note_names[] = {
	[NOTE_FAILED] = "failed", [NOTE_UNKNOWN] = "unknown",
	[NOTE_HEADLESS] = "headless", [NOTE_IDLE] = "idle",
	[NOTE_SEGMENT] = "segment", [NOTE_SEAL] = "seal",
	[NOTE_SHADOW] = "shadow", [NOTE_BREAK] = "break",
	[NOTE_LOST_PID] = "lost-pid", [NOTE_FILE] = "file",
	[NOTE_MOVED] = "moved", [NOTE_FOUND] = "found",
	[NOTE_NOTHING] = "nothing", [NOTE_OCCUPIED] = "occupied",
	[NOTE_MORE_PROT] = "more-prot", [NOTE_GROWS] = "grows",
	[NOTE_THREAD] = "thread", [NOTE_FORK] = "fork",
	[NOTE_EXEC] = "exec", [NOTE_SPLIT] = "split",
	[NOTE_NO_PID] = "no-pid",
};

_Static_assert(NR(note_names) == NOTES, "every note has a name");

/* A letter for the birth and the pid, the areas in pages, then the notes. */
static void describe_spaces(const struct spaces *spaces, FILE *out)
{
	static const char births[] = {
		[SPACE_FIRST] = '.', [SPACE_FORKED] = 'f', [SPACE_EXECED] = 'x',
	};
	size_t i;

	for (i = 0; i < spaces->nr; i++) {
		const struct space *space = &spaces->at[i];

		fprintf(out, "%c%u: ", births[space->birth], space->pid);
		describe_areas(space, out);
	}
	for (i = 0; i < NOTES; i++)
		if (spaces->notes.nr[i])
			fprintf(out, "%s %zu; ", note_names[i],
				spaces->notes.nr[i]);
}

/* Map anonymous pages at an address that the kernel chose. */
#define MAP_AT(size, at) "mmap(NULL, " size ", PROT_READ|PROT_WRITE, " \
	"MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = " at "\n"
#define FIX_AT(size, prot, at) "mmap(" at ", " size ", " prot ", MAP_PRIVATE|" \
	"MAP_ANONYMOUS|MAP_FIXED, -1, 0) = " at "\n"
#define CHILD(pid) "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, " \
	"si_pid=" pid ", si_uid=0} ---\n"
#define NOTED(note, times) note " " times " "

static const struct sample logs[] = {
	/* One call after the other, rounded to pages. */
	{ MAP_AT("8193", "0x10000"), ".0: 10-13 rw-;" },
	{ MAP_AT("16384", "0x10000")
	  FIX_AT("4096", "PROT_NONE", "0x11000"),
	  ".0: 10-11 rw-; 11-12 ---; 12-14 rw-;" },
	{ MAP_AT("16384", "0x10000") "munmap(0x11000, 1) = 0\n",
	  ".0: 10-11 rw-; 12-14 rw-;" },
	{ MAP_AT("16384", "0x10000") MAP_AT("4096", "0x14000")
	  "munmap(0x13000, 8192) = 0\n", ".0: 10-13 rw-;" },
	{ MAP_AT("16384", "0x10000")
	  "mprotect(0x11000, 4097, PROT_READ) = 0\n"
	  "mprotect(0x11000, 0, PROT_NONE) = 0\n",
	  ".0: 10-11 rw-; 11-13 r--; 13-14 rw-;" },
	{ MAP_AT("16384", "0x10000")
	  "munmap(0x10000, 16384) = -1 EINVAL (Invalid argument)\n"
	  "mprotect(0x10000, 16384, PROT_NONE) = ?\n"
	  "madvise(0x10000, 16384, MADV_DONTNEED) = 0\n",
	  ".0: 10-14 rw-; " NOTED("failed", "1;") NOTED("unknown", "1;")
	  NOTED("idle", "1;") },
	{ "mmap(NULL, 1, PROT_READ, MAP_PRIVATE, 3, 0) = 0x10000\n"
	  "mmap(NULL, 1, PROT_READ, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = "
	  "0x20000\n", ".0: 10-11 r--; 20-21 r--; " NOTED("file", "2;") },
	{ "mmap(NULL, 5, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB, -1, "
	  "0) = 0x200000\n", ".0: 200-400 r--;" },
	{ "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_GROWSDOWN,"
	  " -1, 0) = 0x10000\n", ".0: 10-11 r--; " NOTED("grows", "1;") },
	{ MAP_AT("16384", "0x10000")
	  "mprotect(0x12000, 4096, PROT_READ|PROT_GROWSDOWN) = 0\n",
	  ".0: 10-13 r--; 13-14 rw-;" },
	{ MAP_AT("4096", "0x10000")
	  "pkey_mprotect(0x10000, 4096, PROT_READ, 1) = 0\n",
	  ".0: 10-11 r--; " NOTED("more-prot", "1;") },
	{ "shmat(5, NULL, 0) = 0x10000\nmseal(0x10000, 4096, 0) = 0\n"
	  "map_shadow_stack(NULL, 4096, 0) = 0x20000\n7 <... brk resumed>) = "
	  "0x1\n", ".0: " NOTED("headless", "1;") NOTED("segment", "1;")
	  NOTED("seal", "1;") NOTED("shadow", "1;") },

	/* brk. */
	{ "brk(NULL) = 0x10100\nbrk(0x12000) = 0x12000\n"
	  "brk(0x12001) = 0x12001\n", ".0: 11-13 rw-;" },
	{ "brk(NULL) = 0x10000\nbrk(0x15000) = 0x15000\nbrk(NULL) = 0x15000\n"
	  "brk(0x12fff) = 0x12fff\n", ".0: 10-13 rw-;" },
	{ "brk(NULL) = 0x10000\nbrk(0x15000) = 0x15000\n"
	  "brk(0x99000) = 0x15000\n", ".0: 10-15 rw-; " NOTED("failed", "1;") },
	{ "brk(0x12000) = 0x12000\nbrk(0x13000) = 0x13000\n",
	  ".0: 12-13 rw-; " NOTED("break", "1;") },

	/* mremap. */
	{ MAP_AT("16384", "0x10000") "mremap(0x10000, 16384, 8192, 0) = "
	  "0x10000\n", ".0: 10-12 rw-;" },
	{ FIX_AT("4096", "PROT_READ", "0x10000")
	  "mremap(0x10000, 4096, 12288, 0) = 0x10000\n"
	  "mremap(0x10000, 12288, 12288, 0) = 0x10000\n", ".0: 10-13 r--;" },
	{ MAP_AT("8192", "0x10000") "mprotect(0x11000, 4096, PROT_READ) = 0\n"
	  "mremap(0x10000, 8192, 16384, MREMAP_MAYMOVE) = 0x20000\n",
	  ".0: 20-21 rw-; 21-24 r--; " NOTED("moved", "1;") },
	{ MAP_AT("12288", "0x10000") "mprotect(0x11000, 4096, PROT_READ) = 0\n"
	  "mremap(0x10000, 12288, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x20000)"
	  " = 0x20000\n", ".0: 20-21 rw-; 21-22 r--; " NOTED("moved", "1;") },
	{ MAP_AT("16384", "0x10000") MAP_AT("16384", "0x20000")
	  "mprotect(0x20000, 16384, PROT_NONE) = 0\n"
	  "mremap(0x11000, 8192, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x21000)"
	  " = 0x21000\n",
	  ".0: 10-11 rw-; 13-14 rw-; 20-21 ---; 21-23 rw-; 23-24 ---; "
	  NOTED("moved", "1;") },
	{ MAP_AT("4096", "0x10000") "mremap(0x10000, 4096, 4096, "
	  "MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x20000\n",
	  ".0: 10-11 rw-; 20-21 rw-; " NOTED("moved", "1;") },
	{ FIX_AT("8192", "PROT_READ", "0x10000")
	  "mremap(0x10000, 0, 4096, MREMAP_MAYMOVE) = 0x20000\n",
	  ".0: 10-12 r--; 20-21 r--; " NOTED("moved", "1;") },
	{ "mremap(0x10000, 4096, 8192, MREMAP_MAYMOVE) = 0x20000\n",
	  ".0: 20-22 rw-; " NOTED("moved", "1;") NOTED("found", "1;") },

	/* From before the log. */
	{ "mprotect(0x10000, 8192, PROT_READ) = 0\n",
	  ".0: 10-12 r--; " NOTED("found", "1;") },
	{ MAP_AT("4096", "0x11000") MAP_AT("4096", "0x13000")
	  "mprotect(0x10000, 20480, PROT_EXEC) = 0\n",
	  ".0: 10-15 --x; " NOTED("found", "1;") },
	{ "munmap(0x10000, 4096) = 0\n", ".0: " NOTED("nothing", "1;") },
	{ MAP_AT("8192", "0x10000") MAP_AT("8192", "0x11000"),
	  ".0: 10-13 rw-; " NOTED("occupied", "1;") },

	/* clone and the like. */
	{ "7 " MAP_AT("8192", "0x10000")
	  "7 clone(flags=CLONE_VM|CLONE_THREAD) = 8\n"
	  "8 munmap(0x10000, 4096) = 0\n7 " MAP_AT("4096", "0x10000"),
	  ".7: 10-12 rw-;" },
	{ "7 " MAP_AT("8192", "0x10000")
	  "7 clone(flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>\n"
	  "8 munmap(0x10000, 4096) = 0\n"
	  "7 <... clone resumed>) = 8\n"
	  "7 munmap(0x11000, 4096) = 0\n",
	  ".7: 10-11 rw-; f8: 11-12 rw-;" },
	{ "7 " MAP_AT("8192", "0x10000") "7 fork() = 8\n7 fork() = 9\n"
	  "8 +++ exited with 0 +++\n9 fork() = 8\n"
	  "8 munmap(0x11000, 4096) = 0\n",
	  ".7: 10-12 rw-; f8: 10-12 rw-; f9: 10-12 rw-; f8: 10-11 rw-;" },
	{ "7 " MAP_AT("8192", "0x10000") "7 vfork( <unfinished ...>\n"
	  "8 munmap(0x10000, 4096) = 0\n"
	  "8 execve(\"a\", [\"a\"], 0x7f) = 0\n8 " MAP_AT("4096", "0x11000")
	  "7 <... vfork resumed>) = 8\n",
	  ".7: 11-12 rw-; x8: 11-12 rw-;" },
	{ "7 brk(NULL) = 0x10000\n7 brk(0x12000) = 0x12000\n7 fork() = 8\n"
	  "8 brk(0x13000) = 0x13000\n7 brk(0x11000) = 0x11000\n",
	  ".7: 10-11 rw-; f8: 10-13 rw-;" },
	{ "7 fork() = 7\n7 " MAP_AT("1", "0x10000"),
	  ".7: 10-11 rw-; " NOTED("lost-pid", "1;") },
	{ "execve(\"a\", [\"a\"], 0x7f) = 0\n" MAP_AT("4096", "0x11000")
	  "execve(\"a\", [\"a\"], 0x7f) = -1 ENOENT (No such file)\n"
	  "execve(\"b\", [\"b\"], 0x7f) = 0\nbrk(NULL) = 0x20000\n"
	  "brk(0x21000) = 0x21000\n",
	  ".0: 11-12 rw-; x0: 20-21 rw-; " NOTED("failed", "1;") },
	{ "7 " MAP_AT("8192", "0x10000") "7 clone(flags=CLONE_VM) = 8\n"
	  "8 execve(\"a\", [], 0x7f <pid changed to 7 ...>\n"
	  "7 +++ superseded by execve in pid 8 +++\n"
	  "7 <... execve resumed>) = 0\n7 " MAP_AT("4096", "0x30000"),
	  ".7: 10-12 rw-; x7: 30-31 rw-;" },
	{ "7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 "
	  "<unfinished ...>\n8 munmap(0x10000, 4096 <unfinished ...>\n"
	  "7 <... mmap resumed>) = 0x10000\n8 <... munmap resumed>) = 0\n",
	  ".8: 10-11 r--; " NOTED("nothing", "1;") NOTED("thread", "1;") },

	/* Without them: a thread, a process, a new program. */
	{ "7 " MAP_AT("8192", "0x10000") "8 munmap(0x10000, 4096) = 0\n",
	  ".7: 11-12 rw-; " NOTED("thread", "1;") },
	{ "7 " MAP_AT("8192", "0x10000") "8 munmap(0x10000, 4096) = 0\n"
	  "7 " CHILD("8") "7 munmap(0x11000, 4096) = 0\n",
	  ".7: 10-11 rw-; f8: 11-12 rw-; " NOTED("fork", "1;") },
	{ "7 " MAP_AT("8192", "0x10000") "8 " MAP_AT("4096", "0x11000"),
	  ".7: 10-12 rw-; f8: 10-12 rw-; " NOTED("occupied", "1;")
	  NOTED("fork", "1;") },
	{ "7 " MAP_AT("4096", "0x10000") "8 " MAP_AT("4096", "0x20000")
	  "7 " MAP_AT("4096", "0x21000") "8 " MAP_AT("8192", "0x21000"),
	  ".7: 10-11 rw-; 20-22 rw-; f8: 10-11 rw-; 20-23 rw-; "
	  NOTED("occupied", "1;") NOTED("thread", "1;") NOTED("split", "1;") },
	{ "7 brk(NULL) = 0x10000\n7 brk(0x12000) = 0x12000\n"
	  "8 brk(NULL) = 0x50000\n8 brk(0x51000) = 0x51000\n",
	  ".7: 10-12 rw-; x8: 50-51 rw-; " NOTED("exec", "1;") },
	{ "brk(NULL) = 0x10000\nbrk(0x12000) = 0x12000\n"
	  "brk(NULL) = 0x50000\nbrk(0x51000) = 0x51000\n",
	  ".0: 10-12 rw-; x0: 50-51 rw-; " NOTED("exec", "1;") },
	{ "7 brk(NULL) = 0x10000\n7 brk(0x12000) = 0x12000\n"
	  "8 brk(0x11000) = 0x11000\n",
	  ".7: 10-11 rw-; " NOTED("thread", "1;") },

	/* Lines without pid. */
	{ MAP_AT("8192", "0x10000") "strace: Process 8 attached\n"
	  "[pid 8] munmap(0x10000, 4096) = 0\n"
	  "[pid 7] munmap(0x11000, 4096) = 0\n"
	  "[pid 8] +++ exited with 0 +++\n" MAP_AT("4096", "0x30000")
	  "+++ exited with 0 +++\n",
	  ".0: 30-31 rw-; " NOTED("thread", "1;") },
	{ MAP_AT("8192", "0x10000") "strace: Process 8 attached\n"
	  "[pid 7] munmap(0x11000, 4096) = 0\n"
	  "[pid 8] munmap(0x10000, 4096) = 0\n"
	  "[pid 8] +++ exited with 0 +++\n" CHILD("8"),
	  ".0: 10-11 rw-; f8: 11-12 rw-; " NOTED("fork", "1;") },
	{ MAP_AT("8192", "0x10000") "[pid 8] munmap(0x10000, 4096) = 0\n"
	  "[pid 7] munmap(0x11000, 4096) = 0\n" CHILD("8"),
	  ".0: 10-11 rw-; f8: 11-12 rw-; " NOTED("fork", "1;") },
	{ "7 " MAP_AT("8192", "0x10000") "+++ exited with 0 +++\n"
	  "9 " MAP_AT("4096", "0x10000"), ".7: 10-12 rw-; .9: 10-11 rw-;" },
	{ "7 " MAP_AT("8192", "0x10000") "7 fork() = 8\n"
	  "munmap(0x10000, 4096) = 0\n",
	  ".7: 11-12 rw-; f8: 10-12 rw-; " NOTED("no-pid", "1;") },
};

static void build(struct spaces *spaces, const char *text, size_t every)
{
	struct trace_error error;
	struct strace_log log;

	parse(&log, text);
	ck_assert_msg(spaces_build(spaces, &log, every, NULL, &error) == 0,
		      "%s\nline %zu: %s", text, error.line, error.reason);
	strace_free(&log);
}

START_TEST(test_log)
{
	const struct sample *sample = &logs[_i];
	struct spaces spaces;
	size_t size;
	char *is;
	FILE *out = open_text(&is, &size);

	build(&spaces, sample->log, 1);
	describe_spaces(&spaces, out);
	spaces_free(&spaces);
	fclose(out);
	assert_outcome(sample, is);
}
END_TEST

static void replay_one(const char *text, enum replay_target target,
		       enum shorten shorten)
{
	const struct replay_log_how how = {
		.target = target, .shorten = shorten, .every = 1,
	};
	struct replay_log_report report;
	struct trace_error error;

	ck_assert_msg(replay_log(text, strlen(text), &how, &report,
				 &error) == 0,
		      "%s\nline %zu: %s", text, error.line, error.reason);
	ck_assert_uint_gt(report.sum.done[TRACE_STATE], 0);
	replay_log_free(&report);
}

/* Every log comes out in the kernel as it should, whatever its length. */
START_TEST(test_replayed_log)
{
	const char *text = logs[_i].log;

	replay_one(text, REPLAY_SET, SHORTEN_ALL);
	replay_one(text, REPLAY_SET, SHORTEN_HOLES);
	replay_one(text, REPLAY_BARE, SHORTEN_ALL);
	replay_one(text, REPLAY_BARE, SHORTEN_HOLES);
}
END_TEST

/* Calls that no kernel did. */
static const struct sample impossible[] = {
	{ "munmap(0x1234, 4096) = 0\n",
	  "munmap: its address is not that of a page" },
	{ "munmap(0x1000, 0) = 0\n", "munmap: its length is 0" },
	{ "munmap(0xfffffffffffff000, 8192) = 0\n",
	  "munmap: its range goes beyond all addresses" },
	{ "munmap(0x1000, 18446744073709551615) = 0\n",
	  "munmap: its range goes beyond all addresses" },
	{ "mprotect(0x1001, 4096, PROT_READ) = 0\n",
	  "mprotect: its address is not that of a page" },
	{ MAP_AT("4096", "0x5"), "mmap: its address is not that of a page" },
	{ MAP_AT("0", "0x5000"), "mmap: its length is 0" },
	{ "mremap(0x1000, 4096, 0, 0) = 0x1000\n",
	  "mremap: its length is 0" },
	{ "mremap(0x1000, 4096, 4096, 0) = 0x1\n",
	  "mremap: its address is not that of a page" },
	{ "clone(flags=0) = 0\n", "clone: its result is no pid" },
	{ "fork() = 4294967296\n", "fork: its result is no pid" },
};

START_TEST(test_impossible_call)
{
	const struct sample *sample = &impossible[_i];
	struct replay_log_report report;
	struct replay_log_how how = { .every = 0 };
	struct trace_error error;
	char text[ENOUGH];

	snprintf(text, sizeof(text), "brk(NULL) = 0x1000\n%s", sample->log);
	ck_assert_int_eq(replay_log(text, strlen(text), &how, &report, &error),
			 -1);
	ck_assert_uint_eq(error.line, 2);
	ck_assert_str_eq(error.reason, sample->outcome);
	ck_assert_ptr_null(report.each);
	ck_assert_ptr_null(report.spaces.at);
}
END_TEST

/* ---- lengths ---- */

/* Ten pages, a hole, a terabyte, which a protect cuts off two pages of. */
static const char terabyte[] =
	FIX_AT("40960", "PROT_READ", "0x10000")
	"mmap(NULL, 1099511627776, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|"
	"MAP_NORESERVE, -1, 0) = 0x7f0000000000\n"
	"mprotect(0x7f0000000000, 8192, PROT_READ|PROT_WRITE) = 0\n";

static struct trace shortened(const char *text, enum shorten how,
			      uint64_t *longest)
{
	struct trace_error error;
	struct spaces spaces;
	struct shortened s;
	struct trace trace;

	build(&spaces, text, 0);
	ck_assert_int_eq(shorten_prepare(&s, &spaces, 0, how), 0);
	ck_assert_msg(shorten_trace(&s, &spaces.at[0], &trace, &error) == 0,
		      "%s", error.reason);
	*longest = s.longest;
	shorten_free(&s);
	spaces_free(&spaces);
	return trace;
}

static void assert_op(const struct trace_op *op, enum trace_kind kind,
		      uint32_t start, uint32_t len)
{
	ck_assert_int_eq(op->kind, kind);
	ck_assert_uint_eq(op->start, start);
	ck_assert_uint_eq(op->len, len);
}

START_TEST(test_shortened)
{
	uint64_t longest;
	struct trace trace = shortened(terabyte, SHORTEN_ALL, &longest);

	ck_assert_uint_eq(trace.pages, 4 + 4 + 2 + 4);
	assert_op(&trace.ops[0], TRACE_MAP, 0, 4);
	assert_op(&trace.ops[1], TRACE_MAP, 8, 6);
	assert_op(&trace.ops[2], TRACE_PROTECT, 8, 2);
	ck_assert_uint_eq(longest, 0x7f0000000 - 0x1a);
	trace_free(&trace);
}
END_TEST

START_TEST(test_kept)
{
	uint64_t longest;
	struct trace trace = shortened(terabyte, SHORTEN_HOLES, &longest);

	ck_assert_uint_eq(trace.pages, 10 + 4 + ((uint64_t)1 << 28));
	assert_op(&trace.ops[0], TRACE_MAP, 0, 10);
	assert_op(&trace.ops[1], TRACE_MAP, 14, 1u << 28);
	assert_op(&trace.ops[2], TRACE_PROTECT, 14, 2);
	trace_free(&trace);
}
END_TEST

/* The lengths of a process and of its copy are the same. */
START_TEST(test_family)
{
	struct spaces spaces;
	struct shortened s;

	build(&spaces, "7 " MAP_AT("40960", "0x10000") "7 fork() = 8\n"
	      "8 munmap(0x15000, 4096) = 0\n"
	      "8 execve(\"a\", [], 0x7f) = 0\n8 " MAP_AT("1", "0x90000"), 0);
	ck_assert_uint_eq(spaces.nr, 3);
	ck_assert_uint_eq(spaces.nr_families, 2);
	ck_assert_uint_eq(spaces.at[1].family, spaces.at[0].family);
	ck_assert_uint_eq(spaces.at[1].copied, 1);
	ck_assert_int_eq(shorten_prepare(&s, &spaces, 0, SHORTEN_ALL), 0);
	ck_assert_uint_eq(s.nr, 4);
	ck_assert_uint_eq(s.to[3], 4 + 1 + 4);
	shorten_free(&s);
	ck_assert_int_eq(shorten_prepare(&s, &spaces, 1, SHORTEN_ALL), 0);
	ck_assert_uint_eq(s.nr, 2);
	shorten_free(&s);
	spaces_free(&spaces);
}
END_TEST

START_TEST(test_too_large)
{
	static const char huge[] =
		"mmap(NULL, 140737488355328, PROT_NONE, MAP_PRIVATE|"
		"MAP_ANONYMOUS, -1, 0) = 0x1000\n";
	const struct replay_log_how how = { .shorten = SHORTEN_HOLES };
	struct replay_log_report report;
	struct trace_error error;

	ck_assert_int_eq(replay_log(huge, sizeof(huge) - 1, &how, &report,
				    &error), -1);
	ck_assert_str_eq(error.reason, "an address space with 34359738368 "
			 "pages and 1 areas to compare is too large");
}
END_TEST

/* ---- states ---- */

/* No state before there were as many operations as it has areas. */
START_TEST(test_states)
{
	static const char text[] =
		MAP_AT("4096", "0x10000") MAP_AT("4096", "0x20000")
		MAP_AT("4096", "0x30000") MAP_AT("4096", "0x40000")
		"munmap(0x10000, 262144) = 0\n";
	static const size_t states[] = { 1, 3, 3 };
	const struct replay_log_how how = { .every = (size_t)_i };
	struct replay_log_report report;
	struct trace_error error;

	ck_assert_int_eq(replay_log(text, sizeof(text) - 1, &how, &report,
				    &error), 0);
	ck_assert_uint_eq(report.sum.done[TRACE_STATE], states[_i]);
	ck_assert_uint_eq(report.sum.done[TRACE_MAP], 4);
	ck_assert_uint_eq(report.sum.done[TRACE_UNMAP], 1);
	ck_assert_uint_eq(report.sum.most_areas, 4);
	ck_assert_uint_eq(report.sum.last_areas, 0);
	ck_assert_uint_eq(report.sum.last_vmas, 1);
	replay_log_free(&report);
}
END_TEST

/* ---- anything at all ---- */

/*
 * What is refused is so for something in the text that is wrong, or too large,
 * and the line of it is told.  It is never that something else comes out.
 */
static void check_refusal(const char *text, size_t size,
			  const struct trace_error *error)
{
	static const char *const ours[] = {
		"expected are", "is expected", "something that is not",
		"its length is", "vmset_verify", "failed: ",
	};
	size_t count = size && text[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		count += text[i] == '\n';
	ck_assert_msg(error->line >= 1 && error->line <= count &&
		      *error->reason, "%.*s\nline %zu of %zu: %s", (int)size,
		      text, error->line, count, error->reason);
	for (size_t i = 0; i < NR(ours); i++)
		ck_assert_msg(!strstr(error->reason, ours[i]),
			      "%.*s\nline %zu: %s", (int)size, text,
			      error->line, error->reason);
}

/* Bytes of a log are changed, cut out and repeated: refused, or replayed. */
START_TEST(test_any_input)
{
	static const char some[] = "0x19 =()<>-+|,\n?*/";
	struct rng rng = { (uint64_t)_i };
	unsigned long rounds = tools_rounds(40);
	const struct replay_log_how how = { .every = 1 };
	const char *log = logs[_i % NR(logs)].log;
	char text[2 * ENOUGH];

	while (rounds-- > 0) {
		size_t size = strlen(log);
		unsigned int changes = 1 + (unsigned int)rng_below(&rng, 3);
		struct replay_log_report report;
		struct trace_error error = { 0 };

		memcpy(text, log, size);
		while (changes-- > 0) {
			const size_t at = rng_below(&rng, size);
			const size_t from = rng_below(&rng, size);

			text[at] = some[rng_below(&rng, sizeof(some) - 1)];
			if (rng_below(&rng, 2))
				continue;
			memmove(text + at, text + from, size - (at > from ?
							at : from));
		}
		if (!rng_below(&rng, 4))
			size -= rng_below(&rng, size);
		if (replay_log(text, size, &how, &report, &error))
			check_refusal(text, size, &error);
		else
			replay_log_free(&report);
	}
}
END_TEST

Suite *suite_strace(void)
{
	Suite *suite = suite_create("strace");
	TCase *tc = tcase_create("plain map");

	tcase_add_test(tc, test_intervals);
	suite_add_tcase(suite, tc);

	tc = tcase_create("reader");
	tcase_add_loop_test(tc, test_line, 0, NR(lines));
	tcase_add_test(tc, test_children);
	tcase_add_loop_test(tc, test_damaged_log, 0, NR(damages));
	tcase_add_loop_test(tc, test_no_log, 0, NR(no_logs));
	suite_add_tcase(suite, tc);

	tc = tcase_create("address spaces");
	tcase_add_loop_test(tc, test_log, 0, NR(logs));
	tcase_add_loop_test(tc, test_replayed_log, 0, NR(logs));
	tcase_add_loop_test(tc, test_impossible_call, 0, NR(impossible));
	tcase_add_test(tc, test_shortened);
	tcase_add_test(tc, test_kept);
	tcase_add_test(tc, test_family);
	tcase_add_test(tc, test_too_large);
	tcase_add_loop_test(tc, test_states, 0, 3);
	tcase_add_loop_test(tc, test_any_input, 0, NR(logs));
	suite_add_tcase(suite, tc);
	return suite;
}
