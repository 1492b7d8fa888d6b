// SPDX-License-Identifier: GPL-2.0
/*
 * The Secure EPT: entries and their states, tables in the pages that KVM
 * donated, the walk, the tree's and the entries' locks. Generic in the level;
 * which leaf may do what to which state is in mem.c.
 */
#include "internal.h"

/* The states' encoding in RDX of the extended error information. */
static const u8 public_state[SEPT_NR_STATES] = {
	[SEPT_FREE]		= 0x00,
	[SEPT_REMOVED]		= 0x05,
	[SEPT_NL_MAPPED]	= 0x84,
	[SEPT_NL_BLOCKED]	= 0x81,
	[SEPT_MAPPED]		= 0x04,
	[SEPT_BLOCKED]		= 0x01,
	[SEPT_PENDING]		= 0x02,
	[SEPT_PENDING_BLOCKED]	= 0x03,
};

static const char * const state_names[SEPT_NR_STATES] = {
	[SEPT_FREE]		= "FREE",
	[SEPT_REMOVED]		= "REMOVED",
	[SEPT_NL_MAPPED]	= "NL_MAPPED",
	[SEPT_NL_BLOCKED]	= "NL_BLOCKED",
	[SEPT_MAPPED]		= "MAPPED",
	[SEPT_BLOCKED]		= "BLOCKED",
	[SEPT_PENDING]		= "PENDING",
	[SEPT_PENDING_BLOCKED]	= "PENDING_BLOCKED",
};

/**
 * tdxm_sept_state_name - a state for people
 * @state: enum sept_state
 *
 * Return: its name as in the ABI; "?" if there is no such state.
 */
const char *tdxm_sept_state_name(u32 state)
{
	return state < SEPT_NR_STATES ? state_names[state] : "?";
}

/**
 * tdxm_sept_info_name - the state in extended error information, for people
 * @info: RDX after an error of a TDH.MEM.* leaf
 *
 * Return: its name as in the ABI; "?" if there is no such state.
 */
const char *tdxm_sept_info_name(u64 info)
{
	u8 state = info >> SEPT_INFO_STATE_SHIFT;
	u32 i;

	for (i = 0; i < SEPT_NR_STATES; i++) {
		if (public_state[i] == state)
			return state_names[i];
	}
	return "?";
}

enum sept_state tdxm_sept_state(u64 entry)
{
	return (entry & SEPT_STATE) >> SEPT_STATE_SHIFT;
}

/* The page that the entry maps, or the table it links. */
u64 tdxm_sept_pa(u64 entry)
{
	return (entry & SEPT_HPA) ^ (entry & SEPT_PLANTED ? PAGE_SIZE : 0);
}

bool tdxm_sept_is_leaf(enum sept_state state)
{
	return state >= SEPT_MAPPED;
}

bool tdxm_sept_is_blocked(enum sept_state state)
{
	return state == SEPT_BLOCKED || state == SEPT_PENDING_BLOCKED || state == SEPT_NL_BLOCKED;
}

enum sept_state tdxm_sept_unblocked(enum sept_state state)
{
	switch (state) {
	case SEPT_BLOCKED:
		return SEPT_MAPPED;
	case SEPT_PENDING_BLOCKED:
		return SEPT_PENDING;
	case SEPT_NL_BLOCKED:
		return SEPT_NL_MAPPED;
	default:
		return state;
	}
}

/* An entry without its lock bits; only what the hardware would walk has RWX. */
static u64 make_entry(u64 pa, enum sept_state state, int level)
{
	u64 entry = SEPT_SVE | (u64)state << SEPT_STATE_SHIFT;

	if (state == SEPT_FREE)
		return entry;
	entry |= pa & SEPT_HPA;
	if (state == SEPT_MAPPED || state == SEPT_NL_MAPPED)
		entry |= SEPT_RWX;
	if (tdxm_sept_is_leaf(state))
		entry |= SEPT_MT_WB | (level ? SEPT_PS : 0);
	return entry;
}

/**
 * tdxm_sept_set - change an entry whose lock is held
 * @entry: the entry; stays locked
 * @pa: page or table, ignored for SEPT_FREE
 * @state: the new state
 * @level: of the entry, 0 is 4K
 */
void tdxm_sept_set(u64 *entry, u64 pa, enum sept_state state, int level)
{
	tdxm_store_release(entry, make_entry(pa, state, level) | SEPT_TDEL);
}

/* The same, but to whoever reads the entry the page seems to be its neighbour. */
void tdxm_sept_set_lying(u64 *entry, u64 pa, enum sept_state state, int level)
{
	tdxm_store_release(entry, make_entry(pa ^ PAGE_SIZE, state, level) | SEPT_PLANTED |
			   SEPT_TDEL);
}

/* The guest accepts a PENDING page whose entry it has locked. */
void tdxm_sept_accept(u64 *entry)
{
	u64 old = tdxm_read(entry);

	tdxm_store_release(entry, make_entry(old, SEPT_MAPPED, !!(old & SEPT_PS)) | SEPT_TDEL |
			   (old & SEPT_PLANTED));
}

/**
 * tdxm_sept_fill_table - let a table that nobody can see yet map consecutive pages
 * @table: the table
 * @pa: first page
 * @state: of all entries
 * @level: of the table's entries, 0 is 4K
 */
void tdxm_sept_fill_table(u64 table, u64 pa, enum sept_state state, int level)
{
	u64 *p = tdxm_env_va(table), i;

	for (i = 0; i < 512; i++)
		tdxm_write(&p[i], make_entry(pa + i * tdxm_size(level), state, level));
}

void tdxm_sept_init_table(u64 pa)
{
	u64 *p = tdxm_env_va(pa);
	int i;

	for (i = 0; i < 512; i++)
		tdxm_write(&p[i], make_entry(0, SEPT_FREE, 0));
}

/* Could the module have written every entry of this table? */
bool tdxm_sept_table_sane(u64 pa)
{
	u64 *p = tdxm_env_va(pa), entry;
	int i;

	for (i = 0; i < 512; i++) {
		entry = tdxm_read(&p[i]) & ~(SEPT_TDHP | SEPT_TDEL | SEPT_PLANTED);
		if (tdxm_sept_state(entry) >= SEPT_NR_STATES ||
		    entry != make_entry(entry, tdxm_sept_state(entry), !!(entry & SEPT_PS)))
			return false;
	}
	return true;
}

/* Does a leaf in this table still map a page that belongs to the TD? */
bool tdxm_sept_table_has_leaf(struct tdxm *m, u64 pa, u64 tdr)
{
	u64 *p = tdxm_env_va(pa), entry;
	struct pamt_entry *page;
	int i, level;

	for (i = 0; i < 512; i++) {
		entry = tdxm_read(&p[i]);
		if (!tdxm_sept_is_leaf(tdxm_sept_state(entry)))
			continue;
		page = tdxm_pamt_leaf(m, tdxm_sept_pa(entry), &level);
		if (page && PAMT_TYPE(tdxm_read(&page->type)) == PT_REG &&
		    (u64)tdxm_read(&page->owner) << PAGE_SHIFT == tdr)
			return true;
	}
	return false;
}

/* The S-EPT's root table lives in the TDCS. */
u64 tdxm_sept_root(const struct tdxm_tdr *tdr)
{
	return tdr->tdcx[TDCS_PAGE_ROOT];
}

/**
 * tdxm_sept_walk - find the entry that maps a GPA at a level
 * @tdcs: the TD
 * @root: root table
 * @gpa: private GPA
 * @level: wanted level, 0 is 4K
 * @reached: level of the returned entry
 *
 * Context: any. A table is taken away in teardown, or by PROMOTE and SEPT.REMOVE
 * when nobody can be below it: hosts walk with the tree locked shared and it was
 * blocked with the tree locked exclusively since; a guest that had walked by then
 * has left (TRACK). Observers hold what keeps these two leaves from being called.
 * Return: the entry at @level, or the one above it that is no table.
 */
u64 *tdxm_sept_walk(const struct tdxm_tdcs *tdcs, u64 root, u64 gpa, int level, int *reached)
{
	u64 table = root, *entry, value;
	int l;

	for (l = tdcs->sept_levels - 1; ; l--) {
		entry = (u64 *)tdxm_env_va(table) + (gpa >> (PAGE_SHIFT + 9 * l) & 511);
		*reached = l;
		if (l <= level)
			return entry;
		value = tdxm_load_acquire(entry);
		if (tdxm_sept_state(value) != SEPT_NL_MAPPED)
			return entry;
		table = value & SEPT_HPA;
	}
}

/* Extended error information: RCX the entry as a VMM may see it, RDX level and state. */
u64 tdxm_sept_error(struct tdxm_call *c, u64 status, u64 entry, int level)
{
	c->regs->rcx = entry & SEPT_ARCH_MASK;
	c->regs->rdx = (u32)level | (u64)public_state[tdxm_sept_state(entry)] <<
		       SEPT_INFO_STATE_SHIFT;
	return tdxm_status(status, TDX_OPERAND_ID_RCX);
}

/**
 * tdxm_sept_get - check a GPA operand and lock the S-EPT tree
 * @c: the call; RCX holds GPA | level, c->gpa and c->level are set
 * @min_level: lowest level the leaf works at
 * @max_level: highest
 * @tree: how to lock the tree
 *
 * Return: TDX_SUCCESS, OPERAND_INVALID | RCX or OPERAND_BUSY | SEPT.
 */
u64 tdxm_sept_get(struct tdxm_call *c, int min_level, int max_level, enum tdxm_lock_mode tree)
{
	u64 info = c->regs->rcx, gpa_mask;
	int level = info & 7;

	c->regs->rcx = 0;
	c->regs->rdx = 0;
	if (max_level >= (int)c->tdcs->sept_levels)
		max_level = c->tdcs->sept_levels - 1;
	if (level < min_level || level > max_level)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	/* Aligned to its level, private, reserved bits 11:3 clear. */
	gpa_mask = (c->tdcs->shared_bit - 1) & ~0ULL << (PAGE_SHIFT + 9 * level);
	if ((info & ~7ULL) & ~gpa_mask)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	c->gpa = info & gpa_mask;
	c->level = level;
	if (!tdxm_call_lock(c, LOCK_SEPT_TREE, &c->tdcs->sept_lock, tree))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_SEPT);
	return TDX_SUCCESS;
}

/**
 * tdxm_sept_lock_entry - walk to the operand's entry, lock it, check its state
 * @c: the call, after tdxm_sept_get()
 * @allowed_states: bits BIT(enum sept_state)
 *
 * Return: TDX_SUCCESS with c->entry locked; EPT_WALK_FAILED, OPERAND_BUSY or
 * EPT_ENTRY_STATE_INCORRECT, each with RCX's operand id and RCX, RDX filled in.
 */
u64 tdxm_sept_lock_entry(struct tdxm_call *c, u32 allowed_states)
{
	u64 *entry, value;
	int level;

	entry = tdxm_sept_walk(c->tdcs, tdxm_sept_root(c->tdr), c->gpa, c->level, &level);
	if (level != c->level)
		return tdxm_sept_error(c, TDX_EPT_WALK_FAILED, tdxm_read(entry), level);
	if (!tdxm_entry_lock_host(c, entry))
		return tdxm_sept_error(c, TDX_OPERAND_BUSY, tdxm_read(entry), level);

	value = tdxm_read(entry);
	if (!(allowed_states & BIT(tdxm_sept_state(value))))
		return tdxm_sept_error(c, TDX_EPT_ENTRY_STATE_INCORRECT, value, level);
	return TDX_SUCCESS;
}

/**
 * tdxm_sept_read - what does the S-EPT say about a GPA?
 * @m: the module
 * @tdr: TDR page of the TD
 * @gpa: private GPA
 * @level: wanted level, 0 is 4K
 * @pa: physical address in the entry, 0 if it is FREE
 * @state: enum sept_state
 *
 * Context: any, lock-free; the caller keeps the TD and the tables above @gpa alive,
 * see tdxm.h.
 * Return: 0, -ENOENT if there is no such TD or the walk ends above @level.
 */
int tdxm_sept_read(struct tdxm *m, u64 tdr, u64 gpa, int level, u64 *pa, u8 *state)
{
	struct tdxm_tdr *td = tdxm_td_peek(m, tdr);
	struct tdxm_tdcs *tdcs;
	int reached;
	u64 entry;

	if (!td || td->nr_tdcx <= TDCS_PAGE_ROOT || !td->tdcx[0] || !tdxm_sept_root(td))
		return -ENOENT;
	tdcs = tdxm_env_va(td->tdcx[0]);
	if (tdxm_read(&tdcs->op_state) == OP_STATE_UNINITIALIZED || level < 0 ||
	    level >= (int)tdcs->sept_levels || gpa & ~(tdcs->shared_bit - 1))
		return -ENOENT;
	entry = tdxm_load_acquire(tdxm_sept_walk(tdcs, tdxm_sept_root(td), gpa, level, &reached));
	if (reached != level)
		return -ENOENT;
	*pa = entry & SEPT_HPA;
	*state = tdxm_sept_state(entry);
	return 0;
}
