// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_stress.ko is unloaded and loaded again: with nothing going on, with VMs that
 * need it (refused), with VMs that it only watches, and at every moment of a VM's
 * life. KVM works on as if nothing had happened.
 *
 * TDP_STRESS_MODULE is the module's file, else /lib/modules/<release>/ is searched.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "ks_test.h"

#define MODULE		"tdp_stress"
#define PARAMETERS	"/sys/module/" MODULE "/parameters/"
/* Reloads: enough for a quick run; TDP_STRESS_RELOADS for more. */
#define RELOADS		3
#define KILLS		3
#define MAX_WAIT_US	200000
#define UNLOAD_TRIES	2000
#define BETWEEN_US	150000
#define PAGES		(KS_HUGE_PAGES + 64)

/* What this run was started with, and has to go on with. */
static const char * const kept[] = {
	"backend", "vms", "busy", "hold_ns", "audit_ms", "split", "progress_ms", "flight", "huge_1g",
};

static const struct td_config config = { .nr_vcpus = 2, .nr_pages = PAGES };

static bool loaded(void)
{
	return !access("/sys/module/" MODULE, F_OK);
}

static int unload(void)
{
	return syscall(SYS_delete_module, MODULE, O_NONBLOCK) ? -errno : 0;
}

/* Until nobody uses it, which the module's users decide. */
static int unload_patiently(void)
{
	int tries, ret = -EAGAIN;

	for (tries = 0; tries < UNLOAD_TRIES; tries++) {
		ret = unload();
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		usleep(1000);
	}
	return ret;
}

/*
 * Hooks come and go by writing over KVM's code. QEMU's TCG may execute a breakpoint that
 * text_poke() has taken back already ("Oops: int3"), unless tdp_tcg.ko is there, see
 * usage.rst.
 */
static bool code_may_change(void)
{
	unsigned int eax, ebx, ecx, edx;
	u32 name[3];

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx >> 31))
		return true;
	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) ||
	       !access("/sys/module/tdp_tcg", F_OK);
}

/* The parameters that the module has now, as insmod wants them. */
static bool parameters(char *text, size_t size)
{
	char path[96], line[64];
	size_t i, n = 0;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", kept[i]);
		f = fopen(path, "re");
		if (!f || !fgets(line, sizeof(line), f)) {
			if (f)
				fclose(f);
			return false;
		}
		fclose(f);
		line[strcspn(line, "\n")] = '\0';
		n += snprintf(text + n, size - n, "%s=%s ", kept[i], line);
	}
	return true;
}

/* The module's file; false: nobody knows where it is. */
static bool find_module(char *path, size_t size)
{
	const char *said = getenv("TDP_STRESS_MODULE");
	struct utsname name;
	char pattern[160];
	glob_t found;
	bool ok;

	if (said && *said) {
		snprintf(path, size, "%s", said);
		return !access(path, R_OK);
	}
	uname(&name);
	snprintf(pattern, sizeof(pattern), "/lib/modules/%s/*/" MODULE ".ko", name.release);
	ok = !glob(pattern, 0, NULL, &found) && found.gl_pathc;
	if (ok)
		snprintf(path, size, "%s", found.gl_pathv[0]);
	globfree(&found);
	return ok;
}

static int load(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE(module_unload) { struct ks ks; struct td vm; char path[256]; char params[512]; };
FIXTURE_VARIANT(module_unload) { enum ks_backend backend; };
FIXTURE_VARIANT_ADD(module_unload, external) { .backend = KS_EXTERNAL };
FIXTURE_VARIANT_ADD(module_unload, emulated) { .backend = KS_EMULATED };
FIXTURE_VARIANT_ADD(module_unload, real) { .backend = KS_REAL };

FIXTURE_SETUP(module_unload)
{
	KS_SETUP();
	if (!find_module(self->path, sizeof(self->path)))
		SKIP(return, "the file of tdp_stress.ko is not known: TDP_STRESS_MODULE=<path>");
	ASSERT_TRUE(parameters(self->params, sizeof(self->params)));
}

FIXTURE_TEARDOWN(module_unload)
{
	td_destroy(&self->vm);
	/* whatever went wrong, the next test wants it back */
	if (!loaded()) {
		EXPECT_EQ(0, load(self->path, self->params));
		EXPECT_EQ(0, ks_take_again(&self->ks));
	}
	EXPECT_SOUND(ks_close(&self->ks));
}

/* Its counters begin at zero again; what it had found is lost, so look first. */
#define RELOAD() do {							\
	EXPECT_SOUND(ks_check(&self->ks));				\
	ks_let_go(&self->ks);						\
	ASSERT_EQ(0, unload_patiently());				\
	EXPECT_FALSE(loaded());						\
	EXPECT_NE(0, access(TDP_STRESS_DEVICE, F_OK));			\
	ASSERT_EQ(0, load(self->path, self->params));			\
	ASSERT_EQ(0, ks_take_again(&self->ks));				\
} while (0)

TEST_KS(module_unload, with_nothing_going_on)
{
	int i;

	for (i = 0; i < 3; i++) {
		RELOAD();
		ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &config));
		ASSERT_CALL(ks_map(&self->vm, 0, 0, PAGES));
		EXPECT_MAPPED(&self->vm, PAGES);
		EXPECT_SOUND(ks_audit(&self->ks));
		td_destroy(&self->vm);
		ASSERT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
	}
}

/* Whoever has the device open keeps it. */
TEST_KS(module_unload, with_device_open)
{
	int fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ks_let_go(&self->ks);
	EXPECT_EQ(-EAGAIN, unload());
	EXPECT_EQ(TDP_STRESS_ABI_VERSION, ioctl(fd, TDP_STRESS_ABI));
	close(fd);
	ASSERT_EQ(0, ks_take_again(&self->ks));
	RELOAD();
}

/* A VM whose page tables the module keeps: it stays until the VM is destroyed. */
TEST_KS(module_unload, with_adopted_vm)
{
	if (variant->backend != KS_EXTERNAL)
		SKIP(return, "only the external backend is needed by its VMs");
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &config));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, PAGES));
	ks_let_go(&self->ks);
	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_CALL(td_punch(&self->vm, 0, PAGES / 2));
	EXPECT_MAPPED(&self->vm, PAGES / 2);
	td_destroy(&self->vm);
	ASSERT_EQ(0, ks_take_again(&self->ks));
	RELOAD();
}

/* A TD of tdx.c's that it only watches: that lives on, and is watched again. */
TEST_KS(module_unload, with_watched_td)
{
	if (variant->backend == KS_EXTERNAL)
		SKIP(return, "the external backend does not only watch");
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &config));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, PAGES));
	RELOAD();
	EXPECT_MAPPED(&self->vm, PAGES);
	ASSERT_CALL(td_punch(&self->vm, 0, PAGES / 2));
	ASSERT_CALL(ks_map(&self->vm, 1, 0, PAGES));
	EXPECT_MAPPED(&self->vm, PAGES);
	EXPECT_SOUND(ks_check(&self->ks));
}

/* Lives, one after the other, whether the module is there or not. */
static void live(enum ks_backend backend)
{
	struct ks ks;
	struct td vm;
	unsigned int i;

	for (i = 0;; i++) {
		memset(&vm, 0, sizeof(vm));
		if (td_env_open(&ks.env, backend == KS_EXTERNAL ? TD_KIND_ADOPTED :
				TD_KIND_TDX) == TD_ENV_OK) {
			if (ks_vm_make(&ks, &vm, &config))
				fprintf(stderr, "# life %u: %s failed\n", i,
					td_call_name(vm.failed));
			else if (ks_map(&vm, 0, 0, PAGES) || td_punch(&vm, 3, PAGES / 2) ||
				 ks_map(&vm, 1, 0, PAGES) || ks_mapped(&vm) != (s64)PAGES)
				_exit(1);
			td_destroy(&vm);
		}
		td_env_close(&ks.env);
		/* where VMs need the module, a while in which it can go */
		if (backend == KS_EXTERNAL)
			usleep(BETWEEN_US);
	}
}

/* Where KVM's code may not change under it, it stands between two system calls. */
static void hold_still(pid_t child, bool still)
{
	int status;

	kill(child, still ? SIGSTOP : SIGCONT);
	if (still)
		waitpid(child, &status, WUNTRACED);
}

/* One unload and load at a random moment; -EAGAIN: it was in use. */
static int reload_once(const char *path, const char *params, pid_t child, struct rng *rng)
{
	bool still = !code_may_change();
	int ret;

	usleep(rng_below(rng, MAX_WAIT_US));
	if (still)
		hold_still(child, true);
	ret = unload();
	if (!ret) {
		if (!still)
			usleep(rng_below(rng, MAX_WAIT_US / 10));
		ret = load(path, params);
	}
	if (still)
		hold_still(child, false);
	return ret;
}

TEST_F_TIMEOUT(module_unload, at_every_moment, 3600)
{
	u64 reloads = ks_number("TDP_STRESS_RELOADS", RELOADS, 100000), done = 0, in_use = 0;
	struct rng rng;
	pid_t child;
	int status;

	rng_init(&rng, self->ks.seed, 0);
	ks_let_go(&self->ks);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		live(variant->backend);
	while (done < reloads && in_use < UNLOAD_TRIES) {
		int ret = reload_once(self->path, self->params, child, &rng);

		ASSERT_TRUE(!ret || ret == -EAGAIN || ret == -EBUSY) {
			TH_LOG("reload %llu, seed %llu: %s", done, self->ks.seed, strerror(-ret));
		}
		done += !ret;
		in_use += !!ret;
		ASSERT_EQ(0, waitpid(child, &status, WNOHANG)) {
			TH_LOG("reload %llu, seed %llu: a VM went wrong", done, self->ks.seed);
		}
	}
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(reloads, done);
	ASSERT_EQ(0, ks_take_again(&self->ks));
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
	TH_LOG("reloaded %llu times, found in use %llu times, seed %llu", done, in_use,
	       self->ks.seed);
}

/* It goes and comes until a signal ends that, in the middle of either. */
static void reload_until_killed(const char *path, const char *params)
{
	int ret;

	for (;;) {
		ret = loaded() ? unload() : load(path, params);
		if (ret && ret != -EAGAIN && ret != -EBUSY)
			_exit(1);
		usleep(1000);
	}
}

/* Who unloads or loads it is killed meanwhile: it is there or not, and whole. */
TEST_F_TIMEOUT(module_unload, killed, 3600)
{
	u64 kills = ks_number("TDP_STRESS_KILLS", KILLS, 100000), i, absent = 0;
	pid_t child, vms = 0;
	struct rng rng;
	int status;

	rng_init(&rng, self->ks.seed, 1);
	ks_let_go(&self->ks);
	if (code_may_change())
		vms = fork();
	ASSERT_LE(0, vms);
	if (!vms && code_may_change())
		live(variant->backend);
	for (i = 0; i < kills; i++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			reload_until_killed(self->path, self->params);
		usleep(rng_below(&rng, MAX_WAIT_US));
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("kill %llu, seed %llu: it could not be loaded or unloaded", i,
			       self->ks.seed);
		}
		absent += !loaded();
		if (!loaded())
			ASSERT_EQ(0, load(self->path, self->params));
	}
	if (vms) {
		kill(vms, SIGKILL);
		ASSERT_EQ(vms, waitpid(vms, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status)) TH_LOG("a VM went wrong");
	}
	ASSERT_EQ(0, ks_take_again(&self->ks));
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
	RELOAD();
	TH_LOG("killed %llu times, %llu of which left no module, seed %llu", kills, absent,
	       self->ks.seed);
}

KS_TEST_MAIN("module_unload: tdp_stress.ko goes and comes at every moment.\n"
	     "  TDP_STRESS_MODULE=F   the module's file\n"
	     "  TDP_STRESS_RELOADS=N  times that it goes while VMs live (default 3)\n"
	     "  TDP_STRESS_KILLS=N    times that who unloads it is killed (default 3)");
