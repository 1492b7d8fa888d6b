// SPDX-License-Identifier: GPL-2.0
/*
 * VMs of our own: made and taken down inside the kernel, by the file operations
 * that user space reaches by system calls, with memory in the address space of
 * the process that loaded the module. Calls no entry point of the TDP MMU.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/delay.h>
#include <linux/falloc.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/static_call.h>
#include <linux/syscalls.h>
#include <linux/vmalloc.h>

#include "external.h"
#include "kvm.h"
#include "own_vm.h"

#define HUGE_PAGES	(1ull << (21 - PAGE_SHIFT))
#define MOVE_PAGES	HUGE_PAGES
#define HUGETLB_PAGES	(2 * HUGE_PAGES)
#define FD_SKIP_MAX	8

typedef long own_syscall_fn(const struct pt_regs *regs);

#define MM_CALLS(OWN_CALL, OWN_CALL_TYPED) \
	OWN_CALL(do_madvise) \
	OWN_CALL(ksys_mmap_pgoff) \
	OWN_CALL_TYPED(__x64_sys_mprotect, own_syscall_fn, false)

MM_CALLS(OWN_DEFINE, OWN_DEFINE_TYPED)

static const struct own_call mm_calls[] = {
	MM_CALLS(OWN_CALL, OWN_CALL_TYPED)
};

static struct file *kvm_dev;
static struct mm_struct *own_mm;

/**
 * tdps_own_open() - get hold of /dev/kvm and of an address space
 *
 * Context: a process (insmod's): a kernel thread sees no file system and has no
 * address space. May sleep.
 *
 * Return: 0 or -errno, the reason printed.
 */
int tdps_own_open(void)
{
	const char *missing = own_resolve(mm_calls, ARRAY_SIZE(mm_calls));
	int err;

	if (missing) {
		pr_err("symbol %s not found in this kernel: no VM can be made inside it; use vms=0\n",
		       missing);
		return -ENOENT;
	}
	kvm_dev = filp_open("/dev/kvm", O_RDWR | O_CLOEXEC, 0);
	if (IS_ERR(kvm_dev)) {
		err = PTR_ERR(kvm_dev);
		kvm_dev = NULL;
		pr_err("cannot open /dev/kvm (%d): is devtmpfs mounted on /dev?\n", err);
		return err;
	}
	own_mm = current->mm;
	mmget(own_mm);
	return 0;
}

void tdps_own_close(void)
{
	if (kvm_dev)
		__fput_sync(kvm_dev);
	kvm_dev = NULL;
	if (own_mm)
		mmput(own_mm);
	own_mm = NULL;
}

void tdps_own_use(void)
{
	kthread_use_mm(own_mm);
}

void tdps_own_unuse(void)
{
	kthread_unuse_mm(own_mm);
}

/* --- ioctls --- */

static long file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return file->f_op->unlocked_ioctl(file, cmd, arg);
}

/* The file behind an fd that an ioctl has returned; the fd itself is given up. */
static struct file *take_file(long fd)
{
	struct file *file;

	if (fd < 0)
		return ERR_PTR(fd);
	file = fget(fd);
	close_fd(fd);
	return file ?: ERR_PTR(-EBADF);
}

/* A piece of scratch memory, the caller's until its lock is dropped. */
static unsigned long lock_scratch(struct tdps_vm *vm, struct mutex **lock)
{
	unsigned int i = task_pid_nr(current) % OWN_SCRATCH;

	*lock = &vm->scratch_lock[i];
	mutex_lock(*lock);
	return vm->scratch_hva + i * vm->scratch_len;
}

long own_ioctl(struct tdps_vm *vm, struct file *file, unsigned int cmd, void *arg, size_t len,
	       bool back)
{
	struct mutex *lock;	/* of the piece of scratch memory */
	unsigned long hva = lock_scratch(vm, &lock);
	long ret = -EFAULT;

	if (!copy_to_user((void __user *)hva, arg, len))
		ret = file_ioctl(file, cmd, hva);
	if (back && ret >= 0 && copy_from_user(arg, (void __user *)hva, len))
		ret = -EFAULT;
	mutex_unlock(lock);
	return ret;
}

/**
 * own_ioctl_log() - an ioctl about the dirty log
 * @vm: VM
 * @cmd: KVM_GET_DIRTY_LOG or KVM_CLEAR_DIRTY_LOG
 * @arg: its argument
 * @len: its size
 * @where: the member of @arg that wants the bitmap's address
 * @data: the bitmap
 * @data_len: its size, bytes
 * @read: read the bitmap afterwards; else it is handed in
 *
 * Context: may sleep; address space in use.
 *
 * Return: the ioctl's.
 */
long own_ioctl_log(struct tdps_vm *vm, unsigned int cmd, void *arg, size_t len,
		   void __user **where, void *data, size_t data_len, bool read)
{
	struct mutex *lock;	/* of the piece of scratch memory */
	unsigned long hva = lock_scratch(vm, &lock);
	void __user *bitmap = (void __user *)(hva + PAGE_SIZE);
	long ret = -EFAULT;

	*where = bitmap;
	if (!copy_to_user((void __user *)hva, arg, len) &&
	    (read || !copy_to_user(bitmap, data, data_len)))
		ret = file_ioctl(vm->file, cmd, hva);
	if (read && ret >= 0 && copy_from_user(data, bitmap, data_len))
		ret = -EFAULT;
	mutex_unlock(lock);
	return ret;
}

int own_punch(struct tdps_vm *vm, u64 gfn, u64 nr)
{
	return vfs_fallocate(vm->gmem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (gfn - vm->region[TDPS_PRIVATE].gfn) << PAGE_SHIFT,
			     nr << PAGE_SHIFT);
}

int own_madvise(unsigned long start, size_t len, int behavior)
{
	return static_call(own_do_madvise)(current->mm, start, len, behavior);
}

int own_mprotect(unsigned long start, size_t len, unsigned long prot)
{
	struct pt_regs regs = { .di = start, .si = len, .dx = prot };

	return static_call(own___x64_sys_mprotect)(&regs);
}

/**
 * own_set_slot() - make, change or delete a region's memslot
 * @vm: VM
 * @r: region
 * @gfn: where it is to begin, 0: delete it
 * @flags: KVM_MEM_*
 *
 * Context: may sleep; address space in use.
 *
 * Return: 0 or -errno.
 */
int own_set_slot(struct tdps_vm *vm, enum tdps_region r, u64 gfn, u32 flags)
{
	struct kvm_userspace_memory_region2 mem = {
		.slot = own_slot(r),
		.flags = flags,
		.guest_phys_addr = gfn << PAGE_SHIFT,
		.memory_size = gfn ? vm->region[r].pages << PAGE_SHIFT : 0,
		.userspace_addr = vm->region[r].hva,
	};
	int fd = -1, ret;

	if (gfn && r == TDPS_PRIVATE) {
		/* KVM wants an fd, for the time of the call */
		fd = get_unused_fd_flags(O_CLOEXEC);
		if (fd < 0)
			return fd;
		fd_install(fd, get_file(vm->gmem));
		mem.flags |= KVM_MEM_GUEST_MEMFD;
		mem.guest_memfd = fd;
	}
	ret = own_ioctl(vm, vm->file, KVM_SET_USER_MEMORY_REGION2, &mem, sizeof(mem), false);
	if (fd >= 0)
		close_fd(fd);
	return ret;
}

/* --- memory --- */

/* KVM maps huge only what the host's address allows: @align pages */
static int map_region(struct own_region *r, u64 pages, u64 align, unsigned long flags)
{
	size_t len = (pages + align) << PAGE_SHIFT;
	unsigned long hva;

	hva = static_call(own_ksys_mmap_pgoff)(0, len, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (IS_ERR_VALUE(hva))
		return hva;
	r->map_hva = hva;
	r->map_len = len;
	r->hva = ALIGN(hva, align << PAGE_SHIFT);
	r->pages = pages;
	return 0;
}

static void missing(struct own_region *r, const char *name, const char *why)
{
	r->missing = why;
	pr_info("no %s: %s; its operations are not run\n", name, why);
}

/* Huge pages wherever the host has them; a host that has none is no error. */
static void make_huge(struct own_region *r, const char *name)
{
	size_t len = r->pages << PAGE_SHIFT;

	if (!has_transparent_hugepage()) {
		pr_info("no transparent huge pages in this kernel: %s memory is 4K only\n", name);
		return;
	}
	r->huge = !own_madvise(r->hva, len, MADV_HUGEPAGE) &&
		  !own_madvise(r->hva, len, MADV_POPULATE_WRITE) &&
		  !own_madvise(r->hva, len, MADV_COLLAPSE);
	if (!r->huge)
		pr_info("the host gives no transparent huge pages: %s memory is 4K only\n", name);
}

static int make_plain(struct tdps_vm *vm, enum tdps_region id, u64 pages, const char *name)
{
	struct own_region *r = &vm->region[id];
	int err = map_region(r, pages, HUGE_PAGES, 0);

	if (!err)
		make_huge(r, name);
	if (!err)
		err = own_set_slot(vm, id, r->gfn, 0);
	if (err)
		pr_err("no memslot for %s memory (%d)\n", name, err);
	return err;
}

static int make_private(struct tdps_vm *vm, u64 pages)
{
	struct kvm_create_guest_memfd args = { .size = pages << PAGE_SHIFT };
	struct own_region *r = &vm->region[TDPS_PRIVATE];
	struct kvm_memory_attributes attr = {
		.address = r->gfn << PAGE_SHIFT,
		.size = args.size,
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	struct file *gmem;
	int err;

	r->pages = pages;
	gmem = take_file(own_ioctl(vm, vm->file, KVM_CREATE_GUEST_MEMFD, &args, sizeof(args),
				   false));
	if (IS_ERR(gmem)) {
		missing(r, "private memory", "this KVM makes no guest_memfd");
		return 0;
	}
	vm->gmem = gmem;
	err = map_region(r, pages, HUGE_PAGES, 0);
	if (!err)
		err = own_set_slot(vm, TDPS_PRIVATE, r->gfn, 0);
	if (!err)
		err = own_ioctl(vm, vm->file, KVM_SET_MEMORY_ATTRIBUTES, &attr, sizeof(attr),
				false);
	if (err)
		pr_err("no memslot for private memory (%d)\n", err);
	return err;
}

/* Mirror leafs need page frames that are known and stay: pinned user pages. */
static int make_craft(struct tdps_vm *vm, u64 pages)
{
	struct own_region *r = &vm->region[TDPS_CRAFT];
	int err = make_plain(vm, TDPS_CRAFT, pages, "crafted");
	u64 done = 0;
	int n;

	if (err)
		return err;
	r->page = kvcalloc(pages, sizeof(*r->page), GFP_KERNEL);
	r->mode = kvcalloc(pages / HUGE_PAGES, sizeof(*r->mode), GFP_KERNEL);
	if (!r->page || !r->mode)
		return -ENOMEM;
	while (done < pages) {
		n = pin_user_pages_fast(r->hva + (done << PAGE_SHIFT),
					min_t(u64, pages - done, HUGE_PAGES),
					FOLL_WRITE | FOLL_LONGTERM, r->page + done);
		if (n <= 0) {
			pr_err("cannot pin crafted memory (%d)\n", n);
			return n ?: -ENOMEM;
		}
		done += n;
	}
	return 0;
}

static int make_giant(struct tdps_vm *vm, bool wanted)
{
	struct own_region *r = &vm->region[TDPS_GIANT];
	struct page *page;
	int err;

	if (!wanted) {
		r->missing = "not asked for (huge_1g=1)";
		return 0;
	}
	page = alloc_contig_pages(OWN_GIB_PAGES, GFP_KERNEL | __GFP_NOWARN, NUMA_NO_NODE,
				  &node_online_map);
	if (!page) {
		missing(r, "1G mirror leafs", "the host has no GiB of contiguous memory");
		return 0;
	}
	r->pfn = page_to_pfn(page);
	r->huge = true;
	r->mode = kvcalloc(OWN_GIB_PAGES / HUGE_PAGES, sizeof(*r->mode), GFP_KERNEL);
	/* the slot's own memory is never touched: the frames are handed in */
	err = r->mode ? map_region(r, OWN_GIB_PAGES, OWN_GIB_PAGES, MAP_NORESERVE) : -ENOMEM;
	if (!err)
		err = own_set_slot(vm, TDPS_GIANT, r->gfn, 0);
	if (err)
		pr_err("no memslot for 1G mirror leafs (%d)\n", err);
	return err;
}

static int make_hugetlb(struct tdps_vm *vm, bool wanted)
{
	struct own_region *r = &vm->region[TDPS_HUGETLB];
	int err;

	if (!wanted) {
		r->missing = "not asked for (hugetlb=1)";
		return 0;
	}
	err = map_region(r, HUGETLB_PAGES, HUGE_PAGES, MAP_HUGETLB | MAP_HUGE_2MB);
	if (!err)
		err = own_madvise(r->hva, r->pages << PAGE_SHIFT, MADV_POPULATE_WRITE);
	if (err) {
		pr_err("hugetlb=1: the host has no 3 free huge pages of 2M (%d); see /proc/sys/vm/nr_hugepages\n",
		       err);
		return err;
	}
	r->huge = true;
	err = own_set_slot(vm, TDPS_HUGETLB, r->gfn, 0);
	if (err)
		pr_err("no memslot for hugetlb memory (%d)\n", err);
	return err;
}

static void give_back(struct own_region *r, enum tdps_region id)
{
	u64 i;

	for (i = 0; r->page && i < r->pages && r->page[i]; i++)
		unpin_user_page(r->page[i]);
	kvfree(r->page);
	kvfree(r->mode);
	if (id == TDPS_GIANT && r->pfn)
		free_contig_range(r->pfn, OWN_GIB_PAGES);
	if (r->map_len)
		vm_munmap(r->map_hva, r->map_len);
	*r = (struct own_region) {};
}

static int make_scratch(struct tdps_vm *vm, u64 log_pages)
{
	unsigned long hva;
	int i;

	for (i = 0; i < OWN_SCRATCH; i++)
		mutex_init(&vm->scratch_lock[i]);
	vm->scratch_len = PAGE_SIZE + PAGE_ALIGN(BITS_TO_LONGS(log_pages) * sizeof(long));
	hva = vm_mmap(NULL, 0, OWN_SCRATCH * vm->scratch_len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(hva))
		return hva;
	vm->scratch_hva = hva;
	return 0;
}

/* What is mapped by mirror roots. */
static int make_mirrored(struct tdps_vm *vm, u64 pages, bool giant)
{
	const char *why = tdps_kvm_only_direct();
	int err;

	if (!TDPS_MIRROR_ROOTS) {
		missing(&vm->region[TDPS_PRIVATE], "private memory", why);
		missing(&vm->region[TDPS_CRAFT], "crafted leafs", why);
		vm->region[TDPS_GIANT].missing = why;
		return 0;
	}
	err = make_private(vm, pages);
	if (!err)
		err = make_craft(vm, pages);
	return err ?: make_giant(vm, giant);
}

static int make_memory(struct tdps_vm *vm, const struct tdps_own_config *cfg)
{
	u64 quarter = max(round_down(cfg->mem_bytes / 4 >> PAGE_SHIFT, HUGE_PAGES), HUGE_PAGES);
	int err, i;

	quarter = min(quarter, OWN_GIB_PAGES);
	for (i = 0; i < TDPS_NR_REGIONS; i++)
		vm->region[i].gfn = tdps_external_base_gfn() | OWN_REGION_GFN(i);
	err = make_scratch(vm, quarter);
	if (!err)
		err = make_mirrored(vm, quarter, cfg->giant);
	if (!err)
		err = make_plain(vm, TDPS_SHARED, quarter, "shared");
	if (!err)
		err = make_plain(vm, TDPS_MOVE, MOVE_PAGES, "moving");
	if (!err)
		err = make_hugetlb(vm, cfg->hugetlb);
	vm->move_gfn = vm->region[TDPS_MOVE].gfn;
	return err;
}

/* --- vCPUs --- */

static int make_vcpus(struct tdps_vm *vm, const struct tdps_own_config *cfg)
{
	u32 i, nr = cfg->vcpus + cfg->side_vcpus;
	struct file *file;
	int err;

	vm->vcpu = kcalloc(nr, sizeof(*vm->vcpu), GFP_KERNEL);
	if (!vm->vcpu)
		return -ENOMEM;
	vm->nr_vcpus = cfg->vcpus;
	vm->nr_side = cfg->side_vcpus;
	for (i = 0; i < nr; i++) {
		file = take_file(file_ioctl(vm->file, KVM_CREATE_VCPU, i));
		if (IS_ERR(file)) {
			pr_err("KVM makes no vCPU %u of %u (%ld)\n", i, nr, PTR_ERR(file));
			return PTR_ERR(file);
		}
		vm->vcpu[i].file = file;
		vm->vcpu[i].vcpu = file->private_data;
		if (i >= cfg->vcpus)
			continue;
		err = tdps_external_add_vcpu(vm->vcpu[i].vcpu);
		if (err) {
			pr_err("the emulated TDX module takes no vCPU %u (%d)\n", i, err);
			return err;
		}
	}
	return 0;
}

/* --- the whole --- */

/*
 * KVM names a VM's statistics by thread and fd, and complains if there is such a
 * name already: so skip some fds, another number each time.
 */
static struct file *make_kvm(void)
{
	static atomic_t made;
	int fd[FD_SKIP_MAX], n = atomic_inc_return(&made) % ARRAY_SIZE(fd), i;
	struct file *file;

	for (i = 0; i < n; i++)
		fd[i] = get_unused_fd_flags(O_CLOEXEC);
	file = take_file(file_ioctl(kvm_dev, KVM_CREATE_VM, KVM_X86_DEFAULT_VM));
	while (i--)
		if (fd[i] >= 0)
			put_unused_fd(fd[i]);
	return file;
}

/**
 * tdps_own_create() - make a VM: mirror roots, memory, vCPUs
 * @cfg: what it is made with
 *
 * Context: may sleep; the address space of tdps_own_open() is in use.
 *
 * Return: the VM, or ERR_PTR(), the reason printed and nothing left.
 */
struct tdps_vm *tdps_own_create(const struct tdps_own_config *cfg)
{
	struct tdps_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	struct file *file;
	int err;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	own_init_locks(vm);
	file = make_kvm();
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		pr_err("KVM makes no VM (%d)\n", err);
		kfree(vm);
		return ERR_PTR(err);
	}
	vm->file = file;
	vm->kvm = file->private_data;
	own_begin_late(vm->kvm);
	err = tdps_external_adopt(vm->kvm);
	if (err)
		pr_err("the external backend takes no VM of ours (%d)\n", err);
	if (!err) {
		tdps_external_set_crafted(vm->kvm, OWN_REGION_GFN(TDPS_CRAFT),
					  OWN_REGION_GFN(TDPS_GIANT) + OWN_GIB_PAGES);
		err = make_memory(vm, cfg);
	}
	if (!err)
		err = make_vcpus(vm, cfg);
	if (!err) {
		err = tdps_external_finalize(vm->kvm);
		if (err)
			pr_err("the emulated TDX module finalizes no TD (%d)\n", err);
	}
	if (err) {
		tdps_own_destroy(vm);
		return ERR_PTR(err);
	}
	return vm;
}

/*
 * Ours must be the last reference, so that KVM destroys the VM in our context and
 * not when we are gone. Others are a reader of its statistics, an inquisitive
 * process: they end.
 */
static void wait_for_others(struct kvm *kvm)
{
	unsigned int i;

	for (i = 1; refcount_read(&kvm->users_count) > 1; i++) {
		if (!(i % 500))
			pr_warn("somebody else still uses a VM of ours: waiting for %u s\n",
				i / 50);
		msleep(20);
	}
}

/**
 * tdps_own_destroy() - take a VM down and give its memory back
 * @vm: VM, complete or not; no thread is in it
 *
 * Context: may sleep; the address space of tdps_own_open() is in use. When it
 * returns KVM has destroyed the VM.
 */
void tdps_own_destroy(struct tdps_vm *vm)
{
	u32 i;

	for (i = 0; vm->vcpu && i < vm->nr_vcpus + vm->nr_side; i++)
		if (vm->vcpu[i].file)
			__fput_sync(vm->vcpu[i].file);
	kfree(vm->vcpu);
	if (vm->gmem)
		__fput_sync(vm->gmem);
	flush_delayed_fput();
	wait_for_others(vm->kvm);
	__fput_sync(vm->file);
	tdps_external_gone(vm->kvm);
	for (i = 0; i < TDPS_NR_REGIONS; i++)
		give_back(&vm->region[i], i);
	if (vm->scratch_len && vm->scratch_hva)
		vm_munmap(vm->scratch_hva, OWN_SCRATCH * vm->scratch_len);
	kfree(vm);
}

/* KVM and mm do all of it. */
const char *tdps_own_lacks(tdps_entry_fn fn)
{
	return NULL;
}

/* What is mapped is the machine's own memory. */
void tdps_own_frames(const struct tdps_own_config *cfg, u32 vms, u64 *pfn, u64 *pages)
{
	*pfn = 0;
	*pages = 0;
}
