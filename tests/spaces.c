/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who lives in which space.
 */
#include "spaces.h"

#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "vector.h"

/* A thread or a process with one. */
struct task {
	uint32_t pid; /* 0: its lines have none, so far */
	bool guessed; /* that it is a thread of its space */
	size_t space;
};

struct builder {
	struct spaces *spaces;
	const struct strace_log *log;
	struct trace_error *error;
	struct task *tasks;
	size_t nr_tasks, tasks_room;
	uint32_t *attached; /* pids that are announced and not seen yet */
	size_t nr_attached, attached_room;
	uint64_t clock;
	size_t every;
};

static const char *const notes[] = {
	[NOTE_FAILED] = "failed for the program, too",
	[NOTE_UNKNOWN] = "did not return, or with no result that strace saw",
	[NOTE_HEADLESS] = "calls that began before the log",
	[NOTE_IDLE] = "leave all areas as they are (advice, locks, queries)",
	[NOTE_SEGMENT] = "shared memory segments: the log has no size",
	[NOTE_SEAL] = "mseal: areas over the kernel cannot be sealed",
	[NOTE_SHADOW] = "shadow stacks",
	[NOTE_BREAK] = "brk whose first break is before the log",
	[NOTE_LOST_PID] = "clone whose child has the pid of one that lives",
	[NOTE_FILE] = "mmap of a file or shared: as private anonymous memory",
	[NOTE_MOVED] = "mremap to another place: as map and unmap",
	[NOTE_FOUND] = "on memory that is not in the log: mapped first",
	[NOTE_NOTHING] = "munmap where the log has nothing mapped",
	[NOTE_OCCUPIED] = "mmap where the log has something: in place of it",
	[NOTE_MORE_PROT] = "with a key, or rights beside rwx: without them",
	[NOTE_GROWS] = "mmap that grows down: its growth is not in the log",
	[NOTE_THREAD] = "new pid without clone: taken as a thread",
	[NOTE_FORK] = "new pid without clone: taken as a process, a copy",
	[NOTE_EXEC] = "another break without execve: taken as a new program",
	[NOTE_SPLIT] = "was taken as a thread: a process from now on",
	[NOTE_NO_PID] = "lines without pid while several pids run",
};

const char *spaces_note(enum note note)
{
	return notes[note];
}

static int no_memory(const struct builder *b)
{
	return trace_fail(b->error, 0, "no memory for all address spaces");
}

static void note(const struct builder *b, enum note what)
{
	b->spaces->notes.nr[what]++;
}

static struct space *space_of(const struct builder *b, const struct task *task)
{
	return &b->spaces->at[task->space];
}

/* ---- spaces come and go ---- */

/* An empty one, whose number goes to *number. */
static int add_space(struct builder *b, enum space_birth birth,
		     const struct strace_event *event, size_t *number)
{
	struct spaces *spaces = b->spaces;
	struct space *at = vector_room(spaces->at, spaces->nr + 1,
				       &spaces->room, sizeof(*at));

	if (!at)
		return no_memory(b);
	spaces->at = at;
	*number = spaces->nr++;
	at[*number] = (struct space){
		.birth = birth,
		.pid = event->pid,
		.line = event->line,
		.every = b->every,
	};
	return 0;
}

static int add_fresh(struct builder *b, enum space_birth birth,
		     const struct strace_event *event, size_t *number)
{
	int err = add_space(b, birth, event, number);

	if (!err)
		b->spaces->at[*number].family = b->spaces->nr_families++;
	return err;
}

static int add_copy(struct builder *b, size_t from,
		    const struct strace_event *event, size_t *number)
{
	struct space *at;
	int err = add_space(b, SPACE_FORKED, event, number);

	if (err)
		return err;
	at = b->spaces->at;
	at[*number].family = at[from].family;
	return space_copy(&at[*number], &at[from], event->line) ? no_memory(b) :
								  0;
}

static void enter(struct builder *b, struct task *task, size_t space)
{
	task->space = space;
	b->spaces->at[space].tasks++;
}

/* The last one to leave has the space compared with what it should be. */
static int leave(struct builder *b, const struct task *task, uint32_t line)
{
	struct space *space = space_of(b, task);

	if (--space->tasks)
		return 0;
	return space_expect(space, line) ? no_memory(b) : 0;
}

/* ---- tasks come and go ---- */

static struct task *find_task(const struct builder *b, uint32_t pid)
{
	size_t i;

	/* The latest are the likeliest. */
	for (i = b->nr_tasks; i-- > 0;)
		if (b->tasks[i].pid == pid)
			return &b->tasks[i];
	return NULL;
}

static struct task *add_task(struct builder *b, uint32_t pid, size_t space)
{
	struct task *at = vector_room(b->tasks, b->nr_tasks + 1, &b->tasks_room,
				      sizeof(*at));

	if (!at) {
		no_memory(b);
		return NULL;
	}
	b->tasks = at;
	at += b->nr_tasks++;
	*at = (struct task){ .pid = pid };
	enter(b, at, space);
	b->spaces->tasks++;
	return at;
}

static int remove_task(struct builder *b, struct task *task, uint32_t line)
{
	struct task *const end = b->tasks + b->nr_tasks--;
	int err = leave(b, task, line);

	/* They stay in the order in which they came. */
	memmove(task, task + 1, (size_t)(end - (task + 1)) * sizeof(*task));
	return err;
}

static const uint32_t *find_attached(const struct builder *b, uint32_t pid)
{
	size_t i;

	for (i = 0; i < b->nr_attached; i++)
		if (b->attached[i] == pid)
			return &b->attached[i];
	return NULL;
}

static int add_attached(struct builder *b, uint32_t pid)
{
	uint32_t *at = vector_room(b->attached, b->nr_attached + 1,
				   &b->attached_room, sizeof(*at));

	if (!at)
		return no_memory(b);
	b->attached = at;
	b->attached[b->nr_attached++] = pid;
	return 0;
}

static void remove_attached(struct builder *b, uint32_t pid)
{
	const uint32_t *at = find_attached(b, pid);

	if (at)
		b->attached[at - b->attached] = b->attached[--b->nr_attached];
}

/* ---- who is new ---- */

/* The SIGCHLD that shows the pid to be a process, or NULL. */
static const struct strace_child *find_child(const struct builder *b,
					     uint32_t pid)
{
	size_t low = 0;
	size_t high = b->log->nr_children;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (b->log->children[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < b->log->nr_children && b->log->children[low].pid == pid)
		return &b->log->children[low];
	return NULL;
}

/*
 * The task in the space that was used last, of those that the event suits;
 * event NULL: of all.
 */
static const struct task *last_used(const struct builder *b,
				    const struct strace_event *event)
{
	const struct task *best = NULL;
	size_t i;

	for (i = 0; i < b->nr_tasks; i++) {
		const struct space *space = space_of(b, &b->tasks[i]);

		if (best && space->used <= space_of(b, best)->used)
			continue;
		if (!event || space_suits(space, event))
			best = &b->tasks[i];
	}
	return best;
}

static bool asks_for_break(const struct strace_event *event)
{
	return event->kind == STRACE_BRK && !event->addr &&
	       event->result == STRACE_DONE;
}

static struct task *first_task(struct builder *b,
			       const struct strace_event *event)
{
	size_t number;

	if (add_fresh(b, SPACE_FIRST, event, &number))
		return NULL;
	return add_task(b, event->pid, number);
}

/* A process, which has the space from a parent that is not known for sure. */
static struct task *guess_process(struct builder *b,
				  const struct strace_event *event,
				  const struct strace_child *child)
{
	const struct task *parent = child && child->parent ?
					    find_task(b, child->parent) :
					    NULL;
	size_t number;
	int err;

	if (asks_for_break(event)) {
		note(b, NOTE_EXEC);
		err = add_fresh(b, SPACE_EXECED, event, &number);
	} else {
		note(b, NOTE_FORK);
		if (!parent)
			parent = last_used(b, NULL);
		err = add_copy(b, parent->space, event, &number);
	}
	return err ? NULL : add_task(b, event->pid, number);
}

/* Who makes its first call, and was not told of by a clone. */
static struct task *guess(struct builder *b, const struct strace_event *event)
{
	const struct strace_child *child = find_child(b, event->pid);
	const struct task *mate;
	struct task *task;

	remove_attached(b, event->pid);
	if (!b->nr_tasks)
		return first_task(b, event);
	mate = child ? NULL : last_used(b, event);
	if (!mate)
		return guess_process(b, event, child);
	note(b, NOTE_THREAD);
	task = add_task(b, event->pid, mate->space);
	if (task)
		task->guessed = true;
	return task;
}

/* A pid that shows up now may be that of lines that had none so far. */
static struct task *name_first(struct builder *b, uint32_t pid)
{
	struct task *task = pid ? find_task(b, 0) : NULL;

	if (!task || find_attached(b, pid) || find_child(b, pid))
		return NULL;
	task->pid = pid;
	return task;
}

static struct task *without_pid(struct builder *b,
				const struct strace_event *event)
{
	if (!b->nr_tasks)
		return first_task(b, event);
	if (b->nr_tasks > 1)
		note(b, NOTE_NO_PID);
	return &b->tasks[0];
}

static struct task *task_of(struct builder *b, const struct strace_event *event)
{
	struct task *task = find_task(b, event->pid);

	if (!task && !event->pid)
		task = without_pid(b, event);
	if (!task)
		task = name_first(b, event->pid);
	return task ? task : guess(b, event);
}

/* ---- events ---- */

/* A program that has done nothing yet has nothing to leave behind. */
static int do_execve(struct builder *b, struct task *task,
		     const struct strace_event *event)
{
	const struct space *old = space_of(b, task);
	size_t number;
	int err;

	if (old->tasks == 1 && !old->nr_ops && !old->brk)
		return 0;
	err = leave(b, task, event->line);
	if (!err)
		err = add_fresh(b, SPACE_EXECED, event, &number);
	if (err)
		return err;
	task->guessed = false;
	enter(b, task, number);
	return 0;
}

static int do_clone(struct builder *b, const struct task *parent,
		    const struct strace_event *event)
{
	size_t space = parent->space;
	struct strace_event born = *event;

	if (!event->ret || event->ret > INT32_MAX)
		return trace_fail(b->error, event->line,
				  "%s: its result is no pid",
				  strace_name(event->call));
	born.pid = (uint32_t)event->ret;
	remove_attached(b, born.pid);
	if (find_task(b, born.pid)) {
		note(b, NOTE_LOST_PID);
		return 0;
	}
	if (!(event->flags & STRACE_SHARES_VM) &&
	    add_copy(b, parent->space, &born, &space))
		return -1;
	return add_task(b, born.pid, space) ? 0 : -1;
}

static int split(struct builder *b, struct task *task,
		 const struct strace_event *event)
{
	const size_t shared = task->space;
	size_t number;
	int err = leave(b, task, event->line);

	if (!err)
		err = add_copy(b, shared, event, &number);
	if (err)
		return err;
	note(b, NOTE_SPLIT);
	task->guessed = false;
	enter(b, task, number);
	return 0;
}

/* A call that shows that the task does not live where it was taken to. */
static int rehouse(struct builder *b, struct task *task,
		   const struct strace_event *event)
{
	const struct space *space = space_of(b, task);

	if (!space_clashes(space, event))
		return 0;
	if (asks_for_break(event)) {
		note(b, NOTE_EXEC);
		return do_execve(b, task, event);
	}
	return task->guessed && space->tasks > 1 ? split(b, task, event) : 0;
}

static int do_call(struct builder *b, const struct strace_event *event)
{
	struct task *task = task_of(b, event);
	int err;

	if (!task)
		return -1;
	space_of(b, task)->used = ++b->clock;
	if (event->result != STRACE_DONE) {
		note(b, event->result == STRACE_FAILED ? NOTE_FAILED :
							 NOTE_UNKNOWN);
		return 0;
	}
	if (event->kind == STRACE_CLONE)
		return do_clone(b, task, event);
	if (event->kind == STRACE_EXECVE)
		return do_execve(b, task, event);
	err = rehouse(b, task, event);
	if (err)
		return err;
	return space_call(space_of(b, task), event, &b->spaces->notes,
			  b->error);
}

/* Where it is said that a process is new, it was copied just now. */
static int do_attached(struct builder *b, const struct strace_event *event)
{
	const struct strace_child *child = find_child(b, event->pid);

	if (find_task(b, event->pid))
		return 0;
	if (!child || !b->nr_tasks)
		return add_attached(b, event->pid);
	return guess_process(b, event, child) ? 0 : -1;
}

/* A line without pid may be of the only one that is left. */
static int do_exit(struct builder *b, const struct strace_event *event)
{
	struct task *task = find_task(b, event->pid);

	if (!task && !event->pid && b->nr_tasks == 1)
		task = &b->tasks[0];
	if (!task)
		task = name_first(b, event->pid);
	remove_attached(b, event->pid);
	return task ? remove_task(b, task, event->line) : 0;
}

static int do_event(struct builder *b, const struct strace_event *event)
{
	switch (event->kind) {
	case STRACE_EXIT:
		return do_exit(b, event);
	case STRACE_ATTACHED:
		return do_attached(b, event);
	case STRACE_HEADLESS:
		note(b, NOTE_HEADLESS);
		return 0;
	default:
		b->spaces->calls[event->call]++;
		return do_call(b, event);
	}
}

static int do_events(struct builder *b, struct progress *progress)
{
	const struct strace_log *log = b->log;
	uint32_t last = (uint32_t)log->nr_lines;
	size_t i;
	int err = 0;

	for (i = 0; !err && i < log->nr_events; i++) {
		err = do_event(b, &log->events[i]);
		progress_step(progress, "calls taken in", i + 1,
			      log->nr_events);
	}
	while (!err && b->nr_tasks)
		err = remove_task(b, &b->tasks[b->nr_tasks - 1], last);
	return err;
}

int spaces_build(struct spaces *spaces, const struct strace_log *log,
		 size_t every, struct progress *progress,
		 struct trace_error *error)
{
	struct builder b = {
		.spaces = spaces,
		.log = log,
		.error = error,
		.every = every,
	};
	int err;

	*spaces = (struct spaces){ 0 };
	err = do_events(&b, progress);
	free(b.tasks);
	free(b.attached);
	if (err)
		spaces_free(spaces);
	return err;
}

void spaces_free(struct spaces *spaces)
{
	size_t i;

	for (i = 0; i < spaces->nr; i++)
		space_free(&spaces->at[i]);
	free(spaces->at);
	*spaces = (struct spaces){ 0 };
}
