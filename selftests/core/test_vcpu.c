// SPDX-License-Identifier: GPL-2.0
/* vCPUs: creation, association with processors, flush, fields, zero-step filter. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define RCX	TDX_OPERAND_ID_RCX
#define INIT_V1	(TDH_VP_INIT | 1ULL << TDX_VERSION_SHIFT)

FIXTURE(vcpu) {
	struct host h;
	struct test_td td;	/* runnable, 2 vCPUs */
	struct test_td early;	/* initialized, none */
};

FIXTURE_SETUP(vcpu)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 2));
	ASSERT_EQ(0, td_start(&self->h, &self->early, HOST_KEYID + 1, STAGE_INITIALIZED, 0));
	self->h.arg = &self->td;
}

FIXTURE_TEARDOWN(vcpu)
{
	tdxm_env_user_set_lp(0);
	host_stop(&self->h);
}

TEST_F(vcpu, create_in_the_abis_order)
{
	struct host *h = &self->h;
	u64 vpr = host_page(h), tdr = self->early.tdr;

	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_VP_CREATE, vpr, self->td.tdr, 0));
	ASSERT_EQ(0, seamcall(h, TDH_VP_CREATE, vpr, tdr, 0));
	EXPECT_EQ(TDX_TDCX_NUM_INCORRECT, seamcall(h, INIT_V1, vpr, 0, 0));
	EXPECT_EQ(0, seamcall(h, TDH_VP_ADDCX, host_page(h), vpr, 0));
	EXPECT_EQ(0, seamcall(h, TDH_VP_ADDCX, host_page(h), vpr, 0));
	EXPECT_EQ(TDX_TDCX_NUM_INCORRECT, seamcall(h, TDH_VP_ADDCX, host_page(h), vpr, 0));
	EXPECT_EQ(TDX_VCPU_STATE_INCORRECT | VCPU_UNINITIALIZED,
		  seamcall(h, TDH_VP_RD, vpr, MD_VMCS_SHARED_EPTP, 0));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R8,
		  seamcall(h, INIT_V1, vpr, 0, 1ULL << 32));
	EXPECT_EQ(0, seamcall(h, INIT_V1, vpr, 0xabc, 7));
	EXPECT_EQ(0xabc, tdxm_vcpu_initial_rcx(tdxm_env_va(vpr)));
	EXPECT_EQ(TDX_VCPU_STATE_INCORRECT | VCPU_READY, seamcall(h, INIT_V1, vpr, 0, 8));
	EXPECT_EQ(TDX_VCPU_STATE_INCORRECT | VCPU_READY,
		  seamcall(h, TDH_VP_ADDCX, host_page(h), vpr, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_VP_ENTER, vpr, 0, 0));
}

static u64 make_vcpu(struct host *h, u64 tdr, u64 version, u64 x2apic_id)
{
	u64 vpr = host_page(h), status = seamcall(h, TDH_VP_CREATE, vpr, tdr, 0);

	status = status ?: seamcall(h, TDH_VP_ADDCX, host_page(h), vpr, 0);
	status = status ?: seamcall(h, TDH_VP_ADDCX, host_page(h), vpr, 0);
	return status ?: seamcall(h, TDH_VP_INIT | version << TDX_VERSION_SHIFT, vpr, 0, x2apic_id);
}

TEST_F(vcpu, limits)
{
	struct host *h = &self->h;
	u32 i;

	EXPECT_EQ(0, make_vcpu(h, self->early.tdr, 1, 0));
	EXPECT_EQ(TDX_X2APIC_ID_NOT_UNIQUE | 0, make_vcpu(h, self->early.tdr, 1, 0));
	for (i = 1; i < HOST_MAX_VCPUS; i++)
		EXPECT_EQ(0, make_vcpu(h, self->early.tdr, i & 1, i));
	EXPECT_EQ(TDX_MAX_VCPUS_EXCEEDED, make_vcpu(h, self->early.tdr, 1, i));
	EXPECT_EQ(HOST_MAX_VCPUS, td_tdcs(&self->early)->num_vcpus);
}

TEST_F(vcpu, versions)
{
	struct host *h = &self->h;
	const u64 bad = TDX_OPERAND_INVALID | TDX_OPERAND_ID_RAX;

	EXPECT_EQ(0, make_vcpu(h, self->early.tdr, 0, 99));
	EXPECT_EQ(bad, make_vcpu(h, self->early.tdr, 2, 0));
	EXPECT_EQ(bad, seamcall(h, TDH_MEM_TRACK | 1ULL << TDX_VERSION_SHIFT, self->td.tdr, 0, 0));
	EXPECT_EQ(bad, seamcall(h, TDH_MEM_TRACK | 1ULL << 24, self->td.tdr, 0, 0));
	EXPECT_EQ(bad, seamcall(h, TDH_MEM_TRACK | 1ULL << 63, self->td.tdr, 0, 0));
}

TEST_F(vcpu, is_associated_with_one_processor)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 vpr = td->vcpu[0].tdvpr;

	/* TDH.VP.INIT associated it with processor 0. */
	EXPECT_EQ(2, td_tdcs(td)->num_assoc_vcpus);
	tdxm_env_user_set_lp(1);
	EXPECT_EQ(TDX_VCPU_ASSOCIATED, td_enter(td, 0));
	EXPECT_EQ(TDX_VCPU_ASSOCIATED, seamcall(h, TDH_VP_RD, vpr, MD_VMCS_SHARED_EPTP, 0));
	EXPECT_EQ(TDX_VCPU_ASSOCIATED, seamcall(h, TDH_VP_WR, vpr, MD_VMCS_SHARED_EPTP, 0));
	EXPECT_EQ(TDX_VCPU_NOT_ASSOCIATED, seamcall(h, TDH_VP_FLUSH, vpr, 0, 0));
	tdxm_env_user_set_lp(0);
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(0, seamcall(h, TDH_VP_FLUSH, vpr, 0, 0));
	EXPECT_EQ(TDX_VCPU_NOT_ASSOCIATED, seamcall(h, TDH_VP_FLUSH, vpr, 0, 0));
	EXPECT_EQ(1, td_tdcs(td)->num_assoc_vcpus);
	tdxm_env_user_set_lp(1);
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(1, td->vcpu[0].vcpu->assoc_lp);
	EXPECT_EQ(2, td_tdcs(td)->num_assoc_vcpus);
	EXPECT_EQ(0, seamcall(h, TDH_VP_FLUSH, vpr, 0, 0));
	tdxm_env_user_set_lp(2);
	EXPECT_EQ(0, seamcall(h, TDH_VP_RD, vpr, MD_VMCS_SHARED_EPTP, 0));
	EXPECT_EQ(2, td->vcpu[0].vcpu->assoc_lp);
}

TEST_F(vcpu, operands)
{
	struct host *h = &self->h;

	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, seamcall(h, TDH_VP_ENTER, 1, 0, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_VP_ENTER, self->td.tdr, 0, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_VP_FLUSH, self->td.vcpu[0].tdcx[0], 0, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RDX,
		  seamcall(h, TDH_VP_ADDCX, host_page(h), self->td.tdr, 0));
}

TEST_F(vcpu, fields)
{
	static const struct {
		u64 field, value;
	} fields[] = {
		{ MD_VMCS_SHARED_EPTP, 0x123000 },
		{ MD_VMCS_POSTED_INTR_DESC, 0x456040 },
		{ MD_VMCS_POSTED_INTR_NV, 0xf2 },
		{ MD_VMCS_PIN_BASED, 0x80 },
		{ MD_VMCS_SECONDARY, 0x80000000 },
		{ MD_VMCS_NOTIFY_WINDOW, 1000 },
		{ MD_TDVPS_PEND_NMI, 1 },
	};
	u64 vpr = self->td.vcpu[0].tdvpr;
	struct host *h = &self->h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		EXPECT_EQ(0, seamcall4(h, TDH_VP_WR, vpr, fields[i].field, fields[i].value, ~0ULL));
		EXPECT_EQ(0, h->last.r8);
		EXPECT_EQ(0, seamcall(h, TDH_VP_RD, vpr, fields[i].field, 0));
		EXPECT_EQ(fields[i].value, h->last.r8);
	}
	/* A mask changes only its bits; the old value comes back. */
	EXPECT_EQ(0, seamcall4(h, TDH_VP_WR, vpr, MD_VMCS_PIN_BASED, 1, 1));
	EXPECT_EQ(0x80, h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_VP_RD, vpr, MD_VMCS_PIN_BASED, 0));
	EXPECT_EQ(0x81, h->last.r8);

	EXPECT_EQ(0, seamcall(h, TDH_VP_RD, vpr, MD_TDVPS_STATE_DETAILS, 0));
	EXPECT_EQ(TDX_METADATA_FIELD_NOT_WRITABLE,
		  seamcall4(h, TDH_VP_WR, vpr, MD_TDVPS_STATE_DETAILS, 1, ~0ULL));
	EXPECT_EQ(TDX_METADATA_FIELD_ID_INCORRECT, seamcall(h, TDH_VP_RD, vpr, 0x681e, 0));
	EXPECT_EQ(TDX_METADATA_FIELD_ID_INCORRECT,
		  seamcall4(h, TDH_VP_WR, vpr, 0x681e, 1, ~0ULL));
	EXPECT_EQ(0, h->last.r8);
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R8,
		  seamcall4(h, TDH_VP_WR, vpr, MD_VMCS_SHARED_EPTP, 0x123456, ~0ULL));
}

static u64 check_guest_view(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	u64 *state = tdxm_vcpu_guest_state(vcpu), bits = tdxm_vcpu_random(vcpu);

	if (state[7] == bits || tdxm_vcpu_shared_bit(vcpu) != SHARED_BIT)
		return 1;
	state[7] = bits;
	regs->rcx = 0xfc00;
	regs->r15 = tdxm_vcpu_index(vcpu);
	return 77;
}

TEST_F(vcpu, the_guest_sees_its_vcpu_and_returns_registers)
{
	self->h.guest = check_guest_view;
	EXPECT_EQ(77, td_enter(&self->td, 1));
	EXPECT_EQ(0xfc00, self->h.last.rcx);
	EXPECT_EQ(1, self->h.last.r15);
	EXPECT_EQ(77, td_enter(&self->td, 1));
}

TEST_F(vcpu, random_streams_repeat_with_the_seed)
{
	struct test_td *td = &self->td;
	u32 a = tdxm_vcpu_random(td->vcpu[0].vcpu), b = tdxm_vcpu_random(td->vcpu[1].vcpu);
	struct host other;

	EXPECT_NE(a, b);
	host_stop(&self->h);
	ASSERT_EQ(0, host_start(&other, NULL));
	ASSERT_EQ(0, td_start(&other, td, HOST_KEYID, STAGE_RUNNABLE, 2));
	EXPECT_EQ(a, tdxm_vcpu_random(td->vcpu[0].vcpu));
	EXPECT_EQ(b, tdxm_vcpu_random(td->vcpu[1].vcpu));
	host_stop(&other);
	ASSERT_EQ(0, host_start(&self->h, NULL));
}

/* --- the zero-step filter --- */

static u64 string_instruction(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	static int page;

	tdxm_vcpu_set_rip(vcpu, 0xffff0000);
	if (tdxm_guest_access(h->m, vcpu, GPA_4K(page++), true, regs) == TDXM_ACCESS_EPT_VIOLATION)
		return TDX_EXIT_REASON_EPT_VIOLATION;
	return 77;
}

static u64 entries;

static u64 same_access(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	entries++;
	if (tdxm_guest_access(h->m, vcpu, TEST_GPA, true, regs) == TDXM_ACCESS_EPT_VIOLATION)
		return TDX_EXIT_REASON_EPT_VIOLATION;
	return 77;
}

TEST_F(vcpu, six_faults_at_one_rip_lock_the_tree)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 *tree = &td_tdcs(td)->sept_lock;
	int i;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	h->guest = same_access;
	tdxm_trylock(&h->m->lp[1], LOCK_SEPT_TREE, tree, LOCK_SHARED);
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(TDX_EXIT_REASON_EPT_VIOLATION, td_enter(td, 0));
		EXPECT_EQ(TEST_GPA, h->last.r8);
	}
	EXPECT_EQ(0, host_counter(h, "guest.zero_step"));
	EXPECT_EQ(TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT, td_enter(td, 0));
	EXPECT_EQ(1, host_counter(h, "guest.zero_step"));
	tdxm_unlock(tree, LOCK_SHARED);
	EXPECT_EQ(6, entries);

	/* Not mapped yet: the same violation again, without entering. */
	EXPECT_EQ(TDX_EXIT_REASON_EPT_VIOLATION, td_enter(td, 0));
	EXPECT_EQ(TEST_GPA, h->last.r8);
	EXPECT_EQ(6, entries);
	ASSERT_EQ(0, td_aug(td, TEST_GPA, host_page(h)));
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(7, entries);
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(3, host_counter(h, "guest.zero_step"));
	EXPECT_EQ(0, *tree);
}

TEST_F(vcpu, faults_of_one_instruction_on_many_pages_count)
{
	struct test_td *td = &self->td;
	int i;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	self->h.guest = string_instruction;
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(TDX_EXIT_REASON_EPT_VIOLATION, td_enter(td, 0));
		ASSERT_EQ(0, td_aug(td, self->h.last.r8, host_page(&self->h)));
	}
	EXPECT_EQ(0, host_counter(&self->h, "guest.zero_step"));
	EXPECT_EQ(TDX_EXIT_REASON_EPT_VIOLATION, td_enter(td, 0));
	EXPECT_EQ(1, host_counter(&self->h, "guest.zero_step"));
}

static u64 moves_on(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	static int page;

	if (tdxm_guest_accept(h->m, vcpu, GPA_4K(page), regs) != TDXM_ACCESS_OK)
		return TDX_EXIT_REASON_EPT_VIOLATION;
	tdxm_guest_access(h->m, vcpu, GPA_4K(page++), true, regs);
	return 77;
}

TEST_F(vcpu, a_guest_that_makes_progress_is_not_suspected)
{
	struct test_td *td = &self->td;
	int i;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	self->h.guest = moves_on;
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(TDX_EXIT_REASON_EPT_VIOLATION, td_enter(td, 0));
		ASSERT_EQ(0, td_aug(td, GPA_4K(i), host_page(&self->h)));
		EXPECT_EQ(77, td_enter(td, 0));
	}
	EXPECT_EQ(0, host_counter(&self->h, "guest.zero_step"));
}

TEST_HARNESS_MAIN
