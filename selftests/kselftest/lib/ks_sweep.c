// SPDX-License-Identifier: GPL-2.0
/*
 * The nth allocation, SEAMCALL or external operation of a scenario fails, and what has
 * to be true afterwards. Knows which calls KVM makes and what it does about their
 * failures; what the scenario is about is its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "ks_sweep.h"

#define SEAMCALL	TDP_STRESS_INJECT_SEAMCALL
#define EXTOP		TDP_STRESS_INJECT_EXTOP
#define MAX_N		2000		/* points; there are a few hundred */

/* asm/shared/tdx_errno.h is no header for user space. */
#define STATUS_BUSY			0x8000020000000000ULL
#define STATUS_NO_ENTROPY		0x8000020300000000ULL
#define STATUS_OPERAND_INVALID		0xC000010000000000ULL

/* RDRAND_RETRY_LOOPS of asm/archrandom.h: so often the kernel asks for entropy. */
#define ENTROPY_TRIES	10

/**
 * struct call - a SEAMCALL leaf, or an external operation
 * @name: as in the ABI
 * @nr: its number
 * @busy_is_fine: KVM calls it again, or lets the caller do that
 * @no_entropy_is_fine: KVM lets the caller do that
 * @entry: it needs no entropy, and returns an S-EPT entry in registers which the
 *	kernel would not set again (Documentation/findings.rst)
 * @gives_back: if it fails for good the page stays the TDX module's, but KVM gives it
 *	back to the host, where it does harm to others (Documentation/findings.rst)
 */
struct call {
	const char *name;
	u32 nr;
	bool busy_is_fine;
	bool no_entropy_is_fine;
	bool entry;
	bool gives_back;
};

static const struct call leafs[] = {
	{ .name = "TDH.MNG.CREATE", .nr = 9, .no_entropy_is_fine = true },
	{ .name = "TDH.MNG.KEY.CONFIG", .nr = 8 },
	{ .name = "TDH.MNG.ADDCX", .nr = 1, .no_entropy_is_fine = true },
	{ .name = "TDH.MNG.INIT", .nr = 21 },
	{ .name = "TDH.MNG.RD", .nr = 11 },
	{ .name = "TDH.VP.CREATE", .nr = 10 },
	{ .name = "TDH.VP.ADDCX", .nr = 4 },
	{ .name = "TDH.VP.INIT", .nr = 22 },
	{ .name = "TDH.VP.WR", .nr = 43 },
	{ .name = "TDH.VP.RD", .nr = 26 },
	{ .name = "TDH.VP.FLUSH", .nr = 18 },
	{ .name = "TDH.MEM.SEPT.ADD", .nr = 3, .entry = true, .busy_is_fine = true },
	{ .name = "TDH.MEM.PAGE.ADD", .nr = 2, .entry = true, .busy_is_fine = true },
	{ .name = "TDH.MEM.PAGE.AUG", .nr = 6, .entry = true, .busy_is_fine = true },
	{ .name = "TDH.MR.EXTEND", .nr = 16, .entry = true },
	{ .name = "TDH.MR.FINALIZE", .nr = 17, .busy_is_fine = true },
	{ .name = "TDH.MEM.RANGE.BLOCK", .nr = 7, .entry = true, .busy_is_fine = true,
	  .gives_back = true },
	{ .name = "TDH.MEM.TRACK", .nr = 38, .busy_is_fine = true, .gives_back = true },
	{ .name = "TDH.MEM.PAGE.REMOVE", .nr = 29, .entry = true, .busy_is_fine = true,
	  .gives_back = true },
	{ .name = "TDH.PHYMEM.PAGE.WBINVD", .nr = 41 },
};

static const struct call extops[] = {
	{ .name = "MAP", .nr = TDP_STRESS_EXTOP_MAP, .busy_is_fine = true },
	{ .name = "LINK", .nr = TDP_STRESS_EXTOP_LINK, .busy_is_fine = true },
	{ .name = "REMOVE", .nr = TDP_STRESS_EXTOP_REMOVE },
	{ .name = "SPLIT", .nr = TDP_STRESS_EXTOP_SPLIT, .busy_is_fine = true },
	{ .name = "PROMOTE", .nr = TDP_STRESS_EXTOP_PROMOTE, .busy_is_fine = true },
	{ .name = "OTHER", .nr = TDP_STRESS_EXTOP_OTHER, .busy_is_fine = true },
};

/**
 * struct point - what fails
 * @kind: SEAMCALL or EXTOP; not used of allocations
 * @call: which, NULL: an allocation
 * @status: what it answers
 * @n: the how many-th
 * @burst: the first @n of them instead
 * @may_end: KVM may give the VM up, and warn
 */
struct point {
	u32 kind;
	const struct call *call;
	u64 status;
	u32 n;
	bool burst;
	bool may_end;
};

/**
 * sweep_say() - put a sentence together
 * @s: where it is kept
 * @fmt: as printf()
 *
 * Return: the sentence, until the next one
 */
const char *sweep_say(struct sweep *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->text, sizeof(s->text), fmt, args);
	va_end(args);
	return s->text;
}

/* --- VMs --- */

/* What a VM still lacks that can run. */
static int complete(struct sweep *s)
{
	int ret = 0;

	if (!s->vm->nr_vcpus)
		ret = td_add_vcpu(s->vm);
	if (!ret && !s->finalized)
		ret = td_finalize(s->vm);
	s->finalized = !ret;
	return ret;
}

/* Has KVM given it up? */
static bool is_dead(const struct td *vm)
{
	return vm->env && vm->vm_fd >= 0 &&
	       ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY2) < 0 && errno == EIO;
}

static bool says_eio(int ret)
{
	return ret == -EIO;
}

/* A VM that was given up serves nobody. */
static const char *all_dead(struct sweep *s)
{
	struct td *vm = s->vm;
	u64 bitmap[KS_HUGE_PAGES / 64];

	if (vm->nr_vcpus && !says_eio(td_prefault(&vm->vcpus[0], 0, 1, NULL)))
		return "KVM has given the VM up, but KVM_PRE_FAULT_MEMORY is not EIO";
	if (!says_eio(td_set_private(vm, 0, 1, true)))
		return "KVM has given the VM up, but KVM_SET_MEMORY_ATTRIBUTES is not EIO";
	if (!says_eio(td_slot_delete(vm, TD_SLOT_MAIN)))
		return "KVM has given the VM up, but KVM_SET_USER_MEMORY_REGION2 is not EIO";
	if (!says_eio(td_get_dirty_log(vm, TD_SLOT_MAIN, bitmap)))
		return "KVM has given the VM up, but KVM_GET_DIRTY_LOG is not EIO";
	if (!says_eio(td_try_late_vcpu(vm)))
		return "KVM has given the VM up, but KVM_CREATE_VCPU is not EIO";
	return NULL;
}

/* One that was not works: a page comes and goes. */
static const char *works(struct sweep *s)
{
	struct td *vm = s->vm;
	u64 page = vm->slots[TD_SLOT_MAIN].nr_pages - 1;
	s64 before, with, after;
	int ret = complete(s);

	if (ret)
		return sweep_say(s, "the VM cannot be completed: %s: %s", td_call_name(vm->failed),
				 td_errno_name(-ret));
	before = ks_mapped(vm);
	ret = ks_map(vm, 0, page, 1);
	with = ks_mapped(vm);
	if (!ret)
		ret = td_punch(vm, page, 1);
	after = ks_mapped(vm);
	if (ret)
		return sweep_say(s, "the VM does not work: a page cannot come and go: %s",
				 td_errno_name(-ret));
	if (with != before + 1 || after != before)
		return sweep_say(s, "a page does not come and go: %lld pages, then %lld, then %lld",
				 before, with, after);
	return NULL;
}

/* The VM goes, and with it all that was its own. */
static const char *destroy(struct sweep *s)
{
	td_destroy(s->vm);
	s->ready = false;
	s->finalized = false;
	return ks_idle(s->ks) ? NULL : s->ks->text;
}

/* --- one step --- */

/* May @p be what made this errno? */
static bool legal(const struct point *p, int err)
{
	/* EFAULT: the host got no page for shared memory */
	if (!p->call)
		return err == ENOMEM || err == EFAULT;
	if (p->kind == EXTOP)
		return err == EBUSY || err == EIO || err == EAGAIN;
	return p->may_end && (err == EIO || err == EINVAL);
}

static const char *status_name(u64 status, bool burst)
{
	switch (status) {
	case STATUS_BUSY:
		return "BUSY";
	case STATUS_NO_ENTROPY:
		return burst ? "no entropy for long" : "no entropy";
	default:
		return "OPERAND_INVALID";
	}
}

static const char *point_name(const struct point *p)
{
	static char name[96];

	if (!p->call)
		return "allocation";
	snprintf(name, sizeof(name), "%s: %s", p->call->name, p->kind == EXTOP ?
		 td_errno_name(p->status) : status_name(p->status, p->burst));
	return name;
}

static int arm(struct sweep *s, const struct point *p)
{
	if (p->call)
		return ks_inject(s->ks, p->kind, p->call->nr, p->burst ? TDP_STRESS_INJECT_BURST :
				 TDP_STRESS_INJECT_ONCE, p->n, p->status);
	return ks_fault_arm(s->fault, p->n);
}

/* Has it failed? Or -errno. */
static int disarm(struct sweep *s, const struct point *p)
{
	return p->call ? (int)ks_injected(s->ks, p->kind, p->call->nr) :
			 ks_fault_disarm(s->fault);
}

static int prepare(struct sweep *s)
{
	int ret = 0;

	s->stage = 0;
	if (!s->ready)
		ret = s->sc->setup(s);
	s->ready = !ret;
	return ret;
}

/* What has become of the VM, and of what was to be done? */
static const char *aftermath(struct sweep *s, const struct point *p, int ret, bool failed)
{
	bool may_end = failed && p->may_end;
	char line[256];
	const char *wrong;

	if (ks_log_splat(s->fault, line, sizeof(line)) && !may_end)
		return sweep_say(s, "the kernel says: %s", line);
	wrong = ks_check(s->ks);
	if (wrong)
		return wrong;
	if (ret && !(failed && legal(p, -ret)))
		return sweep_say(s, "%s, although %s", td_errno_name(-ret),
				 failed ? "what failed is no reason for it" : "nothing failed");
	if (is_dead(s->vm))
		return may_end ? all_dead(s) : "KVM has given the VM up";
	if (ret)
		ret = s->sc->run(s);
	if (ret)
		return sweep_say(s, "what failed cannot be repeated: %s", td_errno_name(-ret));
	wrong = s->sc->check(s, failed);
	return wrong ?: works(s);
}

/* The same once more, told in the kernel log with the way to the point that failed. */
static void say_where(struct sweep *s, const struct point *p)
{
	destroy(s);
	if (prepare(s))
		return;
	ks_fault_loud(true);
	ks_log_mark(s->fault);
	if (!arm(s, p)) {
		s->sc->run(s);
		disarm(s, p);
	}
	ks_fault_loud(false);
	printf("# the way there, when it is repeated:\n");
	ks_log_print(s->fault);
}

static const char *fail(struct sweep *s, const struct point *p, const char *wrong)
{
	static char first[sizeof(s->text)];

	/* the repetition puts other sentences where this one is */
	snprintf(first, sizeof(first), "%s, n = %u: %s", point_name(p), p->n, wrong);
	printf("# %s: %s\n", s->sc->name, first);
	say_where(s, p);
	return first;
}

/* 1: it failed; 0: there are fewer of it; -1: @wrong */
static int step(struct sweep *s, const struct point *p, const char **wrong)
{
	int ret = prepare(s), failed = 0;

	*wrong = NULL;
	if (ret) {
		*wrong = sweep_say(s, "the VM cannot be made: %s: %s", td_call_name(s->vm->failed),
				   td_errno_name(-ret));
		return -1;
	}
	if (p->may_end)
		ks_expect_warnings(true);
	ks_log_mark(s->fault);
	ret = arm(s, p);
	if (!ret) {
		ret = s->sc->run(s);
		failed = disarm(s, p);
		*wrong = failed < 0 ? "the failure cannot be disarmed" :
				      aftermath(s, p, ret, failed);
	} else {
		*wrong = "the failure cannot be armed";
	}
	if (!*wrong && (!s->sc->undo || is_dead(s->vm)))
		*wrong = destroy(s);
	else if (!*wrong && s->sc->undo(s))
		*wrong = "it cannot be undone";
	if (p->may_end)
		ks_expect_warnings(false);
	if (*wrong)
		*wrong = fail(s, p, *wrong);
	return *wrong ? -1 : failed;
}

/* n = 1, 2, ... until nothing fails. Returns how often it did, or -1. */
static int exhaust(struct sweep *s, struct point *p, const char **wrong)
{
	int failed;

	for (p->n = 1; p->n < MAX_N; p->n++) {
		failed = step(s, p, wrong);
		if (failed < 0)
			return -1;
		if (!failed)
			return p->n - 1;
	}
	*wrong = "there is no end to it";
	return -1;
}

/* --- sweeps --- */

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* Once without a failure: what is made only once is out of the way then. */
static const char *warm_up(struct sweep *s)
{
	const char *wrong;
	int ret = prepare(s);

	if (!ret)
		ret = s->sc->run(s);
	if (ret)
		return sweep_say(s, "nothing failed, but %s: %s", s->sc->name, td_errno_name(-ret));
	wrong = s->sc->check(s, false);
	return wrong ?: destroy(s);
}

/**
 * ks_sweep_allocations() - let each allocation of a scenario fail
 * @s: the scenario, after ks_fault_begin()
 *
 * Return: NULL, or what is wrong
 */
const char *ks_sweep_allocations(struct sweep *s)
{
	struct point p = { .call = NULL };
	u64 start = now_ms();
	const char *wrong = warm_up(s);
	int points;

	if (wrong)
		return wrong;
	/* vmalloc() and SLUB say that they got nothing; WARNs are looked for all the same */
	ks_expect_warnings(true);
	points = exhaust(s, &p, &wrong);
	ks_expect_warnings(false);
	if (points < 0)
		return wrong;
	printf("# swept %s: allocations %d (%llu ms)\n", s->sc->name, points, now_ms() - start);
	return NULL;
}

/* Which of the calls does the scenario make at all? */
static const char *count_calls(struct sweep *s, u32 kind, const struct call *calls,
			       unsigned int nr, bool *made)
{
	struct tdp_stress_inject off = {
		.size = sizeof(off), .kind = kind, .mode = TDP_STRESS_INJECT_OFF, .vm_fd = -1,
	};
	unsigned int i;
	int ret = prepare(s);

	for (i = 0; !ret && i < nr; i++)
		ret = ks_inject(s->ks, kind, calls[i].nr, TDP_STRESS_INJECT_COUNT, 0, 0);
	if (!ret)
		ret = s->sc->run(s);
	for (i = 0; !ret && i < nr; i++) {
		off.what = calls[i].nr;
		ret = ks_dev(s->ks, TDP_STRESS_INJECT, &off);
		made[i] = off.calls;
	}
	if (ret)
		return sweep_say(s, "calls cannot be counted: %s", td_errno_name(-ret));
	complete(s);
	return destroy(s);
}

/* Points of one status, added to the list of what was swept. */
static const char *sweep_status(struct sweep *s, struct point p, char *list, size_t size)
{
	size_t at = strlen(list);
	const char *wrong;
	int points;

	if (p.burst)
		points = step(s, &p, &wrong) > 0 ? 1 : -1;
	else
		points = exhaust(s, &p, &wrong);
	if (points < 0)
		return wrong ?: "it was not called so often";
	snprintf(list + at, size - at, "%s%s %d", at ? ", " : "",
		 p.kind == EXTOP ? td_errno_name(p.status) : status_name(p.status, p.burst),
		 points);
	return NULL;
}

static const char *sweep_extop(struct sweep *s, const struct call *call, char *list, size_t size)
{
	struct point p = { .kind = EXTOP, .call = call, .may_end = !call->busy_is_fine };
	const char *wrong;

	p.status = EBUSY;
	wrong = sweep_status(s, p, list, size);
	p.status = EIO;
	return wrong ?: sweep_status(s, p, list, size);
}

static const char *sweep_seamcall(struct sweep *s, const struct call *call, char *list,
				  size_t size)
{
	struct point p = { .kind = SEAMCALL, .call = call };
	const char *wrong;

	p.status = STATUS_BUSY;
	p.may_end = !call->busy_is_fine;
	wrong = sweep_status(s, p, list, size);
	if (!wrong && !call->gives_back) {
		p.status = STATUS_OPERAND_INVALID;
		p.may_end = true;
		wrong = sweep_status(s, p, list, size);
	}
	if (wrong || call->entry || call->gives_back)
		return wrong;
	p.status = STATUS_NO_ENTROPY;
	p.may_end = false;
	wrong = sweep_status(s, p, list, size);
	if (wrong)
		return wrong;
	p.burst = true;
	p.n = ENTROPY_TRIES;
	p.may_end = !call->no_entropy_is_fine;
	return sweep_status(s, p, list, size);
}

static const char *sweep_call(struct sweep *s, u32 kind, const struct call *call)
{
	u64 start = now_ms();
	char list[160] = "";
	const char *wrong = kind == EXTOP ? sweep_extop(s, call, list, sizeof(list)) :
					    sweep_seamcall(s, call, list, sizeof(list));

	if (wrong)
		return wrong;
	printf("# swept %s: %s%s: %s points (%llu ms)\n", s->sc->name,
	       kind == EXTOP ? "external " : "", call->name, list, now_ms() - start);
	return NULL;
}

/**
 * ks_sweep_calls() - let each SEAMCALL or external operation of a scenario fail
 * @s: the scenario
 *
 * With each status that KVM tells from others, SEAMCALLs; else with EBUSY and EIO.
 *
 * Return: NULL, or what is wrong
 */
const char *ks_sweep_calls(struct sweep *s)
{
	u32 kind = s->ks->backend == KS_EXTERNAL ? EXTOP : SEAMCALL;
	const struct call *calls = kind == EXTOP ? extops : leafs;
	unsigned int nr = kind == EXTOP ? ARRAY_SIZE(extops) : ARRAY_SIZE(leafs), i;
	bool made[ARRAY_SIZE(leafs)] = { false };
	const char *wrong = count_calls(s, kind, calls, nr, made);

	for (i = 0; !wrong && i < nr; i++)
		if (made[i])
			wrong = sweep_call(s, kind, &calls[i]);
	return wrong;
}
