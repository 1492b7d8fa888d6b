// SPDX-License-Identifier: GPL-2.0
/*
 * VMs of the tests, made the same way on every backend, and how much of them is
 * mapped. What is right is the tests' business.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "ks.h"

#define MAX_TRIES	100000

/**
 * ks_vm_make() - make a VM that can run: vCPUs, memory (all private), finalised
 * @ks: the test
 * @vm: filled in; td_destroy() it whatever is returned
 * @cfg: what it looks like
 *
 * Return: 0, or -errno with vm->failed
 */
int ks_vm_make(struct ks *ks, struct td *vm, const struct td_config *cfg)
{
	unsigned int i;
	int ret = td_create(vm, &ks->env, cfg);

	for (i = 0; !ret && i < cfg->nr_vcpus; i++)
		ret = td_add_vcpu(vm);
	return ret ?: td_finalize(vm);
}

/* The VM of most tests: two vCPUs, unless the variant says otherwise, and three slots. */
int ks_vm_start(struct ks *ks, struct td *vm)
{
	const struct td_config cfg = {
		.nr_vcpus = ks->nr_vcpus,
		.nr_pages = KS_PAGES,
		.window_pages = KS_WINDOW,
	};

	return ks_vm_make(ks, vm, &cfg);
}

/**
 * ks_map() - KVM_PRE_FAULT_MEMORY until all of a range is mapped
 * @vm: the VM
 * @vcpu: which vCPU does it
 * @gfn: first frame; memory attributes decide whether private or shared
 * @nr_pages: size in 4K pages
 *
 * Return: 0 or -errno; EAGAIN if KVM never gets there
 */
int ks_map(struct td *vm, unsigned int vcpu, u64 gfn, u64 nr_pages)
{
	u64 done;
	int ret, tries;

	for (tries = 0; nr_pages && tries < MAX_TRIES; tries++) {
		ret = td_prefault(&vm->vcpus[vcpu], gfn, nr_pages, &done);
		gfn += done;
		nr_pages -= done;
		if (ret && ret != -EINTR && ret != -EAGAIN)
			return ret;
	}
	return nr_pages ? -EAGAIN : 0;
}

static int grant_fault(void *ctx, struct td_vcpu *vcpu, u64 gfn, bool private)
{
	return td_set_private(vcpu->td, gfn, 1, private);
}

static int grant_map(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, bool private)
{
	int ret = td_set_private(vcpu->td, gfn, nr_pages, private);

	return ret ?: TD_MAP_DONE;
}

/* The guest's wishes are granted: what it takes for private becomes private. */
static const struct td_run_handler obliging = { .fault = grant_fault, .map_gpa = grant_map };

/**
 * ks_enter() - enter a vCPU once, and answer what it came back with
 * @vm: the VM, of a backend that ks_can_run()
 * @vcpu: which vCPU
 *
 * Return: 0: its guest reports progress; KS_ASKED: it asks for something else;
 *	   KS_STUCK: it met memory that is not there; -errno of KVM_RUN; -EPROTO: an
 *	   exit that should not be
 */
int ks_enter(struct td *vm, unsigned int vcpu)
{
	struct td_run_result res = { 0 };

	td_run(&vm->vcpus[vcpu], &obliging, &res);
	switch (res.exit) {
	case TD_EXIT_UNEXPECTED:
		fprintf(stderr, "# vCPU %u: %s\n", vcpu, res.text);
		return res.err ? -res.err : -EPROTO;
	case TD_EXIT_PROGRESS:
		return 0;
	case TD_EXIT_FAULT:
	case TD_EXIT_BACKING:
		return KS_STUCK;
	default:
		return KS_ASKED;
	}
}

/**
 * ks_run() - enter a vCPU until its guest has reported progress
 * @vm: the VM, of a backend that ks_can_run()
 * @vcpu: which vCPU
 * @times: how often it is to report
 *
 * Return: 0; -ETIME: no progress in many entries; or as ks_enter()
 */
int ks_run(struct td *vm, unsigned int vcpu, unsigned int times)
{
	int tries, ret;

	for (tries = 0; times && tries < MAX_TRIES; tries++) {
		ret = ks_enter(vm, vcpu);
		if (ret < 0)
			return ret;
		times -= !ret;
	}
	return times ? -ETIME : 0;
}

/* What KVM has mapped, in 4K pages, in all roots; or -errno. */
s64 ks_mapped(const struct td *vm)
{
	s64 small = td_stat(vm->vm_fd, "pages_4k");
	s64 large = td_stat(vm->vm_fd, "pages_2m");
	s64 giant = td_stat(vm->vm_fd, "pages_1g");

	if (small < 0 || large < 0 || giant < 0)
		return small < 0 ? small : large < 0 ? large : giant;
	return small + KS_HUGE_PAGES * (large + KS_HUGE_PAGES * giant);
}

/* A write that no compiler leaves out: the host has to have a page there. */
void ks_poke(void *at)
{
	__atomic_fetch_add((char *)at, 1, __ATOMIC_RELAXED);
}

/**
 * ks_touch() - let the host populate a slot's shared memory
 * @vm: the VM
 * @id: the slot
 * @huge: by 2M pages if it can, else by 4K pages
 */
void ks_touch(const struct td *vm, enum td_slot_id id, bool huge)
{
	const struct td_slot *slot = &vm->slots[id];
	size_t bytes = slot->nr_pages << TD_PAGE_SHIFT, i;
	char *p = slot->hva;

	/* a kernel without THP refuses: the pages are small then */
	madvise(slot->hva, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (i = 0; i < bytes; i += TD_PAGE_SIZE)
		ks_poke(&p[i]);
}
