// SPDX-License-Identifier: GPL-2.0
/* The two modules' debugfs files: names, counters, audit, verdict. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules.h"

#define DEBUGFS	"/sys/kernel/debug/"

static const char * const names[NR_MODULES] = {
	[MODULE_STUB] = "tdx_stub",
	[MODULE_STRESS] = "tdp_stress",
};

const char *module_name(enum module_id id)
{
	return names[id];
}

static FILE *open_file(enum module_id id, const char *file, const char *mode)
{
	char path[96];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", names[id], file);
	return fopen(path, mode);
}

static void free_counters(struct counters *c)
{
	free(c->list);
	c->list = NULL;
	c->nr = 0;
}

static void read_counters(enum module_id id, struct counters *c)
{
	FILE *f = open_file(id, "stats", "re");
	struct counter one;
	size_t room = 0;

	free_counters(c);
	if (!f)
		return;
	while (fscanf(f, "%55s %llu", one.name, &one.value) == 2) {
		if (c->nr == room) {
			struct counter *list;

			room = room ? 2 * room : 256;
			list = realloc(c->list, room * sizeof(one));
			if (!list)
				break;
			c->list = list;
		}
		c->list[c->nr++] = one;
	}
	fclose(f);
}

static bool lookup(const struct counters *c, const char *name, u64 *value)
{
	size_t i;

	for (i = 0; i < c->nr; i++) {
		if (strcmp(c->list[i].name, name))
			continue;
		*value = c->list[i].value;
		return true;
	}
	return false;
}

void modules_open(struct modules *m, bool enabled)
{
	int i;

	m->enabled = enabled;
	for (i = 0; enabled && i < NR_MODULES; i++)
		read_counters(i, &m->before[i]);
	modules_read(m);
}

/* One of them was loaded again: its counters count from here. */
void modules_restart(struct modules *m, enum module_id id)
{
	read_counters(id, &m->before[id]);
	modules_read(m);
}

void modules_close(struct modules *m)
{
	int i;

	for (i = 0; i < NR_MODULES; i++) {
		free_counters(&m->before[i]);
		free_counters(&m->now[i]);
	}
}

void modules_read(struct modules *m)
{
	int i;

	for (i = 0; m->enabled && i < NR_MODULES; i++)
		read_counters(i, &m->now[i]);
}

bool modules_have(const struct modules *m, enum module_id id)
{
	return m->now[id].nr;
}

/* A counter as it was read last; false: there is none of that name. */
bool modules_value(const struct modules *m, enum module_id id, const char *name, u64 *value)
{
	return lookup(&m->now[id], name, value);
}

/* How much a counter grew since modules_open(). */
u64 modules_delta(const struct modules *m, enum module_id id, const char *name)
{
	u64 before = 0, now = 0;

	lookup(&m->before[id], name, &before);
	lookup(&m->now[id], name, &now);
	return now - before;
}

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n >= s && !strcmp(name + n - s, suffix);
}

/* The next one in the latest reading, from @v, which is all zeroes at first. */
bool modules_next_violation(const struct modules *m, struct module_violation *v)
{
	for (; v->id < NR_MODULES; v->id++, v->next = 0) {
		const struct counters *c = &m->now[v->id];

		while (v->next < c->nr) {
			v->name = c->list[v->next++].name;
			v->nr = modules_delta(m, v->id, v->name);
			/* an external backend has a TDX module inside, which counts for itself */
			if (v->nr && (has_prefix(v->name, "violation.") ||
				      has_prefix(v->name, "tdx.violation.")))
				return true;
		}
	}
	return false;
}

/* "calls" that ended neither BUSY nor with an error. */
static u64 leaf_ok(const struct modules *m, const char *leaf)
{
	char name[3][COUNTER_NAME];

	snprintf(name[0], COUNTER_NAME, "leaf.%s.calls", leaf);
	snprintf(name[1], COUNTER_NAME, "leaf.%s.busy", leaf);
	snprintf(name[2], COUNTER_NAME, "leaf.%s.error", leaf);
	return modules_delta(m, MODULE_STUB, name[0]) - modules_delta(m, MODULE_STUB, name[1]) -
	       modules_delta(m, MODULE_STUB, name[2]);
}

void modules_sum(const struct modules *m, struct module_sums *sums)
{
	size_t i;
	int id;

	memset(sums, 0, sizeof(*sums));
	for (id = 0; id < NR_MODULES; id++) {
		const struct counters *c = &m->now[id];

		sums->have[id] = c->nr;
		for (i = 0; i < c->nr; i++) {
			const char *name = c->list[i].name;

			if (has_prefix(name, "violation."))
				sums->violations += modules_delta(m, id, name);
			if (has_prefix(name, "leaf.") && has_suffix(name, ".busy"))
				sums->busy += modules_delta(m, id, name);
		}
	}
	sums->aug = leaf_ok(m, "TDH.MEM.PAGE.AUG");
	sums->removed = leaf_ok(m, "TDH.MEM.PAGE.REMOVE");
	sums->frozen = modules_delta(m, MODULE_STRESS, "frozen.count");
	sums->audits = modules_delta(m, MODULE_STRESS, "audit.count");
}

/**
 * modules_audit() - let tdp_stress.ko compare all tables of all TDs now
 * @m: the modules
 *
 * Return: 0: done, or nobody there to do it; -errno
 */
int modules_audit(struct modules *m)
{
	int fd, err = 0;

	if (!m->enabled || !modules_have(m, MODULE_STRESS))
		return 0;
	fd = open(DEBUGFS "tdp_stress/audit", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		err = errno;
	if (fd >= 0)
		close(fd);
	return -err;
}

/**
 * modules_verdict() - what tdp_stress.ko thinks of KVM
 * @m: the modules
 * @line: filled in with its one line
 * @size: bytes of @line
 *
 * Return: true if there is a verdict
 */
bool modules_verdict(struct modules *m, char *line, size_t size)
{
	FILE *f = m->enabled ? open_file(MODULE_STRESS, "verdict", "re") : NULL;
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, size, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

/* The emulated TDX module's counters, in the statistics of whoever it is a part of. */
static const char * const tdx_prefix[NR_MODULES] = {
	[MODULE_STUB] = "",
	[MODULE_STRESS] = "tdx.",
};

/* A counter of the emulated TDX module's own, by its name there. */
static const char *tdx_counter(enum module_id id, const char *name)
{
	return has_prefix(name, tdx_prefix[id]) ? name + strlen(tdx_prefix[id]) : NULL;
}

/* Does a counter of the emulated TDX module count what belongs to a TD? */
static bool counts_tds(const char *name)
{
	/* pages that belong to nobody, and those no TD may have */
	static const char * const others[] = { "pamt.nda", "pamt.rsvd", "pamt.reserved" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcasecmp(name, others[i]))
			return false;
	return has_prefix(name, "pamt.") || !strcmp(name, "td.live") || !strcmp(name, "vcpu.live");
}

/**
 * modules_tdx_value() - a counter of the emulated TDX module, wherever that is
 * @m: the modules, as they were read last
 * @name: its name, as in tdx_stub's statistics
 * @value: set to it
 *
 * Return: true if there is one
 */
bool modules_tdx_value(const struct modules *m, const char *name, u64 *value)
{
	char full[COUNTER_NAME];
	int id;

	for (id = 0; id < NR_MODULES; id++) {
		snprintf(full, sizeof(full), "%s%s", tdx_prefix[id], name);
		if (lookup(&m->now[id], full, value))
			return true;
	}
	return false;
}

/**
 * modules_idle() - has KVM given back everything the TDs had?
 * @m: the modules; read again by this
 * @why: one clause that names what is left
 * @size: bytes of @why
 *
 * TDs that lived before the run are not counted.
 *
 * Return: true if nothing is left, or nobody is there to say
 */
bool modules_idle(struct modules *m, char *why, size_t size)
{
	size_t i;
	int id;

	modules_read(m);
	for (id = 0; id < NR_MODULES; id++) {
		const struct counters *c = &m->now[id];

		for (i = 0; i < c->nr; i++) {
			const char *name = tdx_counter(id, c->list[i].name);
			u64 before = 0;

			if (!name || !counts_tds(name))
				continue;
			lookup(&m->before[id], c->list[i].name, &before);
			if (c->list[i].value <= before)
				continue;
			snprintf(why, size, "%s is %llu, was %llu before the run", name,
				 c->list[i].value, before);
			return false;
		}
	}
	return true;
}
