/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding the area at an address, by the widest vectors that the machine has.
 *
 * All of it is compiled for each width, so that one call through a pointer is all
 * that the choice costs.  The choice is made when the library is loaded; that needs
 * nothing of the linker or of libc.
 */
#include "tree-find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "tree-node.h"

#if VMSET__SEARCH_SSE2
#include <immintrin.h>
#endif

/* Of the lowest entry that ends above addr. */
static int answer(const struct vmset_area *found, uintptr_t addr,
		  struct vmset_area *area)
{
	if (found->start > addr || vmset__is_hidden(found))
		return -ENOENT;
	if (area)
		*area = *found;
	return 0;
}

/* When one look at one leaf does not tell. */
__attribute__((noinline)) static int look_again(const struct vmset__tree *tree,
						uintptr_t epoch, uintptr_t addr,
						struct vmset_area *area)
{
	struct vmset_area found;

	if (!vmset__tree_read_since(tree, epoch, addr, &found))
		return -ENOENT;
	return answer(&found, addr, area);
}

/*
 * From a node on, where the keys of its ends do not tell, or the leaf is wide.
 * Apart, as it takes registers that have to be saved.
 */
__attribute__((noinline)) static int find_from(const struct vmset__tree *tree,
					       uintptr_t epoch, uintptr_t at,
					       uintptr_t addr,
					       struct vmset_area *area)
{
	const struct vmset__leaf *leaf;
	uintptr_t node = vmset__root_node(at), turn;
	struct vmset_area found;
	uint16_t place;

	for (unsigned level = vmset__root_level(at); level; level--) {
		const struct vmset__inner *inner = vmset__inner(node);

		node = vmset__load_acquire(
			&inner->child[vmset__route(inner, addr)].node);
		if (vmset__moved_on(tree, epoch))
			return look_again(tree, epoch, addr, area);
	}
	leaf = vmset__leaf(node);
	turn = vmset__load_acquire(&leaf->turn);
	vmset__ends_by_way(leaf, vmset__order_at(leaf, turn), addr, &place,
			   vmset__keys_below);
	if (place == NO_PLACE)
		return look_again(tree, epoch, addr, area);
	vmset__read_entry(tree, leaf, vmset__slot(place), &found);
	if (vmset__moved_on_in(tree, epoch, leaf, turn))
		return look_again(tree, epoch, addr, area);
	return answer(&found, addr, area);
}

/* far: whether the root has more than NEAR_LEVELS. */
SPECIALIZED int descend(const struct vmset__tree *tree, uintptr_t epoch,
			uintptr_t root, uintptr_t addr,
			struct vmset_area *area, bool far,
			vmset__keys_below_fn *keys_below)
{
	uintptr_t node = vmset__root_node(root), turn;
	const struct vmset__leaf *leaf;
	const uint16_t *order;
	struct vmset_range range;
	uint32_t flags;
	uint16_t place;
	unsigned slot;
	bool hidden;

	for (unsigned level = vmset__root_level(root); level; level--) {
		const struct vmset__inner *inner = vmset__inner(node);
		const struct vmset__child *child;

		if (far)
			vmset__expect_children(inner, level);
		child = &inner->child[vmset__route_by_keys(inner, addr,
							   keys_below)];
		/* That child would do: the way on from its leaf is longer. */
		if (__builtin_expect(vmset__load(&child->bound) <= addr, 0))
			return find_from(tree, epoch, vmset__root(inner, level),
					 addr, area);
		node = vmset__load_acquire(&child->node);
		if (vmset__moved_on(tree, epoch))
			return look_again(tree, epoch, addr, area);
	}
	leaf = vmset__leaf(node);
	if (far)
		vmset__prefetch(leaf->order,
				offsetof(struct vmset__leaf, more) -
				offsetof(struct vmset__leaf, order));
	turn = vmset__load_acquire(&leaf->turn);
	order = vmset__order_at(leaf, turn);
	/* Behind the last place there is another that does not do. */
	place = vmset__load(&order[vmset__ends_by_keys(leaf, order, addr,
						       keys_below) %
				   LEAF_KEYS]);
	slot = vmset__slot(place);
	range.start = vmset__load(&leaf->range[slot].start);
	range.end = vmset__load(&leaf->range[slot].end);
	if (__builtin_expect(place == NO_PLACE, 0) ||
	    __builtin_expect(range.end <= addr, 0) ||
	    __builtin_expect(vmset__load(&leaf->wide), 0))
		return find_from(tree, epoch, node, addr, area);
	flags = vmset__load(&leaf->flags[slot]);
	hidden = vmset__slot_is_hidden(leaf, slot);
	if (vmset__moved_on_in(tree, epoch, leaf, turn))
		return look_again(tree, epoch, addr, area);
	if (range.start > addr || hidden)
		return -ENOENT;
	if (area)
		vmset__plain_area(tree, range, flags, area);
	return 0;
}

SPECIALIZED int find(const struct vmset__tree *tree, uintptr_t addr,
		     struct vmset_area *area, vmset__keys_below_fn *keys_below)
{
	const uintptr_t epoch = vmset__load_acquire(&tree->slab.epoch);
	const uintptr_t root = vmset__load_acquire(&tree->root);

	if (vmset__root_level(root) > NEAR_LEVELS)
		return descend(tree, epoch, root, addr, area, true, keys_below);
	return descend(tree, epoch, root, addr, area, false, keys_below);
}

static bool always(void)
{
	return true;
}

static int find_plain(const struct vmset__tree *tree, uintptr_t addr,
		      struct vmset_area *area)
{
	return find(tree, addr, area, vmset__keys_below_plain);
}

#if VMSET__SEARCH_SSE2 || VMSET__SEARCH_NEON
static int find_base(const struct vmset__tree *tree, uintptr_t addr,
		     struct vmset_area *area)
{
	return find(tree, addr, area, vmset__keys_below);
}
#endif

#if VMSET__SEARCH_SSE2
/* The numbers of the keys get out of order, but not how many there are. */
__attribute__((target("avx2,bmi2,popcnt"))) static inline unsigned
keys_below_avx2(const uint16_t *keys, unsigned slots, uint16_t key)
{
	const __m256i wanted = _mm256_set1_epi16((short)key);
	__m256i low, high;

	if (slots < VMSET__SEARCH_KEYS)
		return vmset__keys_below_plain(keys, slots, key);
	low = _mm256_loadu_si256((const __m256i *)(const void *)keys);
	high = _mm256_loadu_si256((const __m256i *)(const void *)&keys[16]);
	return (unsigned)__builtin_popcount(
		(unsigned)_mm256_movemask_epi8(_mm256_packs_epi16(
			_mm256_cmpgt_epi16(wanted, low),
			_mm256_cmpgt_epi16(wanted, high))));
}

__attribute__((target("avx2,bmi2,popcnt"))) static int
find_avx2(const struct vmset__tree *tree, uintptr_t addr,
	  struct vmset_area *area)
{
	return find(tree, addr, area, keys_below_avx2);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("popcnt");
}

__attribute__((target("avx512bw,bmi2,popcnt"))) static inline unsigned
keys_below_avx512(const uint16_t *keys, unsigned slots, uint16_t key)
{
	if (slots < VMSET__SEARCH_KEYS)
		return vmset__keys_below_plain(keys, slots, key);
	return (unsigned)__builtin_popcount(_mm512_cmplt_epi16_mask(
		_mm512_loadu_si512(keys), _mm512_set1_epi16((short)key)));
}

__attribute__((target("avx512bw,bmi2,popcnt"))) static int
find_avx512(const struct vmset__tree *tree, uintptr_t addr,
	    struct vmset_area *area)
{
	return find(tree, addr, area, keys_below_avx512);
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && has_avx2();
}
#endif

/* The later, the better. */
const struct vmset__find_way vmset__find_ways[] = {
	{ "plain", find_plain, vmset__keys_below_plain, always },
#if VMSET__SEARCH_SSE2
	{ "sse2", find_base, vmset__keys_below, always },
	{ "avx2", find_avx2, keys_below_avx2, has_avx2 },
	{ "avx512", find_avx512, keys_below_avx512, has_avx512 },
#elif VMSET__SEARCH_NEON
	{ "neon", find_base, vmset__keys_below, always },
#endif
	{ NULL, NULL, NULL, NULL },
};

vmset__find_fn *vmset__tree_find = find_plain;

bool vmset__find_choose(const char *name)
{
	const struct vmset__find_way *way, *chosen = NULL;

#if VMSET__SEARCH_SSE2
	__builtin_cpu_init();
#endif
	for (way = vmset__find_ways; way->name; way++)
		if ((!name || !strcmp(name, way->name)) && way->works())
			chosen = way;
	if (!chosen)
		return false;
	vmset__tree_find = chosen->find;
	return true;
}

/* VMSET_SEARCH in the environment is for measuring, and for trying all ways. */
__attribute__((constructor)) static void choose(void)
{
	const char *name = getenv("VMSET_SEARCH");

	if (!name || !vmset__find_choose(name))
		vmset__find_choose(NULL);
}
