// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's functions and variables by their names, for suites that are a module. A
 * function of the same name is defined here, which is one jump by a static call: the
 * linker is content, an IBT host too (a direct jump needs no ENDBR), and no
 * declaration has to be repeated. Includes no header of KVM's for that reason.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/static_call.h>
#include <linux/types.h>

#include "names.h"

/* Any function; who calls it has the real declaration. */
long home_any(void);

#define KVM_FUNCTION(name)	DEFINE_STATIC_CALL_NULL(home_##name, home_any)
#include "kvm-names.h"

/* A jump to the trampoline, which objtool makes a static call like any other. */
#define KVM_FUNCTION(name)						\
	asm(".pushsection .text, \"ax\"\n"				\
	    ".globl " #name "\n"					\
	    ".type " #name ", @function\n"				\
	    #name ":	jmp " STATIC_CALL_TRAMP_STR(home_##name) "\n"	\
	    ".size " #name ", . - " #name "\n"				\
	    ".popsection")
#include "kvm-names.h"

/* see qemu.h */
bool *home_kvm_ad_enabled;
bool *home_tdp_enabled;
bool *home_tdp_mmu_enabled;
bool *home_enable_mmio_caching;
bool *home_eager_page_split;
int *home_nx_huge_pages;
u64 *home_shadow_host_writable_mask;
u64 *home_shadow_mmu_writable_mask;
u64 *home_shadow_nx_mask;
u64 *home_shadow_user_mask;
u64 *home_shadow_accessed_mask;
u64 *home_shadow_dirty_mask;
u64 *home_shadow_mmio_mask;
u64 *home_shadow_mmio_access_mask;
u64 *home_shadow_present_mask;
u64 *home_shadow_me_value;
u64 *home_shadow_me_mask;
u64 *home_shadow_acc_track_mask;
u64 *home_shadow_nonpresent_or_rsvd_mask;

/* Behind a function that this KVM has not; suites made for it do not call that. */
static long not_there(void)
{
	WARN(1, "tdp_stress_kunit: a function was called that this KVM does not have\n");
	return -EOPNOTSUPP;
}

static void find(unsigned long addr, struct static_call_key *key, void *tramp)
{
	/* ours is found if KVM has none */
	if (!addr || within_module(addr, THIS_MODULE))
		addr = (unsigned long)not_there;
	__static_call_update(key, tramp, (void *)addr);
}

/**
 * home_find_names() - find KVM's functions and variables
 * @lookup: address of a symbol, 0: none
 *
 * What this KVM does not have is left out: a suite that uses it would not have
 * compiled with this KVM's headers.
 *
 * Context: may sleep; before anything of KVM's is used.
 */
void home_find_names(unsigned long (*lookup)(const char *name))
{
#define KVM_FUNCTION(name)						\
	find(lookup(#name), &STATIC_CALL_KEY(home_##name), STATIC_CALL_TRAMP_ADDR(home_##name))
#define KVM_VARIABLE(type, name)					\
	(home_##name = (type *)lookup(#name))
#include "kvm-names.h"
}
