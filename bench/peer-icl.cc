/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Boost.ICL's interval_map, which cuts and joins by itself.
 */
#include <boost/icl/interval_map.hpp>

#include "ordered-map.hh"

namespace
{

namespace icl = boost::icl;

/* The same all over an area, so that what carries on the offset joins. */
struct kind {
	std::uint64_t offset_less_start = 0;
	std::uint32_t flags = 0;

	bool operator==(const kind &other) const
	{
		return offset_less_start == other.offset_less_start &&
		       flags == other.flags;
	}
};

class areas : public bench::counted
{
	using map_type = icl::interval_map<std::uintptr_t, kind,
					   icl::partial_enricher>;
	using interval = map_type::interval_type;

	vmset_range bounds;
	map_type map_;

	static interval make(std::uintptr_t start, std::size_t size)
	{
		return interval::right_open(start, start + size);
	}

public:
	explicit areas(vmset_range range) : bounds(range)
	{
	}

	bool map(std::uintptr_t start, std::size_t size, std::uint32_t flags)
	{
		const interval range = make(start, size);
		kind fresh;

		if (map_.find(range) != map_.end())
			return false;
		fresh.offset_less_start = 0 - bounds.start;
		fresh.flags = flags;
		map_.insert({ range, fresh });
		return true;
	}

	bool unmap(std::uintptr_t start, std::size_t size)
	{
		map_.erase(make(start, size));
		return true;
	}

	bool protect(std::uintptr_t start, std::size_t size,
		     std::uint32_t flags)
	{
		interval range = make(start, size);

		for (;;) {
			auto it = map_.find(range);

			if (it == map_.end())
				return true;
			const interval part = it->first & range;
			kind changed = it->second;

			changed.flags = flags;
			map_.set({ part, changed });
			if (part.upper() == range.upper())
				return true;
			range = interval::right_open(part.upper(),
						     range.upper());
		}
	}

	bool find(std::uintptr_t addr, vmset_area *area) const
	{
		auto it = map_.find(addr);

		if (it == map_.end())
			return false;
		area->start = it->first.lower();
		area->end = it->first.upper();
		area->flags = it->second.flags;
		area->offset = it->second.offset_less_start + area->start;
		return true;
	}

	bool find_free(std::uintptr_t hint, std::size_t size,
		       std::uintptr_t *start) const
	{
		std::uintptr_t at = hint > bounds.start ? hint : bounds.start;
		auto it = map_.lower_bound(interval::right_open(at, at + 1));

		for (; it != map_.end(); ++it) {
			if (it->first.lower() >= at &&
			    it->first.lower() - at >= size)
				break;
			at = it->first.upper();
		}
		*start = at;
		return at <= bounds.end && bounds.end - at >= size;
	}

	std::size_t walk() const
	{
		std::size_t sum = 0;

		for (const auto &area : map_)
			sum += area.first.upper() - area.first.lower();
		return sum;
	}

	std::size_t len() const
	{
		return map_.iterative_size();
	}
};

}

extern const bench_peer bench_icl =
	bench::peer_of<areas>::make("Boost.ICL");
