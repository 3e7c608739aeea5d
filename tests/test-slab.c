/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/slab.c: nodes rest before they are used again, what is kept is there when
 * memory is out, a class never gets a node of the other, and chunks without nodes
 * in use give their pages back.
 */
#include "slab.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "suites.h"
#include "syscalls.h"

#define LEAF_SIZE  500
#define WIDE_SIZE  1100
#define INNER_SIZE 900
#define MANY       5000

static struct vmset__slab slab;

static void setup(void)
{
	const size_t size[VMSET__CLASSES] = { LEAF_SIZE, WIDE_SIZE, INNER_SIZE };
	unsigned char *object = vmset__slab_init(&slab, 100, size);

	assert_that(object);
	for (int i = 0; i < 100; i++)
		assert_eq(object[i], 0);
	memset(object, 0xff, 100);
}

static void teardown(void)
{
	vmset__slab_fini(&slab);
}

static struct vmset__node *get(enum vmset__class class)
{
	struct vmset__node *node = vmset__slab_alloc(&slab, class, false);

	assert_that(node);
	assert_eq((uintptr_t)node % 64, 0);
	return node;
}

/* Nodes are of their size, and none overlaps another. */
START_TEST(nodes_are_apart)
{
	static struct vmset__node *node[MANY];

	for (int i = 0; i < MANY; i++) {
		enum vmset__class class = i % 3 ? VMSET__LEAF : VMSET__INNER;

		node[i] = get(class);
		memset(node[i], i & 0xff, i % 3 ? LEAF_SIZE : INNER_SIZE);
	}
	for (int i = 0; i < MANY; i++) {
		const unsigned char *byte = (const unsigned char *)node[i];
		size_t size = i % 3 ? LEAF_SIZE : INNER_SIZE;

		assert_eq(byte[0], i & 0xff);
		assert_that(!memcmp(byte, byte + 1, size - 1));
	}
}
END_TEST

/* While the epoch moves by less than two, no retired node comes back. */
START_TEST(nodes_rest)
{
	static uintptr_t retired_in[MANY];
	static struct vmset__node *node[MANY];
	int reused = 0, n = 0;

	for (int i = 0; i < MANY; i++) {
		struct vmset__node *fresh = get(VMSET__LEAF);
		int k;

		for (k = 0; k < n && node[k] != fresh; k++)
			;
		if (k < n) {
			reused++;
			assert_that(slab.epoch - retired_in[k] >= 2);
		} else {
			node[n++] = fresh;
		}
		vmset__slab_retire(&slab, VMSET__LEAF, fresh);
		retired_in[k] = slab.epoch;
	}
	assert_that(reused > MANY / 2);
	assert_that(slab.mapped <= 64 << 10);
}
END_TEST

START_TEST(unseen_nodes_come_back_at_once)
{
	struct vmset__node *node = get(VMSET__INNER);

	vmset__slab_unalloc(&slab, VMSET__INNER, node);
	assert_that(get(VMSET__INNER) == node);
}
END_TEST

/* Chunks grow with the whole, so that few are needed. */
START_TEST(chunks_grow)
{
	size_t before = slab.mapped, steps = 0;

	for (int i = 0; i < 100000; i++) {
		get(VMSET__LEAF);
		steps += slab.mapped != before;
		before = slab.mapped;
	}
	assert_that(slab.mapped < (size_t)100000 * 512 * 11 / 10);
	assert_that(steps < 250);
}
END_TEST

/* With no memory left: what was retired, then what was kept, then nothing. */
START_TEST(out_of_memory)
{
	struct vmset__node *retired = get(VMSET__LEAF);
	uintptr_t epoch;

	assert_that(vmset__slab_keep(&slab, VMSET__LEAF, 2));
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_starve();
	while (vmset__slab_alloc(&slab, VMSET__LEAF, false))
		;
	vmset__slab_retire(&slab, VMSET__LEAF, retired);
	epoch = slab.epoch;
	assert_that(get(VMSET__LEAF) == retired);
	assert_that(slab.epoch - epoch >= 2);
	assert_that(!vmset__slab_alloc(&slab, VMSET__LEAF, false));
	assert_that(!vmset__slab_keep(&slab, VMSET__LEAF, 3));
	assert_that(vmset__slab_alloc(&slab, VMSET__LEAF, true));
	assert_that(vmset__slab_alloc(&slab, VMSET__LEAF, true));
	assert_that(!vmset__slab_alloc(&slab, VMSET__LEAF, true));
	syscalls_stop();
	assert_that(vmset__slab_keep(&slab, VMSET__LEAF, 2));
}
END_TEST

static struct vmset__node *node[MANY];

static void fill(enum vmset__class class)
{
	for (int i = 0; i < MANY; i++) {
		node[i] = get(class);
		/* What the tree writes into a node. */
		node[i]->link = node[i]->made = NULL;
		node[i]->count = node[i]->shift = 7;
	}
}

static void retire_all_but(enum vmset__class class, int spared)
{
	for (int i = 0; i < MANY; i++)
		if (i != spared)
			vmset__slab_retire(&slab, class, node[i]);
	vmset__slab_tidy(&slab);
}

/* Whether the page of a node is in memory. */
static bool is_resident(const struct vmset__node *its)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char state;

	assert_eq(mincore((void *)((uintptr_t)its & ~(page - 1)), page, &state),
		  0);
	return state & 1;
}

static int count_resident(void)
{
	int n = 0;

	for (int i = 0; i < MANY; i++)
		n += is_resident(node[i]);
	return n;
}

START_TEST(empty_chunks_give_their_pages_back)
{
	enum vmset__class class = (enum vmset__class)_i;
	size_t mapped, total;
	int far = 0;

	fill(class);
	mapped = slab.mapped;
	total = slab.pool[class].total;
	assert_eq(count_resident(), MANY);
	retire_all_but(class, -1);
	assert_eq(slab.mapped, mapped);
	assert_that(slab.given_back > mapped / 10 * 9);
	assert_that(slab.pool[class].total < MANY / 10);
	/* A late reader can look at all of them; the heads' pages stay. */
	for (int i = 0; i < MANY; i++)
		far += node[i]->count == 0;
	assert_that(far > MANY / 2);
	assert_that(slab.epoch >= 2);

	/* They come back as nodes of their class, without new chunks. */
	fill(class);
	assert_eq(slab.mapped, mapped);
	assert_eq(slab.given_back, 0);
	assert_eq(slab.pool[class].total, total);
}
END_TEST

START_TEST(a_node_in_use_holds_its_chunk)
{
	fill(VMSET__LEAF);
	retire_all_but(VMSET__LEAF, MANY / 2);
	assert_that(slab.given_back > 0);
	assert_eq(node[MANY / 2]->count, 7);
	assert_that(is_resident(node[MANY / 2]));
	/* And a node that was kept. */
	assert_that(vmset__slab_keep(&slab, VMSET__LEAF, 1));
	assert_that(vmset__slab_alloc(&slab, VMSET__LEAF, true));
}
END_TEST

/* As in a set that does not shrink: the kernel is not asked all the time. */
START_TEST(few_idle_nodes_stay)
{
	uintptr_t epoch;

	fill(VMSET__LEAF);
	epoch = slab.epoch;
	for (int i = 0; i < 100; i++)
		vmset__slab_retire(&slab, VMSET__LEAF, node[i]);
	vmset__slab_tidy(&slab);
	assert_eq(slab.epoch, epoch);
	assert_eq(slab.given_back, 0);
}
END_TEST

/* Scratch of at least that size, all of which can be written. */
static void *get_scratch(size_t wanted, size_t *size)
{
	void *got;

	*size = wanted;
	got = vmset__scratch_get(&slab, size);
	assert_that(got);
	assert_that(*size >= wanted);
	memset(got, 0xff, *size);
	return got;
}

START_TEST(a_little_scratch_is_kept)
{
	size_t size, more, most;
	void *first = get_scratch(100, &size), *second;

	assert_eq(slab.scratch_size, 0);
	vmset__scratch_put(&slab, first, size);
	assert_eq(slab.scratch_size, size);
	assert_that(get_scratch(size, &more) == first);
	/* Two at a time: the larger one is kept, whoever comes first. */
	second = get_scratch(size + 1, &most);
	assert_that(second != first && most > size);
	vmset__scratch_put(&slab, second, most);
	memset(first, 0xff, more);
	vmset__scratch_put(&slab, first, more);
	assert_that(slab.scratch == second && slab.scratch_size == most);
	assert_that(get_scratch(1, &size) == second && size == most);
	vmset__scratch_put(&slab, second, size);
}
END_TEST

START_TEST(much_scratch_is_not_kept)
{
	size_t size, large;
	void *kept = get_scratch(1, &size);
	unsigned char *got, there;

	vmset__scratch_put(&slab, kept, size);
	got = get_scratch(3 << 20, &large);
	vmset__scratch_put(&slab, got, large);
	assert_that(slab.scratch == kept && slab.scratch_size == size);
	assert_that(mincore(got, 1, &there) && errno == ENOMEM);
}
END_TEST

START_TEST(no_scratch)
{
	size_t size = SIZE_MAX / 2;

	assert_that(!vmset__scratch_get(&slab, &size));
}
END_TEST

Suite *suite_slab(void)
{
	Suite *suite = suite_create("slab");
	TCase *tcase = tcase_create("slab");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nodes_are_apart);
	tcase_add_test(tcase, nodes_rest);
	tcase_add_test(tcase, unseen_nodes_come_back_at_once);
	tcase_add_test(tcase, chunks_grow);
	tcase_add_test(tcase, out_of_memory);
	tcase_add_loop_test(tcase, empty_chunks_give_their_pages_back,
			    0, VMSET__CLASSES);
	tcase_add_test(tcase, a_node_in_use_holds_its_chunk);
	tcase_add_test(tcase, few_idle_nodes_stay);
	tcase_add_test(tcase, a_little_scratch_is_kept);
	tcase_add_test(tcase, much_scratch_is_not_kept);
	tcase_add_test(tcase, no_scratch);
	suite_add_tcase(suite, tcase);
	return suite;
}
