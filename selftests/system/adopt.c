// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tdp_stress from outside: VMs made by ioctls become VMs with mirror roots,
 * and whatever cannot become one is refused. Prints TAP; needs root, a loaded
 * tdp_stress.ko with backend=external, and nobody else who has VMs.
 *
 *   adopt              all tests
 *   adopt hold-vm      hold an ordinary VM until a signal comes
 *   adopt hold-adopted the same, adopted
 *
 * Knows ioctls, errnos and counters; nothing of what the module does with them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <linux/kvm.h>

#include "../lib/types.h"
#include "../../tdp_stress/uapi/tdp_stress.h"

#define STATS	"/sys/kernel/debug/tdp_stress/stats"
#define VERDICT	"/sys/kernel/debug/tdp_stress/verdict"

#define PAGE	4096ULL
#define PAGES	600ULL		/* more than one page table holds */
#define BASE	0x40000000ULL	/* GPA of the memslot, 2M aligned */
#define WAIT_S	10		/* for KVM to destroy a VM whose last file was closed */

static int kvm_fd, dev_fd;
static int nr_tests, nr_failed;

/* --- TAP --- */

static void __printf(2, 3) result(bool ok, const char *fmt, ...)
{
	int err = errno;
	va_list args;

	printf("%sok %d - ", ok ? "" : "not ", ++nr_tests);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	if (!ok) {
		nr_failed++;
		printf("# errno %d (%s)\n", err, strerror(err));
	}
	fflush(stdout);
}

static void skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++nr_tests, name, why);
}

/* A call that must fail with @err and has returned @ret. */
static void refused(const char *name, int ret, int err)
{
	if (ret >= 0) {
		errno = 0;
		result(false, "%s: accepted, wanted %s", name, strerror(err));
	} else {
		result(errno == err, "%s: %s", name, strerror(err));
	}
}

static int die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(int ret, const char *what)
{
	return ret < 0 ? die(what) : ret;
}

/* --- VMs --- */

static int new_vm(unsigned long type)
{
	return must(ioctl(kvm_fd, KVM_CREATE_VM, type), "KVM_CREATE_VM");
}

static int adopt(int vm, struct tdp_stress_adopt_vm *arg)
{
	*arg = (struct tdp_stress_adopt_vm) { .size = sizeof(*arg), .vm_fd = vm };
	return ioctl(dev_fd, TDP_STRESS_ADOPT_VM, arg);
}

static int set_slot(int vm, int gmem, void *memory)
{
	struct kvm_userspace_memory_region2 r = {
		.flags = gmem < 0 ? 0 : KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = BASE,
		.memory_size = PAGES * PAGE,
		.userspace_addr = (uintptr_t)memory,
		.guest_memfd = gmem < 0 ? 0 : gmem,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &r);
}

static int set_private(int vm, u64 page, u64 nr, bool private)
{
	struct kvm_memory_attributes a = {
		.address = BASE + page * PAGE,
		.size = nr * PAGE,
		.attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &a);
}

/* Map [@page, @page + @nr); a signal or a conversion may cut it short. */
static int prefault(int vcpu, u64 page, u64 nr)
{
	struct kvm_pre_fault_memory range = {
		.gpa = BASE + page * PAGE,
		.size = nr * PAGE,
	};

	while (range.size)
		if (ioctl(vcpu, KVM_PRE_FAULT_MEMORY, &range) && errno != EINTR && errno != EAGAIN)
			return -1;
	return 0;
}

static int punch(int gmem, u64 page, u64 nr)
{
	return fallocate(gmem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * PAGE, nr * PAGE);
}

static void *new_memory(void)
{
	void *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

/* --- what the module says --- */

static bool counter(const char *name, u64 *value)
{
	FILE *f = fopen(STATS, "re");
	char line[64];
	unsigned long long v;
	bool found = false;

	while (f && !found && fscanf(f, "%63s %llu", line, &v) == 2)
		found = !strcmp(line, name);
	if (f)
		fclose(f);
	if (found)
		*value = v;
	return found;
}

static void check_counter(const char *when, const char *name, u64 want)
{
	u64 value = 0;

	errno = 0;
	if (!counter(name, &value))
		result(false, "%s: %s has no counter %s", when, STATS, name);
	else
		result(value == want, "%s: %s is %llu, wanted %llu", when, name,
		       (unsigned long long)value, (unsigned long long)want);
}

static void check_private_pages(const char *when, u64 want)
{
	check_counter(when, "tdx.pamt.REG", want);
}

static void check_gone(const char *when)
{
	u64 live = 1;
	int i;

	for (i = 0; i < 10 * WAIT_S && counter("tdx.td.live", &live) && live; i++)
		usleep(100000);
	check_counter(when, "tdx.td.live", 0);
	check_counter(when, "tdx.pamt.REG", 0);
	check_counter(when, "tdx.pamt.EPT", 0);
}

/* --- tests --- */

static void test_device(void)
{
	pid_t child;
	int status = 0;

	result(ioctl(dev_fd, TDP_STRESS_ABI) == TDP_STRESS_ABI_VERSION, "the ABI's version");
	refused("an unknown command", ioctl(dev_fd, _IO(TDP_STRESS_MAGIC, 99)), ENOTTY);
	child = fork();
	if (!child) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(open(TDP_STRESS_DEVICE, O_RDWR) >= 0 || (errno != EACCES && errno != EPERM));
	}
	must(child, "fork");
	waitpid(child, &status, 0);
	result(WIFEXITED(status) && !WEXITSTATUS(status), "not root: the device cannot be opened");
}

static void test_bad_structures(void)
{
	struct {
		struct tdp_stress_adopt_vm arg;
		u64 unknown;
	} more = { .arg.size = sizeof(more), .unknown = 1 };
	int vm = new_vm(0);
	struct tdp_stress_adopt_vm good = { .size = sizeof(good), .vm_fd = vm }, arg;

	refused("no structure", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, NULL), EFAULT);
	arg = good;
	arg.size = 0;
	refused("size 0", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &arg), EINVAL);
	arg.size = sizeof(arg) - 1;
	refused("size too small", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &arg), EINVAL);
	arg.size = UINT32_MAX;
	refused("size far too large", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &arg), EINVAL);
	more.arg.vm_fd = vm;
	refused("unknown field", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &more), EINVAL);
	arg = good;
	arg.flags = 1;
	refused("reserved flag", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &arg), EINVAL);
	arg = good;
	arg.reserved = 1;
	refused("reserved field", ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &arg), EINVAL);
	more.unknown = 0;
	result(!ioctl(dev_fd, TDP_STRESS_ADOPT_VM, &more),
	       "a structure of tomorrow, with nothing new in it; and nothing of the above was done");
	close(vm);
	check_gone("closed at once");
}

static void test_bad_files(void)
{
	int null = must(open("/dev/null", O_RDWR), "/dev/null");
	int vm = new_vm(0), vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	struct tdp_stress_adopt_vm arg;

	refused("descriptor -1", adopt(-1, &arg), EBADF);
	refused("/dev/null", adopt(null, &arg), ENXIO);
	refused("/dev/kvm", adopt(kvm_fd, &arg), ENXIO);
	refused("/dev/tdp_stress itself", adopt(dev_fd, &arg), ENXIO);
	refused("a vCPU", adopt(vcpu, &arg), ENXIO);
	close(null);
	refused("a closed descriptor", adopt(null, &arg), EBADF);
	close(vcpu);
	close(vm);
}

static void test_vm_with_vcpu(void)
{
	int vm = new_vm(0), vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	struct tdp_stress_adopt_vm arg;

	refused("a VM with a vCPU", adopt(vm, &arg), EBUSY);
	close(vcpu);
	refused("and after its descriptor was closed", adopt(vm, &arg), EBUSY);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 1);
	result(vcpu >= 0, "it still is an ordinary VM: another vCPU");
	close(vcpu);
	close(vm);
}

static void test_vm_with_memslot(void)
{
	void *memory = new_memory();
	int vcpu, vm = new_vm(0);
	struct tdp_stress_adopt_vm arg;

	must(set_slot(vm, -1, memory), "KVM_SET_USER_MEMORY_REGION2");
	refused("a VM with a memslot", adopt(vm, &arg), EBUSY);
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	result(set_private(vm, 0, 1, true) < 0, "it still is an ordinary VM: no private memory");
	close(vcpu);
	close(vm);
	munmap(memory, PAGES * PAGE);
}

static void test_vm_of_another_type(void)
{
	int types = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES);
	struct tdp_stress_adopt_vm arg;
	int vm;

	if (types < 0 || !(types & (1 << KVM_X86_SW_PROTECTED_VM))) {
		skip("a VM of another type", "this KVM has no KVM_X86_SW_PROTECTED_VM");
		return;
	}
	vm = new_vm(KVM_X86_SW_PROTECTED_VM);
	refused("a VM of another type", adopt(vm, &arg), EPROTOTYPE);
	close(vm);
}

/* The whole life of private memory. */
static void test_life(void)
{
	struct kvm_create_guest_memfd g = { .size = PAGES * PAGE };
	struct tdp_stress_adopt_vm arg;
	void *memory = new_memory();
	int vm = new_vm(0), gmem, vcpu, other;
	u64 bit;

	result(!adopt(vm, &arg), "a VM is adopted");
	bit = arg.shared_bit;
	result(bit && !(bit & (bit - 1)) && bit > BASE + PAGES * PAGE,
	       "the shared bit is 0x%llx", (unsigned long long)bit);
	refused("twice", adopt(vm, &arg), EEXIST);

	gmem = must(ioctl(vm, KVM_CREATE_GUEST_MEMFD, &g), "KVM_CREATE_GUEST_MEMFD");
	must(set_slot(vm, gmem, memory), "KVM_SET_USER_MEMORY_REGION2");
	must(set_private(vm, 0, PAGES, true), "KVM_SET_MEMORY_ATTRIBUTES");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	other = must(ioctl(vm, KVM_CREATE_VCPU, 1), "KVM_CREATE_VCPU");
	refused("twice, with memslot and vCPUs", adopt(vm, &arg), EEXIST);
	check_private_pages("nothing mapped", 0);

	result(!prefault(vcpu, 0, PAGES), "prefault on one vCPU");
	check_private_pages("prefaulted", PAGES);
	result(!prefault(other, 0, PAGES), "prefault on the other: all is there");
	check_private_pages("prefaulted twice", PAGES);
	result(!punch(gmem, 8, 100), "a hole is punched");
	check_private_pages("punched", PAGES - 100);
	result(!prefault(other, 8, 50), "half of it is filled again");
	check_private_pages("filled", PAGES - 50);
	result(!set_private(vm, 200, 100, false), "a range is converted to shared");
	check_private_pages("converted", PAGES - 150);
	result(!prefault(vcpu, 200, 100), "shared memory is prefaulted, in the direct root");
	check_private_pages("shared prefaulted", PAGES - 150);
	result(!set_private(vm, 200, 100, true), "and converted back");
	check_private_pages("converted back", PAGES - 150);
	result(!prefault(vcpu, 0, PAGES), "all is prefaulted once more");
	check_private_pages("all again", PAGES);

	/* a vCPU keeps its VM; the last file ends it */
	close(vm);
	check_private_pages("the VM's own descriptor closed", PAGES);
	close(gmem);
	check_private_pages("guest_memfd closed", 0);
	close(vcpu);
	close(other);
	check_gone("all closed");
	munmap(memory, PAGES * PAGE);
}

static void test_several(void)
{
	struct tdp_stress_adopt_vm arg;
	int a = new_vm(0), b = new_vm(0);

	result(!adopt(a, &arg) && !adopt(b, &arg), "two VMs are adopted");
	check_counter("two", "tdx.td.live", 2);
	close(a);
	refused("the other one again", adopt(b, &arg), EEXIST);
	close(b);
	check_gone("both closed");
}

/* The process ends without closing anything. */
static void test_exit(void)
{
	struct tdp_stress_adopt_vm arg;
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		int vm = new_vm(0), vcpu;

		if (adopt(vm, &arg))
			_exit(1);
		vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
		_exit(vcpu < 0);
	}
	must(child, "fork");
	waitpid(child, &status, 0);
	result(WIFEXITED(status) && !WEXITSTATUS(status), "a process ends and closes nothing");
	check_gone("it has ended");
}

static void test_verdict(void)
{
	char line[256] = "";
	FILE *f = fopen(VERDICT, "re");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	line[strcspn(line, "\n")] = '\0';
	result(line[0] && !strstr(line, "FAILURE"), "the module's verdict: %s", line);
}

/* --- violations, by ioctls: the last test, because it leaves some --- */

#define PLANT	"/sys/module/tdp_stress/parameters/plant"

static void plant(const char *what)
{
	int fd = must(open(PLANT, O_WRONLY), PLANT);

	must(write(fd, what, strlen(what)), what);
	close(fd);
}

static u64 check(void)
{
	struct tdp_stress_check c = { .size = sizeof(c) };

	must(ioctl(dev_fd, TDP_STRESS_CHECK, &c), "TDP_STRESS_CHECK");
	return c.found;
}

static u32 violations(u32 first, struct tdp_stress_violation *v, u32 max, u32 *kept)
{
	struct tdp_stress_violations arg = {
		.size = sizeof(arg), .first = first, .violations = (uintptr_t)v, .max = max,
	};

	must(ioctl(dev_fd, TDP_STRESS_VIOLATIONS, &arg), "TDP_STRESS_VIOLATIONS");
	*kept = arg.kept;
	return arg.filled;
}

/* An entry that is frozen on purpose has to be found, and told of. */
static void test_planted(void)
{
	struct kvm_create_guest_memfd g = { .size = PAGES * PAGE };
	struct tdp_stress_violation v[4] = {};
	void *memory = new_memory();
	struct tdp_stress_adopt_vm arg;
	int vm = new_vm(0), gmem, vcpu;
	u32 before, kept, n;

	must(adopt(vm, &arg), "TDP_STRESS_ADOPT_VM");
	gmem = must(ioctl(vm, KVM_CREATE_GUEST_MEMFD, &g), "KVM_CREATE_GUEST_MEMFD");
	must(set_slot(vm, gmem, memory), "KVM_SET_USER_MEMORY_REGION2");
	must(set_private(vm, 0, PAGES, true), "KVM_SET_MEMORY_ATTRIBUTES");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	must(prefault(vcpu, 0, 1), "KVM_PRE_FAULT_MEMORY");

	result(!check(), "an audit finds nothing");
	n = violations(0, v, 4, &before);
	result(!n && !before, "nor is there a violation to be fetched");
	plant("F1");
	result(check() > 0, "an audit finds what was planted");
	plant("none");
	n = violations(0, v, 4, &kept);
	result(n && kept >= n && !strcmp(v[0].id, "F1") && !strncmp(v[0].text, "F1: ", 4) &&
	       !v[0].index && v[0].level == 1, "and it can be fetched: %s", v[0].text);
	result(!violations(kept, v, 4, &n) && n == kept, "none after the last one");
	result(!check(), "nothing is found any more");
	close(vcpu);
	close(gmem);
	close(vm);
	munmap(memory, PAGES * PAGE);
}

static int hold(bool adopted)
{
	struct tdp_stress_adopt_vm arg;
	int vm = new_vm(0);

	if (adopted)
		must(adopt(vm, &arg), "TDP_STRESS_ADOPT_VM");
	must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	bool hold_vm = argc == 2 && !strcmp(argv[1], "hold-vm");
	bool hold_adopted = argc == 2 && !strcmp(argv[1], "hold-adopted");

	if (argc > 1 && !hold_vm && !hold_adopted) {
		fprintf(stderr, "usage: %s [hold-vm|hold-adopted]\n", argv[0]);
		return 2;
	}
	kvm_fd = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	if (!hold_vm)
		dev_fd = must(open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC), TDP_STRESS_DEVICE);
	if (hold_vm || hold_adopted)
		return hold(hold_adopted);

	test_device();
	test_bad_structures();
	test_bad_files();
	test_vm_with_vcpu();
	test_vm_with_memslot();
	test_vm_of_another_type();
	test_life();
	test_several();
	test_exit();
	test_verdict();
	test_planted();
	printf("1..%d\n", nr_tests);
	printf("# %d passed, %d failed\n", nr_tests - nr_failed, nr_failed);
	return nr_failed ? 1 : 0;
}
