// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a TD: its descriptors are closed in every order, with all of its
 * memory mapped, and its process is killed in the middle of everything. Nothing may
 * be left, and the last descriptor decides when.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "ks_test.h"

KS_FIXTURE(teardown);

#define PAGES		(KS_HUGE_PAGES + 64)
#define NR_FDS		4	/* the VM, guest_memfd, two vCPUs */
#define NR_ORDERS	24
/* Kills: enough for a quick run; TDP_STRESS_KILLS for more. */
#define KILLS		20
#define MAX_KILL_US	300000
#define HOLD_MS		100

static const struct td_config config = { .nr_vcpus = 2, .nr_pages = PAGES };

/* The @n-th of the orders of four things. */
static void order(unsigned int n, unsigned int *place)
{
	unsigned int left[NR_FDS] = { 0, 1, 2, 3 }, i, pick;

	for (i = 0; i < NR_FDS; i++) {
		pick = n % (NR_FDS - i);
		n /= NR_FDS - i;
		place[i] = left[pick];
		left[pick] = left[NR_FDS - 1 - i];
	}
}

static int *descriptor(struct td *vm, unsigned int which)
{
	switch (which) {
	case 0:
		return &vm->vm_fd;
	case 1:
		return &vm->gmem_fd;
	default:
		return &vm->vcpus[which - 2].fd;
	}
}

TEST_KS(teardown, every_order)
{
	unsigned int n, i, place[NR_FDS];
	struct td *vm = &self->vm;

	for (n = 0; n < NR_ORDERS; n++) {
		u64 live = 1;

		ASSERT_MADE(vm, ks_vm_make(&self->ks, vm, &config));
		ASSERT_CALL(ks_map(vm, n & 1, 0, PAGES));
		EXPECT_PRIVATE(&self->ks, PAGES);
		order(n, place);
		for (i = 0; i < NR_FDS; i++) {
			int *fd = descriptor(vm, place[i]);

			/* as long as one of the VM's own is open it lives */
			if (variant->backend != KS_REAL && i < 2) {
				ASSERT_TRUE(ks_tdx_counter(&self->ks, "td.live", &live));
				EXPECT_EQ(1, live);
			}
			ASSERT_EQ(0, close(*fd));
			*fd = -1;
			/* guest_memfd's pages go with guest_memfd */
			if (place[i] == 1)
				EXPECT_PRIVATE(&self->ks, 0);
		}
		td_destroy(vm);
		ASSERT_TRUE(ks_idle(&self->ks)) {
			TH_LOG("order %u %u %u %u: %s", place[0], place[1], place[2], place[3],
			       self->ks.text);
		}
	}
}

/* The process that made it ends and closes nothing. */
TEST_KS(teardown, by_exit)
{
	int status;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		_exit(ks_vm_make(&self->ks, &self->vm, &config) ? 1 :
		      ks_map(&self->vm, 0, 0, PAGES) ? 2 : 0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
}

/* Another process still has the VM: it is alive, but KVM serves the first one only. */
TEST_KS(teardown, outlives_its_process)
{
	int to_child[2], status;
	struct td *vm = &self->vm;
	char byte = 0;
	pid_t child;
	u64 live;

	ASSERT_MADE(vm, ks_vm_make(&self->ks, vm, &config));
	ASSERT_CALL(ks_map(vm, 0, 0, PAGES));
	ASSERT_EQ(0, pipe(to_child));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(to_child[1]);
		/* KVM_* of another process's VM */
		status = td_prefault(&vm->vcpus[0], 0, 1, NULL) != -EIO;
		/* until the parent has closed its end */
		while (read(to_child[0], &byte, 1) > 0)
			;
		_exit(status);
	}
	close(to_child[0]);
	td_destroy(vm);
	if (variant->backend != KS_REAL) {
		ASSERT_TRUE(ks_tdx_counter(&self->ks, "td.live", &live));
		EXPECT_EQ(1, live);
	}
	close(to_child[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
}

/*
 * What a process can have in force when it ends: an injection, and a holding point with
 * a thread in it. Neither may outlive it.
 */
static void arm(struct ks *ks, struct td *vm)
{
	struct tdp_stress_hold hold = {
		.point = TDP_STRESS_POINT_EXT_END, .hold_ms = HOLD_MS, .skip = 20,
	};

	ks->dev_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	if (!ks_lacks(ks, 0, 0, 1ULL << TDP_STRESS_POINT_EXT_END,
		      1ULL << TDP_STRESS_INJECT_EXTOP) &&
	    (ks_hold(ks, vm, &hold) < 0 ||
	     ks_inject(ks, TDP_STRESS_INJECT_EXTOP, TDP_STRESS_EXTOP_MAP, TDP_STRESS_INJECT_NTH, 7,
		       EBUSY)))
		_exit(1);
}

/* Everything at once, until a signal ends it. */
static void live_until_killed(struct ks *ks, struct td *vm)
{
	u32 all = TD_ACT_SLOTS | TD_ACT_ATTRS;
	struct ks_gates gates;
	size_t i;
	struct ks_racer racers[] = {
		{ .name = "window", .step = ks_step_window, .vm = vm },
		{ .name = "mobile", .step = ks_step_mobile, .vm = vm },
		{ .name = "punch", .step = ks_step_punch, .vm = vm },
		{ .name = "convert", .step = ks_step_convert, .vm = vm },
		{ .name = "map", .step = ks_step_map, .vm = vm, .activity = all },
		{
			.name = ks_can_run(ks) ? "run" : "map", .vm = vm, .vcpu = 1,
			.step = ks_can_run(ks) ? ks_step_run : ks_step_map, .activity = all,
		},
	};

	ks_gates_init(&gates);
	for (i = 0; i < ARRAY_SIZE(racers); i++)
		racers[i].gates = &gates;
	ks->race_ms = 60000;
	/* its first moments are as good as any */
	if (ks_vm_start(ks, vm))
		_exit(1);
	arm(ks, vm);
	_exit(ks_race(ks, racers, ARRAY_SIZE(racers)) ? 2 : 3);
}

TEST_F_TIMEOUT(teardown, by_kill, 3600)
{
	u64 kills = ks_number("TDP_STRESS_KILLS", KILLS, 100000), i;
	struct tdp_stress_query q = { .size = sizeof(q) };
	struct rng rng;
	int status;

	rng_init(&rng, self->ks.seed, 0);
	for (i = 0; i < kills; i++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child)
			live_until_killed(&self->ks, &self->vm);
		usleep(rng_below(&rng, MAX_KILL_US));
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			TH_LOG("kill %llu, seed %llu: it had ended with %d, %s", i, self->ks.seed,
			       WEXITSTATUS(status), WEXITSTATUS(status) == 1 ?
			       "no VM could be made" : "a race went wrong");
		}
		ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
		ASSERT_EQ(0, q.live_holds + q.live_injects) {
			TH_LOG("kill %llu, seed %llu: %u holding point(s), %u injection(s)", i,
			       self->ks.seed, q.live_holds, q.live_injects);
		}
		ASSERT_TRUE(ks_idle(&self->ks)) {
			TH_LOG("kill %llu, seed %llu: %s", i, self->ks.seed, self->ks.text);
		}
	}
	TH_LOG("killed %llu times, seed %llu", kills, self->ks.seed);
}

KS_TEST_MAIN("teardown: descriptors closed in every order; SIGKILL in the middle of everything.\n"
	     "  TDP_STRESS_KILLS=N    times that a process is killed (default 20)");
