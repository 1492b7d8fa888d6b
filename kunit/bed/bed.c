// SPDX-License-Identifier: GPL-2.0
/*
 * A case's bed from its making to the search for what is left of it, and the ways
 * into KVM: faults, zaps, splits, roots, with the locks that KVM's own callers take.
 */
#include <linux/slab.h>

#include "internal.h"

struct bed *bed_now;

static const char *suite_name;
static u64 pages_before;	/* of the TDX module, when there was no VM */
static u64 pages_made;		/* ... when there was one, and nothing mapped */
static u64 forced_before;	/* pages that the backend had to take out by force */

/* --- what the emulated TDX module says --- */

static void sum_pages(void *ctx, const char *type, u64 pages)
{
	u64 *n = ctx;

	*n += pages;
}

static u64 module_pages(void)
{
	struct tdxm *m = tdps_external_module();
	u64 n = 0;

	if (m)
		tdxm_for_each_page_type(m, sum_pages, &n);
	return n;
}

static void sum_forced(void *ctx, const char *name, u64 value)
{
	u64 *n = ctx;

	if (!strcmp(name, "backend.forced_out") || !strcmp(name, "backend.stray_tables"))
		*n += value;
}

static u64 pages_forced(void)
{
	u64 n = 0;

	tdps_external_stats(sum_forced, &n);
	return n;
}

/**
 * bed_external_pages() - pages and tables that the module holds for what is mapped
 * @b: bed
 *
 * Context: process.
 *
 * Return: how many of 4K, control pages of the TD and its vCPUs not counted.
 */
u64 bed_external_pages(struct bed *b)
{
	return module_pages() - pages_made;
}

/**
 * bed_external() - what the external table says
 * @b: bed
 * @gfn: GFN, without direct bits
 * @level: level of the entry
 * @e: filled in
 *
 * Context: any. Nobody removes the table meanwhile.
 *
 * Return: false: the walk does not get there.
 */
bool bed_external(struct bed *b, gfn_t gfn, int level, struct bed_external *e)
{
	u64 pa = 0;
	u8 state;

	memset(e, 0, sizeof(*e));
	if (tdxm_sept_read(tdps_external_module(), tdps_external_tdr(b->kvm), gfn_to_gpa(gfn),
			   level - 1, &pa, &state))
		return false;
	e->present = state != SEPT_FREE && state != SEPT_REMOVED;
	e->leaf = e->present && state != SEPT_NL_MAPPED && state != SEPT_NL_BLOCKED;
	e->blocked = state == SEPT_NL_BLOCKED || state == SEPT_BLOCKED ||
		     state == SEPT_PENDING_BLOCKED;
	e->pfn = PHYS_PFN(pa);
	return true;
}

/* --- suites --- */

/**
 * bed_suite_init() - suite_init of every suite that uses the bed
 * @suite: the suite
 *
 * Context: may sleep.
 *
 * Return: 0 or -errno; the home has said why.
 */
int bed_suite_init(struct kunit_suite *suite)
{
	int err = home_open();

	if (err)
		return err;
	err = bed_ops_alloc();
	if (err) {
		home_close();
		return err;
	}
	bed_splat_init();
	suite_name = suite->name;
	return 0;
}

/**
 * bed_suite_exit() - suite_exit of every suite that uses the bed
 * @suite: the suite
 *
 * Context: may sleep.
 */
void bed_suite_exit(struct kunit_suite *suite)
{
	/* KUnit calls this one also after an init that has failed */
	if (suite_name != suite->name)
		return;
	suite_name = NULL;
	bed_ops_free();
	home_close();
}

/* --- a case's beginning --- */

static void find_roots(struct bed *b)
{
	struct kvm_mmu *mmu = b->vcpu[0]->arch.mmu;

	b->root[BED_DIRECT] = root_to_sp(mmu->root.hpa);
	b->root[BED_MIRROR] = root_to_sp(mmu->mirror_root_hpa);
}

static int load_all(struct bed *b)
{
	int i, err = 0;

	for (i = 0; i < BED_VCPUS && !err; i++)
		err = home_load(b, i);
	if (!err)
		find_roots(b);
	return err;
}

static int make_vm(struct bed *b)
{
	int err = home_create(b);

	if (err)
		return err;
	WRITE_ONCE(bed_now, b);
	err = load_all(b);
	pages_made = module_pages();
	return err;
}

/**
 * bed_init() - make a VM for a case
 * @test: the case
 *
 * Context: may sleep.
 *
 * Return: 0 or -errno.
 */
int bed_init(struct kunit *test)
{
	struct bed *b;

	if (bed_sched_lost())
		kunit_skip(test, "a thread of an earlier case never came back");
	b = kzalloc_obj(*b);
	if (!b)
		return -ENOMEM;
	b->test = test;
	test->priv = b;
	bed_ops_reset(b);
	bed_sched_reset();
	bed_splat_begin();
	pages_before = module_pages();
	forced_before = pages_forced();
	return make_vm(b);
}

/* --- a case's end --- */

static const char *left_in_kvm(struct bed *b, const struct home_left *left)
{
	int i;

	/* what was refused when KVM gave the VM up stays counted */
	for (i = 0; i < ARRAY_SIZE(left->pages) && !b->expect_bugged; i++)
		if (left->pages[i])
			return bed_say(b, "A1: %lld leafs of %s left", left->pages[i],
				       bed_level_name(i + 1));
	if (left->tables)
		return bed_say(b, "A1: %lld page tables left", left->tables);
	if (left->headers)
		return bed_say(b, "A1: %lld struct kvm_mmu_page left", left->headers);
	return left->roots ? bed_say(b, "Z2: %d roots left", left->roots) : NULL;
}

/* After KVM gave the VM up, removals were by force. */
static const char *left_in_module(struct bed *b)
{
	u64 pages = module_pages(), forced = pages_forced();

	if (pages != pages_before)
		return bed_say(b, "A1: %lld pages of the TDX module left",
			       (s64)(pages - pages_before));
	if (forced != forced_before && !b->expect_bugged)
		return bed_say(b, "Z1: KVM left %llu pages and tables in the external table",
			       forced - forced_before);
	return NULL;
}

#define MAX_ROOTS	16	/* looked at */

static const char *not_at_rest(struct bed *b)
{
	struct kvm_mmu_page *root, *roots[MAX_ROOTS];
	const char *wrong = NULL;
	int n = 0, i;

	if (b->kvm->vm_bugged && !b->expect_bugged)
		return "KVM has given the VM up";
	scoped_guard(rcu) {
		bed_for_each_root(b, root)
			if (n < MAX_ROOTS)
				roots[n++] = root;
	}
	for (i = 0; i < n && !wrong; i++)
		wrong = bed_no_frozen(b, roots[i]);
	return wrong;
}

/**
 * bed_take_down() - end the VM, and look for what is left
 * @b: bed; it has no VM any more afterwards
 *
 * What bed_exit() does if the case has not.
 *
 * Context: the case's thread; may sleep. Nobody else uses the VM.
 *
 * Return: NULL, or the first thing that is wrong.
 */
const char *bed_take_down(struct bed *b)
{
	const char *wrong = not_at_rest(b);
	struct home_left left;

	/* what the case let fail must not fail here */
	memset(&b->fail, 0, sizeof(b->fail));
	home_destroy(b, &left);
	WRITE_ONCE(bed_now, NULL);
	wrong = wrong ?: left_in_kvm(b, &left);
	return wrong ?: left_in_module(b);
}

static void expect_no_splat(struct bed *b)
{
	const char *text = bed_splat(b);

	KUNIT_EXPECT_NULL_MSG(b->test, text, "the kernel said: %s", text);
}

static void tell_failure(struct bed *b)
{
	if (READ_ONCE(b->test->status) != KUNIT_FAILURE)
		return;
	bed_sched_print(b);
	bed_ops_print(b);
	kunit_info(b->test, "run again: make kunit%s FILTER=%s.%s",
		   IS_ENABLED(CONFIG_UML) ? "" : " WHERE=qemu", suite_name, b->test->name);
}

/* Pages that the TDX module keeps would be refused to the next case: a new module. */
static void start_afresh(struct bed *b)
{
	int err;

	if (!module_pages())
		return;
	home_close();
	err = home_open();
	KUNIT_EXPECT_EQ_MSG(b->test, err, 0, "no new TDX module after a leak");
}

/**
 * bed_exit() - take the case's VM down, and fail the case for what is left of it
 * @test: the case
 *
 * Context: may sleep.
 */
void bed_exit(struct kunit *test)
{
	struct bed *b = test->priv;
	bool lost;

	if (!b)
		return;
	bed_warns(b);
	/* a thread that never came back still uses the VM, and the bed */
	lost = bed_sched_lost();
	if (b->kvm && !lost)
		BED_EXPECT_OK(b, bed_take_down(b));
	if (!lost)
		start_afresh(b);
	WRITE_ONCE(bed_now, NULL);
	expect_no_splat(b);
	tell_failure(b);
	test->priv = NULL;
	if (!lost)
		kfree(b);
}

/* --- what a case may need --- */

/**
 * bed_needs_lockdep() - SKIP unless lockdep can say how mmu_lock is held
 * @b: bed
 *
 * Context: the case's thread.
 */
void bed_needs_lockdep(struct bed *b)
{
	if (bed_lock_of(b) == '?')
		kunit_skip(b->test, "lockdep is not there to say how mmu_lock is held");
}

/* Does a huge mirror leaf get an external page for its split? Ends with a new VM. */
static bool splits_mirror(struct bed *b)
{
	struct home_left left;
	bool yes = false;
	int i;

	bed_map(b, BED_MIRROR, BED_GFN, PG_LEVEL_2M);
	bed_split(b, BED_MIRROR, BED_GFN, BED_2M(1), PG_LEVEL_4K, false);
	for (i = 0; i < bed_ops_from(b); i++)
		if (bed_is_leaf(b->op[i].old_spte, b->op[i].level) && b->op[i].external_spt)
			yes = true;
	home_destroy(b, &left);
	bed_ops_reset(b);
	KUNIT_ASSERT_EQ(b->test, make_vm(b), 0);
	return yes;
}

/**
 * bed_has_mirror_split() - does this kernel split mirror leafs?
 * @b: bed, nothing mapped yet
 *
 * Tried once: whether the external operation of a split has a page.
 *
 * Context: the case's thread; may sleep.
 *
 * Return: true if it brings an external page.
 */
bool bed_has_mirror_split(struct bed *b)
{
	static enum { NOT_TRIED, NO, YES } splits;

	if (splits == NOT_TRIED)
		splits = splits_mirror(b) ? YES : NO;
	return splits == YES;
}

/**
 * bed_needs_mirror_split() - SKIP unless this kernel splits mirror leafs
 * @b: bed, nothing mapped yet
 *
 * Context: the case's thread; may sleep.
 */
void bed_needs_mirror_split(struct bed *b)
{
	if (!bed_has_mirror_split(b))
		kunit_skip(b->test, "no external page for a split: it takes VARIANT=mirror-split");
}

/* --- faults --- */

/**
 * bed_pfn() - the bed's page frame for a GFN
 * @b: bed
 * @gfn: GFN in the slot, without direct bits
 *
 * Context: any.
 *
 * Return: linear in @gfn, so that huge leafs are aligned.
 */
kvm_pfn_t bed_pfn(struct bed *b, gfn_t gfn)
{
	return home_first_pfn(b) + (gfn - BED_GFN);
}

/**
 * bed_seq() - begin a fault, as kvm_mmu_faultin_pfn() does
 * @b: bed
 *
 * Context: any.
 *
 * Return: for bed_fault_seq().
 */
unsigned long bed_seq(struct bed *b)
{
	unsigned long seq = READ_ONCE(b->kvm->mmu_invalidate_seq);

	/* pairs with kvm_mmu_invalidate_end(): the page is looked up after this */
	smp_rmb();
	return seq;
}

static u64 error_code(const struct bed_fault *f)
{
	return (f->kind == BED_MIRROR ? PFERR_PRIVATE_ACCESS : 0) |
	       (f->exec ? PFERR_FETCH_MASK : f->read ? PFERR_USER_MASK : PFERR_WRITE_MASK);
}

/* A home whose KVM asks guest_memfd for the size of private pages has none. */
#ifndef BED_FAULT_IS_PRIVATE
#define BED_FAULT_IS_PRIVATE(kind)	((kind) == BED_MIRROR)
#endif

static int map(struct bed *b, const struct bed_fault *f, const unsigned long *seq)
{
	struct kvm_vcpu *vcpu = b->vcpu[f->vcpu];
	struct kvm_page_fault fault = {
		.addr = gfn_to_gpa(bed_gfn(b, f->kind, f->gfn)),
		.error_code = error_code(f),
		.prefetch = f->prefetch,
		.exec = f->exec,
		.nx_huge_page_workaround_enabled = f->nx,
		.write = !f->read && !f->exec,
		.is_tdp = true,
		.is_private = BED_FAULT_IS_PRIVATE(f->kind),
		.max_level = f->level ?: PG_LEVEL_4K,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		.gfn = f->gfn,
		.slot = b->slot,
		.pfn = f->pfn ?: bed_pfn(b, f->gfn),
		.map_writable = !f->ro,
	};
	struct kvm_mmu_page *root = tdp_mmu_get_root_for_fault(vcpu, &fault);

	/* is_page_fault_stale() */
	if (root->role.invalid || (seq && mmu_invalidate_retry_gfn(b->kvm, *seq, f->gfn)))
		return RET_PF_RETRY;
	return kvm_tdp_mmu_map(vcpu, &fault);
}

static int fault(struct bed *b, const struct bed_fault *f, const unsigned long *seq)
{
	int ret = home_load(b, f->vcpu);

	if (ret)
		return ret;
	bed_read_lock(b);
	ret = map(b, f, seq);
	bed_read_unlock(b);
	if (ret == RET_PF_RETRY)
		bed_point(BED_RETRY, f->gfn, f->level ?: PG_LEVEL_4K);
	return ret;
}

/**
 * bed_fault() - a fault
 * @b: bed
 * @f: which
 *
 * Context: any thread; may sleep. A vCPU is used by one at a time.
 *
 * Return: RET_PF_*; RET_PF_RETRY, too, if the vCPU's root has been invalidated; -errno.
 */
int bed_fault(struct bed *b, const struct bed_fault *f)
{
	return fault(b, f, NULL);
}

/**
 * bed_fault_seq() - a fault that an invalidation may overtake
 * @b: bed
 * @f: which
 * @seq: what bed_seq() returned when it began
 *
 * Context: as bed_fault().
 *
 * Return: as bed_fault(), RET_PF_RETRY if it was overtaken.
 */
int bed_fault_seq(struct bed *b, const struct bed_fault *f, unsigned long seq)
{
	return fault(b, f, &seq);
}

/**
 * bed_map() - a fault that has to succeed, else the case ends here
 * @b: bed
 * @kind: private or shared
 * @gfn: page, without direct bits
 * @level: size of the leaf
 *
 * Context: the case's thread; may sleep.
 */
void bed_map(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	const struct bed_fault f = { .kind = kind, .gfn = gfn, .level = level };
	int ret = bed_fault(b, &f);

	KUNIT_ASSERT_TRUE_MSG(b->test, ret == RET_PF_FIXED || ret == RET_PF_SPURIOUS,
			      "fault at gfn 0x%llx level %s returned %d", gfn,
			      bed_level_name(level), ret);
}

/* --- zaps and splits, as KVM's callers do them --- */

/**
 * bed_zap_leafs() - zap leafs of all valid roots, and flush
 * @b: bed
 * @start: first GFN
 * @end: GFN after the last
 *
 * Context: any thread; takes mmu_lock for write.
 *
 * Return: true if KVM wanted a flush.
 */
bool bed_zap_leafs(struct bed *b, gfn_t start, gfn_t end)
{
	bool flush;

	bed_write_lock(b);
	flush = kvm_tdp_mmu_zap_leafs(b->kvm, start, end, false);
	if (flush)
		kvm_flush_remote_tlbs(b->kvm);
	bed_write_unlock(b);
	return flush;
}

/**
 * bed_unmap() - unmap as an mmu_notifier that may block does, and flush
 * @b: bed
 * @start: first GFN
 * @end: GFN after the last
 * @attr_filter: KVM_FILTER_*: private, shared, or both
 *
 * Context: any thread; takes mmu_lock for write.
 *
 * Return: true if KVM wanted a flush.
 */
bool bed_unmap(struct bed *b, gfn_t start, gfn_t end, unsigned int attr_filter)
{
	struct kvm_gfn_range range = {
		.slot = b->slot, .start = start, .end = end,
		.attr_filter = attr_filter, .may_block = true,
	};
	bool flush;

	bed_write_lock(b);
	flush = kvm_tdp_mmu_unmap_gfn_range(b->kvm, &range, false);
	if (flush)
		kvm_flush_remote_tlbs(b->kvm);
	bed_write_unlock(b);
	return flush;
}

static bool is_huge(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level)
{
	return !bed_is_leaf(spte, level) || level <= *(int *)ctx;
}

/**
 * bed_split() - split the huge leafs of a range
 * @b: bed
 * @kind: of which root; the other one has none there, because KVM splits in both
 * @start: first GFN
 * @end: GFN after the last
 * @level: down to this size
 * @shared: with mmu_lock held for read
 *
 * Context: any thread; may sleep.
 */
void bed_split(struct bed *b, enum bed_kind kind, gfn_t start, gfn_t end, int level, bool shared)
{
	struct kvm_mmu_page *other = b->root[kind == BED_MIRROR ? BED_DIRECT : BED_MIRROR];

	KUNIT_EXPECT_TRUE_MSG(b->test, bed_walk(b, other, start, end, is_huge, &level),
			      "the case splits in the other root, too");
	if (shared)
		bed_read_lock(b);
	else
		bed_write_lock(b);
	kvm_tdp_mmu_try_split_huge_pages(b->kvm, b->slot, start, end, level, shared);
	if (shared)
		bed_read_unlock(b);
	else
		bed_write_unlock(b);
}

/* --- roots --- */

/**
 * bed_invalidate() - invalidate valid roots; vCPUs keep them until bed_reload()
 * @b: bed
 * @which: KVM_DIRECT_ROOTS, KVM_MIRROR_ROOTS, or both
 *
 * Context: any thread; takes mmu_lock for write.
 */
void bed_invalidate(struct bed *b, int which)
{
	bed_write_lock(b);
	kvm_tdp_mmu_invalidate_roots(b->kvm, which);
	bed_write_unlock(b);
}

/**
 * bed_zap_invalidated() - zap what bed_invalidate() has left to be zapped
 * @b: bed
 * @shared: with mmu_lock held for read, else for write
 *
 * Context: any thread; KVM takes mmu_lock.
 */
void bed_zap_invalidated(struct bed *b, bool shared)
{
	/* takes mmu_lock before anything else */
	bed_will_lock(shared ? 'r' : 'w');
	kvm_tdp_mmu_zap_invalidated_roots(b->kvm, shared);
	bed_has_unlocked();
}

/**
 * bed_reload() - all vCPUs drop their roots and load valid ones
 * @b: bed
 *
 * Context: the case's thread; may sleep.
 */
void bed_reload(struct bed *b)
{
	int i;

	for (i = 0; i < BED_VCPUS; i++)
		home_unload(b, i);
	KUNIT_ASSERT_EQ(b->test, load_all(b), 0);
}
