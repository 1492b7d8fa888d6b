// SPDX-License-Identifier: GPL-2.0
/* See tdhost.h. */
#include "tdhost.h"

const struct tdxm_config host_config = {
	.tdcs_pages = HOST_TDCS_PAGES,
	.tdvps_pages = HOST_TDVPS_PAGES,
	.max_vcpus = HOST_MAX_VCPUS,
	.keyid_start = HOST_KEYID,
	.nr_keyids = HOST_NR_KEYIDS,
	.phys_bits = HOST_PHYS_BITS,
	.seed = 42,
};

static u64 guest_hook(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	struct host *h = tdxm_priv(m);

	return h->guest ? h->guest(h, vcpu, regs) : 77;
}

static void finding_hook(struct tdxm *m, const struct tdxm_finding *f)
{
	struct host *h = tdxm_priv(m);

	if (tdxm_fetch_add(&h->findings, 1))
		return;
	h->finding = *f;
	snprintf(h->finding_id, sizeof(h->finding_id), "%s", f->id);
}

static void dirtied_hook(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa)
{
	struct host *h = tdxm_priv(m);

	tdxm_fetch_add(&h->dirtied, 1);
	tdxm_write(&h->dirtied_gpa, gpa);
}

int host_start(struct host *h, const struct tdxm_config *cfg)
{
	static const struct tdxm_hooks hooks = {
		.guest = guest_hook, .finding = finding_hook, .dirtied = dirtied_hook,
	};
	struct tdxm_config c = cfg ? *cfg : host_config;
	int ret;

	memset(h, 0, sizeof(*h));
	ret = machine_up(h, &c);
	if (ret)
		return ret;
	h->next_pfn = h->first_pfn;
	h->m = tdxm_create(&c, &hooks, h);
	if (h->m)
		return 0;
	machine_down(h);
	return -ENOMEM;
}

int host_stop(struct host *h)
{
	int ret = tdxm_destroy(h->m);

	machine_down(h);
	return ret;
}

void host_reset(struct host *h)
{
	h->next_pfn = h->first_pfn;
	h->guest = NULL;
	h->findings = 0;
	h->dirtied = 0;
}

u64 host_page(struct host *h)
{
	u64 pa = h->next_pfn << PAGE_SHIFT;

	if (h->next_pfn == h->end_pfn)
		return ~0ULL;
	h->next_pfn++;
	memset(tdxm_env_va(pa), 0xa5, PAGE_SIZE);
	return pa;
}

struct find {
	const char *name;
	u64 value;
	bool found;
};

static void find_counter(void *ctx, const char *name, u64 value)
{
	struct find *f = ctx;

	if (strcmp(f->name, name))
		return;
	f->value = value;
	f->found = true;
}

/* The counter's value; ~0 if there is none of that name. */
u64 host_counter(struct host *h, const char *name)
{
	struct find f = { .name = name };

	tdxm_for_each_counter(h->m, find_counter, &f);
	return f.found ? f.value : ~0ULL;
}

u64 seamcall4(struct host *h, u64 leaf, u64 rcx, u64 rdx, u64 r8, u64 r9)
{
	struct tdxm_regs regs = { .rax = leaf, .rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9 };

	machine_call(h->m, &regs);
	h->last = regs;
	return regs.rax;
}

u64 seamcall_on(struct host *h, struct tdxm_regs *regs, u64 leaf, u64 rcx, u64 rdx, u64 r8)
{
	*regs = (struct tdxm_regs){ .rax = leaf, .rcx = rcx, .rdx = rdx, .r8 = r8 };
	machine_call(h->m, regs);
	return regs->rax;
}

void td_params_init(struct tdxm_td_params *p)
{
	memset(p, 0, sizeof(*p));
	p->max_vcpus = HOST_MAX_VCPUS;
	p->eptp_controls = TD_PARAMS_EPTP_MT_WB | 3 << TD_PARAMS_EPTP_PWL_SHIFT;
	p->tsc_frequency = 100;
}

static u64 td_init(struct test_td *td)
{
	u64 params = host_page(td->h);

	td_params_init(tdxm_env_va(params));
	return seamcall(td->h, TDH_MNG_INIT, td->tdr, params, 0);
}

u64 td_add_vcpu(struct test_td *td, struct test_vcpu *v)
{
	struct host *h = td->h;
	u64 status;
	u32 i;

	v->tdvpr = host_page(h);
	status = seamcall(h, TDH_VP_CREATE, v->tdvpr, td->tdr, 0);
	if (status)
		return status;
	v->vcpu = tdxm_env_va(v->tdvpr);
	for (i = 0; i < HOST_TDVPS_PAGES - 1; i++) {
		v->tdcx[i] = host_page(h);
		status = seamcall(h, TDH_VP_ADDCX, v->tdcx[i], v->tdvpr, 0);
		if (status)
			return status;
	}
	return seamcall(h, TDH_VP_INIT | 1ULL << TDX_VERSION_SHIFT, v->tdvpr, 0x1234,
			td->nr_vcpus++);
}

u64 td_start(struct host *h, struct test_td *td, u32 hkid, enum td_stage stage, u32 nr_vcpus)
{
	u64 status;
	u32 i;

	memset(td, 0, sizeof(*td));
	td->h = h;
	td->hkid = hkid;
	td->tdr = host_page(h);
	status = seamcall(h, TDH_MNG_CREATE, td->tdr, hkid, 0);
	if (status || stage == STAGE_CREATED)
		return status;
	status = seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0);
	if (status || stage == STAGE_KEYED)
		return status;
	for (i = 0; i < HOST_TDCS_PAGES; i++) {
		td->tdcx[i] = host_page(h);
		status = seamcall(h, TDH_MNG_ADDCX, td->tdcx[i], td->tdr, 0);
		if (status)
			return status;
		td->nr_tdcx++;
	}
	if (stage == STAGE_TDCS)
		return 0;
	status = td_init(td);
	for (i = 0; !status && i < nr_vcpus; i++)
		status = td_add_vcpu(td, &td->vcpu[i]);
	if (status || stage == STAGE_INITIALIZED)
		return status;
	return seamcall(h, TDH_MR_FINALIZE, td->tdr, 0, 0);
}

u64 td_map_tables(struct test_td *td, u64 gpa)
{
	return td_map_tables_to(td, gpa, 0);
}

u64 td_map_tables_to(struct test_td *td, u64 gpa, int leaf_level)
{
	u64 status, page;
	int level, reached;

	for (level = td_tdcs(td)->sept_levels - 1; level > leaf_level; level--) {
		u64 *entry = tdxm_sept_walk(td_tdcs(td), td->tdcx[TDCS_PAGE_ROOT], gpa, level,
					    &reached);

		if (reached == level && tdxm_sept_state(*entry) == SEPT_NL_MAPPED)
			continue;
		page = host_page(td->h);
		status = seamcall(td->h, TDH_MEM_SEPT_ADD,
				  (gpa & ~(BIT_ULL(PAGE_SHIFT + 9 * level) - 1)) | level,
				  td->tdr, page);
		if (status)
			return status;
		td->ept[td->nr_ept++] = page;
	}
	return 0;
}

u64 td_aug(struct test_td *td, u64 gpa, u64 pa)
{
	return seamcall(td->h, TDH_MEM_PAGE_AUG, gpa, td->tdr, pa);
}

u64 td_block(struct test_td *td, u64 gpa)
{
	return seamcall(td->h, TDH_MEM_RANGE_BLOCK, gpa, td->tdr, 0);
}

u64 td_track(struct test_td *td)
{
	return seamcall(td->h, TDH_MEM_TRACK, td->tdr, 0, 0);
}

u64 td_remove(struct test_td *td, u64 gpa)
{
	return seamcall(td->h, TDH_MEM_PAGE_REMOVE, gpa, td->tdr, 0);
}

int td_put_state(struct test_td *td, u64 gpa, int level, u64 pa, enum sept_state state)
{
	u64 *entry = td_entry(td, gpa, level), status;

	if (!entry)
		return -1;
	if (state == SEPT_FREE)
		return 0;
	if (state == SEPT_REMOVED) {
		/* no leaf leads there */
		tdxm_sept_set(entry, 0, SEPT_REMOVED, level);
		tdxm_entry_unlock(entry);
		return 0;
	}
	if (state == SEPT_NL_MAPPED || state == SEPT_NL_BLOCKED) {
		td->ept[td->nr_ept] = host_page(td->h);
		status = seamcall(td->h, TDH_MEM_SEPT_ADD, gpa | level, td->tdr,
				  td->ept[td->nr_ept]);
		td->nr_ept++;
	} else {
		status = td_aug(td, gpa | level, pa);
	}
	if (status)
		return -1;
	if (state == SEPT_MAPPED || state == SEPT_BLOCKED) {
		tdxm_sept_accept(entry);
		tdxm_entry_unlock(entry);
	}
	return tdxm_sept_is_blocked(state) && td_block(td, gpa | level) ? -1 : 0;
}

u64 td_unblock(struct test_td *td, u64 gpa)
{
	return seamcall(td->h, TDH_MEM_RANGE_UNBLOCK, gpa, td->tdr, 0);
}

u64 td_demote(struct test_td *td, u64 gpa, u64 table)
{
	return seamcall(td->h, TDH_MEM_PAGE_DEMOTE, gpa, td->tdr, table);
}

u64 td_promote(struct test_td *td, u64 gpa)
{
	return seamcall(td->h, TDH_MEM_PAGE_PROMOTE, gpa, td->tdr, 0);
}

u64 td_remove_table(struct test_td *td, u64 gpa)
{
	return seamcall(td->h, TDH_MEM_SEPT_REMOVE, gpa, td->tdr, 0);
}

u64 td_block_and_track(struct test_td *td, u64 gpa)
{
	return td_block(td, gpa) ?: td_track(td);
}

u64 td_zap(struct test_td *td, u64 gpa)
{
	u64 pa;

	if (td_block(td, gpa) || td_track(td) || td_remove(td, gpa))
		return 0;
	pa = td->h->last.rcx;
	if (seamcall(td->h, TDH_PHYMEM_PAGE_WBINVD, pa | (u64)td->hkid << HOST_PHYS_BITS, 0, 0))
		return 0;
	return pa;
}

u64 td_enter(struct test_td *td, u32 i)
{
	return seamcall(td->h, TDH_VP_ENTER, td->vcpu[i].tdvpr, 0, 0);
}

struct tdxm_tdr *td_tdr(struct test_td *td)
{
	return tdxm_env_va(td->tdr);
}

struct tdxm_tdcs *td_tdcs(struct test_td *td)
{
	return tdxm_env_va(td->tdcx[0]);
}

/* The entry itself; NULL if a table is missing. */
u64 *td_entry(struct test_td *td, u64 gpa, int level)
{
	int reached;
	u64 *entry = tdxm_sept_walk(td_tdcs(td), td->tdcx[TDCS_PAGE_ROOT], gpa, level, &reached);

	return reached == level ? entry : NULL;
}

/* State of the 4K entry as an observer sees it; SEPT_NR_STATES: no such entry. */
enum sept_state td_state(struct test_td *td, u64 gpa)
{
	return td_state_at(td, gpa, 0);
}

enum sept_state td_state_at(struct test_td *td, u64 gpa, int level)
{
	u8 state;
	u64 pa;

	return tdxm_sept_read(td->h->m, td->tdr, gpa, level, &pa, &state) ? SEPT_NR_STATES :
									    state;
}

/* The page that the entry maps or the table it links; ~0: no such entry. */
u64 td_pa_at(struct test_td *td, u64 gpa, int level)
{
	u8 state;
	u64 pa;

	return tdxm_sept_read(td->h->m, td->tdr, gpa, level, &pa, &state) ? ~0ULL : pa;
}

/* Each on the processor that it is associated with. */
u64 td_flush_vcpus(struct test_td *td)
{
	u64 status = 0;
	u32 i, lp;

	for (i = 0; !status && i < td->nr_vcpus; i++) {
		lp = td->vcpu[i].vcpu->assoc_lp;
		if (lp == TDXM_NO_LP)
			continue;
		machine_set_lp(lp);
		status = seamcall(td->h, TDH_VP_FLUSH, td->vcpu[i].tdvpr, 0, 0);
	}
	machine_set_lp(0);
	return status;
}

u64 host_write_back(struct host *h)
{
	u64 status;
	int resume = 0;

	do {
		status = seamcall(h, TDH_PHYMEM_CACHE_WB, resume, 0, 0);
		resume = 1;
	} while (status == TDX_INTERRUPTED_RESUMABLE);
	return status;
}

u64 td_free_hkid(struct test_td *td)
{
	u64 status;

	status = seamcall(td->h, TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0);
	if (status)
		return status;
	status = host_write_back(td->h);
	if (status && status != TDX_NO_HKID_READY_TO_WBCACHE)
		return status;
	return seamcall(td->h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0);
}

u64 reclaim(struct host *h, u64 pa)
{
	return seamcall(h, TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0);
}

u64 td_stop(struct test_td *td)
{
	return td_flush_vcpus(td) ?: td_free_hkid(td) ?: td_stop_rest(td);
}

u64 td_stop_rest(struct test_td *td)
{
	u64 status = 0;
	u32 i, j;

	for (i = td->nr_ept; !status && i; i--)
		status = reclaim(td->h, td->ept[i - 1]);
	for (i = 0; !status && i < td->nr_vcpus; i++) {
		for (j = 0; !status && j < HOST_TDVPS_PAGES - 1; j++)
			status = reclaim(td->h, td->vcpu[i].tdcx[j]);
		if (!status)
			status = reclaim(td->h, td->vcpu[i].tdvpr);
	}
	for (i = 0; !status && i < td->nr_tdcx; i++)
		status = reclaim(td->h, td->tdcx[i]);
	return status ?: reclaim(td->h, td->tdr);
}

static bool page_is(struct host *h, u64 pfn, u32 type)
{
	return tdxm_page_type(h->m, pfn << PAGE_SHIFT) == type;
}

static u32 tdcs_locks(struct tdxm_tdr *tdr)
{
	struct tdxm_tdcs *tdcs;

	if (!tdr->nr_tdcx || !tdr->tdcx[0])
		return 0;
	tdcs = tdxm_env_va(tdr->tdcx[0]);
	return !!tdcs->op_state_lock + !!tdcs->sept_lock + !!tdcs->epoch_lock;
}

u32 host_locked(struct host *h)
{
	u32 n = !!h->m->kot_lock, i;
	u64 pfn;

	for (i = 0; i < TDXM_MAX_PACKAGES; i++)
		n += !!h->m->wb[i].lock;
	for (pfn = h->first_pfn; pfn < h->next_pfn; pfn++) {
		n += !!tdxm_pamt(h->m, pfn << PAGE_SHIFT)->lock;
		if (page_is(h, pfn, PT_TDR))
			n += tdcs_locks(tdxm_env_va(pfn << PAGE_SHIFT));
	}
	for (i = 1; i <= h->m->cfg.max_leaf_level; i++)
		n += !!tdxm_pamt_at(h->m, h->huge, i)->lock;
	return n;
}

static void flush_vcpu(struct host *h, u64 tdvpr)
{
	u32 lp = ((struct tdxm_vcpu *)tdxm_env_va(tdvpr))->assoc_lp;

	if (lp != TDXM_NO_LP)
		machine_set_lp(lp);
	seamcall(h, TDH_VP_FLUSH, tdvpr, 0, 0);
}

/* What is done already fails, and the rest goes on. */
static void free_hkid(struct host *h, u64 tdr)
{
	seamcall(h, TDH_MNG_VPFLUSHDONE, tdr, 0, 0);
	host_write_back(h);
	seamcall(h, TDH_MNG_KEY_FREEID, tdr, 0, 0);
}

u64 host_sweep(struct host *h)
{
	static const u32 types[] = { PT_REG, PT_EPT, PT_TDVPR, PT_TDCX, PT_TDR };
	u64 pfn;
	u32 i;

	for (pfn = h->first_pfn; pfn < h->next_pfn; pfn++)
		if (page_is(h, pfn, PT_TDVPR))
			flush_vcpu(h, pfn << PAGE_SHIFT);
	machine_set_lp(0);
	for (pfn = h->first_pfn; pfn < h->next_pfn; pfn++)
		if (page_is(h, pfn, PT_TDR))
			free_hkid(h, pfn << PAGE_SHIFT);
	for (pfn = 0; pfn < BIT_ULL(9); pfn++)
		if (page_is(h, (h->huge >> PAGE_SHIFT) + pfn, PT_REG))
			reclaim(h, h->huge + pfn * PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (pfn = h->first_pfn; pfn < h->next_pfn; pfn++)
			if (page_is(h, pfn, types[i]))
				reclaim(h, pfn << PAGE_SHIFT);
	return tdxm_pages_in_use(h->m);
}

static u64 *shared_walk(struct test_td *td, u64 gpa, int leaf_level)
{
	u64 table, *entry, gfn = (gpa | SHARED_BIT) >> PAGE_SHIFT;
	int level;

	if (!td->eptp) {
		td->eptp = host_page(td->h);
		memset(tdxm_env_va(td->eptp), 0, PAGE_SIZE);
	}
	table = td->eptp;
	for (level = 3; ; level--) {
		entry = (u64 *)tdxm_env_va(table) + (gfn >> 9 * level & 511);
		if (level == leaf_level)
			return entry;
		if (!(*entry & EPT_RWX)) {
			table = host_page(td->h);
			memset(tdxm_env_va(table), 0, PAGE_SIZE);
			*entry = table | (td->npt ? NPT_P | NPT_W | NPT_U : EPT_RWX | EPT_SVE);
		}
		table = *entry & EPT_HPA;
	}
}

u64 *shared_spte(struct test_td *td, u64 gpa)
{
	return shared_walk(td, gpa, 0);
}

u64 *shared_entry(struct test_td *td, u64 gpa, int level)
{
	return shared_walk(td, gpa, level);
}

void shared_map(struct test_td *td, u64 gpa, u64 spte)
{
	*shared_walk(td, gpa, 0) = spte;
}
