// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on the host's side of shared memory: advice, protection, mapping.
 * KVM hears of each through its MMU notifier, and the guest's accesses find
 * nothing there for a while.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "stress.h"

#define HUGE_PAGES	512
#define MAX_PAGES	64
/*
 * Each remapped piece may become a mapping of its own; the kernel allows 65530
 * of them (vm.max_map_count).
 */
#define MAX_PIECES	16384

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/**
 * struct piece - a piece of a TD's shared backing
 * @page: first page
 * @nr: number of pages
 * @addr: where it is
 * @bytes: its size
 */
struct piece {
	u64 page, nr;
	char *addr;
	size_t bytes;
};

static struct piece pick_piece(struct rng *rng, const struct target *t, u64 granule,
			       u64 max)
{
	u64 limit = t->td.cfg.nr_pages;
	struct piece p;

	p.page = rng_below(rng, limit / granule) * granule;
	p.nr = granule * (1 + rng_below(rng, max));
	if (p.nr > limit - p.page)
		p.nr = limit - p.page;
	p.addr = (char *)t->td.slots[TD_SLOT_MAIN].hva + (p.page << TD_PAGE_SHIFT);
	p.bytes = p.nr << TD_PAGE_SHIFT;
	return p;
}

/* Cheap sanity: what KVM maps to the guest can be read and written by the host. */
static void touch(const struct piece *p)
{
	volatile char *byte = p->addr;

	*byte = *byte + 1;
}

static enum op_result madvise_piece(struct worker *w, struct target *t, const struct piece *p,
				    int advice)
{
	td_call_begin(TD_CALL_MADVISE);
	return worker_judge(w, TD_CALL_MADVISE, td_call_end(madvise(p->addr, p->bytes, advice)),
			    &t->td);
}

enum op_result op_madvise(struct worker *w)
{
	static const int huge[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE };
	struct target *t = worker_pick_target(w);
	bool is_huge = t->td.cfg.nr_pages >= HUGE_PAGES && rng_one_in(&w->rng, 8);
	int advice = is_huge ? huge[rng_below(&w->rng, 3)] : MADV_DONTNEED;
	struct piece p = pick_piece(&w->rng, t, is_huge ? HUGE_PAGES : 1, is_huge ? 1 : MAX_PAGES);
	enum op_result res;

	worker_trace(w, "td %u page 0x%llx pages %llu advice %d", t->index, p.page, p.nr, advice);
	if (pthread_mutex_trylock(&t->backing_lock))
		return OP_SKIP;
	res = madvise_piece(w, t, &p, advice);
	touch(&p);
	pthread_mutex_unlock(&t->backing_lock);
	return res;
}

enum op_result op_mprotect(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	struct piece p = pick_piece(&w->rng, t, 1, MAX_PAGES);
	int prot = rng_below(&w->rng, 2) ? PROT_READ : PROT_NONE;
	unsigned int pause_us = rng_below(&w->rng, 200);
	enum op_result res;

	worker_trace(w, "td %u page 0x%llx pages %llu prot %d pause %u us", t->index, p.page, p.nr,
		     prot, pause_us);
	if (pthread_mutex_trylock(&t->backing_lock))
		return OP_SKIP;
	td_call_begin(TD_CALL_MPROTECT);
	res = worker_judge(w, TD_CALL_MPROTECT, td_call_end(mprotect(p.addr, p.bytes, prot)),
			   &t->td);
	if (res != OP_OK)
		goto out;
	sleep_us(pause_us);
	td_call_begin(TD_CALL_MPROTECT);
	res = worker_judge(w, TD_CALL_MPROTECT,
			   td_call_end(mprotect(p.addr, p.bytes, PROT_READ | PROT_WRITE)), &t->td);
	if (res == OP_OK)
		touch(&p);
out:
	pthread_mutex_unlock(&t->backing_lock);
	return res;
}

/*
 * Replace a mapping in one step, as MAP_FIXED does: a hole left by munmap() could
 * be taken by another thread's mmap().
 */
static enum op_result replace(struct worker *w, struct target *t, const struct piece *p, int prot)
{
	void *addr;

	td_call_begin(TD_CALL_MMAP);
	addr = mmap(p->addr, p->bytes, prot,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	return worker_judge(w, TD_CALL_MMAP, td_call_end(addr == MAP_FAILED ? -1 : 0), &t->td);
}

enum op_result op_remap(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	u64 granule = t->td.cfg.nr_pages / MAX_PIECES + 1;
	struct piece p = pick_piece(&w->rng, t, granule, MAX_PAGES);
	unsigned int pause_us = rng_below(&w->rng, 200);
	enum op_result res;

	worker_trace(w, "td %u page 0x%llx pages %llu pause %u us", t->index, p.page, p.nr,
		     pause_us);
	if (pthread_mutex_trylock(&t->backing_lock))
		return OP_SKIP;
	res = replace(w, t, &p, PROT_NONE);
	if (res != OP_OK)
		goto out;
	sleep_us(pause_us);
	res = replace(w, t, &p, PROT_READ | PROT_WRITE);
	if (res == OP_OK)
		touch(&p);
out:
	pthread_mutex_unlock(&t->backing_lock);
	return res;
}
