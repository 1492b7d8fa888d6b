// SPDX-License-Identifier: GPL-2.0
/*
 * The frozen window, held open: a thread is stopped in the middle of changing a mirror
 * SPTE under mmu_lock held for read, and others come by. While it is open KVM has not
 * counted the page, and the TDX module has or has not it, depending on where it is
 * held; a fault at the same SPTE gets nowhere, one at another does, and a removal
 * waits.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "ks_test.h"

KS_FIXTURE(frozen_window);

#define POINT(nr)	(1ULL << TDP_STRESS_POINT_##nr)
#define KIND(nr)	(1U << TDP_STRESS_EXTOP_##nr)
#define HELD_READ	2
#define HELD_WRITE	3
#define THREE_CPUS		3	/* who is held, who comes by, who looks */
#define GFN		77ULL
#define HOLD_MS		0	/* as long as may be: until it is released */
#define AUDITS_US	800000	/* audit_ms is 250 */
#define COME_MS		40000
/* Long enough for who does not wait to be done, on a slow machine. */
#define SEE_MS		300

/**
 * struct caller - a call in a thread of its own
 * @vm: of what
 * @vcpu: by which vCPU, if it is a fault
 * @gfn: where
 * @call: the call
 * @done: it has returned
 * @ret: what
 * @thread: that makes it
 */
struct caller {
	struct td *vm;
	unsigned int vcpu;
	u64 gfn;
	int (*call)(struct caller *c);
	atomic_bool done;
	int ret;
	pthread_t thread;
};

static int fault(struct caller *c)
{
	return ks_map(c->vm, c->vcpu, c->gfn, 1);
}

static int punch(struct caller *c)
{
	return td_punch(c->vm, c->gfn, 1);
}

static int convert(struct caller *c)
{
	return td_set_private(c->vm, c->gfn, 1, false);
}

static int delete(struct caller *c)
{
	return td_slot_delete(c->vm, TD_SLOT_MAIN);
}

static void *caller(void *arg)
{
	struct caller *c = arg;

	c->ret = c->call(c);
	c->done = true;
	return NULL;
}

static int begin(struct caller *c)
{
	return -pthread_create(&c->thread, NULL, caller, c);
}

static int end(struct caller *c)
{
	pthread_join(c->thread, NULL);
	return c->ret;
}

static bool done_within(struct caller *c, unsigned int ms)
{
	unsigned int waited;

	for (waited = 0; waited < ms && !c->done; waited += 5)
		usleep(5000);
	return c->done;
}

/* Arm @_point for @_kinds at @_gfn, and let vCPU 0 fault there; @held: what came of it. */
#define ARM_A_MAP(_point, _kinds, _gfn, _hold_ms)			\
	struct tdp_stress_hold_wait held;				\
	struct caller mapper = { .vm = &self->vm, .gfn = _gfn, .call = fault };	\
	struct tdp_stress_hold hold = {					\
		.point = TDP_STRESS_POINT_##_point, .kinds = _kinds,	\
		.gfn = (_gfn) & ~511ULL, .nr = 512, .hold_ms = _hold_ms,	\
	};								\
	int id;								\
									\
	KS_NEEDS_CPUS(THREE_CPUS);						\
	KS_NEEDS(0, 0, POINT(_point), 0);				\
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));	\
	id = ks_hold(&self->ks, &self->vm, &hold);			\
	ASSERT_CALL(id);						\
	ASSERT_EQ(0, begin(&mapper));					\
	ASSERT_CALL(ks_hold_wait(&self->ks, id, COME_MS, &held))

/* The same for longer than anybody takes to look: it is held. */
#define HOLD_A_MAP(_point, _kinds, _gfn)				\
	ARM_A_MAP(_point, _kinds, _gfn, HOLD_MS);			\
	EXPECT_EQ(TDP_STRESS_HOLD_HELD, held.state)

#define LET_GO() do {							\
	EXPECT_EQ(TDP_STRESS_HOLD_HELD, ks_release(&self->ks, id));	\
	EXPECT_EQ(0, end(&mapper));					\
} while (0)

/* Before the external operation: neither side has the page. */
TEST_KS(frozen_window, before_the_operation)
{
	HOLD_A_MAP(EXT_BEGIN, KIND(MAP), GFN);
	EXPECT_EQ(HELD_READ, held.lock);
	EXPECT_EQ(1, held.level);
	EXPECT_EQ(GFN, held.gfn);
	EXPECT_EQ(TDP_STRESS_EXTOP_MAP, held.kind);
	EXPECT_MAPPED(&self->vm, 0);
	EXPECT_PRIVATE(&self->ks, 0);
	LET_GO();
	EXPECT_MAPPED(&self->vm, 1);
	EXPECT_PRIVATE(&self->ks, 1);
}

/* After it: the TDX module has the page, and KVM has not come to count it. */
TEST_KS(frozen_window, after_the_operation)
{
	HOLD_A_MAP(EXT_END, KIND(MAP), GFN);
	EXPECT_EQ(HELD_READ, held.lock);
	EXPECT_EQ(GFN, held.gfn);
	EXPECT_MAPPED(&self->vm, 0);
	EXPECT_PRIVATE(&self->ks, 1);
	LET_GO();
	EXPECT_MAPPED(&self->vm, 1);
	EXPECT_PRIVATE(&self->ks, 1);
}

/* A fault at the same SPTE gets nowhere, and does not map it a second time. */
TEST_KS(frozen_window, fault_at_the_same)
{
	struct caller other = { .vm = &self->vm, .vcpu = 1, .gfn = GFN, .call = fault };
	u64 before = 0, after = 0;

	HOLD_A_MAP(EXT_END, KIND(MAP), GFN);
	if (variant->backend != KS_REAL)
		ASSERT_TRUE(ks_tdx_counter(&self->ks, "leaf.TDH.MEM.PAGE.AUG.calls", &before));
	ASSERT_EQ(0, begin(&other));
	EXPECT_FALSE(done_within(&other, SEE_MS));
	LET_GO();
	EXPECT_EQ(0, end(&other));
	EXPECT_MAPPED(&self->vm, 1);
	EXPECT_PRIVATE(&self->ks, 1);
	if (variant->backend != KS_REAL) {
		ASSERT_TRUE(ks_tdx_counter(&self->ks, "leaf.TDH.MEM.PAGE.AUG.calls", &after));
		EXPECT_EQ(before, after);
	}
}

/* One at its neighbour, in the same page table, does not care. */
TEST_KS(frozen_window, fault_at_the_neighbour)
{
	struct caller other = { .vm = &self->vm, .vcpu = 1, .gfn = GFN + 1, .call = fault };

	HOLD_A_MAP(EXT_BEGIN, KIND(MAP), GFN);
	/* audits are due meanwhile; one that waited for mmu_lock would keep all readers out */
	usleep(AUDITS_US);
	ASSERT_EQ(0, begin(&other));
	EXPECT_TRUE(done_within(&other, COME_MS));
	EXPECT_MAPPED(&self->vm, 1);
	EXPECT_PRIVATE(&self->ks, 1);
	LET_GO();
	EXPECT_EQ(0, end(&other));
	EXPECT_MAPPED(&self->vm, 2);
}

/* A page table is being linked: whoever wants to go through it has to wait. */
TEST_KS(frozen_window, fault_below_a_table)
{
	struct caller other = { .vm = &self->vm, .vcpu = 1, .gfn = GFN + 1, .call = fault };

	HOLD_A_MAP(EXT_BEGIN, KIND(LINK), GFN);
	EXPECT_EQ(HELD_READ, held.lock);
	EXPECT_LT(1, held.level);
	ASSERT_EQ(0, begin(&other));
	EXPECT_FALSE(done_within(&other, SEE_MS));
	EXPECT_MAPPED(&self->vm, 0);
	LET_GO();
	EXPECT_EQ(0, end(&other));
	EXPECT_MAPPED(&self->vm, 2);
	EXPECT_PRIVATE(&self->ks, 2);
}

/* What takes memory away waits for the window to close, and then finds the page. */
#define WAITS(_call)							\
	struct caller other = { .vm = &self->vm, .gfn = GFN, .call = _call };	\
	HOLD_A_MAP(EXT_END, KIND(MAP), GFN);			\
	ASSERT_EQ(0, begin(&other));					\
	EXPECT_FALSE(done_within(&other, SEE_MS));			\
	EXPECT_PRIVATE(&self->ks, 1);					\
	EXPECT_EQ(TDP_STRESS_HOLD_HELD, ks_release(&self->ks, id));	\
	/* it may have to begin anew, when the page is gone already */	\
	end(&mapper);							\
	EXPECT_EQ(0, end(&other))

TEST_KS(frozen_window, hole)
{
	WAITS(punch);
	ASSERT_CALL(td_punch(&self->vm, GFN, 1));
	EXPECT_MAPPED(&self->vm, 0);
	EXPECT_PRIVATE(&self->ks, 0);
}

TEST_KS(frozen_window, conversion)
{
	WAITS(convert);
	EXPECT_PRIVATE(&self->ks, 0);
}

TEST_KS(frozen_window, slot_deletion)
{
	WAITS(delete);
	EXPECT_MAPPED(&self->vm, 0);
	EXPECT_PRIVATE(&self->ks, 0);
}

/* A removal holds mmu_lock for write: nobody is beside it, everybody behind it. */
TEST_KS(frozen_window, removal)
{
	struct caller remover = { .vm = &self->vm, .gfn = GFN, .call = punch };
	struct caller other = { .vm = &self->vm, .vcpu = 1, .gfn = GFN + 1, .call = fault };
	struct tdp_stress_hold hold = {
		.point = TDP_STRESS_POINT_EXT_BEGIN, .kinds = KIND(REMOVE), .level = 1,
		.gfn = GFN, .nr = 1, .hold_ms = HOLD_MS,
	};
	struct tdp_stress_hold_wait held;
	int id;

	KS_NEEDS_CPUS(THREE_CPUS);
	KS_NEEDS(0, 0, POINT(EXT_BEGIN), 0);
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, GFN, 1));
	id = ks_hold(&self->ks, &self->vm, &hold);
	ASSERT_CALL(id);
	ASSERT_EQ(0, begin(&remover));
	ASSERT_CALL(ks_hold_wait(&self->ks, id, COME_MS, &held));
	EXPECT_EQ(HELD_WRITE, held.lock);
	EXPECT_EQ(GFN, held.gfn);
	EXPECT_PRIVATE(&self->ks, 1);
	ASSERT_EQ(0, begin(&other));
	EXPECT_FALSE(done_within(&other, SEE_MS));
	EXPECT_EQ(TDP_STRESS_HOLD_HELD, ks_release(&self->ks, id));
	EXPECT_EQ(0, end(&remover));
	EXPECT_EQ(0, end(&other));
	EXPECT_MAPPED(&self->vm, 1);
	EXPECT_PRIVATE(&self->ks, 1);
}

/* --- the holding points themselves --- */

TEST_KS(frozen_window, lets_go_by_itself)
{
	struct tdp_stress_hold_wait later;

	ARM_A_MAP(EXT_BEGIN, KIND(MAP), GFN, 100);
	/* who looks late sees that it is over */
	EXPECT_TRUE(held.state == TDP_STRESS_HOLD_HELD || held.state == TDP_STRESS_HOLD_EXPIRED);
	EXPECT_EQ(0, end(&mapper));
	ASSERT_CALL(ks_hold_wait(&self->ks, id, 0, &later));
	EXPECT_EQ(TDP_STRESS_HOLD_EXPIRED, later.state);
	EXPECT_LE(100 * 1000000ULL, later.held_ns);
	EXPECT_EQ(TDP_STRESS_HOLD_EXPIRED, ks_release(&self->ks, id));
	EXPECT_MAPPED(&self->vm, 1);
}

/* It is the file that has armed it: closed, nobody is held any more. */
TEST_KS(frozen_window, lets_go_when_closed)
{
	HOLD_A_MAP(EXT_END, KIND(MAP), GFN);
	ASSERT_EQ(0, close(self->ks.dev_fd));
	self->ks.dev_fd = -1;
	EXPECT_TRUE(done_within(&mapper, COME_MS));
	EXPECT_EQ(0, end(&mapper));
	EXPECT_MAPPED(&self->vm, 1);
	EXPECT_PRIVATE(&self->ks, 1);
}

/* A process is killed that holds itself: nothing is left of it. */
TEST_KS(frozen_window, killed_while_held)
{
	struct tdp_stress_query q = { .size = sizeof(q) };
	unsigned int waited;
	int status;
	pid_t child;

	KS_NEEDS_CPUS(THREE_CPUS);
	KS_NEEDS(0, 0, POINT(EXT_END), 0);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct tdp_stress_hold hold = {
			.point = TDP_STRESS_POINT_EXT_END, .kinds = KIND(MAP), .gfn = GFN, .nr = 1,
			.hold_ms = HOLD_MS,
		};

		self->ks.dev_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
		if (self->ks.dev_fd < 0 || ks_vm_start(&self->ks, &self->vm) ||
		    ks_hold(&self->ks, &self->vm, &hold) < 0)
			_exit(1);
		_exit(ks_map(&self->vm, 0, GFN, 1) ? 2 : 3);
	}
	for (waited = 0; waited < COME_MS && !q.live_holds; waited += 5) {
		usleep(5000);
		ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	}
	/* armed: soon it is held */
	usleep(SEE_MS * 1000);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		TH_LOG("it ended by itself, with %d", WEXITSTATUS(status));
	}
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	EXPECT_EQ(0, q.live_holds);
}

KS_TEST_MAIN("frozen_window: a mirror SPTE is held frozen, and others come by.");
