// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tdp_stress is asked for what makes no sense: every command with every wrong
 * argument, one at a time, and the answer is looked at; then random structures, many
 * of them, and it only has to survive. TDP_STRESS_FUZZ_CALLS says how many.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "ks_test.h"

#define PAGE		4096UL
#define FUZZ_CALLS	20000	/* in a guest with lockdep: a few seconds */
#define MAX_FUZZ_CALLS	100000000ULL

KS_FIXTURE(bad_input);

/* Any command's structure, with room for one that is too long. */
union arg {
	u32 size;
	struct tdp_stress_adopt_vm adopt_vm;
	struct tdp_stress_query query;
	struct tdp_stress_query_op query_op;
	struct tdp_stress_op op;
	struct tdp_stress_inject inject;
	struct tdp_stress_hold hold;
	struct tdp_stress_hold_wait hold_wait;
	struct tdp_stress_hold_release hold_release;
	struct tdp_stress_walk walk;
	struct tdp_stress_counters counters;
	struct tdp_stress_check check;
	struct tdp_stress_violations violations;
	u8 bytes[2 * PAGE];
};

/* Good arguments of each command: @good fills them in but for the size. */
static void good_adopt(struct td *vm, union arg *a)
{
	a->adopt_vm.vm_fd = vm->vm_fd;
}

static void good_nothing(struct td *vm, union arg *a)
{
}

static void good_op(struct td *vm, union arg *a)
{
	a->op.vm_fd = vm->vm_fd;
	a->op.op = TDP_STRESS_OP_UNMAP;
	a->op.nr = 1;
	a->op.roots = TDP_STRESS_ROOTS_MIRROR;
}

static void good_inject(struct td *vm, union arg *a)
{
	a->inject.vm_fd = vm->vm_fd;
	a->inject.kind = TDP_STRESS_INJECT_EXTOP;
	a->inject.mode = TDP_STRESS_INJECT_COUNT;
}

static void good_hold(struct td *vm, union arg *a)
{
	a->hold.vm_fd = vm->vm_fd;
	a->hold.gfn = KS_PAGES - 1;
	a->hold.nr = 1;
	a->hold.hold_ms = 1;
}

static void good_walk(struct td *vm, union arg *a)
{
	a->walk.vm_fd = vm->vm_fd;
	a->walk.roots = TDP_STRESS_ROOTS_MIRROR;
	a->walk.nr = 1;
}

/**
 * struct command - a command
 * @name: as in the header
 * @nr: its ioctl
 * @size: bytes of its structure
 * @flags: bits of @flags that are known
 * @flags_at: where they are
 * @reserved_at: where reserved bytes are, 0: there are none
 * @vm_at: where vm_fd is, 0: it has none
 * @refuses: errno of a call with good arguments, 0: it succeeds
 * @good: fills in good arguments
 */
struct command {
	const char *name;
	unsigned long nr;
	size_t size;
	u32 flags;
	size_t flags_at;
	size_t reserved_at;
	size_t vm_at;
	int refuses;
	void (*good)(struct td *vm, union arg *a);
};

#define COMMAND(nr, type, ...)	{ #nr, TDP_STRESS_##nr, sizeof(struct type),		\
				  .flags_at = offsetof(struct type, flags), ##__VA_ARGS__ }
#define AT(type, field)		offsetof(struct type, field)

static const struct command commands[] = {
	COMMAND(ADOPT_VM, tdp_stress_adopt_vm, .reserved_at = AT(tdp_stress_adopt_vm, reserved),
		.vm_at = AT(tdp_stress_adopt_vm, vm_fd), .refuses = EEXIST, .good = good_adopt),
	COMMAND(QUERY, tdp_stress_query, .good = good_nothing),
	COMMAND(QUERY_OP, tdp_stress_query_op, .good = good_nothing),
	COMMAND(OP, tdp_stress_op, .flags = TDP_STRESS_OP_FLAG_YIELD,
		.reserved_at = AT(tdp_stress_op, reserved), .vm_at = AT(tdp_stress_op, vm_fd),
		.good = good_op),
	COMMAND(INJECT, tdp_stress_inject, .reserved_at = AT(tdp_stress_inject, reserved),
		.vm_at = AT(tdp_stress_inject, vm_fd), .good = good_inject),
	COMMAND(HOLD, tdp_stress_hold, .reserved_at = AT(tdp_stress_hold, reserved),
		.vm_at = AT(tdp_stress_hold, vm_fd), .good = good_hold),
	COMMAND(HOLD_WAIT, tdp_stress_hold_wait,
		.reserved_at = AT(tdp_stress_hold_wait, reserved), .refuses = ENOENT,
		.good = good_nothing),
	COMMAND(HOLD_RELEASE, tdp_stress_hold_release, .refuses = ENOENT, .good = good_nothing),
	COMMAND(WALK, tdp_stress_walk,
		.flags = TDP_STRESS_WALK_ABSENT | TDP_STRESS_WALK_LEAFS,
		.vm_at = AT(tdp_stress_walk, vm_fd), .good = good_walk),
	COMMAND(COUNTERS, tdp_stress_counters, .reserved_at = AT(tdp_stress_counters, reserved),
		.good = good_nothing),
	COMMAND(CHECK, tdp_stress_check, .reserved_at = AT(tdp_stress_check, reserved),
		.good = good_nothing),
	COMMAND(VIOLATIONS, tdp_stress_violations,
		.reserved_at = AT(tdp_stress_violations, reserved), .good = good_nothing),
};

#define for_each_command(c)	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)

static void make_good(const struct command *c, struct td *vm, union arg *a)
{
	memset(a, 0, sizeof(*a));
	a->size = c->size;
	c->good(vm, a);
}

/* NULL: the answer was @err (0: success). */
static const char *wrong(struct ks *ks, const struct command *c, const char *what, u64 value,
			 void *arg, int err)
{
	int ret = ks_dev(ks, c->nr, arg);

	/* a TD of tdx.c cannot be adopted at all */
	if (ret == -err || (ks->backend != KS_EXTERNAL && err == EEXIST && ret == -EOPNOTSUPP))
		return NULL;
	snprintf(ks->text, sizeof(ks->text), "%s, %s 0x%llx: %s, wanted %s", c->name, what, value,
		 ret ? td_errno_name(-ret) : "success", err ? td_errno_name(err) : "success");
	return ks->text;
}

#define EXPECT_ANSWER(_err, _c, _what, _value, _arg) \
	EXPECT_SOUND(wrong(&self->ks, _c, _what, _value, _arg, _err))

/* What was accepted after all must not disturb what comes. */
static void undo(struct ks *ks)
{
	ks_inject_nothing(ks);
	close(ks->dev_fd);
	ks->dev_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
}

TEST_KS(bad_input, good_input)
{
	const struct command *c;
	union arg a;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_EQ(TDP_STRESS_ABI_VERSION, ioctl(self->ks.dev_fd, TDP_STRESS_ABI));
	for_each_command(c) {
		make_good(c, &self->vm, &a);
		EXPECT_ANSWER(c->refuses, c, "good arguments", 0, &a);
	}
	undo(&self->ks);
}

TEST_KS(bad_input, unknown_commands)
{
	static const unsigned int dirs[] = { _IOC_NONE, _IOC_READ, _IOC_WRITE,
					     _IOC_READ | _IOC_WRITE };
	char arg[512] = {};
	unsigned int nr, dir;

	for (nr = 0; nr < 256; nr++) {
		for (dir = 0; dir < ARRAY_SIZE(dirs); dir++) {
			unsigned long plain = _IOC(dirs[dir], TDP_STRESS_MAGIC, nr, 0);
			unsigned long sized = _IOC(dirs[dir], TDP_STRESS_MAGIC, nr, sizeof(arg));
			unsigned long other = _IOC(dirs[dir], TDP_STRESS_MAGIC + 1, nr, 0);

			if (dirs[dir] != _IOC_NONE || nr > TDP_STRESS_CMD_VIOLATIONS)
				EXPECT_REFUSED(ENOTTY, ks_dev(&self->ks, plain, arg));
			EXPECT_REFUSED(ENOTTY, ks_dev(&self->ks, sized, arg));
			EXPECT_REFUSED(ENOTTY, ks_dev(&self->ks, other, arg));
		}
	}
}

/* Structures that are no memory, or not all of it. */
TEST_KS(bad_input, memory)
{
	u8 *map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct command *c;
	union arg a;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + PAGE, PAGE, PROT_NONE));
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for_each_command(c) {
		make_good(c, &self->vm, &a);
		EXPECT_ANSWER(EFAULT, c, "no structure", 0, NULL);
		EXPECT_ANSWER(EFAULT, c, "kernel address", 0, (void *)-PAGE);
		EXPECT_ANSWER(EFAULT, c, "no access", 0, map + PAGE);
		memcpy(map + PAGE - c->size + 1, &a, c->size - 1);
		EXPECT_ANSWER(EFAULT, c, "last byte is missing", 0, map + PAGE - c->size + 1);
		memcpy(map + PAGE - sizeof(a.size), &a, sizeof(a.size));
		EXPECT_ANSWER(EFAULT, c, "nothing but its size", 0, map + PAGE - sizeof(a.size));
		memcpy(map + 2 * PAGE, &a, c->size);
		ASSERT_EQ(0, mprotect(map + 2 * PAGE, PAGE, PROT_READ));
		EXPECT_ANSWER(EFAULT, c, "read-only", 0, map + 2 * PAGE);
		ASSERT_EQ(0, mprotect(map + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	}
	undo(&self->ks);
	munmap(map, 3 * PAGE);
}

TEST_KS(bad_input, sizes)
{
	static const u32 far[] = { PAGE + 1, 2 * PAGE, 1U << 31, UINT32_MAX };
	const struct command *c;
	union arg a;
	size_t i;
	u32 size;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for_each_command(c) {
		make_good(c, &self->vm, &a);
		for (size = 0; size < c->size; size++) {
			a.size = size;
			EXPECT_ANSWER(EINVAL, c, "size", size, &a);
		}
		for (i = 0; i < ARRAY_SIZE(far); i++) {
			a.size = far[i];
			EXPECT_ANSWER(EINVAL, c, "size", far[i], &a);
		}
		for (size = c->size + 1; size <= PAGE; size = size * 2 - 1) {
			make_good(c, &self->vm, &a);
			a.size = size;
			a.bytes[size - 1] = 1;
			EXPECT_ANSWER(EINVAL, c, "unknown last byte, size", size, &a);
			a.bytes[size - 1] = 0;
			a.bytes[c->size] = 1;
			EXPECT_ANSWER(EINVAL, c, "unknown first byte, size", size, &a);
		}
		make_good(c, &self->vm, &a);
		a.size = PAGE;
		EXPECT_ANSWER(c->refuses, c, "a structure of tomorrow with nothing new in it, size",
			      PAGE, &a);
	}
	undo(&self->ks);
}

static void set_u32(union arg *a, size_t at, u32 value)
{
	memcpy(a->bytes + at, &value, sizeof(value));
}

TEST_KS(bad_input, flags_and_reserved)
{
	const struct command *c;
	union arg a;
	int bit;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for_each_command(c) {
		for (bit = 0; bit < 32; bit++) {
			make_good(c, &self->vm, &a);
			set_u32(&a, c->flags_at, 1U << bit);
			if (!(c->flags & 1U << bit))
				EXPECT_ANSWER(EINVAL, c, "flag", 1U << bit, &a);
			if (!c->reserved_at)
				continue;
			make_good(c, &self->vm, &a);
			set_u32(&a, c->reserved_at, 1U << bit);
			EXPECT_ANSWER(EINVAL, c, "reserved", 1U << bit, &a);
		}
	}
	undo(&self->ks);
}

TEST_KS(bad_input, vm_fds)
{
	int null = open("/dev/null", O_RDWR), closed = dup(null);
	/* (where tdx_stub stands in for VMX there are no others) */
	int plain = variant->backend == KS_EMULATED ? -1 :
		    ioctl(self->ks.env.kvm_fd, KVM_CREATE_VM, 0);
	const struct command *c;
	union arg a;
	size_t i;

	ASSERT_LE(0, null);
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	close(closed);
	for_each_command(c) {
		const struct {
			int fd;
			int err;
		} bad[] = {
			{ c->nr == TDP_STRESS_INJECT ? -2 : -1, EBADF }, { INT_MIN, EBADF },
			{ INT_MAX, EBADF }, { closed, EBADF }, { null, ENXIO },
			{ self->ks.env.kvm_fd, ENXIO }, { self->ks.dev_fd, ENXIO },
			{ self->vm.vcpus[0].fd, ENXIO }, { self->vm.gmem_fd, ENXIO },
		};

		if (!c->vm_at)
			continue;
		/* that is refused before it looks at the descriptor */
		if (c->nr == TDP_STRESS_ADOPT_VM && variant->backend != KS_EXTERNAL)
			continue;
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			make_good(c, &self->vm, &a);
			set_u32(&a, c->vm_at, bad[i].fd);
			EXPECT_ANSWER(bad[i].err, c, "vm_fd", (u32)bad[i].fd, &a);
		}
		if (plain < 0 || c->nr == TDP_STRESS_ADOPT_VM)
			continue;
		make_good(c, &self->vm, &a);
		set_u32(&a, c->vm_at, plain);
		EXPECT_ANSWER(EPROTOTYPE, c, "a VM without mirror roots", plain, &a);
	}
	close(plain);
	close(null);
	undo(&self->ks);
}

/**
 * struct bad - one field that is wrong
 * @nr: the command
 * @at: the field
 * @width: its bytes
 * @value: what is in it
 * @err: what comes of it
 * @what: its name
 */
struct bad {
	unsigned long nr;
	size_t at;
	size_t width;
	u64 value;
	int err;
	const char *what;
};

#define BAD(nr, field, value, err)						\
	{ TDP_STRESS_##nr, offsetof(union arg, field),				\
	  sizeof(((union arg *)0)->field), value, err, #field }

static const struct bad bad_fields[] = {
	BAD(QUERY_OP, query_op.op, TDP_STRESS_OP_RELOAD + 1, ENOENT),
	BAD(QUERY_OP, query_op.op, UINT32_MAX, ENOENT),

	/* UNMAP: one or both kinds of root, no level, no vCPU, no mask, one memslot */
	BAD(OP, op.op, TDP_STRESS_OP_RELOAD + 1, EINVAL),
	BAD(OP, op.op, UINT32_MAX, EINVAL),
	BAD(OP, op.flags, TDP_STRESS_OP_FLAG_WRITE, EINVAL),
	BAD(OP, op.level, 1, EINVAL),
	BAD(OP, op.level, UINT32_MAX, EINVAL),
	BAD(OP, op.roots, 0, EINVAL),
	BAD(OP, op.roots, 4, EINVAL),
	BAD(OP, op.roots, UINT32_MAX, EINVAL),
	BAD(OP, op.vcpu, 1, EINVAL),
	BAD(OP, op.mask, 1, EINVAL),
	BAD(OP, op.nr, 0, EINVAL),
	BAD(OP, op.nr, (1 << 20) + 1, EINVAL),
	BAD(OP, op.nr, UINT64_MAX, EINVAL),
	BAD(OP, op.nr, KS_PAGES, ERANGE),
	BAD(OP, op.gfn, UINT64_MAX, EINVAL),
	BAD(OP, op.gfn, 1ULL << 51, EINVAL),
	BAD(OP, op.gfn, 1ULL << 30, ENOENT),

	BAD(INJECT, inject.kind, TDP_STRESS_INJECT_RESET + 1, EINVAL),
	BAD(INJECT, inject.kind, UINT32_MAX, EINVAL),
	BAD(INJECT, inject.kind, TDP_STRESS_INJECT_RESET, EINVAL),
	BAD(INJECT, inject.mode, TDP_STRESS_INJECT_COUNT + 1, EINVAL),
	BAD(INJECT, inject.mode, UINT32_MAX, EINVAL),
	BAD(INJECT, inject.mode, TDP_STRESS_INJECT_ONCE, EINVAL),
	BAD(INJECT, inject.what, TDP_STRESS_EXTOP_FREE, EINVAL),
	BAD(INJECT, inject.what, UINT32_MAX, EINVAL),
	BAD(INJECT, inject.value, 1, EINVAL),
	BAD(INJECT, inject.status, EBUSY, EINVAL),

	BAD(HOLD, hold.point, TDP_STRESS_POINT_FLUSH + 1, EINVAL),
	BAD(HOLD, hold.point, UINT32_MAX, EINVAL),
	BAD(HOLD, hold.point, TDP_STRESS_POINT_FLUSH, EINVAL),
	BAD(HOLD, hold.kinds, 1U << (TDP_STRESS_MMU_LAST_SPTEP + 1), EINVAL),
	BAD(HOLD, hold.level, 1, EINVAL),
	BAD(HOLD, hold.level, 6, EINVAL),
	BAD(HOLD, hold.gfn, UINT64_MAX, EINVAL),
	BAD(HOLD, hold.gfn, 1ULL << 51, EINVAL),
	BAD(HOLD, hold.nr, 0, EINVAL),
	BAD(HOLD, hold.nr, UINT64_MAX, EINVAL),
	BAD(HOLD, hold.hold_ms, 0, EINVAL),
	BAD(HOLD, hold.hold_ms, UINT32_MAX, EINVAL),

	BAD(HOLD_WAIT, hold_wait.timeout_ms, 600001, EINVAL),
	BAD(HOLD_WAIT, hold_wait.id, UINT32_MAX, ENOENT),
	BAD(HOLD_RELEASE, hold_release.id, UINT32_MAX, ENOENT),

	BAD(WALK, walk.roots, 0, EINVAL),
	BAD(WALK, walk.roots, 4, EINVAL),
	BAD(WALK, walk.nr, 0, EINVAL),
	BAD(WALK, walk.nr, UINT64_MAX, EINVAL),
	BAD(WALK, walk.gfn, 1ULL << 51, EINVAL),

	BAD(COUNTERS, counters.max, 65537, EINVAL),
	BAD(COUNTERS, counters.max, 1, EFAULT),
};

static const struct command *command(unsigned long nr)
{
	const struct command *c;

	for_each_command(c)
		if (c->nr == nr)
			return c;
	return NULL;
}

TEST_KS(bad_input, fields)
{
	const struct command *c;
	union arg a;
	size_t i;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for (i = 0; i < ARRAY_SIZE(bad_fields); i++) {
		const struct bad *b = &bad_fields[i];

		c = command(b->nr);
		make_good(c, &self->vm, &a);
		memcpy(a.bytes + b->at, &b->value, b->width);
		EXPECT_ANSWER(b->err, c, b->what, b->value, &a);
	}
	undo(&self->ks);
}

/* Every operation with what another one takes. */
TEST_KS(bad_input, operations)
{
	const struct command *c = command(TDP_STRESS_OP);
	struct tdp_stress_query_op q;
	union arg a;
	u32 nr, bit;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for (nr = 0; nr <= TDP_STRESS_OP_RELOAD; nr++) {
		q = (struct tdp_stress_query_op) { .size = sizeof(q), .op = nr };
		ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY_OP, &q));
		EXPECT_NE('\0', q.name[0]);
		EXPECT_EQ('\0', q.name[sizeof(q.name) - 1]);
		make_good(c, &self->vm, &a);
		a.op.op = nr;
		if (q.why[0]) {
			EXPECT_ANSWER(EOPNOTSUPP, c, q.name, nr, &a);
			continue;
		}
		for (bit = 0; bit < 32; bit++) {
			a.op.flags = 1U << bit;
			if (!(q.op_flags & a.op.flags))
				EXPECT_ANSWER(EINVAL, c, q.name, a.op.flags, &a);
		}
		a.op.flags = 0;
		a.op.roots = q.roots ? 0 : TDP_STRESS_ROOTS_DIRECT;
		a.op.level = q.min_level;
		EXPECT_ANSWER(EINVAL, c, q.name, a.op.roots, &a);
		a.op.roots = q.roots & -q.roots;
		a.op.level = q.max_level + 1;
		EXPECT_ANSWER(EINVAL, c, q.name, a.op.level, &a);
		a.op.level = q.min_level;
		a.op.vcpu = 99;
		a.op.mask = nr == TDP_STRESS_OP_CLEAR_DIRTY_MASKED;
		a.op.gfn = self->vm.slots[TD_SLOT_MOBILE].gfn;
		a.op.nr = a.op.mask ? 64 : 1;
		if (q.needs_vcpu && !q.needs_slot) {
			EXPECT_ANSWER(EINVAL, c, "a range it has not", nr, &a);
			a.op.gfn = 0;
			a.op.nr = 0;
		}
		EXPECT_ANSWER(q.needs_vcpu ? ENOENT : EINVAL, c, q.name, a.op.vcpu, &a);
	}
}

/* The longest time that a thread may be held is what QUERY says, to the millisecond. */
TEST_KS(bad_input, longest_hold)
{
	const struct command *c = command(TDP_STRESS_HOLD);
	struct tdp_stress_query q = { .size = sizeof(q) };
	union arg a;

	ASSERT_EQ(0, ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	make_good(c, &self->vm, &a);
	a.hold.hold_ms = q.max_hold_ms + 1;
	EXPECT_ANSWER(EINVAL, c, "longer than max_hold_ms", a.hold.hold_ms, &a);
	make_good(c, &self->vm, &a);
	a.hold.hold_ms = q.max_hold_ms;
	EXPECT_ANSWER(0, c, "max_hold_ms", a.hold.hold_ms, &a);
	undo(&self->ks);
}

/* Not root: not even the file, nor a command on a file that root has opened. */
TEST_KS(bad_input, not_root)
{
	int status = -1;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		struct tdp_stress_query q = { .size = sizeof(q) };

		if (setgid(65534) || setuid(65534))
			_exit(2);
		if (open(TDP_STRESS_DEVICE, O_RDWR) >= 0 || (errno != EACCES && errno != EPERM))
			_exit(3);
		_exit(ks_dev(&self->ks, TDP_STRESS_QUERY, &q) == -EPERM ? 0 : 4);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* Another file has it already. */
TEST_KS(bad_input, two_files)
{
	int other = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	struct tdp_stress_hold_release r = { .size = sizeof(r) };
	const struct command *c = command(TDP_STRESS_INJECT);
	union arg a;

	ASSERT_LE(0, other);
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	make_good(c, &self->vm, &a);
	ASSERT_EQ(0, ioctl(other, TDP_STRESS_INJECT, &a));
	make_good(c, &self->vm, &a);
	EXPECT_ANSWER(EBUSY, c, "set by another file", 0, &a);
	make_good(command(TDP_STRESS_HOLD), &self->vm, &a);
	ASSERT_EQ(0, ioctl(other, TDP_STRESS_HOLD, &a));
	r.id = a.hold.id;
	EXPECT_ANSWER(ENOENT, command(TDP_STRESS_HOLD_RELEASE), "another file's id", r.id, &r);
	/* its rule goes with it */
	close(other);
	make_good(c, &self->vm, &a);
	EXPECT_ANSWER(0, c, "that file was closed", 0, &a);
	undo(&self->ks);
}

/* --- random structures --- */

static const u64 odd[] = {
	0, 1, 2, 3, 63, 64, 511, 512, 513, KS_MAIN_PAGES, KS_PAGES - 1, KS_PAGES, 1 << 20,
	(1 << 20) + 1, INT_MAX, 1ULL << 31, UINT32_MAX, 1ULL << 35, 1ULL << 51, 1ULL << 63,
	UINT64_MAX - 1, UINT64_MAX,
};

static u64 number(struct rng *r, u64 likely)
{
	switch (rng_below(r, 8)) {
	case 0:
		return odd[rng_below(r, ARRAY_SIZE(odd))];
	case 1:
		return rng_next(r) >> rng_below(r, 64);
	default:
		return likely ? rng_below(r, likely) : 0;
	}
}

static int some_fd(struct rng *r, struct ks *ks, struct td *vm)
{
	switch (rng_below(r, 16)) {
	case 0:
		return number(r, 32);
	case 1:
		return ks->dev_fd;
	case 2:
		return vm->vcpus[0].fd;
	case 3:
		return -1;
	default:
		return vm->vm_fd;
	}
}

/*
 * What would be answered by giving the VM up, or by waiting, is not what this is
 * about: the other programs do that.
 */
static void fuzz_inject(struct rng *r, struct ks *ks, struct td *vm, struct tdp_stress_inject *i)
{
	i->kind = number(r, 3);
	i->mode = number(r, 6);
	i->what = number(r, 8);
	i->value = number(r, 4);
	i->status = i->kind == TDP_STRESS_INJECT_EXTOP && i->what <= TDP_STRESS_EXTOP_LINK ?
		    EBUSY : 0;
	i->vm_fd = i->kind == TDP_STRESS_INJECT_EXTOP ? some_fd(r, ks, vm) : -1;
}

static void fuzz_op(struct rng *r, struct ks *ks, struct td *vm, struct tdp_stress_op *o)
{
	o->flags = rng_one_in(r, 2) ? 0 : number(r, 16);
	o->vm_fd = some_fd(r, ks, vm);
	o->op = number(r, TDP_STRESS_OP_RELOAD + 1);
	o->gfn = rng_one_in(r, 4) ? vm->slots[TD_SLOT_MOBILE].gfn + number(r, 512) :
				    number(r, KS_PAGES);
	o->nr = rng_one_in(r, 16) ? number(r, 600) : number(r, 3);
	o->level = number(r, 4);
	o->roots = number(r, 4);
	o->vcpu = number(r, 2);
	if (o->op == TDP_STRESS_OP_CLEAR_DIRTY_MASKED && !rng_one_in(r, 4)) {
		o->gfn &= ~63ULL;
		o->nr = 64;
		o->mask = rng_next(r);
	}
	/* a million pages, one by one, take longer than all the rest */
	if (o->nr > KS_PAGES && o->nr <= 1 << 20)
		o->gfn |= 1ULL << 40;
}

static void fuzz_hold(struct rng *r, struct ks *ks, struct td *vm, struct tdp_stress_hold *h)
{
	h->vm_fd = some_fd(r, ks, vm);
	h->point = number(r, 7);
	h->kinds = rng_one_in(r, 2) ? 0 : number(r, 1 << 8);
	h->level = number(r, 3);
	h->gfn = number(r, KS_PAGES);
	h->nr = number(r, 64);
	h->skip = number(r, 4);
	/* whoever is held is this thread: nobody releases it */
	h->hold_ms = rng_one_in(r, 4) ? UINT32_MAX - rng_below(r, 100) : rng_below(r, 2);
}

static u64 some_array(struct rng *r, void *room)
{
	static const u64 bad[] = { 0, 1, UINT64_MAX, 1ULL << 63, (u64)-PAGE };

	return rng_one_in(r, 4) ? bad[rng_below(r, ARRAY_SIZE(bad))] : (u64)(uintptr_t)room;
}

#define ROOM	(64 * sizeof(struct tdp_stress_violation))

static void fuzz_fields(struct rng *r, struct ks *ks, struct td *vm, unsigned long nr,
			union arg *a, void *room)
{
	switch (nr) {
	case TDP_STRESS_ADOPT_VM:
		a->adopt_vm.vm_fd = some_fd(r, ks, vm);
		break;
	case TDP_STRESS_QUERY_OP:
		a->query_op.op = number(r, TDP_STRESS_OP_RELOAD + 2);
		break;
	case TDP_STRESS_OP:
		fuzz_op(r, ks, vm, &a->op);
		break;
	case TDP_STRESS_INJECT:
		fuzz_inject(r, ks, vm, &a->inject);
		break;
	case TDP_STRESS_HOLD:
		fuzz_hold(r, ks, vm, &a->hold);
		break;
	case TDP_STRESS_HOLD_WAIT:
		a->hold_wait.id = number(r, 1000);
		a->hold_wait.timeout_ms = rng_one_in(r, 2) ? 0 : UINT32_MAX;
		break;
	case TDP_STRESS_HOLD_RELEASE:
		a->hold_release.id = number(r, 1000);
		break;
	case TDP_STRESS_WALK:
		a->walk.flags = number(r, 4);
		a->walk.vm_fd = some_fd(r, ks, vm);
		a->walk.roots = number(r, 4);
		a->walk.gfn = number(r, KS_PAGES);
		a->walk.nr = number(r, 64);
		a->walk.entries = some_array(r, room);
		a->walk.max = rng_below(r, 64);
		break;
	case TDP_STRESS_COUNTERS:
		a->counters.counters = some_array(r, room);
		a->counters.max = rng_one_in(r, 8) ? UINT32_MAX : rng_below(r, 64);
		break;
	case TDP_STRESS_VIOLATIONS:
		a->violations.first = number(r, 8);
		a->violations.violations = some_array(r, room);
		a->violations.max = rng_below(r, 64);
		break;
	}
}

/* One call; -errno or 0. */
static int fuzz_once(struct rng *r, struct ks *ks, struct td *vm, union arg *a, void *room)
{
	const struct command *c = &commands[rng_below(r, ARRAY_SIZE(commands))];
	size_t at;

	/* audits and lists of counters take a thousand times as long as a refusal */
	if ((c->nr == TDP_STRESS_CHECK || c->nr == TDP_STRESS_COUNTERS) && !rng_one_in(r, 50))
		c = command(TDP_STRESS_OP);
	memset(a, 0, c->size + 64);
	a->size = rng_one_in(r, 32) ? number(r, c->size + 64) : c->size;
	fuzz_fields(r, ks, vm, c->nr, a, room);
	if (rng_one_in(r, 16)) {
		at = sizeof(a->size) + rng_below(r, c->size - sizeof(a->size));
		/* neither what it waits for, makes fail, or where the kernel is to write */
		if (c->nr == TDP_STRESS_ADOPT_VM || c->nr == TDP_STRESS_QUERY ||
		    c->nr == TDP_STRESS_QUERY_OP || c->nr == TDP_STRESS_HOLD_RELEASE ||
		    c->nr == TDP_STRESS_CHECK)
			a->bytes[at] ^= 1 << rng_below(r, 8);
	}
	return ks_dev(ks, c->nr, rng_one_in(r, 64) ? (void *)(uintptr_t)number(r, 4096) : a);
}

TEST_F_TIMEOUT(bad_input, fuzz, 3600)
{
	u64 calls = ks_number("TDP_STRESS_FUZZ_CALLS", FUZZ_CALLS, MAX_FUZZ_CALLS), i, took = 0;
	struct ks *ks = &self->ks;
	void *room = malloc(ROOM);
	struct timespec begin, now;
	static union arg a;
	struct rng r;
	double seconds;

	ASSERT_NE(NULL, room);
	ASSERT_MADE(&self->vm, ks_vm_start(ks, &self->vm));
	ks_touch(&self->vm, TD_SLOT_MOBILE, true);
	rng_init(&r, ks->seed, 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < calls; i++) {
		took += !fuzz_once(&r, ks, &self->vm, &a, room);
		/* holding points and rules go with their file */
		if (!(i % 1000))
			undo(ks);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) / 1e9;
	TH_LOG("%llu calls, %llu did something, %.1f s, %.0f calls/s, TDP_STRESS_SEED=%llu",
	       calls, took, seconds, calls / seconds, ks->seed);
	EXPECT_LT(0, took);
	undo(ks);
	EXPECT_SOUND(ks_audit(ks));
	free(room);
}

KS_TEST_MAIN("bad_input: /dev/tdp_stress is asked for what makes no sense.\n"
	     "TDP_STRESS_FUZZ_CALLS=N: random calls (default 20000).");
