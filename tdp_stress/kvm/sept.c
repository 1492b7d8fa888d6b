// SPDX-License-Identifier: GPL-2.0
/*
 * External page tables of VMs of ours: what tdx.c does for 4K pages, and what it
 * cannot do yet: huge pages, split, promotion, tables that go while the TD lives.
 * Knows SPTEs and S-EPT leaves, nothing of a TD's life.
 *
 * tdx.c changes and removes under mmu_lock held for write only. The TDP MMU also
 * does it under mmu_lock held for read, where faults are in the way: then a call
 * is repeated for longer than tdx.c's once.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include "insight.h"
#include "probe.h"
#include "td.h"

#define TRIES_READ	10000	/* under mmu_lock held for read */
#define TRIES_RESTART	1000	/* of a leaf that was interrupted */
#define TRIES_FORCE	100	/* of removals from a broken VM */
/* A refusal that KVM answers by asking again is given up after so many. */
#define REFUSALS	64

static bool is_leaf_state(u8 state)
{
	return state == SEPT_MAPPED || state == SEPT_PENDING || state == SEPT_BLOCKED ||
	       state == SEPT_PENDING_BLOCKED;
}

static bool is_strict(void)
{
	return ext.cfg.split == TDPS_SPLIT_STRICT;
}

/* --- calls that have to succeed --- */

/*
 * tdh_do_no_vcpus(): a removal may meet a vCPU that has just entered (zero-step
 * filter) or a guest's ACCEPT. With all vCPUs out of the TD nobody is left to be
 * met but, under mmu_lock held for read, other threads of KVM's.
 */
static u64 call_no_vcpus(struct ext_vm *vm, u64 leaf, gfn_t gfn, int level, u64 page)
{
	u64 status = ext_mem_call(vm, leaf, gfn, level, page);
	int tries = 1;

	if (!ext_busy(status))
		return status;
	if (tdps_lock_of(vm->kvm) == TDPS_LOCK_READ)
		tries = TRIES_READ;
	atomic_inc(&vm->keep_out);
	ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	do {
		cpu_relax();
		status = ext_mem_call(vm, leaf, gfn, level, page);
	} while (ext_busy(status) && --tries);
	atomic_dec(&vm->keep_out);
	return status;
}

/* DEMOTE and PROMOTE may be interrupted, and are then called again. */
static u64 call_restarted(struct ext_vm *vm, u64 leaf, gfn_t gfn, int level, u64 page)
{
	int tries = TRIES_RESTART;
	u64 status;

	do {
		status = call_no_vcpus(vm, leaf, gfn, level, page);
	} while (status == TDX_INTERRUPTED_RESTARTABLE && --tries);
	return status;
}

static u64 track_call(struct ext_vm *vm)
{
	struct tdxm_regs regs = { .rax = TDH_MEM_TRACK, .rcx = page_to_phys(vm->tdr) };

	return ext_td_call(vm, TDPS_CALL_MEM_TRACK, &regs);
}

/*
 * tdx_track(): after it no vCPU runs with translations from before. With
 * mmu_lock held for read several may come at once: the next epoch begins only
 * when nobody is left in the one before, hence one after the other.
 */
static u64 track(struct ext_vm *vm)
{
	u64 status;

	if (!vm->runnable)
		return 0;
	guard(spinlock)(&vm->track_lock);
	status = track_call(vm);
	if (ext_busy(status)) {
		atomic_inc(&vm->keep_out);
		ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
		status = track_call(vm);
		atomic_dec(&vm->keep_out);
	}
	ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	return status;
}

static u64 block_and_track(struct ext_vm *vm, gfn_t gfn, int level)
{
	u64 status = call_no_vcpus(vm, TDH_MEM_RANGE_BLOCK, gfn, level, 0);

	return status ?: track(vm);
}

/* After a failure: the entry is to be as it was. */
static void unblock(struct ext_vm *vm, gfn_t gfn, int level)
{
	if (call_no_vcpus(vm, TDH_MEM_RANGE_UNBLOCK, gfn, level, 0))
		ext_bug(vm);
}

static int result(struct ext_vm *vm, u64 status)
{
	if (!status)
		return 0;
	if (ext_busy(status))
		return -EBUSY;
	ext_bug(vm);
	return -EIO;
}

/* --- a VM that is broken: nothing of it may stay in the TDX module --- */

/* Without a word to the oracles: what had to be said was said when it broke. */
static void force_leaf(struct ext_vm *vm, gfn_t gfn, int level)
{
	static const u64 leaves[] = {
		TDH_MEM_RANGE_BLOCK, TDH_MEM_TRACK, TDH_MEM_PAGE_REMOVE,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct tdxm_regs regs = {
			.rax = leaves[i], .rcx = gfn_to_gpa(gfn) | (level - 1),
			.rdx = page_to_phys(vm->tdr),
		};

		if (leaves[i] == TDH_MEM_TRACK)
			regs.rcx = page_to_phys(vm->tdr);
		ext_seamcall(&regs);
		if (leaves[i] == TDH_MEM_TRACK)
			ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	}
	ext_count(EXT_FORCED_OUT);
}

/*
 * The S-EPT entry at which the walk for @gfn ends; @level is the one wanted, and
 * becomes the entry's. Only a huge leaf ends it above.
 */
static u8 sept_state(struct ext_vm *vm, gfn_t *gfn, int *level)
{
	u8 state = SEPT_FREE;
	int wanted = *level;
	u64 pa;

	for (; *level <= vm->sept_levels; (*level)++) {
		*gfn &= -(gfn_t)KVM_PAGES_PER_HPAGE(*level);
		if (!tdxm_sept_read(ext.m, page_to_phys(vm->tdr), gfn_to_gpa(*gfn), *level - 1,
				    &pa, &state))
			break;
	}
	if (*level > vm->sept_levels || (*level > wanted && !is_leaf_state(state)))
		return SEPT_FREE;
	return state;
}

/* Take out whatever is mapped at and below an entry; how many leaves were? */
static u64 force_out(struct ext_vm *vm, gfn_t gfn, int level)
{
	u8 state = SEPT_FREE;
	int tries, l, i;
	u64 n = 0;
	gfn_t g;

	for (tries = 0; tries < TRIES_FORCE; tries++) {
		g = gfn;
		l = level;
		state = sept_state(vm, &g, &l);
		if (!is_leaf_state(state))
			break;
		n += !tries;
		force_leaf(vm, g, l);
	}
	if ((state != SEPT_NL_MAPPED && state != SEPT_NL_BLOCKED) || level == PG_LEVEL_4K)
		return n;
	for (i = 0; i < SPTE_ENT_PER_PAGE; i++)
		n += force_out(vm, gfn + i * KVM_PAGES_PER_HPAGE(level - 1), level - 1);
	return n;
}

/**
 * ext_sweep() - a VM's last tables are gone: is the S-EPT empty?
 * @vm: VM, its TD still alive; nobody else uses it
 *
 * Context: may sleep.
 */
void ext_sweep(struct ext_vm *vm)
{
	gfn_t size = KVM_PAGES_PER_HPAGE(vm->sept_levels), gfn;
	struct tdps_where w = { .vm = tdps_vm_id(vm->kvm), .gfn = TDPS_NO_GFN };
	u64 n = 0;

	for (gfn = 0; gfn < kvm_gfn_direct_bits(vm->kvm); gfn += size)
		n += force_out(vm, gfn, vm->sept_levels);
	if (n && !vm->broken)
		tdps_violation(TDPS_Z1, &w,
			       "VM destroyed, and its S-EPT still mapped %llu pages", n);
}

/* --- leaves and tables --- */

static int map_leaf(struct ext_vm *vm, gfn_t gfn, u64 spte, int level)
{
	int err;

	if (vm->broken)
		return -EIO;
	err = result(vm, ext_mem_call(vm, TDH_MEM_PAGE_AUG, gfn, level,
				      PFN_PHYS(spte_to_pfn(spte))));
	if (!err)
		atomic64_add(KVM_PAGES_PER_HPAGE(level), &vm->leafs);
	return err;
}

static int map_table(struct ext_vm *vm, gfn_t gfn, u64 spte, int level)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(spte);

	if (vm->broken)
		return -EIO;
	if (!sp->external_spt || sp->role.level + 1 != level || sp->gfn != gfn) {
		ext_bug(vm);
		return -EIO;
	}
	return result(vm, ext_mem_call(vm, TDH_MEM_SEPT_ADD, gfn, level, __pa(sp->external_spt)));
}

/* What tdx.c writes back before it gives a page to somebody else. */
static u64 write_back(struct ext_vm *vm, kvm_pfn_t pfn)
{
	struct tdxm_regs regs = {
		.rax = TDH_PHYMEM_PAGE_WBINVD,
		.rcx = PFN_PHYS(pfn) | (u64)vm->hkid << ext_phys_bits(),
	};

	return ext_td_call(vm, TDPS_CALL_PHYMEM_PAGE_WBINVD, &regs);
}

static int remove_leaf(struct ext_vm *vm, gfn_t gfn, kvm_pfn_t pfn, int level)
{
	u64 status;

	if (vm->broken) {
		force_out(vm, gfn, level);
		return 0;
	}
	status = block_and_track(vm, gfn, level);
	if (!status)
		status = call_no_vcpus(vm, TDH_MEM_PAGE_REMOVE, gfn, level, 0);
	if (!status)
		status = write_back(vm, pfn);
	if (status) {
		/* KVM gives the page back, whatever it hears */
		ext_bug(vm);
		force_out(vm, gfn, level);
		return -EIO;
	}
	atomic64_sub(KVM_PAGES_PER_HPAGE(level), &vm->leafs);
	return 0;
}

/* A table that is empty and that KVM has unlinked. */
static void remove_table(struct ext_vm *vm, struct kvm_mmu_page *sp, struct page *page)
{
	int level = sp->role.level + 1;
	u64 status;

	if (ext_page_type(page_to_phys(page)) == PT_NDA) {
		__free_page(page);	/* a promotion has returned it */
		return;
	}
	if (vm->hkid) {
		status = block_and_track(vm, sp->gfn, level);
		if (!status)
			status = call_no_vcpus(vm, TDH_MEM_SEPT_REMOVE, sp->gfn, level, 0);
		if (status)
			ext_bug(vm);
	} else {
		status = ext_reclaim(vm, page);
	}
	if (status)
		ext_stray(vm, page);
	else
		__free_page(page);
}

/* --- split and promotion --- */

/*
 * What tdx.c would not do. Under mmu_lock held for write KVM has changed the
 * SPTE already and gives the VM up. Held for read it restores the SPTE and asks
 * again, for ever: then the backend gives in, and says so.
 *
 * Return: -EIO, or 0: do it after all.
 */
static int refuse(struct ext_vm *vm)
{
	ext_count(EXT_UNSUPPORTED);
	if (tdps_lock_of(vm->kvm) != TDPS_LOCK_READ) {
		WRITE_ONCE(vm->broken, true);
		return -EIO;
	}
	/* of all GFNs together: threads at two of them must not start each other over */
	if (atomic_inc_return(&vm->refused) % REFUSALS)
		return -EIO;
	ext_count(EXT_GAVE_IN);
	return 0;
}

/* The page for the table, by KVM or our own. */
static int page_for_split(struct ext_vm *vm, struct kvm_mmu_page *sp, struct page **page)
{
	if (sp->external_spt) {
		*page = virt_to_page(sp->external_spt);
		return 0;
	}
	if (is_strict() && refuse(vm)) {
		ext_count(EXT_SPLIT_REFUSED);
		return -EIO;
	}
	*page = ext_pool_get();
	if (*page)
		return 0;
	if (tdps_lock_of(vm->kvm) == TDPS_LOCK_READ)
		return -EBUSY;
	WRITE_ONCE(vm->broken, true);
	return -EIO;
}

static int split_leaf(struct ext_vm *vm, gfn_t gfn, u64 new_spte, int level)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(new_spte);
	bool ours = !sp->external_spt;
	struct page *page;
	u64 status;
	int err;

	/* lost already; but held for read, KVM would still ask for ever */
	if (vm->broken)
		return refuse(vm);
	err = page_for_split(vm, sp, &page);
	if (err)
		return err;
	status = block_and_track(vm, gfn, level);
	if (!status) {
		status = call_restarted(vm, TDH_MEM_PAGE_DEMOTE, gfn, level, page_to_phys(page));
		if (status)
			unblock(vm, gfn, level);
	}
	if (status) {
		if (ours)
			ext_pool_put(page);
		/* an interruption that does not end is no reason to give up the VM */
		return status == TDX_INTERRUPTED_RESTARTABLE ? -EBUSY : result(vm, status);
	}
	sp->external_spt = page_address(page);
	ext_count(ours ? EXT_SPLIT_OWN_PAGE : EXT_SPLIT_KVM_PAGE);
	return 0;
}

/*
 * Are all entries of a table in one state, so that they can be one page? A guest
 * that accepts meanwhile may still change the answer.
 */
static bool is_uniform(struct ext_vm *vm, gfn_t gfn, int level)
{
	u64 tdr = page_to_phys(vm->tdr), first_pa = 0, pa;
	gfn_t step = KVM_PAGES_PER_HPAGE(level - 1);
	u8 first = SEPT_FREE, state;
	int i;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		if (tdxm_sept_read(ext.m, tdr, gfn_to_gpa(gfn + i * step), level - 2, &pa, &state))
			return false;
		if (!i) {
			first = state;
			first_pa = pa;
		}
		if (state != first || pa != first_pa + PFN_PHYS(i * step))
			return false;
	}
	return first == SEPT_MAPPED || first == SEPT_PENDING;
}

/*
 * 512 leaves become one; the table's page is the host's again. -EBUSY: not now,
 * and all is as before.
 */
static int promote(struct ext_vm *vm, gfn_t gfn, int level)
{
	u64 status;

	if (vm->broken)
		return -EIO;
	if (!is_uniform(vm, gfn, level))
		return -EBUSY;
	status = block_and_track(vm, gfn, level);
	if (!status) {
		status = call_restarted(vm, TDH_MEM_PAGE_PROMOTE, gfn, level, 0);
		if (status)
			unblock(vm, gfn, level);
	}
	/* the guest has accepted a part of it just now, or somebody is in the way */
	if ((status & TDX_SEAMCALL_STATUS_MASK) == TDX_EPT_INVALID_PROMOTE_CONDITIONS ||
	    status == TDX_INTERRUPTED_RESTARTABLE)
		return -EBUSY;
	if (!status)
		ext_count(EXT_PROMOTE);
	return result(vm, status);
}

/* --- promotion on a kernel that does not tell of it --- */

/*
 * There kvm_tdp_mmu_recover_huge_pages() removes the leaves of a table one by
 * one, frees the table, and makes its parent, which was FROZEN meanwhile, a huge
 * leaf: what the parent becomes is never said. But this function does nothing
 * else. So while a thread is in it, the removals are put off (nobody gets the
 * pages: the huge leaf maps them again), and when the table is freed, still in
 * the frozen window, the external leaves become one.
 */
#define RECOVERY_SYMBOL	"kvm_tdp_mmu_recover_huge_pages"

static struct task_struct **recoverer(struct ext_vm *vm, struct task_struct *task)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(vm->recoverers); i++)
		if (READ_ONCE(vm->recoverers[i]) == task)
			return &vm->recoverers[i];
	return NULL;
}

static bool is_recovering(struct ext_vm *vm)
{
	return recoverer(vm, current);
}

/* Put off only what there is: leaves that were promoted before are KVM's bug. */
static bool can_put_off(struct ext_vm *vm, gfn_t gfn, int level)
{
	u8 state;
	u64 pa;

	return !tdxm_sept_read(ext.m, page_to_phys(vm->tdr), gfn_to_gpa(gfn), level - 1, &pa,
			       &state) && is_leaf_state(state);
}

static int recovery_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
			  struct tdps_regs *regs, void *data)
{
	struct ext_vm *vm = ext_find((struct kvm *)tdps_arg(regs, 0));
	int i;

	if (!vm)
		return 1;
	*(struct ext_vm **)data = vm;
	for (i = 0; i < ARRAY_SIZE(vm->recoverers); i++)
		if (!cmpxchg(&vm->recoverers[i], NULL, current))
			break;
	return 0;
}

static void recovery_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
			  struct tdps_regs *regs, void *data)
{
	struct task_struct **r = recoverer(*(struct ext_vm **)data, current);

	if (r)
		WRITE_ONCE(*r, NULL);
}

static struct fprobe recovery_probe = {
	.entry_handler = recovery_entry,
	.exit_handler = recovery_exit,
	.entry_data_size = sizeof(struct ext_vm *),
};

static bool recovery_probed;

int ext_sept_start(void)
{
	unsigned long addr = tdps_lookup(RECOVERY_SYMBOL);
	int err = addr ? register_fprobe_ips(&recovery_probe, &addr, 1) : -ENOENT;

	if (err)
		pr_err("cannot probe %s (%d): is it there and traceable (CONFIG_FPROBE)?\n",
		       RECOVERY_SYMBOL, err);
	recovery_probed = !err;
	return err;
}

void ext_sept_stop(void)
{
	if (recovery_probed)
		unregister_fprobe(&recovery_probe);
	recovery_probed = false;
}

/* The page that KVM makes the huge leaf of: the first leaf's, rounded down. */
static kvm_pfn_t huge_pfn(struct ext_vm *vm, gfn_t gfn, int level)
{
	u64 tdr = page_to_phys(vm->tdr), pa;
	gfn_t step = KVM_PAGES_PER_HPAGE(level - 1);
	u8 state;
	int i;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++)
		if (!tdxm_sept_read(ext.m, tdr, gfn_to_gpa(gfn + i * step), level - 2, &pa,
				    &state) && is_leaf_state(state))
			return PHYS_PFN(pa) & -KVM_PAGES_PER_HPAGE(level);
	return KVM_PFN_ERR_FAULT;
}

/* Part by part, where the pages cannot be merged: some are not there, or not accepted. */
static void rebuild(struct ext_vm *vm, struct kvm_mmu_page *sp, struct page *page)
{
	kvm_pfn_t pfn = huge_pfn(vm, sp->gfn, sp->role.level + 1);
	gfn_t step = KVM_PAGES_PER_HPAGE(sp->role.level);
	int tries = TRIES_READ, i;
	u64 status, pa;
	u8 state;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++)
		if (!tdxm_sept_read(ext.m, page_to_phys(vm->tdr), gfn_to_gpa(sp->gfn + i * step),
				    sp->role.level - 1, &pa, &state) && is_leaf_state(state))
			remove_leaf(vm, sp->gfn + i * step, PHYS_PFN(pa), sp->role.level);
	remove_table(vm, sp, page);
	if (vm->broken || is_error_pfn(pfn))
		return;
	do {
		status = ext_mem_call(vm, TDH_MEM_PAGE_AUG, sp->gfn, sp->role.level + 1,
				      PFN_PHYS(pfn));
	} while (ext_busy(status) && --tries);
	if (status)
		ext_bug(vm);
	else
		atomic64_add(KVM_PAGES_PER_HPAGE(sp->role.level + 1), &vm->leafs);
}

static void finish_recovery(struct ext_vm *vm, struct kvm_mmu_page *sp, struct page *page)
{
	if (is_strict())
		ext_count(EXT_UNSUPPORTED);
	if (promote(vm, sp->gfn, sp->role.level + 1))
		rebuild(vm, sp, page);
	else
		__free_page(page);
}

/* --- what the hooks call --- */

/**
 * tdps_external_set_spte() - KVM changes an SPTE of a mirror root
 * @kvm: a VM of ours
 * @gfn: first GFN of the entry
 * @old_spte: the entry before
 * @new_spte: the entry wanted
 * @level: of the entry, 1 is 4K
 *
 * Context: mmu_lock held.
 *
 * Return: 0; -EBUSY: KVM is to try again; -EIO: it is wrong, or not possible.
 */
int tdps_external_set_spte(struct kvm *kvm, u64 gfn, u64 old_spte, u64 new_spte, int level)
{
	bool was = is_shadow_present_pte(old_spte), is = is_shadow_present_pte(new_spte);
	bool was_leaf = was && is_last_spte(old_spte, level);
	bool is_leaf = is && is_last_spte(new_spte, level);
	struct ext_vm *vm = ext_find(kvm);

	if (!was && !is)
		return -EIO;
	if (!was)
		return is_leaf ? map_leaf(vm, gfn, new_spte, level) :
				 map_table(vm, gfn, new_spte, level);
	if (!is && is_frozen_spte(new_spte) && !vm->broken && is_recovering(vm) &&
	    can_put_off(vm, gfn, level))
		return 0;
	if (!is)
		return remove_leaf(vm, gfn, spte_to_pfn(old_spte), level);
	if (was_leaf && !is_leaf)
		return split_leaf(vm, gfn, new_spte, level);
	if (!was_leaf)
		return promote(vm, gfn, level);
	/* permissions: the S-EPT has none, so that there is nothing to follow */
	if (is_strict() && refuse(vm))
		return -EIO;
	ext_count(EXT_PERMISSIONS);
	return 0;
}

/**
 * tdps_external_free_spt() - KVM frees a table of a mirror root
 * @kvm: a VM of ours
 * @sp: the table; its entries are gone
 *
 * Context: mmu_lock held.
 */
void tdps_external_free_spt(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	struct ext_vm *vm = ext_find(kvm);
	struct page *page;

	if (!sp->external_spt)
		return;	/* a split that was refused under mmu_lock held for write */
	page = virt_to_page(sp->external_spt);
	sp->external_spt = NULL;
	if (vm->broken && ext_page_type(page_to_phys(page)) != PT_NDA)
		ext_stray(vm, page);
	else if (is_recovering(vm) && ext_page_type(page_to_phys(page)) != PT_NDA)
		finish_recovery(vm, sp, page);
	else
		remove_table(vm, sp, page);
}
