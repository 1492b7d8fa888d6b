// SPDX-License-Identifier: GPL-2.0
/*
 * The module as an object: its configuration, memory, beginning and end. The
 * only allocations are here.
 */
#include "internal.h"

/**
 * tdxm_config_error - what is wrong with a configuration?
 * @cfg: the configuration
 *
 * Return: NULL, or the field and its range, as part of a sentence.
 */
const char *tdxm_config_error(const struct tdxm_config *cfg)
{
	if (!cfg->nr_pages || cfg->nr_pages >> 32)
		return "nr_pages must be 1 to 4294967295";
	if (!cfg->nr_lps || cfg->nr_lps > TDXM_MAX_LPS)
		return "nr_lps must be 1 to 1024";
	if (cfg->tdcs_pages < 2 || cfg->tdcs_pages > TDXM_MAX_TDCX)
		return "tdcs_pages must be 2 to 16";
	if (!cfg->tdvps_pages || cfg->tdvps_pages > TDXM_MAX_TDVPS)
		return "tdvps_pages must be 1 to 16";
	if (!cfg->max_vcpus || cfg->max_vcpus > TDXM_MAX_VCPUS)
		return "max_vcpus must be 1 to 512";
	if (!cfg->keyid_start)
		return "keyid_start must not be 0";
	if (!cfg->nr_keyids || cfg->nr_keyids > TDXM_MAX_KEYIDS)
		return "nr_keyids must be 1 to 4096";
	if (cfg->phys_bits < 32 || cfg->phys_bits > 52)
		return "phys_bits must be 32 to 52";
	if (cfg->hold_ns > TDXM_MAX_HOLD_NS)
		return "hold_ns must be 0 to 100000";
	if (cfg->shared_bit && (cfg->shared_bit < BIT_ULL(32) || cfg->shared_bit > BIT_ULL(47) ||
				cfg->shared_bit & (cfg->shared_bit - 1)))
		return "shared_bit must be 0 or one of bits 32 to 47";
	if (cfg->nr_packages > TDXM_MAX_PACKAGES)
		return "nr_packages must be 0 to 64";
	if (cfg->nr_cpuid_config > TDXM_MAX_CPUID_CONFIG ||
	    (cfg->nr_cpuid_config && !cfg->cpuid_config))
		return "nr_cpuid_config must be 0 to 48, with cpuid_config";
	if (cfg->max_leaf_level > ARRAY_SIZE(((struct tdxm *)0)->heads))
		return "max_leaf_level must be 0 to 2";
	if (cfg->extra_pages > cfg->nr_pages || cfg->extra_pfn > cfg->nr_pages - cfg->extra_pages)
		return "extra_pfn and extra_pages must be 0 or within nr_pages";
	if (cfg->shared_format > TDXM_SHARED_NPT)
		return "shared_format must be 0 (EPT) or 1 (NPT)";
	return NULL;
}

/* Heads of 2M or 1G ranges that @level has, the last one perhaps incomplete. */
static u64 heads_bytes(const struct tdxm_config *cfg, u32 level)
{
	u64 pages = BIT_ULL(9 * level);

	return (cfg->nr_pages + pages - 1) / pages * sizeof(struct pamt_head);
}

/* All memory the module takes for a configuration, in bytes. */
u64 tdxm_mem_bytes(const struct tdxm_config *cfg)
{
	u64 heads = 0;
	u32 level;

	for (level = 1; level <= cfg->max_leaf_level; level++)
		heads += heads_bytes(cfg, level);
	return sizeof(struct tdxm) + cfg->nr_pages * sizeof(struct pamt_entry) + heads +
	       cfg->nr_lps * sizeof(struct tdxm_lp) + cfg->nr_keyids * sizeof(struct kot_entry);
}

static void copy_config(struct tdxm *m, const struct tdxm_config *cfg)
{
	static const u64 default_cpuid[] = { ~0ULL << 32 | 0x80000008 };
	const u64 *cpuid = cfg->cpuid_config;

	m->cfg = *cfg;
	if (!m->cfg.nr_packages)
		m->cfg.nr_packages = 1;
	if (!m->cfg.nr_cpuid_config) {
		m->cfg.nr_cpuid_config = ARRAY_SIZE(default_cpuid);
		cpuid = default_cpuid;
	}
	memcpy(m->cpuid_config, cpuid, m->cfg.nr_cpuid_config * sizeof(*cpuid));
	m->cfg.cpuid_config = m->cpuid_config;
}

static void free_module(struct tdxm *m)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(m->heads); i++)
		tdxm_env_free(m->heads[i]);
	tdxm_env_free(m->kot);
	tdxm_env_free(m->lp);
	tdxm_env_free(m->pamt);
	tdxm_env_free(m);
}

static bool alloc_tables(struct tdxm *m, const struct tdxm_config *cfg)
{
	u32 level;

	m->pamt = tdxm_env_alloc(cfg->nr_pages * sizeof(*m->pamt));
	m->lp = tdxm_env_alloc(cfg->nr_lps * sizeof(*m->lp));
	m->kot = tdxm_env_alloc(cfg->nr_keyids * sizeof(*m->kot));
	for (level = 1; level <= cfg->max_leaf_level; level++) {
		m->heads[level - 1] = tdxm_env_alloc(heads_bytes(cfg, level));
		if (!m->heads[level - 1])
			return false;
	}
	return m->pamt && m->lp && m->kot;
}

/**
 * tdxm_create - make a TDX module, initialized as after boot
 * @cfg: what the embedder decides, copied
 * @hooks: calls out of the core, copied; hooks->guest is needed
 * @priv: for tdxm_priv()
 *
 * Context: may sleep.
 * Return: the module, or NULL: no memory, no guest, or tdxm_config_error().
 */
struct tdxm *tdxm_create(const struct tdxm_config *cfg, const struct tdxm_hooks *hooks, void *priv)
{
	struct tdxm *m;
	u32 i;

	if (tdxm_config_error(cfg) || !hooks->guest)
		return NULL;
	m = tdxm_env_alloc(sizeof(*m));
	if (!m)
		return NULL;
	if (!alloc_tables(m, cfg)) {
		free_module(m);
		return NULL;
	}

	copy_config(m, cfg);
	m->hooks = *hooks;
	m->priv = priv;
	for (i = 0; i < cfg->nr_lps; i++)
		m->lp[i].random = tdxm_seed(cfg->seed + i);
	tdxm_pamt_init(m);
	return m;
}

/**
 * tdxm_destroy - free a module
 * @m: the module; no call is in flight and none will come
 *
 * Context: may sleep.
 * Return: 0, or -EBUSY if pages still belonged to TDs. It is freed either way.
 */
int tdxm_destroy(struct tdxm *m)
{
	int ret = tdxm_pages_in_use(m) ? -EBUSY : 0;

	free_module(m);
	return ret;
}

/**
 * tdxm_priv - the embedder's pointer
 * @m: the module
 *
 * Return: what tdxm_create() got.
 */
void *tdxm_priv(struct tdxm *m)
{
	return m->priv;
}
