// SPDX-License-Identifier: GPL-2.0
/*
 * A test's beginning and end: is the backend there, and were all invariants kept?
 * Knows the modules' names, parameters and verdict.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "ks.h"

/* KVM destroys a VM some time after its last descriptor; lockdep in TCG is slow. */
#define IDLE_MS		30000
#define RACE_MS		1000
#define MAX_RACE_MS	3600000

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/**
 * ks_number() - a number from the environment
 * @name: of the variable
 * @otherwise: what it is if it is not set
 * @max: greatest value
 *
 * Ends the program if it is something else: a wish that is not understood must not
 * be taken for another.
 *
 * Return: the number.
 */
u64 ks_number(const char *name, u64 otherwise, u64 max)
{
	const char *text = getenv(name);
	char *end;
	u64 value;

	if (!text || !*text)
		return otherwise;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || *text == '-' || value > max) {
		printf("Bail out! %s=%s: must be a number from 0 to %llu\n", name, text, max);
		fflush(stdout);
		_exit(2);
	}
	return value;
}

/* One line of a file; false: there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, size, f);

	if (f)
		fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

static bool stub_loaded(void)
{
	return !access("/sys/module/tdx_stub", F_OK);
}

/* Why this backend cannot be tested, as far as the modules say; NULL: it can. */
static const char *modules_missing(struct ks *ks)
{
	const char *wanted = ks->backend == KS_EXTERNAL ? "external" : "tdx";
	char is[16] = "";

	if (geteuid())
		return "not root";
	if (!read_line("/sys/module/tdp_stress/parameters/backend", is, sizeof(is)))
		return "tdp_stress.ko is not loaded";
	if (strcmp(is, wanted)) {
		snprintf(ks->text, sizeof(ks->text), "tdp_stress.ko runs with backend=%s, not %s",
			 is, wanted);
		return ks->text;
	}
	if (ks->backend == KS_EMULATED && !stub_loaded())
		return "tdx_stub.ko is not loaded";
	if (ks->backend == KS_REAL && stub_loaded())
		return "tdx_stub.ko is loaded: TDX is emulated here";
	return NULL;
}

static const char *env_missing(struct ks *ks, enum td_env_status status)
{
	switch (status) {
	case TD_ENV_OK:
		return NULL;
	case TD_ENV_NO_KVM:
		snprintf(ks->text, sizeof(ks->text), "/dev/kvm: %s", strerror(ks->env.err));
		return ks->text;
	case TD_ENV_NO_TDX:
		return "KVM offers no TDX VMs";
	case TD_ENV_NO_CAP:
		snprintf(ks->text, sizeof(ks->text), "KVM lacks %s", ks->env.missing);
		return ks->text;
	case TD_ENV_NO_STRESS:
		snprintf(ks->text, sizeof(ks->text), "/dev/tdp_stress: %s", strerror(ks->env.err));
		return ks->text;
	}
	return "KVM cannot be opened";
}

static int ask(unsigned long command, void *arg)
{
	int fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 || ioctl(fd, command, arg) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* What was found up to now is not this test's. */
static int count_from_here(struct ks *ks)
{
	struct tdp_stress_violations kept = { .size = sizeof(kept) };
	struct tdp_stress_check check = { .size = sizeof(check) };
	int ret = ask(TDP_STRESS_CHECK, &check);

	if (!ret)
		ret = ask(TDP_STRESS_VIOLATIONS, &kept);
	ks->violations = check.violations;
	ks->kept = kept.kept;
	return ret;
}

/**
 * ks_open() - begin a test
 * @ks: filled in
 * @backend: the backend it is about
 *
 * Return: NULL, or why this cannot be tested here
 */
const char *ks_open(struct ks *ks, enum ks_backend backend)
{
	const char *why;
	int ret;

	memset(ks, 0, sizeof(*ks));
	/* a test that was killed before could not say so */
	ks_expect_warnings(false);
	ks->backend = backend;
	ks->dev_fd = -1;
	ks->nr_vcpus = KS_VCPUS;
	ks->race_ms = ks_number("TDP_STRESS_RACE_MS", RACE_MS, MAX_RACE_MS);
	ks->seed = ks_number("TDP_STRESS_SEED", time(NULL) ^ (u64)getpid() << 32, UINT64_MAX);
	why = modules_missing(ks);
	if (!why)
		why = env_missing(ks, td_env_open(&ks->env, backend == KS_EXTERNAL ?
						  TD_KIND_ADOPTED : TD_KIND_TDX));
	if (why)
		return why;
	ks->dev_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	if (ks->dev_fd < 0)
		return "/dev/tdp_stress cannot be opened";
	modules_open(&ks->modules, true);
	if (!modules_have(&ks->modules, MODULE_STRESS))
		return "tdp_stress.ko's debugfs folder is not there; is debugfs mounted?";
	ret = count_from_here(ks);
	if (ret) {
		snprintf(ks->text, sizeof(ks->text), "TDP_STRESS_CHECK: %s", strerror(-ret));
		return ks->text;
	}
	return NULL;
}

/* The first violation since the test began, in the module's words. */
static const char *violated(struct ks *ks, u64 times)
{
	struct tdp_stress_violation first = { .text = "see the kernel log" };
	struct tdp_stress_violations arg = {
		.size = sizeof(arg), .first = ks->kept, .violations = (uintptr_t)&first, .max = 1,
	};

	ask(TDP_STRESS_VIOLATIONS, &arg);
	snprintf(ks->text, sizeof(ks->text), "%llu violation(s), the first: %s", times,
		 first.text);
	return ks->text;
}

/* The emulated TDX module counts for itself what its guest has seen. */
static const char *module_violated(struct ks *ks)
{
	struct module_violation v = {};

	modules_read(&ks->modules);
	if (!modules_next_violation(&ks->modules, &v))
		return NULL;
	snprintf(ks->text, sizeof(ks->text), "%s: %s grew by %llu", module_name(v.id), v.name,
		 v.nr);
	return ks->text;
}

/**
 * ks_check() - have all invariants been kept, up to now?
 * @ks: the test
 *
 * Lets tdp_stress.ko compare all tables of all VMs first, if there are any.
 *
 * Return: NULL, or what was violated
 */
const char *ks_check(struct ks *ks)
{
	struct tdp_stress_check check = { .size = sizeof(check) };
	int ret = ask(TDP_STRESS_CHECK, &check);

	if (ret) {
		snprintf(ks->text, sizeof(ks->text), "TDP_STRESS_CHECK: %s", strerror(-ret));
		return ks->text;
	}
	if (!check.checks)
		return "tdp_stress.ko checks no invariant";
	if (check.violations != ks->violations)
		return violated(ks, check.violations - ks->violations);
	return module_violated(ks);
}

/**
 * ks_audit() - the same while there is a VM with mapped memory
 * @ks: the test
 *
 * Return: NULL, or what was violated, or that nothing was looked at
 */
const char *ks_audit(struct ks *ks)
{
	u64 before = 0, now = 0;
	const char *wrong;

	modules_read(&ks->modules);
	modules_value(&ks->modules, MODULE_STRESS, "audit.sptes", &before);
	wrong = ks_check(ks);
	modules_value(&ks->modules, MODULE_STRESS, "audit.sptes", &now);
	if (!wrong && now == before)
		return "tdp_stress.ko has audited nothing";
	return wrong;
}

/* Does nothing of a VM's live on? Waits for what KVM does in the background. */
bool ks_idle(struct ks *ks)
{
	char left[160];
	unsigned int waited;

	for (waited = 0; !modules_idle(&ks->modules, left, sizeof(left)); waited += 20) {
		if (waited >= IDLE_MS) {
			snprintf(ks->text, sizeof(ks->text), "after the last VM %s", left);
			return false;
		}
		sleep_ms(20);
	}
	return true;
}

/**
 * ks_close() - end a test whose VMs are destroyed
 * @ks: from ks_open(), whatever that said
 *
 * Return: NULL, or what is wrong: an invariant was violated, something is left
 */
const char *ks_close(struct ks *ks)
{
	const char *wrong = NULL;

	if (modules_have(&ks->modules, MODULE_STRESS)) {
		if (!ks_idle(ks))
			wrong = ks->text;
		if (!wrong)
			wrong = ks_check(ks);
	}
	modules_close(&ks->modules);
	td_env_close(&ks->env);
	ks_let_go(ks);
	return wrong;
}

/**
 * ks_let_go() - close /dev/tdp_stress, which keeps the module from being unloaded
 * @ks: the test
 */
void ks_let_go(struct ks *ks)
{
	if (ks->env.stress_fd >= 0)
		close(ks->env.stress_fd);
	ks->env.stress_fd = -1;
	if (ks->dev_fd >= 0)
		close(ks->dev_fd);
	ks->dev_fd = -1;
}

/**
 * ks_take_again() - open it again; its counters count from here
 * @ks: the test, after ks_let_go(), with the module loaded
 *
 * Return: 0 or -errno
 */
int ks_take_again(struct ks *ks)
{
	modules_restart(&ks->modules, MODULE_STRESS);
	if (!modules_have(&ks->modules, MODULE_STRESS))
		return -ENOENT;
	ks->dev_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	if (ks->dev_fd < 0)
		return -errno;
	if (ks->env.kind == TD_KIND_ADOPTED)
		ks->env.stress_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	if (ks->env.kind == TD_KIND_ADOPTED && ks->env.stress_fd < 0)
		return -errno;
	return count_from_here(ks);
}

/**
 * ks_expect_warnings() - say in the kernel log that WARNs from here on are asked for
 * @begin: else: up to here
 *
 * For whoever judges the log afterwards (make kselftest does).
 */
void ks_expect_warnings(bool begin)
{
	FILE *f = fopen("/dev/kmsg", "we");

	if (!f)
		return;
	fprintf(f, "<6>tdp_stress run: expected warnings: %s\n", begin ? "begin" : "end");
	fclose(f);
}

/* Is there a guest that can be entered? A real one would run what is in memory. */
bool ks_can_run(const struct ks *ks)
{
	return ks->backend == KS_EMULATED;
}

/* A counter of the emulated TDX module, read now; false: there is none. */
bool ks_tdx_counter(struct ks *ks, const char *name, u64 *value)
{
	modules_read(&ks->modules);
	return modules_tdx_value(&ks->modules, name, value);
}

/* Pages that belong to TDs, by the TDX module's PAMT; -1: nobody knows. */
s64 ks_private_pages(struct ks *ks)
{
	u64 value;

	return ks_tdx_counter(ks, "pamt.REG", &value) ? (s64)value : -1;
}
