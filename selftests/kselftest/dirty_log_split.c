// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty logging of shared memory: KVM splits huge leafs at once, or when pages are
 * cleared, or leaves that to the guest's writes; and makes them huge again when it
 * ends. What is mapped stays the same all along.
 */
#include "ks_test.h"

KS_FIXTURE(dirty_log_split);

#define EAGER		"/sys/module/kvm/parameters/eager_page_split"
#define LONGS		(KS_WINDOW / 64)

/* All of the slot is mapped, by so many huge leafs. */
#define EXPECT_LEAFS(_large) do {					\
	EXPECT_EQ((s64)(_large), td_stat(self->vm.vm_fd, "pages_2m"));	\
	EXPECT_MAPPED(&self->vm, KS_WINDOW);				\
	EXPECT_SOUND(ks_audit(&self->ks));				\
} while (0)

static int log_on(struct td *vm)
{
	return td_slot_set_flags(vm, TD_SLOT_MOBILE, KVM_MEM_LOG_DIRTY_PAGES);
}

static int log_off(struct td *vm)
{
	return td_slot_set_flags(vm, TD_SLOT_MOBILE, 0);
}

/* Dirty pages in [@first, @first + @nr) of the slot's log; -errno. */
static int dirty(struct td *vm, u64 first, u64 nr)
{
	u64 bitmap[LONGS] = { 0 }, i;
	int ret = td_get_dirty_log(vm, TD_SLOT_MOBILE, bitmap), count = 0;

	if (ret)
		return ret;
	for (i = first; i < first + nr; i++)
		count += bitmap[i / 64] >> i % 64 & 1;
	return count;
}

/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: from now on. */
static int manual(struct td *vm, u64 how)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { how },
	};

	return td_ioctl(TD_CALL_ENABLE_CAP, vm->vm_fd, KVM_ENABLE_CAP, &cap);
}

TEST_KS(dirty_log_split, at_once)
{
	KS_START_HUGE();
	ASSERT_CALL(log_on(&self->vm));
	EXPECT_LEAFS(0);
	/* nobody has written */
	EXPECT_EQ(0, dirty(&self->vm, 0, KS_WINDOW));
	/* reads of what is mapped make nothing dirty */
	ASSERT_CALL(ks_map(&self->vm, 1, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_EQ(0, dirty(&self->vm, 0, KS_WINDOW));
	EXPECT_LEAFS(0);
	ASSERT_CALL(log_off(&self->vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
}

/* As long as it is logged nothing is mapped huge, whatever the host has there. */
TEST_KS(dirty_log_split, new_leafs_are_small)
{
	struct td *vm = &self->vm;

	KS_START_HUGE();
	ASSERT_CALL(td_slot_delete(vm, TD_SLOT_MOBILE));
	vm->slots[TD_SLOT_MOBILE].flags = KVM_MEM_LOG_DIRTY_PAGES;
	ASSERT_CALL(td_slot_create(vm, TD_SLOT_MOBILE));
	EXPECT_MAPPED(vm, 0);
	ASSERT_CALL(ks_map(vm, 0, vm->slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_LEAFS(0);
	ASSERT_CALL(log_off(vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
}

/* Again and again: neither direction loses or gains a page. */
TEST_KS(dirty_log_split, on_and_off)
{
	int i;

	KS_START_HUGE();
	for (i = 0; i < 10; i++) {
		ASSERT_CALL(log_on(&self->vm));
		EXPECT_EQ(0, td_stat(self->vm.vm_fd, "pages_2m"));
		EXPECT_MAPPED(&self->vm, KS_WINDOW);
		ASSERT_CALL(log_off(&self->vm));
		EXPECT_EQ(KS_HUGE_LEAFS, td_stat(self->vm.vm_fd, "pages_2m"));
		EXPECT_MAPPED(&self->vm, KS_WINDOW);
	}
	EXPECT_LEAFS(KS_HUGE_LEAFS);
}

/*
 * With all pages dirty from the start nothing is split until it is cleared, and then
 * only what is.
 */
TEST_KS(dirty_log_split, when_cleared)
{
	struct td *vm = &self->vm;
	u64 bits[LONGS];

	memset(bits, 0xff, sizeof(bits));
	KS_START_HUGE();
	ASSERT_CALL(manual(vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET));
	ASSERT_CALL(log_on(vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
	EXPECT_EQ((int)KS_WINDOW, dirty(vm, 0, KS_WINDOW));
	ASSERT_CALL(td_clear_dirty_log(vm, TD_SLOT_MOBILE, 0, 64, bits));
	EXPECT_LEAFS(KS_HUGE_LEAFS - 1);
	EXPECT_EQ(0, dirty(vm, 0, 64));
	EXPECT_EQ((int)KS_WINDOW - 64, dirty(vm, 64, KS_WINDOW - 64));
	ASSERT_CALL(td_clear_dirty_log(vm, TD_SLOT_MOBILE, 0, KS_WINDOW, bits));
	EXPECT_LEAFS(0);
	EXPECT_EQ(0, dirty(vm, 0, KS_WINDOW));
	ASSERT_CALL(log_off(vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
}

/* With eager splitting off, huge leafs are write-protected as they are. */
TEST_KS(dirty_log_split, not_eager)
{
	struct ks_param eager = { .path = EAGER, .value = "N" };
	struct ks_params params = { .list = &eager, .nr = 1 };
	const char *why = ks_params_set(&params, &self->ks);

	if (why)
		SKIP(return, "%s", why);
	KS_START_HUGE();
	ASSERT_CALL(log_on(&self->vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
	ASSERT_CALL(log_off(&self->vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
	EXPECT_TRUE(ks_params_put_back(&params));
}

/* A write fault of the slot's page @page, by way of @op. */
static int write_fault(struct ks *ks, struct td *vm, u32 op, u64 page, u32 *result)
{
	struct tdp_stress_op arg = {
		.op = op,
		.flags = op == TDP_STRESS_OP_MAP ? TDP_STRESS_OP_FLAG_WRITE : 0,
		.gfn = vm->slots[TD_SLOT_MOBILE].gfn + page,
		.nr = 1,
		.level = op == TDP_STRESS_OP_MAP ? 2 : 0,
		.roots = op == TDP_STRESS_OP_MAP ? TDP_STRESS_ROOTS_DIRECT : 0,
	};
	int ret = ks_op(ks, vm, &arg);

	*result = arg.result;
	return ret;
}

/* Each page that is written is told, once for each time that the log is read. */
TEST_KS(dirty_log_split, writes_are_logged)
{
	static const u32 ops[] = { TDP_STRESS_OP_MAP, TDP_STRESS_OP_FAST_PF };
	struct td *vm = &self->vm;
	u32 result;
	size_t i;
	int round;

	KS_NEEDS(0, 1ULL << TDP_STRESS_OP_MAP | 1ULL << TDP_STRESS_OP_FAST_PF, 0, 0);
	KS_START_HUGE();
	ASSERT_CALL(log_on(vm));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (round = 0; round < 2; round++) {
			ASSERT_CALL(write_fault(&self->ks, vm, ops[i], 3, &result));
			EXPECT_EQ(TDP_STRESS_DID, result) TH_LOG("operation %u", ops[i]);
			EXPECT_EQ(1, dirty(vm, 3, 1));
			EXPECT_EQ(0, dirty(vm, 0, KS_WINDOW));
		}
		/* its neighbours are not told, nor a page that is only read */
		ASSERT_CALL(write_fault(&self->ks, vm, ops[i], 700, &result));
		ASSERT_CALL(ks_map(vm, 1, vm->slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
		EXPECT_EQ(1, dirty(vm, 0, KS_WINDOW));
	}
	EXPECT_LEAFS(0);
	ASSERT_CALL(log_off(vm));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
}

/* Private memory is none of it: neither logged nor split nor unmapped. */
TEST_KS(dirty_log_split, beside_private_memory)
{
	struct td *vm = &self->vm;

	KS_START_HUGE();
	ASSERT_CALL(ks_map(vm, 0, 0, KS_MAIN_PAGES));
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
	ASSERT_CALL(log_on(vm));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES + KS_WINDOW);
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
	EXPECT_SOUND(ks_audit(&self->ks));
	ASSERT_CALL(log_off(vm));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES + KS_WINDOW);
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
}

static int toggle(struct ks_racer *r)
{
	r->call = TD_CALL_SLOT_FLAGS;
	return r->vm->slots[TD_SLOT_MOBILE].flags ? log_off(r->vm) : log_on(r->vm);
}

static int harvest(struct ks_racer *r)
{
	int ret = dirty(r->vm, 0, KS_WINDOW);

	r->call = TD_CALL_GET_DIRTY;
	/* no log, no bitmap */
	return ret == -ENOENT ? 1 : ret < 0 ? ret : 0;
}

static int fault(struct ks_racer *r)
{
	return ks_fault_mobile(r, 64);
}

TEST_KS(dirty_log_split, races_with_faults)
{
	struct td *vm = &self->vm;
	struct ks_racer racers[] = {
		{ .name = "log", .step = toggle, .vm = vm },
		{ .name = "harvest", .step = harvest, .vm = vm },
		{ .name = "map", .step = fault, .vm = vm, .activity = TD_ACT_SLOTS },
		{ .name = "map", .step = fault, .vm = vm, .vcpu = 1, .activity = TD_ACT_SLOTS },
	};

	KS_START_HUGE();
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	if (vm->slots[TD_SLOT_MOBILE].flags)
		ASSERT_CALL(log_off(vm));
	ASSERT_CALL(ks_map(vm, 0, vm->slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_LEAFS(KS_HUGE_LEAFS);
}

KS_TEST_MAIN("dirty_log_split: huge leafs of shared memory under dirty logging.");
