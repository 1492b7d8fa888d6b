// SPDX-License-Identifier: GPL-2.0
/*
 * Things in words: SPTEs decoded, levels, messages in memory of the case.
 */
#include <linux/sprintf.h>

#include "internal.h"

#define SAY_MAX	320

/* Context: process; may sleep. Never NULL, so that a message is never taken for "all is well". */
const char *bed_say(struct bed *b, const char *fmt, ...)
{
	char *text = kunit_kmalloc(b->test, SAY_MAX, GFP_KERNEL);
	va_list args;

	if (!text)
		return "(no memory to say what is wrong)";
	va_start(args, fmt);
	vscnprintf(text, SAY_MAX, fmt, args);
	va_end(args);
	return text;
}

const char *bed_level_name(int level)
{
	static const char * const names[] = { "any", "4K", "2M", "1G", "512G", "256T" };

	return level >= 0 && level < ARRAY_SIZE(names) ? names[level] : "?";
}

static const char *str_leaf(struct bed *b, u64 spte, int level, const char *kind)
{
	return bed_say(b, "leaf %s pfn 0x%llx%s%s%s%s %s", bed_level_name(level),
		       (u64)spte_to_pfn(spte), spte & PT_WRITABLE_MASK ? " W" : "",
		       is_mmu_writable_spte(spte) ? " mmu-W" : "",
		       is_accessed_spte(spte) ? " A" : "",
		       spte & shadow_dirty_mask ? " D" : "", kind);
}

/**
 * bed_str() - an SPTE in words
 * @b: bed
 * @spte: its value
 * @level: level of the entry
 * @kind: of its root
 *
 * Context: process; may sleep.
 *
 * Return: "leaf 2M pfn 0x1200 W mmu-W A D mirror", "table", "FROZEN", "MMIO", "none", and
 * what fits none of these with its value.
 */
const char *bed_str(struct bed *b, u64 spte, int level, enum bed_kind kind)
{
	const char *name = kind == BED_MIRROR ? "mirror" : "direct";

	if (is_frozen_spte(spte))
		return "FROZEN";
	if (bed_is_leaf(spte, level))
		return str_leaf(b, spte, level, name);
	if (is_shadow_present_pte(spte))
		return bed_say(b, "table pfn 0x%llx %s", (u64)spte_to_pfn(spte), name);
	/* a case that failed is told after its VM has gone */
	if (b->kvm && is_mmio_spte(b->kvm, spte) && spte != SHADOW_NONPRESENT_VALUE)
		return "MMIO";
	if (spte == SHADOW_NONPRESENT_VALUE || !spte)
		return "none";
	return bed_say(b, "not present, 0x%llx", spte);
}
