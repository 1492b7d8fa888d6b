/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints tdp_stress:*, one for each kind of fact, with all that it says: what
 * the oracles judge can be judged again from a trace (selftests/judge). Called where
 * a fact arrives, by judge.c, and where a violation is said, by verdict.c. Field by
 * field in Documentation/tracing.rst.
 */
#ifdef __KERNEL__
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tdp_stress

#if !defined(TDP_STRESS_ORACLE_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define TDP_STRESS_ORACLE_TRACEPOINTS_H

#include <linux/tracepoint.h>

#include "names.h"

/* perf and trace-cmd read numbers; here they learn their names */
#ifndef TDPS_SYMBOL
#define TDPS_SYMBOL(number, name)	{ number, name },
#define TDPS_SYMBOL_(number, name)	{ number, name }
#define TDPS_ENUM(number, name)		TRACE_DEFINE_ENUM(number);
#define TDPS_SYMBOLIC(value, names)	__print_symbolic(value, names(TDPS_SYMBOL, TDPS_SYMBOL_))
#define TDPS_FLAGS(value, names)	__print_flags(value, "|", names(TDPS_SYMBOL, TDPS_SYMBOL_))
#endif

TDPS_OP_NAMES(TDPS_ENUM, TDPS_ENUM)
TDPS_CALL_NAMES(TDPS_ENUM, TDPS_ENUM)
TDPS_EXT_NAMES(TDPS_ENUM, TDPS_ENUM)
TDPS_SEEN_NAMES(TDPS_ENUM, TDPS_ENUM)
TDPS_LOCK_NAMES(TDPS_ENUM, TDPS_ENUM)
TDPS_MAP_NAMES(TDPS_ENUM, TDPS_ENUM)
TDPS_CHECK_NAMES(TDPS_ENUM, TDPS_ENUM)

/* Where, in every event that has one; @excused: see excuse.c. */
#ifndef TDPS_WHERE
#define TDPS_WHERE						\
	__field(u64, vm)					\
	__field(u64, gfn)					\
	__field(s8, level)					\
	__field(u8, lock)					\
	__field(bool, excused)
#define TDPS_WHERE_ASSIGN(w)					\
	do {							\
		const struct tdps_where *__w = (w);		\
								\
		__entry->vm = __w->vm;				\
		__entry->gfn = __w->gfn;			\
		__entry->level = __w->level;			\
		__entry->lock = __w->lock;			\
		__entry->excused = tdps_is_excused(__w->vm);	\
	} while (0)
#define TDPS_WHERE_FMT	"vm=0x%llx gfn=0x%llx level=%d lock=%s excused=%d"
#define TDPS_WHERE_ARGS						\
	__entry->vm, __entry->gfn, __entry->level,		\
	TDPS_SYMBOLIC(__entry->lock, TDPS_LOCK_NAMES), __entry->excused

static inline u8 tdps_spte_flags(const struct tdps_spte *s)
{
	return (s->present ? TDPS_SPTE_PRESENT : 0) | (s->leaf ? TDPS_SPTE_LEAF : 0) |
	       (s->frozen ? TDPS_SPTE_FROZEN : 0) | (s->mmio ? TDPS_SPTE_MMIO : 0) |
	       (s->dirty ? TDPS_SPTE_DIRTY : 0);
}
#endif

TRACE_EVENT(tdps_op_begin,
	TP_PROTO(u8 op, const struct tdps_where *w, u64 end, u8 roots, u64 root),
	TP_ARGS(op, w, end, roots, root),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, end)
		__field(u64, root)
		__field(u8, op)
		__field(u8, roots)
		__field(bool, recover_zaps)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(w);
		__entry->end = end;
		__entry->root = root;
		__entry->op = op;
		__entry->roots = roots;
		__entry->recover_zaps = tdps_recover_zaps;
		/* the tracer keeps one name of each thread, its last one */
		memcpy(__entry->comm, current->comm, TASK_COMM_LEN);
	),
	TP_printk("op=%s " TDPS_WHERE_FMT " end=0x%llx roots=%s root=0x%llx recover_zaps=%d comm=%s",
		  TDPS_SYMBOLIC(__entry->op, TDPS_OP_NAMES), TDPS_WHERE_ARGS, __entry->end,
		  TDPS_FLAGS(__entry->roots, TDPS_ROOT_NAMES), __entry->root,
		  __entry->recover_zaps, __entry->comm)
);

TRACE_EVENT(tdps_op_end,
	TP_PROTO(u8 op, const struct tdps_op_end *e, u64 ns),
	TP_ARGS(op, e, ns),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, ns)
		__field(u64, leafs_left)
		__field(u64, left_gfn)
		__field(u64, roots_left)
		__field(s64, tables_left)
		__field(s64, pages_left)
		__field(u8, op)
		__field(u8, verdict)
		__field(u8, goal_level)
		__field(bool, flush)
		__field(bool, bugged)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(&e->where);
		__entry->ns = ns;
		__entry->leafs_left = e->leafs_left;
		__entry->left_gfn = e->left_gfn;
		__entry->roots_left = e->roots_left;
		__entry->tables_left = e->tables_left;
		__entry->pages_left = e->pages_left;
		__entry->op = op;
		__entry->verdict = e->verdict;
		__entry->goal_level = e->goal_level;
		__entry->flush = e->flush;
		__entry->bugged = e->bugged;
	),
	TP_printk("op=%s " TDPS_WHERE_FMT " verdict=%s goal=%d flush=%d leafs_left=%llu left_gfn=0x%llx roots_left=%llu tables_left=%lld pages_left=%lld bugged=%d ns=%llu",
		  TDPS_SYMBOLIC(__entry->op, TDPS_OP_NAMES), TDPS_WHERE_ARGS,
		  TDPS_SYMBOLIC(__entry->verdict, TDPS_MAP_NAMES), __entry->goal_level,
		  __entry->flush, __entry->leafs_left, __entry->left_gfn, __entry->roots_left,
		  __entry->tables_left, __entry->pages_left, __entry->bugged, __entry->ns)
);

TRACE_EVENT(tdps_ext_begin,
	TP_PROTO(const struct tdps_extop *x),
	TP_ARGS(x),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, old_spte)
		__field(u64, new_spte)
		__field(u64, page)
		__field(u64, root)
		__field(u64, table)
		__field(u32, children)
		__field(u8, kind)
		__field(u8, seen)
		__field(u8, parent)
		__field(bool, detached)
		__field(bool, linked)
		__field(bool, ours)
		__field(bool, bugged)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(&x->where);
		__entry->old_spte = x->old_spte;
		__entry->new_spte = x->new_spte;
		__entry->page = x->page;
		__entry->root = x->root;
		__entry->table = x->table;
		__entry->children = x->children;
		__entry->kind = x->kind;
		__entry->seen = x->seen;
		__entry->parent = x->parent;
		__entry->detached = x->detached;
		__entry->linked = x->linked;
		__entry->ours = x->ours;
		__entry->bugged = x->bugged;
	),
	TP_printk("kind=%s " TDPS_WHERE_FMT " old=0x%llx new=0x%llx seen=%s parent=%s page=0x%llx root=0x%llx table=0x%llx children=%u detached=%d linked=%d ours=%d bugged=%d",
		  TDPS_SYMBOLIC(__entry->kind, TDPS_EXT_NAMES), TDPS_WHERE_ARGS,
		  __entry->old_spte, __entry->new_spte,
		  TDPS_SYMBOLIC(__entry->seen, TDPS_SEEN_NAMES),
		  TDPS_SYMBOLIC(__entry->parent, TDPS_SEEN_NAMES), __entry->page, __entry->root,
		  __entry->table, __entry->children, __entry->detached, __entry->linked,
		  __entry->ours, __entry->bugged)
);

TRACE_EVENT(tdps_ext_end,
	TP_PROTO(const struct tdps_extop *x, int ret, u64 ns),
	TP_ARGS(x, ret, ns),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, ns)
		__field(s32, ret)
		__field(u8, kind)
		__field(u8, after)
		__field(bool, kept)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(&x->where);
		__entry->ns = ns;
		__entry->ret = ret;
		__entry->kind = x->kind;
		__entry->after = x->after;
		__entry->kept = x->kept;
	),
	TP_printk("kind=%s " TDPS_WHERE_FMT " ret=%d after=%s kept=%d ns=%llu",
		  TDPS_SYMBOLIC(__entry->kind, TDPS_EXT_NAMES), TDPS_WHERE_ARGS, __entry->ret,
		  TDPS_SYMBOLIC(__entry->after, TDPS_SEEN_NAMES), __entry->kept, __entry->ns)
);

TRACE_EVENT(tdps_spte,
	TP_PROTO(const struct tdps_change *c),
	TP_ARGS(c),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, old_spte)
		__field(u64, old_pfn)
		__field(u64, new_spte)
		__field(u64, new_pfn)
		__field(u32, children)
		__field(u8, old_is)
		__field(u8, new_is)
		__field(bool, alone)
		__field(bool, unused)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(&c->where);
		__entry->old_spte = c->old_spte.raw;
		__entry->old_pfn = c->old_spte.pfn;
		__entry->new_spte = c->new_spte.raw;
		__entry->new_pfn = c->new_spte.pfn;
		__entry->children = c->children;
		__entry->old_is = tdps_spte_flags(&c->old_spte);
		__entry->new_is = tdps_spte_flags(&c->new_spte);
		__entry->alone = c->alone;
		__entry->unused = c->unused;
	),
	TP_printk(TDPS_WHERE_FMT " old=0x%llx old_is=%s old_pfn=0x%llx new=0x%llx new_is=%s new_pfn=0x%llx alone=%d unused=%d children=%u",
		  TDPS_WHERE_ARGS, __entry->old_spte,
		  TDPS_FLAGS(__entry->old_is, TDPS_SPTE_NAMES), __entry->old_pfn,
		  __entry->new_spte, TDPS_FLAGS(__entry->new_is, TDPS_SPTE_NAMES),
		  __entry->new_pfn, __entry->alone, __entry->unused, __entry->children)
);

TRACE_EVENT(tdps_split,
	TP_PROTO(const struct tdps_split *s),
	TP_ARGS(s),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, huge)
		__field(u64, child)
		__field(u64, want)
		__field(u64, page)
		__field(u32, wrong)
		__field(u32, index)
		__field(s32, ret)
		__field(s8, table_level)
		__field(bool, merge)
		__field(bool, mirror)
		__field(bool, reachable)
		__field(bool, ours)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(&s->where);
		__entry->huge = s->huge;
		__entry->child = s->child;
		__entry->want = s->want;
		__entry->page = s->page;
		__entry->wrong = s->wrong;
		__entry->index = s->index;
		__entry->ret = s->ret;
		__entry->table_level = s->table_level;
		__entry->merge = s->merge;
		__entry->mirror = s->mirror;
		__entry->reachable = s->reachable;
		__entry->ours = s->ours;
	),
	TP_printk("merge=%d " TDPS_WHERE_FMT " mirror=%d reachable=%d table_level=%d huge=0x%llx wrong=%u index=%u child=0x%llx want=0x%llx page=0x%llx ours=%d ret=%d",
		  __entry->merge, TDPS_WHERE_ARGS, __entry->mirror, __entry->reachable,
		  __entry->table_level, __entry->huge, __entry->wrong, __entry->index,
		  __entry->child, __entry->want, __entry->page, __entry->ours, __entry->ret)
);

TRACE_EVENT(tdps_split_failed,
	TP_PROTO(const struct tdps_where *w, int err, bool linked),
	TP_ARGS(w, err, linked),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(s32, err)
		__field(bool, linked)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(w);
		__entry->err = err;
		__entry->linked = linked;
	),
	TP_printk(TDPS_WHERE_FMT " err=%d linked=%d", TDPS_WHERE_ARGS, __entry->err,
		  __entry->linked)
);

TRACE_EVENT(tdps_split_alloc,
	TP_PROTO(const struct tdps_where *w, bool rcu),
	TP_ARGS(w, rcu),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(bool, rcu)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(w);
		__entry->rcu = rcu;
	),
	TP_printk(TDPS_WHERE_FMT " rcu=%d", TDPS_WHERE_ARGS, __entry->rcu)
);

TRACE_EVENT(tdps_seamcall,
	TP_PROTO(const struct tdps_seamcall *c),
	TP_ARGS(c),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, status)
		__field(u64, ext1)
		__field(u64, ext2)
		__field(u64, pa)
		__field(u8, call)
		__field(bool, runnable)
		__field(bool, injected)
		__field(bool, kicks_visible)
		__field(bool, writebacks_visible)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(&c->where);
		__entry->status = c->status;
		__entry->ext1 = c->ext1;
		__entry->ext2 = c->ext2;
		__entry->pa = c->pa;
		__entry->call = c->call;
		__entry->runnable = c->runnable;
		__entry->injected = tdps_is_injected(c);
		__entry->kicks_visible = tdps_kicks_visible;
		__entry->writebacks_visible = tdps_writebacks_visible;
	),
	TP_printk("call=%s " TDPS_WHERE_FMT " status=0x%llx ext1=0x%llx ext2=0x%llx pa=0x%llx runnable=%d injected=%d kicks_visible=%d writebacks_visible=%d",
		  TDPS_SYMBOLIC(__entry->call, TDPS_CALL_NAMES), TDPS_WHERE_ARGS,
		  __entry->status, __entry->ext1, __entry->ext2, __entry->pa, __entry->runnable,
		  __entry->injected, __entry->kicks_visible, __entry->writebacks_visible)
);

TRACE_EVENT(tdps_table_new,
	TP_PROTO(const struct tdps_where *w, u64 table),
	TP_ARGS(w, table),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, table)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(w);
		__entry->table = table;
	),
	TP_printk(TDPS_WHERE_FMT " table=0x%llx", TDPS_WHERE_ARGS, __entry->table)
);

TRACE_EVENT(tdps_table_zap,
	TP_PROTO(const struct tdps_where *w, u64 table, bool mirror),
	TP_ARGS(w, table, mirror),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u64, table)
		__field(bool, mirror)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(w);
		__entry->table = table;
		__entry->mirror = mirror;
	),
	TP_printk(TDPS_WHERE_FMT " table=0x%llx mirror=%d", TDPS_WHERE_ARGS, __entry->table,
		  __entry->mirror)
);

TRACE_EVENT(tdps_table_free,
	TP_PROTO(u64 table, bool unlinked, bool gp_passed),
	TP_ARGS(table, unlinked, gp_passed),
	TP_STRUCT__entry(
		__field(u64, table)
		__field(bool, unlinked)
		__field(bool, gp_passed)
	),
	TP_fast_assign(
		__entry->table = table;
		__entry->unlinked = unlinked;
		__entry->gp_passed = gp_passed;
	),
	TP_printk("table=0x%llx unlinked=%d gp_passed=%d", __entry->table, __entry->unlinked,
		  __entry->gp_passed)
);

TRACE_EVENT(tdps_flush,
	TP_PROTO(u64 vm, bool request),
	TP_ARGS(vm, request),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(bool, request)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->request = request;
	),
	TP_printk("vm=0x%llx request=%d", __entry->vm, __entry->request)
);

DECLARE_EVENT_CLASS(tdps_vm,
	TP_PROTO(u64 vm),
	TP_ARGS(vm),
	TP_STRUCT__entry(
		__field(u64, vm)
	),
	TP_fast_assign(
		__entry->vm = vm;
	),
	TP_printk("vm=0x%llx", __entry->vm)
);

DEFINE_EVENT(tdps_vm, tdps_kick,
	TP_PROTO(u64 vm),
	TP_ARGS(vm)
);

DEFINE_EVENT(tdps_vm, tdps_invalidate_end,
	TP_PROTO(u64 vm),
	TP_ARGS(vm)
);

DEFINE_EVENT(tdps_vm, tdps_yield,
	TP_PROTO(u64 vm),
	TP_ARGS(vm)
);

DEFINE_EVENT(tdps_vm, tdps_excuse,
	TP_PROTO(u64 vm),
	TP_ARGS(vm)
);

TRACE_EVENT(tdps_bugged,
	TP_PROTO(u64 vm, bool refused, bool excused),
	TP_ARGS(vm, refused, excused),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(bool, refused)
		__field(bool, excused)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->refused = refused;
		__entry->excused = excused;
	),
	TP_printk("vm=0x%llx refused=%d excused=%d", __entry->vm, __entry->refused,
		  __entry->excused)
);

TRACE_EVENT(tdps_audit_root,
	TP_PROTO(const struct tdps_audit *a, const struct tdps_audit_root *r),
	TP_ARGS(a, r),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, root)
		__field(u32, count)
		__field(u32, users)
		__field(bool, mirror)
		__field(bool, invalid)
		__field(bool, bugged)
	),
	TP_fast_assign(
		__entry->vm = a->vm;
		__entry->root = r->id;
		__entry->count = r->count;
		__entry->users = r->users;
		__entry->mirror = r->mirror;
		__entry->invalid = r->invalid;
		__entry->bugged = a->bugged;
	),
	TP_printk("vm=0x%llx root=0x%llx count=%u users=%u mirror=%d invalid=%d bugged=%d",
		  __entry->vm, __entry->root, __entry->count, __entry->users, __entry->mirror,
		  __entry->invalid, __entry->bugged)
);

TRACE_EVENT(tdps_audit_counts,
	TP_PROTO(const struct tdps_audit *a, const s64 *pages, s64 tables),
	TP_ARGS(a, pages, tables),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(s64, pages_4k)
		__field(s64, pages_2m)
		__field(s64, pages_1g)
		__field(s64, tables)
		__field(u64, found_4k)
		__field(u64, found_2m)
		__field(u64, found_1g)
		__field(u64, found_tables)
		__field(bool, complete)
		__field(bool, bugged)
		__field(bool, excused)
	),
	TP_fast_assign(
		__entry->vm = a->vm;
		__entry->pages_4k = pages[0];
		__entry->pages_2m = pages[1];
		__entry->pages_1g = pages[2];
		__entry->tables = tables;
		__entry->found_4k = a->leafs[0];
		__entry->found_2m = a->leafs[1];
		__entry->found_1g = a->leafs[2];
		__entry->found_tables = a->tables;
		__entry->complete = a->complete;
		__entry->bugged = a->bugged;
		__entry->excused = tdps_is_excused(a->vm);
	),
	TP_printk("vm=0x%llx excused=%d complete=%d bugged=%d pages_4k=%lld pages_2m=%lld pages_1g=%lld tables=%lld found_4k=%llu found_2m=%llu found_1g=%llu found_tables=%llu",
		  __entry->vm, __entry->excused, __entry->complete, __entry->bugged,
		  __entry->pages_4k, __entry->pages_2m, __entry->pages_1g, __entry->tables,
		  __entry->found_4k, __entry->found_2m, __entry->found_1g,
		  __entry->found_tables)
);

TRACE_EVENT(tdps_audit,
	TP_PROTO(const struct tdps_audit *a, u64 ns),
	TP_ARGS(a, ns),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, sptes)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = a->vm;
		__entry->sptes = a->sptes;
		__entry->ns = ns;
	),
	TP_printk("vm=0x%llx sptes=%llu ns=%llu", __entry->vm, __entry->sptes, __entry->ns)
);

TRACE_EVENT(tdps_violation,
	TP_PROTO(u8 check, const struct tdps_where *w, pid_t by, const char *text),
	TP_ARGS(check, w, by, text),
	TP_STRUCT__entry(
		TDPS_WHERE
		__field(u8, check)
		__field(s32, by)
		__string(text, text)
	),
	TP_fast_assign(
		TDPS_WHERE_ASSIGN(w);
		__entry->check = check;
		__entry->by = by;
		__assign_str(text);
	),
	TP_printk("check=%s " TDPS_WHERE_FMT " by=%d text=%s",
		  TDPS_SYMBOLIC(__entry->check, TDPS_CHECK_NAMES), TDPS_WHERE_ARGS, __entry->by,
		  __get_str(text))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints
#include <trace/define_trace.h>
#endif /* __KERNEL__ */
