// SPDX-License-Identifier: GPL-2.0
/*
 * Life and death of a TD: host capabilities, creation in the order tdx.c wants
 * (INIT_VM, memory, vCPUs, INIT_MEM_REGION, FINALIZE), teardown.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/kvm_para.h>

#include "td.h"
#include "../../tdp_stress/uapi/tdp_stress.h"
#include "../../tdp_stress/uapi/tdx_stub.h"

#define MAX_CPUID	256
/* Bound of the retries that KVM leaves to user space, 1 ms apart. */
#define MAX_RETRIES	1000
/* GPAW 48: four levels of S-EPT, SHARED is bit 47. */
#define GUEST_PA_BITS	48
#define CPUID_ADDR_SIZES	0x80000008
#define TDX_ATTR_SEPT_VE_DISABLE	BIT(28)
#define XFAM_X87_SSE	3ULL
#define IRQ_ROUTES	24
#define HUGE_PAGE_SIZE	(2UL << 20)

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static struct kvm_cpuid2 *alloc_cpuid(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_CPUID * sizeof(c->entries[0]));

	if (c)
		c->nent = MAX_CPUID;
	return c;
}

static enum td_env_status check_caps(struct td_env *env)
{
	static const struct {
		long cap;
		const char *name;
	} wanted[] = {
		{ KVM_CAP_USER_MEMORY2, "KVM_CAP_USER_MEMORY2" },
		{ KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP" },
		{ KVM_CAP_EXIT_HYPERCALL, "KVM_CAP_EXIT_HYPERCALL" },
		{ KVM_CAP_PRE_FAULT_MEMORY, "KVM_CAP_PRE_FAULT_MEMORY" },
		{ KVM_CAP_GUEST_MEMFD, "KVM_CAP_GUEST_MEMFD" },
		{ KVM_CAP_MEMORY_ATTRIBUTES, "KVM_CAP_MEMORY_ATTRIBUTES" },
		{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2" },
	};
	int types = ioctl(env->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES);
	size_t i;

	if (env->kind == TD_KIND_TDX && (types <= 0 || !(types & BIT(KVM_X86_TDX_VM))))
		return TD_ENV_NO_TDX;
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (ioctl(env->kvm_fd, KVM_CHECK_EXTENSION, wanted[i].cap) > 0)
			continue;
		env->missing = wanted[i].name;
		return TD_ENV_NO_CAP;
	}
	return TD_ENV_OK;
}

/*
 * On a host with fewer physical address bits than GPAW (a QEMU without KVM has
 * 40) KVM would take every GPA with the SHARED bit for illegal.
 */
static void widen_guest_pa(struct kvm_cpuid2 *c)
{
	u32 i;

	for (i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == CPUID_ADDR_SIZES && (e->eax & 0xff) < GUEST_PA_BITS)
			e->eax = (e->eax & ~0xffU) | GUEST_PA_BITS;
	}
}

/**
 * td_env_open() - open KVM and see whether it can make TDs
 * @env: filled in; td_env_close() it whatever is returned
 * @kind: what td_create() is to make
 *
 * Return: TD_ENV_OK, or what is missing (env->err, env->missing say more)
 */
enum td_env_status td_env_open(struct td_env *env, enum td_kind kind)
{
	enum td_env_status status;
	int size;

	memset(env, 0, sizeof(*env));
	env->kind = kind;
	env->stress_fd = -1;
	env->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (env->kvm_fd < 0) {
		env->err = errno;
		return TD_ENV_NO_KVM;
	}
	if (kind == TD_KIND_ADOPTED) {
		env->stress_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
		if (env->stress_fd < 0) {
			env->err = errno;
			return TD_ENV_NO_STRESS;
		}
	}
	status = check_caps(env);
	if (status != TD_ENV_OK)
		return status;

	size = ioctl(env->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	env->cpuid = alloc_cpuid();
	if (size < 0 || !env->cpuid ||
	    ioctl(env->kvm_fd, KVM_GET_SUPPORTED_CPUID, env->cpuid) < 0) {
		env->err = errno;
		env->missing = "KVM_GET_SUPPORTED_CPUID";
		return TD_ENV_NO_CAP;
	}
	env->run_size = size;
	widen_guest_pa(env->cpuid);
	return TD_ENV_OK;
}

void td_env_close(struct td_env *env)
{
	if (env->kvm_fd >= 0)
		close(env->kvm_fd);
	env->kvm_fd = -1;
	if (env->stress_fd >= 0)
		close(env->stress_fd);
	env->stress_fd = -1;
	free(env->cpuid);
	env->cpuid = NULL;
}

/* Remember which step failed; the message needs it. */
static int step(struct td *td, enum td_call call, int ret)
{
	if (ret < 0)
		td->failed = call;
	return ret;
}

static int tdx_command(struct td *td, enum td_call call, int fd, u32 id, u32 flags,
		       void *data)
{
	struct kvm_tdx_cmd cmd = { .id = id, .flags = flags, .data = (uintptr_t)data };
	int ret = td_ioctl(call, fd, KVM_MEMORY_ENCRYPT_OP, &cmd);

	if (ret < 0)
		td->hw_error = cmd.hw_error;
	return step(td, call, ret);
}

static int enable_cap(struct td *td, u32 cap, u64 arg)
{
	struct kvm_enable_cap ec = { .cap = cap, .args = { arg } };

	return step(td, TD_CALL_ENABLE_CAP,
		    td_ioctl(TD_CALL_ENABLE_CAP, td->vm_fd, KVM_ENABLE_CAP, &ec));
}

static const struct kvm_cpuid_entry2 *find_cpuid(const struct kvm_cpuid2 *c, u32 function,
						 u32 index)
{
	u32 i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	return NULL;
}

/*
 * setup_tdparams_cpuids() takes configurable leaves only, and each of their
 * bits must be configurable: what KVM supports, masked by what may be set.
 */
static void fill_cpuid(const struct td *td, struct kvm_cpuid2 *out,
		       const struct kvm_cpuid2 *configurable)
{
	u32 i;

	out->nent = 0;
	for (i = 0; i < configurable->nent; i++) {
		const struct kvm_cpuid_entry2 *mask = &configurable->entries[i];
		const struct kvm_cpuid_entry2 *host =
			find_cpuid(td->env->cpuid, mask->function, mask->index);
		struct kvm_cpuid_entry2 *e;

		if (!host && mask->function != CPUID_ADDR_SIZES)
			continue;
		e = &out->entries[out->nent++];
		*e = (struct kvm_cpuid_entry2) {
			.function = mask->function,
			.index = mask->index,
			.flags = mask->flags,
		};
		if (host) {
			e->eax = host->eax & mask->eax;
			e->ebx = host->ebx & mask->ebx;
			e->ecx = host->ecx & mask->ecx;
			e->edx = host->edx & mask->edx;
		}
		if (mask->function == CPUID_ADDR_SIZES)
			e->eax = (e->eax & ~0xff0000U) | GUEST_PA_BITS << 16;
	}
}

static int init_vm(struct td *td)
{
	size_t entries = MAX_CPUID * sizeof(struct kvm_cpuid_entry2);
	struct kvm_tdx_capabilities *caps = calloc(1, sizeof(*caps) + entries);
	struct kvm_tdx_init_vm *init = calloc(1, sizeof(*init) + entries);
	int ret = -ENOMEM, tries;

	if (!caps || !init)
		goto out;
	caps->cpuid.nent = MAX_CPUID;
	ret = tdx_command(td, TD_CALL_CAPABILITIES, td->vm_fd, KVM_TDX_CAPABILITIES, 0, caps);
	if (ret < 0)
		goto out;

	/*
	 * A page that is not accepted is #VE to the guest, or with SEPT_VE_DISABLE an exit,
	 * by which KVM ends the TD. The image has a handler of #VE.
	 */
	if (!td->env->image)
		init->attributes = caps->supported_attrs & TDX_ATTR_SEPT_VE_DISABLE;
	init->xfam = caps->supported_xfam & XFAM_X87_SSE;
	fill_cpuid(td, &init->cpuid, &caps->cpuid);

	/* TDX_RND_NO_ENTROPY: KVM leaves the retry to us. */
	for (tries = 0; tries < MAX_RETRIES; tries++) {
		ret = tdx_command(td, TD_CALL_INIT_VM, td->vm_fd, KVM_TDX_INIT_VM, 0, init);
		if (ret != -EAGAIN)
			break;
		sleep_ms(1);
	}
out:
	free(caps);
	free(init);
	return ret;
}

static u64 image_pages(const struct td *td)
{
	return td->env->image ? td->env->image->size >> TD_PAGE_SHIFT : 0;
}

static u64 image_gfn(const struct td *td)
{
	return (TD_PAYLOAD_END >> TD_PAGE_SHIFT) - image_pages(td);
}

static int create_image_slot(struct td *td)
{
	int ret;

	td->slots[TD_SLOT_IMAGE] = (struct td_slot) {
		.gfn = image_gfn(td),
		.nr_pages = image_pages(td),
		/* what is shared of it nobody touches */
		.hva = td->slots[TD_SLOT_MAIN].hva,
		.gmem_page = td->gmem_pages,
		.flags = KVM_MEM_GUEST_MEMFD,
	};
	ret = td_slot_create(td, TD_SLOT_IMAGE);
	if (ret)
		return step(td, TD_CALL_SLOT_CREATE, ret);
	return step(td, TD_CALL_SET_ATTRS,
		    td_set_private(td, image_gfn(td), image_pages(td), true));
}

static int create_memory(struct td *td)
{
	struct kvm_create_guest_memfd gmem = { 0 };
	u64 main_pages = td->cfg.nr_pages - td->cfg.window_pages;
	u64 main_bytes = td->cfg.nr_pages << TD_PAGE_SHIFT;
	int ret;

	td->gmem_pages = td->cfg.nr_pages + td->cfg.window_pages;
	gmem.size = (td->gmem_pages + image_pages(td)) << TD_PAGE_SHIFT;
	ret = td_ioctl(TD_CALL_CREATE_GMEM, td->vm_fd, KVM_CREATE_GUEST_MEMFD, &gmem);
	if (ret < 0)
		return step(td, TD_CALL_CREATE_GMEM, ret);
	td->gmem_fd = ret;

	/* Room to align to 2M, so that shared memory can be mapped huge. */
	td->shared_bytes = main_bytes + (td->cfg.window_pages << TD_PAGE_SHIFT) + HUGE_PAGE_SIZE;
	td_call_begin(TD_CALL_MMAP);
	td->shared = mmap(NULL, td->shared_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ret = td_call_end(td->shared == MAP_FAILED ? -1 : 0);
	if (ret < 0) {
		td->shared = NULL;
		return step(td, TD_CALL_MMAP, ret);
	}

	td->slots[TD_SLOT_MAIN] = (struct td_slot) {
		.nr_pages = main_pages,
		.hva = (void *)(((uintptr_t)td->shared + HUGE_PAGE_SIZE - 1) &
				~(HUGE_PAGE_SIZE - 1)),
		.flags = KVM_MEM_GUEST_MEMFD,
	};
	td->slots[TD_SLOT_WINDOW] = (struct td_slot) {
		.gfn = main_pages,
		.nr_pages = td->cfg.window_pages,
		.hva = (char *)td->slots[TD_SLOT_MAIN].hva + (main_pages << TD_PAGE_SHIFT),
		.gmem_page = main_pages,
		.flags = KVM_MEM_GUEST_MEMFD,
	};
	td->slots[TD_SLOT_MOBILE] = (struct td_slot) {
		.nr_pages = td->cfg.window_pages,
		.hva = (char *)td->slots[TD_SLOT_MAIN].hva + main_bytes,
	};
	td->slots[TD_SLOT_MOBILE].gfn = td_mobile_gfn(td, 0);

	ret = td_slot_create(td, TD_SLOT_MAIN);
	if (!ret && td->cfg.window_pages)
		ret = td_slot_create(td, TD_SLOT_WINDOW);
	if (!ret && td->cfg.window_pages)
		ret = td_slot_create(td, TD_SLOT_MOBILE);
	if (ret)
		return step(td, TD_CALL_SLOT_CREATE, ret);
	if (td->env->image)
		ret = create_image_slot(td);
	if (ret)
		return ret;
	return step(td, TD_CALL_SET_ATTRS, td_set_private(td, 0, td->cfg.nr_pages, true));
}

/* An ordinary VM, which tdp_stress.ko gives mirror roots. */
static int adopt_vm(struct td *td)
{
	struct tdp_stress_adopt_vm arg = { .size = sizeof(arg), .vm_fd = td->vm_fd };
	int ret = td_ioctl(TD_CALL_ADOPT_VM, td->env->stress_fd, TDP_STRESS_ADOPT_VM, &arg);

	td->shared_bit = arg.shared_bit;
	return step(td, TD_CALL_ADOPT_VM, ret);
}

/* What is not the same for both kinds, up to a VM with neither memory nor vCPUs. */
static int make_confidential(struct td *td)
{
	int ret;

	if (td->env->kind == TD_KIND_ADOPTED)
		return adopt_vm(td);
	ret = enable_cap(td, KVM_CAP_SPLIT_IRQCHIP, IRQ_ROUTES);
	if (!ret)
		ret = enable_cap(td, KVM_CAP_EXIT_HYPERCALL, BIT(KVM_HC_MAP_GPA_RANGE));
	return ret ?: init_vm(td);
}

/**
 * td_create() - create a TD up to KVM_TDX_INIT_VM, with its memory, all private
 * @td: filled in
 * @env: from td_env_open(), outlives the TD
 * @cfg: what it looks like
 *
 * Return: 0, or -errno with td->failed and nothing left behind
 */
int td_create(struct td *td, const struct td_env *env, const struct td_config *cfg)
{
	unsigned long type = env->kind == TD_KIND_TDX ? KVM_X86_TDX_VM : KVM_X86_DEFAULT_VM;
	unsigned int i;
	int ret;

	memset(td, 0, sizeof(*td));
	td->env = env;
	td->cfg = *cfg;
	td->vm_fd = -1;
	td->gmem_fd = -1;
	td->vcpus = calloc(cfg->nr_vcpus, sizeof(*td->vcpus));
	if (!td->vcpus)
		return -ENOMEM;
	for (i = 0; i < cfg->nr_vcpus; i++)
		td->vcpus[i] = (struct td_vcpu) { .td = td, .index = i, .fd = -1 };

	td_call_begin(TD_CALL_CREATE_VM);
	ret = td_call_end(ioctl(env->kvm_fd, KVM_CREATE_VM, type));
	if (step(td, TD_CALL_CREATE_VM, ret) < 0)
		goto fail;
	td->vm_fd = ret;

	ret = make_confidential(td);
	if (!ret && cfg->dirty_log_manual)
		ret = enable_cap(td, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
				 KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	if (!ret)
		ret = create_memory(td);
	if (!ret)
		return 0;
fail:
	td_destroy(td);
	return ret;
}

/*
 * Stay on this CPU: a thread that migrates between TDH.VP.INIT and the end of
 * tdx_vcpu_init() is not followed by TDH.VP.FLUSH (7.2, 7.3: tdx_flush_vp() skips
 * a vCPU that is not INITIALIZED yet), and KVM then bugs the VM because
 * TDH.VP.WR finds it associated elsewhere. See Documentation/findings.rst.
 */
static bool stay_on_cpu(cpu_set_t *before)
{
	cpu_set_t here;
	int cpu = sched_getcpu();

	if (cpu < 0 || sched_getaffinity(0, sizeof(*before), before))
		return false;
	CPU_ZERO(&here);
	CPU_SET(cpu, &here);
	return !sched_setaffinity(0, sizeof(here), &here);
}

/* What the vCPU is told: all of the memory, or with an image its share of it. */
static u64 initial_rcx(struct td *td, struct td_vcpu *vcpu)
{
	u64 share = td->cfg.nr_pages / td->cfg.nr_vcpus;
	u64 arg = TD_PAYLOAD_ARG(vcpu->index * share, share, vcpu->index, td->env->seed);

	if (!td->env->image)
		return TDX_STUB_GUEST_LAYOUT(0, td->cfg.nr_pages);
	td_payload_init(&vcpu->script, arg);
	return arg;
}

/* EBUSY: see TD_CALL_INIT_VCPU in call.c; the other creation ends soon. */
static int init_vcpu(struct td *td, struct td_vcpu *vcpu)
{
	u64 rcx = initial_rcx(td, vcpu);
	int tries, ret = 0;
	cpu_set_t before;
	bool stays = stay_on_cpu(&before);

	for (tries = 0; tries < MAX_RETRIES; tries++) {
		ret = tdx_command(td, TD_CALL_INIT_VCPU, vcpu->fd, KVM_TDX_INIT_VCPU, 0,
				  (void *)(uintptr_t)rcx);
		if (ret != -EBUSY)
			break;
		sleep_ms(1);
	}
	if (stays)
		sched_setaffinity(0, sizeof(before), &before);
	return ret;
}

/**
 * td_add_vcpu() - create and initialise the next vCPU
 * @td: a TD that is not finalised
 *
 * Return: 0 or -errno with td->failed
 */
int td_add_vcpu(struct td *td)
{
	struct td_vcpu *vcpu = &td->vcpus[td->nr_vcpus];
	int ret;

	td_call_begin(TD_CALL_CREATE_VCPU);
	ret = td_call_end(ioctl(td->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index));
	if (step(td, TD_CALL_CREATE_VCPU, ret) < 0)
		return ret;
	vcpu->fd = ret;

	vcpu->run = mmap(NULL, td->env->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		ret = -errno;
		vcpu->run = NULL;
		goto close_fd;
	}
	/* x2APIC is in there; TDX vCPUs need it. */
	ret = step(td, TD_CALL_SET_CPUID,
		   td_ioctl(TD_CALL_SET_CPUID, vcpu->fd, KVM_SET_CPUID2, td->env->cpuid));
	if (!ret && td->env->kind == TD_KIND_TDX)
		ret = init_vcpu(td, vcpu);
	if (ret < 0)
		goto unmap;
	td->nr_vcpus++;
	return 0;

unmap:
	munmap(vcpu->run, td->env->run_size);
	vcpu->run = NULL;
close_fd:
	close(vcpu->fd);
	vcpu->fd = -1;
	return ret;
}

/**
 * td_try_late_vcpu() - try to add a vCPU to a finalised TD
 * @td: the TD
 *
 * KVM refuses: see TD_CALL_LATE_VCPU in call.c.
 *
 * Return: -errno as KVM refused, or 0: KVM created one (it is gone again)
 */
int td_try_late_vcpu(struct td *td)
{
	int ret;

	td_call_begin(TD_CALL_LATE_VCPU);
	ret = td_call_end(ioctl(td->vm_fd, KVM_CREATE_VCPU, (unsigned long)td->cfg.nr_vcpus));
	if (ret < 0)
		return ret;
	close(ret);
	return 0;
}

/**
 * td_init_mem() - KVM_TDX_INIT_MEM_REGION
 * @td: a TD that is not finalised, TD_KIND_TDX
 * @vcpu: any vCPU
 * @gfn: first frame
 * @nr_pages: number of pages
 * @source: page aligned, @nr_pages long
 * @measure: TDH.MR.EXTEND too
 *
 * Return: 0 or -errno with td->failed
 */
int td_init_mem(struct td *td, unsigned int vcpu, u64 gfn, u64 nr_pages,
		const void *source, bool measure)
{
	struct kvm_tdx_init_mem_region region = {
		.source_addr = (uintptr_t)source,
		.gpa = gfn << TD_PAGE_SHIFT,
		.nr_pages = nr_pages,
	};
	int tries, ret = 0;

	/* KVM updates @region, so that a retry goes on where it stopped. */
	for (tries = 0; region.nr_pages && tries < MAX_RETRIES; tries++) {
		ret = tdx_command(td, TD_CALL_INIT_MEM, td->vcpus[vcpu].fd,
				  KVM_TDX_INIT_MEM_REGION,
				  measure ? KVM_TDX_MEASURE_MEMORY_REGION : 0, &region);
		if (ret != -EBUSY && ret != -EINTR && ret != -EAGAIN)
			break;
		sleep_ms(1);
	}
	return ret;
}

/**
 * td_finalize() - KVM_TDX_FINALIZE_VM; from now on the TD can run
 * @td: the TD
 *
 * Return: 0 or -errno with td->failed
 */
int td_finalize(struct td *td)
{
	int tries, ret = 0;

	/* adoption has done that */
	if (td->env->kind == TD_KIND_ADOPTED)
		return 0;
	if (td->env->image)
		ret = td_init_mem(td, 0, image_gfn(td), image_pages(td), td->env->image->data,
				  true);
	if (ret)
		return ret;
	for (tries = 0; tries < MAX_RETRIES; tries++) {
		ret = tdx_command(td, TD_CALL_FINALIZE, td->vm_fd, KVM_TDX_FINALIZE_VM, 0, NULL);
		if (ret != -EBUSY)
			break;
		sleep_ms(1);
	}
	return ret;
}

static void close_fd(int *fd)
{
	if (*fd < 0)
		return;
	td_call_begin(TD_CALL_CLOSE);
	td_call_end(close(*fd));
	*fd = -1;
}

/**
 * td_destroy() - give everything back; returns when KVM has destroyed the VM
 * @td: any state; no thread uses it any more
 */
void td_destroy(struct td *td)
{
	unsigned int i;

	/* Never came to td_create(): 0 is no descriptor of ours. */
	if (!td->env)
		return;
	for (i = 0; td->vcpus && i < td->cfg.nr_vcpus; i++) {
		if (td->vcpus[i].run)
			munmap(td->vcpus[i].run, td->env->run_size);
		close_fd(&td->vcpus[i].fd);
	}
	free(td->vcpus);
	td->vcpus = NULL;
	td->nr_vcpus = 0;
	close_fd(&td->gmem_fd);
	close_fd(&td->vm_fd);
	if (td->shared)
		munmap(td->shared, td->shared_bytes);
	td->shared = NULL;
}
