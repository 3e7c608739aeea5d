/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Areas in an ordered map from their starts, for any map with the interface of
 * std::map.  Iterators are not used after a change but those it returned.
 */
#ifndef BENCH_ORDERED_MAP_HH
#define BENCH_ORDERED_MAP_HH

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <new>

#include "peer.h"

namespace bench
{

struct region {
	std::uintptr_t end;
	std::uint64_t offset;
	std::uint32_t flags;
};

/* Knows what malloc had given out before. */
class counted
{
	std::size_t earlier = bench_malloced();

public:
	std::size_t bytes() const
	{
		const std::size_t now = bench_malloced();

		return now > earlier ? now - earlier : 0;
	}
};

template <class Map> class ordered_map : public counted
{
	using iterator = typename Map::iterator;

	vmset_range bounds;
	Map areas;

	/* The first area that ends above addr. */
	template <class Self> static auto first_above(Self &self,
						      std::uintptr_t addr)
	{
		auto it = self.areas.upper_bound(addr);

		if (it != self.areas.begin()) {
			auto before = std::prev(it);

			if (before->second.end > addr)
				return before;
		}
		return it;
	}

	/* Cut an area in two.  Returns the upper part. */
	iterator cut(iterator it, std::uintptr_t at)
	{
		region upper = it->second;

		upper.offset += at - it->first;
		it->second.end = at;
		return areas.emplace_hint(std::next(it), at, upper);
	}

	static bool joins(std::uintptr_t start, const region &lower,
			  std::uintptr_t at, const region &upper)
	{
		return lower.end == at && lower.flags == upper.flags &&
		       lower.offset + (at - start) == upper.offset;
	}

	/* Join an area to the one before it.  Returns what follows it. */
	iterator join_before(iterator it)
	{
		if (it != areas.begin()) {
			auto before = std::prev(it);

			if (joins(before->first, before->second, it->first,
				  it->second)) {
				before->second.end = it->second.end;
				return areas.erase(it);
			}
		}
		return std::next(it);
	}

public:
	explicit ordered_map(vmset_range range) : bounds(range)
	{
	}

	bool map(std::uintptr_t start, std::size_t size, std::uint32_t flags)
	{
		auto it = areas.lower_bound(start);
		region fresh{ start + size, start - bounds.start, flags };

		if (it != areas.end() && it->first < fresh.end)
			return false;
		if (it != areas.begin()) {
			auto before = std::prev(it);

			if (before->second.end > start)
				return false;
			if (joins(before->first, before->second, start,
				  fresh)) {
				before->second.end = fresh.end;
				if (it != areas.end())
					join_before(it);
				return true;
			}
		}
		it = areas.emplace_hint(it, start, fresh);
		if (++it != areas.end())
			join_before(it);
		return true;
	}

	bool unmap(std::uintptr_t start, std::size_t size)
	{
		const std::uintptr_t end = start + size;
		auto it = first_above(*this, start);

		while (it != areas.end() && it->first < end) {
			if (it->first < start) {
				if (it->second.end > end)
					it = std::prev(cut(it, end));
				it->second.end = start;
				++it;
				continue;
			}
			if (it->second.end > end)
				it = std::prev(cut(it, end));
			it = areas.erase(it);
		}
		return true;
	}

	bool protect(std::uintptr_t start, std::size_t size,
		     std::uint32_t flags)
	{
		const std::uintptr_t end = start + size;
		auto it = first_above(*this, start);

		while (it != areas.end() && it->first < end) {
			if (it->second.flags == flags) {
				++it;
				continue;
			}
			if (it->first < start)
				it = cut(it, start);
			if (it->second.end > end)
				it = std::prev(cut(it, end));
			it->second.flags = flags;
			it = join_before(it);
		}
		if (it != areas.end())
			join_before(it);
		return true;
	}

	bool find(std::uintptr_t addr, vmset_area *area) const
	{
		auto it = areas.upper_bound(addr);

		if (it == areas.begin() || (--it)->second.end <= addr)
			return false;
		area->start = it->first;
		area->end = it->second.end;
		area->flags = it->second.flags;
		area->offset = it->second.offset;
		return true;
	}

	bool find_free(std::uintptr_t hint, std::size_t size,
		       std::uintptr_t *start) const
	{
		std::uintptr_t at = hint > bounds.start ? hint : bounds.start;
		auto it = first_above(*this, at);

		for (; it != areas.end(); ++it) {
			if (it->first >= at && it->first - at >= size)
				break;
			at = it->second.end;
		}
		*start = at;
		return at <= bounds.end && bounds.end - at >= size;
	}

	std::size_t walk() const
	{
		std::size_t sum = 0;

		for (const auto &area : areas)
			sum += area.second.end - area.first;
		return sum;
	}

	std::size_t len() const
	{
		return areas.size();
	}
};

/* The functions of a peer, for a class with members of these names. */
template <class Areas> struct peer_of {
	static void *create(vmset_range bounds)
	{
		return new (std::nothrow) Areas(bounds);
	}

	static void destroy(void *self)
	{
		delete static_cast<Areas *>(self);
	}

	static bool map(void *self, std::uintptr_t start, std::size_t size,
			std::uint32_t flags)
	{
		return static_cast<Areas *>(self)->map(start, size, flags);
	}

	static bool unmap(void *self, std::uintptr_t start, std::size_t size)
	{
		return static_cast<Areas *>(self)->unmap(start, size);
	}

	static bool protect(void *self, std::uintptr_t start,
			    std::size_t size, std::uint32_t flags)
	{
		return static_cast<Areas *>(self)->protect(start, size, flags);
	}

	static bool find(const void *self, std::uintptr_t addr,
			 vmset_area *area)
	{
		return static_cast<const Areas *>(self)->find(addr, area);
	}

	static bool find_free(const void *self, std::uintptr_t hint,
			      std::size_t size, std::uintptr_t *start)
	{
		return static_cast<const Areas *>(self)->find_free(hint, size,
								   start);
	}

	static bool alloc(void *self, std::uintptr_t hint, std::size_t size,
			  std::uint32_t flags, std::uintptr_t *start)
	{
		auto areas = static_cast<Areas *>(self);

		return areas->find_free(hint, size, start) &&
		       areas->map(*start, size, flags);
	}

	static std::size_t walk(const void *self)
	{
		return static_cast<const Areas *>(self)->walk();
	}

	static std::size_t len(const void *self)
	{
		return static_cast<const Areas *>(self)->len();
	}

	static std::size_t bytes(const void *self)
	{
		return static_cast<const Areas *>(self)->bytes();
	}

	static constexpr bench_peer make(const char *name)
	{
		return { name,	    create, destroy, map,     unmap,
			 protect,   find,   find_free, alloc, walk,
			 nullptr,   len,    bytes };
	}
};

}

#endif /* BENCH_ORDERED_MAP_HH */
