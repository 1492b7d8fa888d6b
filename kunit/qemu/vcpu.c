// SPDX-License-Identifier: GPL-2.0
/*
 * What a vCPU's thread does around a fault: as kvm_vcpu_ioctl() and
 * vcpu_enter_guest(), as far as the MMU is concerned.
 */
#include "../../tdp_stress/kvm/insight.h"
#include "vm.h"

/* As mmu_topup_memory_caches() for a TDP MMU, which is static. */
static int topup(struct kvm_vcpu *vcpu)
{
	struct kvm_mmu_memory_cache *cache[] = {
		&vcpu->arch.mmu_external_spt_cache,
		&vcpu->arch.mmu_shadow_page_cache,
		&vcpu->arch.mmu_page_header_cache,
	};
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(cache) && !err; i++)
		err = kvm_mmu_topup_memory_cache(cache[i], PT64_ROOT_MAX_LEVEL);
	return err;
}

/**
 * home_get() - make a vCPU fit for a fault
 * @v: vCPU
 *
 * Loaded, its mutex and SRCU held, roots loaded, caches topped up.
 *
 * Context: may sleep.
 *
 * Return: 0; -EIO: KVM has given the VM up; -ENOMEM.
 */
int home_get(struct kvm_vcpu *v)
{
	mutex_lock(&v->mutex);
	vcpu_load(v);
	kvm_vcpu_srcu_read_lock(v);
	if (kvm_test_request(KVM_REQ_VM_DEAD, v))
		return -EIO;
	return kvm_mmu_reload(v) ?: topup(v);
}

void home_put(struct kvm_vcpu *v)
{
	kvm_vcpu_srcu_read_unlock(v);
	vcpu_put(v);
	mutex_unlock(&v->mutex);
}

int home_load(struct bed *b, int vcpu)
{
	int err = home_get(b->vcpu[vcpu]);

	home_put(b->vcpu[vcpu]);
	return err;
}

void home_unload(struct bed *b, int vcpu)
{
	struct kvm_vcpu *v = b->vcpu[vcpu];
	hpa_t mirror = v->arch.mmu->mirror_root_hpa;

	mutex_lock(&v->mutex);
	vcpu_load(v);
	kvm_mmu_unload(v);
	/* KVM keeps this one until the vCPU's end, see kvm_mmu_destroy() */
	if (VALID_PAGE(mirror)) {
		read_lock(&b->kvm->mmu_lock);
		kvm_tdp_mmu_put_root(b->kvm, root_to_sp(mirror));
		read_unlock(&b->kvm->mmu_lock);
		v->arch.mmu->mirror_root_hpa = INVALID_PAGE;
	}
	vcpu_put(v);
	mutex_unlock(&v->mutex);
}

/*
 * kvm_tdp_mmu_map() of a vCPU that is loaded, as KVM expects it: what marks pages
 * dirty asks which vCPU is running.
 */
#undef kvm_tdp_mmu_map
int home_tdp_mmu_map(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	int ret;

	vcpu_load(vcpu);
	ret = kvm_tdp_mmu_map(vcpu, fault);
	vcpu_put(vcpu);
	return ret;
}
