# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The manual: an overview, and a page for each public function.

dist_man_MANS = \
	man/vmset.7 \
	man/vmset_alloc.3 \
	man/vmset_bounds.3 \
	man/vmset_clear.3 \
	man/vmset_create.3 \
	man/vmset_destroy.3 \
	man/vmset_dump.3 \
	man/vmset_explain.3 \
	man/vmset_fault_install.3 \
	man/vmset_fault_pass.3 \
	man/vmset_fault_remove.3 \
	man/vmset_fault_stack.3 \
	man/vmset_fault_text.3 \
	man/vmset_find.3 \
	man/vmset_find_free_area.3 \
	man/vmset_granule.3 \
	man/vmset_is_empty.3 \
	man/vmset_iter_fill.3 \
	man/vmset_iter_init.3 \
	man/vmset_len.3 \
	man/vmset_map.3 \
	man/vmset_map_area.3 \
	man/vmset_next.3 \
	man/vmset_next_ranges.3 \
	man/vmset_on_fault.3 \
	man/vmset_overlaps.3 \
	man/vmset_protect.3 \
	man/vmset_reserve.3 \
	man/vmset_stats.3 \
	man/vmset_unmap.3 \
	man/vmset_update.3 \
	man/vmset_verify.3
