// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a TD: its descriptors are closed in every order, with all of its
 * memory mapped, and its process is killed in the middle of everything. Nothing may
 * be left, and the last descriptor decides when.
 */
#include <fcntl.h>
#include <glob.h>
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
/* Tests of other programs take longer until they are at what they are for. */
#define MAX_RUN_US	2400000
#define MAX_VICTIMS	512
/* So many may have ended by themselves for each that is killed. */
#define EARLY		10
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

/* What KVM's parameters are, for all of the machine. */
static u64 parameters_now(void)
{
	char value[64];
	u64 sum = 0;
	glob_t found;
	size_t i, j;

	if (glob("/sys/module/kvm*/parameters/*", 0, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++) {
		int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, value, sizeof(value));

		for (j = 0; n > 0 && j < (size_t)n; j++)
			sum = sum * 31 + (unsigned char)value[j];
		if (fd >= 0)
			close(fd);
	}
	globfree(&found);
	return sum;
}

/* What is left of a test that was killed; NULL: nothing. */
static const char *left_behind(struct ks *ks, u64 parameters)
{
	struct tdp_stress_query q = { .size = sizeof(q) };
	const char *wrong = NULL;

	if (!ks_idle(ks))
		wrong = ks->text;
	else if (ks_dev(ks, TDP_STRESS_QUERY, &q))
		wrong = "TDP_STRESS_QUERY failed";
	else if (q.live_holds)
		wrong = "a holding point is armed";
	else if (q.live_injects)
		wrong = "an injection is armed";
	else if (q.live_vms)
		wrong = "tdp_stress.ko has a VM";
	else if (parameters_now() != parameters)
		wrong = "a parameter of KVM's is not what it was";
	return wrong ?: ks_check(ks);
}

/*
 * Any test of any program is killed at any moment. Not module_unload, which takes along
 * what knows of it: it has a test of its own.
 */
TEST_F_TIMEOUT(teardown, any_program, 7200)
{
	static struct ks_victim victims[MAX_VICTIMS];
	u64 kills = ks_number("TDP_STRESS_KILLS", KILLS, 100000), done = 0, early = 0;
	unsigned int nr = ks_victims(victims, MAX_VICTIMS, " module_unload ",
				     variant->backend == KS_EXTERNAL ? "external" :
				     variant->backend == KS_EMULATED ? "emulated" : "real");
	u64 parameters = parameters_now();
	char said[512];
	struct rng rng;

	if (!nr)
		SKIP(return, "the other programs are not beside this one");
	rng_init(&rng, self->ks.seed, 1);
	while (done < kills && early < EARLY * (kills + 1)) {
		struct ks_victim *v = &victims[rng_below(&rng, nr)];
		const char *wrong;
		int code;

		/* itself, in itself, in itself */
		if (!strcmp(v->test, "any_program"))
			continue;
		ASSERT_EQ(0, ks_victim_start(v));
		usleep(rng_below(&rng, MAX_RUN_US >> rng_below(&rng, 4)));
		code = ks_victim_kill(v, rng_one_in(&rng, 2));
		/* it may have told the log to expect warnings */
		ks_expect_warnings(false);
		ks_victim_last_words(v, said, sizeof(said));
		ASSERT_TRUE(code == -1 || code == KSFT_PASS || code == KSFT_SKIP) {
			TH_LOG("%s.%s, seed %llu: failed before it was killed: %s", v->program,
			       v->test, self->ks.seed, said);
		}
		wrong = left_behind(&self->ks, parameters);
		ASSERT_EQ(NULL, wrong) {
			TH_LOG("kill %llu, %s.%s, seed %llu: %s; it had said: %s", done,
			       v->program, v->test, self->ks.seed, wrong, said);
		}
		ks_victim_forget(v);
		done += code == -1;
		early += code != -1;
	}
	EXPECT_EQ(kills, done);
	TH_LOG("killed %llu times, in any of %u tests, seed %llu; %llu had ended before", done, nr,
	       self->ks.seed, early);
}

KS_TEST_MAIN("teardown: descriptors closed in every order; SIGKILL in the middle of everything.\n"
	     "  TDP_STRESS_KILLS=N    times that each test kills a process (default 20)");
