// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on memslots: delete and re-add, move, dirty log. The window (see
 * td.h) is exchanged for a slot without guest_memfd while dirty pages are
 * logged, since KVM refuses the two together.
 */
#include <string.h>

#include "stress.h"

/* Dirty log operations before the window becomes private again. */
#define WINDOW_USES	64

bool window_contains(const struct target *t, u64 gfn, u64 nr_pages)
{
	const struct td_slot *slot = &t->td.slots[TD_SLOT_WINDOW];

	return gfn + nr_pages > slot->gfn && gfn < slot->gfn + slot->nr_pages;
}

/*
 * Private pages in a slot without guest_memfd are a VMM's mistake, which KVM
 * (7.2, 7.3) answers with a WARN as soon as the dirty log is switched off. So the
 * window is made shared before its slot is exchanged, private after it, and
 * stays shared meanwhile: see target_set_private().
 */
static enum op_result convert_window(struct worker *w, struct target *t, bool shared)
{
	const struct td_slot *slot = &t->td.slots[TD_SLOT_WINDOW];
	enum op_result res;

	pthread_rwlock_wrlock(&t->window_lock);
	t->window_shared = shared;
	res = worker_judge(w, TD_CALL_SET_ATTRS,
			   td_set_private(&t->td, slot->gfn, slot->nr_pages, !shared), &t->td);
	pthread_rwlock_unlock(&t->window_lock);
	return res;
}

/* Exchange the window's slot; slots_lock is held. */
static enum op_result exchange_window(struct worker *w, struct target *t, bool shared)
{
	struct td_slot *slot = &t->td.slots[TD_SLOT_WINDOW];
	enum op_result res = OP_OK;

	t->window_uses = 0;
	t->window_since_ns = now_ns();
	if (shared)
		res = convert_window(w, t, true);
	if (res == OP_OK)
		res = worker_judge(w, TD_CALL_SLOT_DELETE, td_slot_delete(&t->td, TD_SLOT_WINDOW),
				   &t->td);
	if (res != OP_OK)
		return res;
	slot->flags = shared ? KVM_MEM_LOG_DIRTY_PAGES : KVM_MEM_GUEST_MEMFD;
	slot->gmem_page = td_window_home(&t->td, t->window_home);
	res = worker_judge(w, TD_CALL_SLOT_CREATE, td_slot_create(&t->td, TD_SLOT_WINDOW), &t->td);
	if (res == OP_OK && !shared)
		res = convert_window(w, t, false);
	return res;
}

/**
 * window_make_private() - the guest wants private memory in the window
 * @w: the calling vCPU's thread
 *
 * Return: 0 (also if somebody else is changing slots just now), or -errno
 */
int window_make_private(struct worker *w)
{
	struct target *t = w->target;
	enum op_result res = OP_OK;

	if (pthread_mutex_trylock(&t->slots_lock))
		return 0;
	if (t->window_shared)
		res = exchange_window(w, t, false);
	pthread_mutex_unlock(&t->slots_lock);
	return res == OP_FAILED ? -1 : 0;
}

/* Take it away and put it back, with a moment in which accesses find no slot. */
static enum op_result readd(struct worker *w, struct target *t, enum td_slot_id id,
			    unsigned int pause_us)
{
	struct td_slot *slot = &t->td.slots[id];
	enum op_result res;

	res = worker_judge(w, TD_CALL_SLOT_DELETE, td_slot_delete(&t->td, id), &t->td);
	if (res != OP_OK)
		return res;
	sleep_us(pause_us);
	/* Other pages at the same GPA. */
	if (id == TD_SLOT_WINDOW && slot->flags & KVM_MEM_GUEST_MEMFD) {
		t->window_home ^= 1;
		slot->gmem_page = td_window_home(&t->td, t->window_home);
	}
	return worker_judge(w, TD_CALL_SLOT_CREATE, td_slot_create(&t->td, id), &t->td);
}

static enum op_result move(struct worker *w, struct target *t, unsigned int vcpu,
			   unsigned int place)
{
	struct td_slot *slot = &t->td.slots[TD_SLOT_MOBILE];
	u64 gfn = td_mobile_gfn(&t->td, place);
	enum op_result res;

	/* The guest does not go there: map something for the move to zap. */
	res = worker_judge(w, TD_CALL_PREFAULT,
			   td_prefault(&t->td.vcpus[vcpu], slot->gfn, slot->nr_pages, NULL),
			   &t->td);
	if (res == OP_FAILED || gfn == slot->gfn)
		return res;
	return worker_judge(w, TD_CALL_SLOT_MOVE, td_slot_move(&t->td, TD_SLOT_MOBILE, gfn),
			    &t->td);
}

enum op_result op_slot(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	unsigned int kind = rng_below(&w->rng, 8);
	unsigned int place = rng_below(&w->rng, TD_MOBILE_PLACES);
	unsigned int vcpu = rng_below(&w->rng, t->td.nr_vcpus);
	unsigned int pause_us = rng_below(&w->rng, 200);
	enum td_slot_id id = kind < 4 ? TD_SLOT_MOBILE : kind < 7 ? TD_SLOT_WINDOW : TD_SLOT_MAIN;
	enum op_result res;

	worker_trace(w, "td %u slot %u place %u vcpu %u pause %u us", t->index, id, place, vcpu,
		     pause_us);
	if (pthread_mutex_trylock(&t->slots_lock))
		return OP_SKIP;
	if (id == TD_SLOT_MOBILE)
		res = move(w, t, vcpu, place);
	else
		res = readd(w, t, id, pause_us);
	pthread_mutex_unlock(&t->slots_lock);
	return res;
}

static enum op_result toggle(struct worker *w, struct target *t)
{
	u32 flags = t->td.slots[TD_SLOT_WINDOW].flags ^ KVM_MEM_LOG_DIRTY_PAGES;

	return worker_judge(w, TD_CALL_SLOT_FLAGS,
			    td_slot_set_flags(&t->td, TD_SLOT_WINDOW, flags), &t->td);
}

static enum op_result get_log(struct worker *w, struct target *t)
{
	return worker_judge(w, TD_CALL_GET_DIRTY,
			    td_get_dirty_log(&t->td, TD_SLOT_WINDOW, t->bitmap), &t->td);
}

/* What was dirty last time; KVM wants multiples of 64 pages. */
static enum op_result clear_log(struct worker *w, struct target *t, u64 first)
{
	u64 nr = t->td.slots[TD_SLOT_WINDOW].nr_pages;

	first &= ~63ULL;
	return worker_judge(w, TD_CALL_CLEAR_DIRTY,
			    td_clear_dirty_log(&t->td, TD_SLOT_WINDOW, first, nr - first,
					       (u64 *)t->bitmap + first / 64), &t->td);
}

/* Map a part of the window shared, as a guest's access would. */
static enum op_result touch(struct worker *w, struct target *t, u64 first, unsigned int vcpu)
{
	const struct td_slot *slot = &t->td.slots[TD_SLOT_WINDOW];

	return worker_judge(w, TD_CALL_PREFAULT,
			    td_prefault(&t->td.vcpus[vcpu], slot->gfn + first,
					slot->nr_pages - first, NULL), &t->td);
}

enum op_result op_dirty_log(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	const struct td_slot *slot = &t->td.slots[TD_SLOT_WINDOW];
	unsigned int kind = rng_below(&w->rng, 8);
	unsigned int vcpu = rng_below(&w->rng, t->td.nr_vcpus);
	u64 first = rng_below(&w->rng, slot->nr_pages);
	enum op_result res = OP_OK;

	worker_trace(w, "td %u kind %u page %llu vcpu %u", t->index, kind, first, vcpu);
	if (pthread_mutex_trylock(&t->slots_lock))
		return OP_SKIP;
	if (!t->window_shared)
		res = exchange_window(w, t, true);
	else if (++t->window_uses > WINDOW_USES)
		res = exchange_window(w, t, false);
	if (res != OP_OK || !t->window_shared)
		goto out;

	if (kind == 0 || !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		res = toggle(w, t);
	else if (kind < 3)
		res = touch(w, t, first, vcpu);
	else if (kind < 6)
		res = get_log(w, t);
	else
		res = clear_log(w, t, first);
out:
	pthread_mutex_unlock(&t->slots_lock);
	return res;
}
