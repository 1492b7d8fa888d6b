// SPDX-License-Identifier: GPL-2.0
/*
 * tdp-stress: the order of a run, from the command line to the verdict. What
 * each step means is in the other files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"
#include "verdict.h"

#define MIB	(UINT64_C(1) << 20)

/* Stacks, page tables, small TDs, and room for the rest of the system. */
#define FIXED_MIB	64

static const char no_tdx[] =
	"KVM offers no TDX VMs: with CONFIG_INTEL_TDX_HOST, load tdx_stub, then kvm-intel tdx=1";

static int unsupported(const char *why)
{
	printf("tdp-stress: UNSUPPORTED: %s\n", why);
	return EXIT_ENVIRONMENT;
}

static u64 available_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	u64 kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024;
}

/* Every page may be there twice, private and shared; the window once more. */
static bool enough_memory(const struct options *opt, char *why, size_t size)
{
	u64 need = opt->tds * (opt->mem * 9 / 4 + opt->mem / 64) + FIXED_MIB * MIB;
	u64 have = available_bytes();

	if (!have || need <= have)
		return true;
	snprintf(why, size,
		 "not enough memory: %llu TD(s) of %llu MiB need %llu MiB, %llu MiB are available; lower --mem or --tds",
		 opt->tds, opt->mem / MIB, need / MIB, have / MIB);
	return false;
}

/* 0, or an exit code with the final line printed. */
static int check_environment(struct stress *s)
{
	char why[256];

	if (s->opt.modules && geteuid())
		return unsupported("not root, as the modules' counters need; or use --no-modules");
	switch (td_env_open(&s->env, TD_KIND_TDX)) {
	case TD_ENV_OK:
		break;
	case TD_ENV_NO_KVM:
		snprintf(why, sizeof(why), "/dev/kvm: %s; load tdx_stub, kvm and kvm-intel tdx=1",
			 strerror(s->env.err));
		return unsupported(why);
	case TD_ENV_NO_TDX:
	case TD_ENV_NO_STRESS:
		return unsupported(no_tdx);
	case TD_ENV_NO_CAP:
		snprintf(why, sizeof(why), "KVM lacks %s; needs Linux 7.2 or later",
			 s->env.missing);
		return unsupported(why);
	}
	if (!enough_memory(&s->opt, why, sizeof(why)))
		return unsupported(why);
	return 0;
}

static void cannot_write(const char *option, const char *file)
{
	fprintf(stderr, "tdp-stress: --%s '%s': %s; must be a file that can be written\n", option,
		file, strerror(errno));
}

/* Before anything else is done: a file that cannot be written is bad usage. */
static bool open_files(struct stress *s)
{
	FILE *f;

	if (s->opt.json) {
		f = fopen(s->opt.json, "we");
		if (!f) {
			cannot_write("json", s->opt.json);
			return false;
		}
		fclose(f);
	}
	if (s->opt.trace) {
		s->trace = fopen(s->opt.trace, "we");
		if (!s->trace) {
			cannot_write("trace-ops", s->opt.trace);
			return false;
		}
	}
	return true;
}

static void print_start(const struct stress *s)
{
	int id;

	printf("tdp-stress: seed %llu, %llu TD(s) of %llu vCPU(s) and %llu MiB, %llu worker(s), %llu s;",
	       s->opt.seed, s->opt.tds, s->opt.vcpus, s->opt.mem / MIB, s->opt.workers,
	       s->opt.duration);
	for (id = 0; id < NR_MODULES; id++)
		printf(" %s %s%s", module_name(id),
		       modules_have(&s->modules, id) ? "found" : "n/a", id ? "\n" : ",");
	fflush(stdout);
}

/* From the first TD to the last page given back. */
static void run(struct stress *s)
{
	int ret;

	if (targets_create(s)) {
		/* Only what was made is there to destroy; a TD that failed has cleaned up. */
		if (s->targets)
			targets_destroy(s);
		return;
	}
	supervise(s);
	if (s->hung)
		return;
	verdict_progress(s);
	ret = modules_audit(&s->modules);
	if (ret)
		stress_fail(s, "final audit: %s", td_errno_name(-ret));
	if (!targets_destroy(s))
		return;
	verdict_idle(s);
}

static int finish(struct stress *s)
{
	char verdict[sizeof(s->failure) + 16] = "SUCCESS";

	verdict_modules(s);
	if (s->trace && fclose(s->trace))
		stress_fail(s, "--trace-ops '%s': %s", s->opt.trace, strerror(errno));
	if (s->elapsed_ns)
		report_summary(s);
	if (s->failed)
		snprintf(verdict, sizeof(verdict), "FAILURE: %s", s->failure);
	if (s->opt.json && report_json(s, verdict)) {
		stress_fail(s, "--json '%s': %s", s->opt.json, strerror(errno));
		snprintf(verdict, sizeof(verdict), "FAILURE: %s", s->failure);
	}
	if (s->failed)
		options_again(&s->opt);
	printf("tdp-stress: %s\n", verdict);
	fflush(stdout);
	return s->failed ? EXIT_FAIL : EXIT_PASS;
}

int main(int argc, char **argv)
{
	static struct stress s = { .fail_lock = PTHREAD_MUTEX_INITIALIZER };
	int code;

	switch (options_parse(&s.opt, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_DONE:
		return EXIT_PASS;
	case OPTIONS_BAD:
		return EXIT_USAGE;
	}
	if (!open_files(&s))
		return EXIT_USAGE;
	code = check_environment(&s);
	if (code) {
		td_env_close(&s.env);
		return code;
	}
	if (s.opt.probe) {
		td_env_close(&s.env);
		puts("tdp-stress: KVM offers TDX VMs");
		return EXIT_PASS;
	}
	if (s.opt.payload)
		s.env.image = &payload_image;
	s.env.seed = s.opt.seed;
	modules_open(&s.modules, s.opt.modules);
	print_start(&s);
	run(&s);
	code = finish(&s);
	/* A thread hangs in the kernel and may use all of it: leave it alone. */
	if (s.hung)
		_exit(code);
	workers_free(&s);
	modules_close(&s.modules);
	td_env_close(&s.env);
	return code;
}
