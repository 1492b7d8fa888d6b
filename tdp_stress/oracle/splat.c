// SPDX-License-Identifier: GPL-2.0
/*
 * SPLAT: what the kernel itself complains about, attributed to the operation in
 * flight. Reads the console's text; splats about RCU are R1's, about sleeping
 * X4's. See Documentation/invariants.rst.
 */

#include "internal.h"

/* Only the beginning of a line counts: user space may write anything to kmsg. */
static const struct {
	const char *start;
	enum tdps_check id;
} marks[] = {
	{ "WARNING: suspicious RCU usage", TDPS_R1 },
	{ "BUG: sleeping function called", TDPS_X4 },
	{ "BUG: scheduling while atomic", TDPS_X4 },
	{ "WARNING: ", TDPS_SPLAT },
	{ "BUG: ", TDPS_SPLAT },
	{ "[ BUG: ", TDPS_SPLAT },
	{ "kernel BUG at ", TDPS_SPLAT },
	{ "KFENCE: ", TDPS_SPLAT },
	{ "UBSAN: ", TDPS_SPLAT },
	{ "INFO: task ", TDPS_SPLAT },
	{ "INFO: rcu", TDPS_SPLAT },
	{ "rcu: INFO: ", TDPS_SPLAT },
	{ "INFO: trying to register non-static key", TDPS_SPLAT },
	{ "watchdog: BUG: ", TDPS_SPLAT },
	{ "list_add corruption", TDPS_SPLAT },
	{ "list_del corruption", TDPS_SPLAT },
	{ "Oops: ", TDPS_SPLAT },
	{ "general protection fault", TDPS_SPLAT },
	{ "Invalid SPTE change", TDPS_SPLAT },
	{ "Unexpected SPTE change", TDPS_SPLAT },
	{ "pagealloc: memory corruption", TDPS_SPLAT },
};

static bool registered;

/* VMs whose split the backend has refused under exclusive mmu_lock, the latest few. */
static u64 refused[8];
static atomic_t next_refused;

void splat_refused(u64 vm)
{
	if (!splat_is_refused(vm))
		WRITE_ONCE(refused[(u32)atomic_fetch_inc(&next_refused) % ARRAY_SIZE(refused)], vm);
}

bool splat_is_refused(u64 vm)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		if (vm && READ_ONCE(refused[i]) == vm)
			return true;
	return false;
}

/* Its number may come back, as another VM's. */
void splat_vm_gone(u64 vm)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		cmpxchg64(&refused[i], vm, 0);
}

static bool begins_with(const char *text, size_t len, const char *start)
{
	size_t n = strlen(start);

	return len >= n && !memcmp(text, start, n);
}

static enum tdps_check splat_id(const char *text, size_t len)
{
	size_t i;

	/*
	 * dl_server_timer() of the scheduler, on a busy machine, see
	 * scripts/qemu/known-messages; KVM and we forward no timer.
	 */
	if (begins_with(text, len, "WARNING: kernel/time/hrtimer.c:") &&
	    strnstr(text, " at hrtimer_forward+", len))
		return TDPS_NO_CHECK;
	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (begins_with(text, len, marks[i].start))
			return marks[i].id;
	return TDPS_NO_CHECK;
}

/**
 * tdps_console() - the kernel prints a line
 * @text: the line, with or without newline
 * @len: its length
 *
 * Context: any, printk's locks may be held: look, note, leave.
 */
void tdps_console(const char *text, size_t len)
{
	enum tdps_check id = splat_id(text, len);
	struct tdps_where w = { .gfn = TDPS_NO_GFN };
	struct tdps_ctx *ctx;
	struct tdps_frame *f;
	char line[120];

	tdps_checking(TDPS_SPLAT);
	if (id == TDPS_NO_CHECK || !tdps_wants(id))
		return;
	ctx = tdps_ctx_current();
	f = tdps_ctx_frame(ctx);
	/* KVM_BUG_ON() of this thread's refused split: said, but no fault of KVM's */
	if (f && f->ext_refused && id == TDPS_SPLAT && splat_is_refused(f->vm)) {
		tdps_count(refused_splat);
		return;
	}
	if (f) {
		w.vm = f->vm;
		w.gfn = f->start;
		w.lock = f->lock;
	}
	if (ctx && ctx->win.open) {
		w.lock = ctx->win.lock;
		w.gfn = ctx->win.gfn;
		w.level = ctx->win.level;
	}
	if (!w.vm)
		w.vm = tdps_excused_here();
	if (len && text[len - 1] == '\n')
		len--;
	len = min(len, sizeof(line) - 1);
	memcpy(line, text, len);
	line[len] = '\0';
	tdps_violation_deferred(id, &w, line);
}

static void on_console(void *unused, const char *text, size_t len)
{
	tdps_console(text, len);
}

int splat_init(void)
{
	int err;

	if (!(tdps_enabled & (BIT(TDPS_SPLAT) | BIT(TDPS_R1) | BIT(TDPS_X4))))
		return 0;
	err = register_trace_console(on_console, NULL);
	registered = !err;
	return err;
}

void splat_exit(void)
{
	if (!registered)
		return;
	unregister_trace_console(on_console, NULL);
	registered = false;
	tracepoint_synchronize_unregister();
}

void splat_plant(void)
{
	pr_warn("WARNING: this line was planted by tdp_stress\n");
}
