// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of the small guest (ks_payload.c): its memory and registers, its
 * vCPUs under KVM_RUN, and keeping it off its moving pages. What is done to its
 * memory, and what then has to be true, is the tests' business.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <asm/processor-flags.h>

#include "ks.h"

/* What a vCPU may take to answer, on a busy machine. */
#define ANSWER_MS	30000

#define PTE_PRESENT	BIT(0)
#define PTE_WRITE	BIT(1)
#define PTE_ACCESSED	BIT(5)
#define PTE_DIRTY	BIT(6)
#define PTE_LARGE	BIT(7)
#define PTE_TABLE	(PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define PTES		512
#define LARGE_SHIFT	21

#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define SEGMENT_CODE	11	/* execute, read, accessed */
#define SEGMENT_DATA	3	/* read, write, accessed */

#define TELL_READ	"vCPU %u read %#llx in page %llu (gfn %#llx) instead of its write %llu (%#llx)"

static void wait_us(long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

/* --- its memory --- */

static char *host_address(const struct ks_guest *g, u64 guest_address)
{
	return (char *)g->vm->slots[TD_SLOT_MAIN].hva + guest_address;
}

/**
 * ks_guest_page() - where the host has a page of the guest's
 * @g: the guest
 * @page: its number
 *
 * Return: the address.
 */
char *ks_guest_page(const struct ks_guest *g, u64 page)
{
	if (page < KS_MOVING)
		return (char *)g->vm->slots[TD_SLOT_MOBILE].hva + (page << TD_PAGE_SHIFT);
	return host_address(g, KS_STAYING_AT) + ((page - KS_MOVING) << TD_PAGE_SHIFT);
}

/**
 * ks_guest_word() - what is in a page of the guest's, as the host sees it
 * @g: the guest
 * @page: its number
 *
 * Return: the word.
 */
u64 ks_guest_word(const struct ks_guest *g, u64 page)
{
	return KS_GET(*(u64 *)(ks_guest_page(g, page) + ks_word_offset(page)));
}

/**
 * ks_guest_gfn() - where the guest has a page of its
 * @g: the guest
 * @page: its number
 *
 * Return: the GFN, without shared bits
 */
u64 ks_guest_gfn(const struct ks_guest *g, u64 page)
{
	if (page < KS_MOVING)
		return g->vm->slots[TD_SLOT_MOBILE].gfn + page;
	return (KS_STAYING_AT >> TD_PAGE_SHIFT) + page - KS_MOVING;
}

/* The first GiB is itself, by 2M pages; all of it, and the tables, are shared memory. */
static void fill_tables(const struct ks_guest *g)
{
	u64 shared = g->vm->shared_bit;
	u64 *pml4 = (u64 *)host_address(g, KS_TABLES_AT);
	u64 *pdpt = pml4 + PTES, *pd = pdpt + PTES;
	u64 i;

	pml4[0] = (KS_TABLES_AT + TD_PAGE_SIZE) | shared | PTE_TABLE;
	pdpt[0] = (KS_TABLES_AT + 2 * TD_PAGE_SIZE) | shared | PTE_TABLE;
	for (i = 0; i < PTES; i++)
		pd[i] = i << LARGE_SHIFT | shared | PTE_TABLE | PTE_DIRTY | PTE_LARGE;
}

/* The guest goes by what it reads here. */
static void say_where(const struct ks_guest *g)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++)
		KS_SET(g->home->box[i].moving_at,
		       g->vm->slots[TD_SLOT_MOBILE].gfn << TD_PAGE_SHIFT);
}

static void fill_home(struct ks_guest *g, u64 seed)
{
	struct rng rng;
	unsigned int i;

	memcpy(host_address(g, KS_CODE_AT), __start_ks_guest_code,
	       __stop_ks_guest_code - __start_ks_guest_code);
	fill_tables(g);
	g->home = (struct ks_home *)host_address(g, KS_HOME_AT);
	for (i = 0; i < g->nr; i++) {
		rng_init(&rng, seed, i);
		g->home->box[i].random = rng_next(&rng);
		g->home->box[i].nr_cpus = g->nr;
	}
	say_where(g);
}

/* --- its registers --- */

static void set_segment(struct kvm_segment *s, u8 type, bool code)
{
	*s = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = code ? 8 : 16, .type = type, .present = 1,
		.s = 1, .g = 1, .l = code, .db = !code,
	};
}

static int set_system_registers(const struct ks_guest *g, int fd)
{
	struct kvm_sregs s;
	int ret = td_ioctl(TD_CALL_RUN, fd, KVM_GET_SREGS, &s);

	if (ret)
		return ret;
	set_segment(&s.cs, SEGMENT_CODE, true);
	set_segment(&s.ds, SEGMENT_DATA, false);
	s.es = s.ds;
	s.ss = s.ds;
	s.cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG;
	s.cr3 = KS_TABLES_AT | g->vm->shared_bit;
	s.cr4 = X86_CR4_PAE;
	s.efer = EFER_LME | EFER_LMA;
	return td_ioctl(TD_CALL_RUN, fd, KVM_SET_SREGS, &s);
}

/* As if ks_payload() had been called. */
static int set_registers(const struct ks_guest *g, unsigned int cpu)
{
	const char *entry = (const char *)ks_payload;
	struct kvm_regs r = {
		.rip = KS_CODE_AT + (entry - __start_ks_guest_code),
		.rdi = KS_HOME_AT,
		.rsi = cpu,
		.rsp = KS_STACKS_AT + (cpu + 1) * TD_PAGE_SIZE - sizeof(u64),
		.rflags = X86_EFLAGS_FIXED,
	};
	int fd = g->vm->vcpus[cpu].fd;

	return set_system_registers(g, fd) ?: td_ioctl(TD_CALL_RUN, fd, KVM_SET_REGS, &r);
}

/**
 * ks_guest_make() - make a VM with a guest in it
 * @ks: the test
 * @g: filled in; td_destroy() @vm whatever is returned
 * @vm: filled in
 * @nr_cpus: vCPUs that run it; there is one more, for the host's use
 * @huge: its pages are to be 2M pages of the host's
 *
 * Return: 0, or -errno
 */
int ks_guest_make(struct ks *ks, struct ks_guest *g, struct td *vm, unsigned int nr_cpus, bool huge)
{
	const struct td_config cfg = {
		.nr_vcpus = nr_cpus + 1, .nr_pages = KS_PAGES, .window_pages = KS_WINDOW,
	};
	unsigned int i;
	int ret;

	memset(g, 0, sizeof(*g));
	g->vm = vm;
	g->nr = nr_cpus;
	pthread_mutex_init(&g->lock, NULL);
	ret = ks_vm_make(ks, vm, &cfg);
	if (!ret)
		ret = td_set_private(vm, 0, KS_MAIN_PAGES, false);
	if (ret)
		return ret;
	ks_touch(vm, TD_SLOT_MAIN, huge);
	ks_touch(vm, TD_SLOT_MOBILE, huge);
	memset(vm->slots[TD_SLOT_MAIN].hva, 0, KS_MAIN_PAGES << TD_PAGE_SHIFT);
	memset(vm->slots[TD_SLOT_MOBILE].hva, 0, KS_MOVING << TD_PAGE_SHIFT);
	fill_home(g, ks->seed);
	for (i = 0; !ret && i < nr_cpus; i++)
		ret = set_registers(g, i);
	return ret;
}

/* --- its vCPUs --- */

/**
 * ks_guest_blame() - say what is wrong; the first one to do so is believed
 * @g: the guest
 * @fmt: a sentence
 */
void ks_guest_blame(struct ks_guest *g, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	pthread_mutex_lock(&g->lock);
	if (!g->wrong[0])
		vsnprintf(g->wrong, sizeof(g->wrong), fmt, args);
	pthread_mutex_unlock(&g->lock);
	va_end(args);
}

static int no_conversion(void *ctx, struct td_vcpu *vcpu, u64 gfn, bool private)
{
	return -EPROTO;
}

static int no_wish(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, bool private)
{
	return -EPROTO;
}

static const struct td_run_handler handler = { .fault = no_conversion, .map_gpa = no_wish };

static void blame_exit(struct ks_guest_cpu *cpu, const struct td_run_result *res)
{
	struct td_vcpu *vcpu = &cpu->guest->vm->vcpus[cpu->index];
	struct kvm_regs r = { 0 };

	ioctl(vcpu->fd, KVM_GET_REGS, &r);
	ks_guest_blame(cpu->guest, "vCPU %u: KVM_RUN ended (%s %s, exit reason %u) at RIP 0x%llx",
		       cpu->index, td_exit_name(res->exit), res->text, vcpu->run->exit_reason,
		       (u64)r.rip);
}

/* Nothing brings it back but a signal, and memory that is not there for a while. */
static void *run(void *arg)
{
	struct ks_guest_cpu *cpu = arg;
	struct td_run_result res;

	while (!cpu->guest->over) {
		td_run(&cpu->guest->vm->vcpus[cpu->index], &handler, &res);
		if (res.exit == TD_EXIT_BACKING) {
			cpu->refused++;
		} else if (res.exit != TD_EXIT_SIGNAL) {
			blame_exit(cpu, &res);
			break;
		}
	}
	cpu->ended = true;
	return NULL;
}

static void wake(int signal)
{
}

/**
 * ks_guest_start() - let all vCPUs run, in a thread each, until ks_guest_stop()
 * @g: the guest
 *
 * Return: 0 or -errno
 */
int ks_guest_start(struct ks_guest *g)
{
	struct sigaction action = { .sa_handler = wake };
	unsigned int i;
	int err;

	sigaction(SIGUSR1, &action, NULL);
	g->over = false;
	for (i = 0; i < g->nr; i++) {
		g->cpu[i].guest = g;
		g->cpu[i].index = i;
		g->cpu[i].ended = false;
		err = pthread_create(&g->cpu[i].thread, NULL, run, &g->cpu[i]);
		if (err)
			return -err;
		g->cpu[i].started = true;
	}
	return 0;
}

/**
 * ks_guest_stop() - let no vCPU run any more, and wait until none does
 * @g: the guest, which may have stopped, or never been started
 */
void ks_guest_stop(struct ks_guest *g)
{
	unsigned int i;

	g->over = true;
	for (i = 0; i < g->nr; i++) {
		struct ks_guest_cpu *cpu = &g->cpu[i];

		if (!cpu->started)
			continue;
		/* one that comes before KVM_RUN is lost */
		while (!cpu->ended) {
			KS_SET(g->vm->vcpus[i].run->immediate_exit, 1);
			pthread_kill(cpu->thread, SIGUSR1);
			wait_us(1000);
		}
		pthread_join(cpu->thread, NULL);
		cpu->started = false;
	}
}

static bool answered(const struct ks_guest *g, u64 off)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++)
		if (KS_GET(g->home->box[i].kept_off) != off)
			return false;
	return true;
}

/**
 * ks_guest_keep_off() - keep the guest off its moving pages, or do not any more
 * @g: the guest, which runs; nobody else does this at the same time
 * @off: keep it off
 *
 * It stays in guest mode, so that its CPUs keep in their TLBs what they have there.
 *
 * Return: all vCPUs go by it; if they do not, that is wrong with the guest
 */
bool ks_guest_keep_off(struct ks_guest *g, bool off)
{
	u64 number = ++g->offs * 2 + off, start = ks_now_ms();
	unsigned int i;

	if (!off)
		say_where(g);
	for (i = 0; i < g->nr; i++)
		KS_SET(g->home->box[i].keep_off, number);
	while (off && !answered(g, number)) {
		if (ks_guest_wrong(g))
			return false;
		if (ks_now_ms() - start >= ANSWER_MS) {
			ks_guest_blame(g, "a vCPU has not answered for %u ms", ANSWER_MS);
			return false;
		}
		wait_us(100);
	}
	return true;
}

/**
 * ks_guest_wrong() - is anything wrong with the guest, up to now?
 * @g: the guest
 *
 * Return: NULL, or what
 */
const char *ks_guest_wrong(struct ks_guest *g)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++) {
		const struct ks_box *box = &g->home->box[i];

		if (KS_GET(box->failed))
			ks_guest_blame(g, TELL_READ, i, box->got, box->page,
				       ks_guest_gfn(g, box->page), KS_WORD_WRITE(box->wanted),
				       box->wanted);
	}
	return g->wrong[0] ? g->wrong : NULL;
}
