/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of what facts are about, one list for whoever writes them and whoever reads
 * them again: EM() for each but the last, E_() for that.
 */
#ifndef TDP_STRESS_ORACLE_NAMES_H
#define TDP_STRESS_ORACLE_NAMES_H

#define TDPS_OP_NAMES(EM, E_) \
	EM(TDPS_OP_NONE, "nothing") \
	EM(TDPS_OP_MAP, "map") \
	EM(TDPS_OP_UNMAP, "unmap") \
	EM(TDPS_OP_ZAP_LEAFS, "zap_leafs") \
	EM(TDPS_OP_ZAP_ALL, "zap_all") \
	EM(TDPS_OP_ZAP_INVALID, "zap_invalidated_roots") \
	EM(TDPS_OP_INVALIDATE, "invalidate_roots") \
	EM(TDPS_OP_ZAP_NX, "zap_nx_huge_page") \
	EM(TDPS_OP_SPLIT, "split") \
	EM(TDPS_OP_RECOVER, "recover") \
	EM(TDPS_OP_AGE, "age") \
	EM(TDPS_OP_TEST_AGE, "test_age") \
	EM(TDPS_OP_WRPROT_SLOT, "wrprot_slot") \
	EM(TDPS_OP_WRPROT_GFN, "wrprot_gfn") \
	EM(TDPS_OP_CLEAR_SLOT, "clear_dirty_slot") \
	EM(TDPS_OP_CLEAR_MASKED, "clear_dirty_masked") \
	EM(TDPS_OP_WALK, "walk") \
	EM(TDPS_OP_LAST_SPTEP, "last_sptep") \
	EM(TDPS_OP_ALLOC_ROOT, "alloc_root") \
	EM(TDPS_OP_NOTIFIER, "mmu_notifier") \
	EM(TDPS_OP_MEMSLOT, "flush_memslot") \
	EM(TDPS_OP_CONVERT, "convert") \
	EM(TDPS_OP_UNINIT, "uninit") \
	E_(TDPS_OP_DESTROY, "destroy_vm")

#define TDPS_CALL_NAMES(EM, E_) \
	EM(TDPS_CALL_MEM_SEPT_ADD, "TDH.MEM.SEPT.ADD") \
	EM(TDPS_CALL_MEM_PAGE_ADD, "TDH.MEM.PAGE.ADD") \
	EM(TDPS_CALL_MEM_PAGE_AUG, "TDH.MEM.PAGE.AUG") \
	EM(TDPS_CALL_MEM_RANGE_BLOCK, "TDH.MEM.RANGE.BLOCK") \
	EM(TDPS_CALL_MEM_TRACK, "TDH.MEM.TRACK") \
	EM(TDPS_CALL_MEM_PAGE_REMOVE, "TDH.MEM.PAGE.REMOVE") \
	EM(TDPS_CALL_MEM_RANGE_UNBLOCK, "TDH.MEM.RANGE.UNBLOCK") \
	EM(TDPS_CALL_MEM_PAGE_DEMOTE, "TDH.MEM.PAGE.DEMOTE") \
	EM(TDPS_CALL_MEM_PAGE_PROMOTE, "TDH.MEM.PAGE.PROMOTE") \
	EM(TDPS_CALL_MEM_SEPT_REMOVE, "TDH.MEM.SEPT.REMOVE") \
	EM(TDPS_CALL_PHYMEM_PAGE_RECLAIM, "TDH.PHYMEM.PAGE.RECLAIM") \
	EM(TDPS_CALL_PHYMEM_PAGE_WBINVD, "TDH.PHYMEM.PAGE.WBINVD") \
	EM(TDPS_CALL_PHYMEM_CACHE_WB, "TDH.PHYMEM.CACHE.WB") \
	EM(TDPS_CALL_MNG_CREATE, "TDH.MNG.CREATE") \
	EM(TDPS_CALL_MNG_KEY_CONFIG, "TDH.MNG.KEY.CONFIG") \
	EM(TDPS_CALL_MNG_ADDCX, "TDH.MNG.ADDCX") \
	EM(TDPS_CALL_MNG_INIT, "TDH.MNG.INIT") \
	EM(TDPS_CALL_MNG_RD, "TDH.MNG.RD") \
	EM(TDPS_CALL_MNG_VPFLUSHDONE, "TDH.MNG.VPFLUSHDONE") \
	EM(TDPS_CALL_MNG_KEY_FREEID, "TDH.MNG.KEY.FREEID") \
	EM(TDPS_CALL_MR_EXTEND, "TDH.MR.EXTEND") \
	EM(TDPS_CALL_MR_FINALIZE, "TDH.MR.FINALIZE") \
	EM(TDPS_CALL_VP_CREATE, "TDH.VP.CREATE") \
	EM(TDPS_CALL_VP_ADDCX, "TDH.VP.ADDCX") \
	EM(TDPS_CALL_VP_INIT, "TDH.VP.INIT") \
	EM(TDPS_CALL_VP_RD, "TDH.VP.RD") \
	EM(TDPS_CALL_VP_WR, "TDH.VP.WR") \
	E_(TDPS_CALL_VP_FLUSH, "TDH.VP.FLUSH")

#define TDPS_EXT_NAMES(EM, E_) \
	EM(TDPS_EXT_MAP, "map") \
	EM(TDPS_EXT_LINK, "link") \
	EM(TDPS_EXT_REMOVE, "remove") \
	EM(TDPS_EXT_SPLIT, "split") \
	EM(TDPS_EXT_PROMOTE, "promote") \
	EM(TDPS_EXT_OTHER, "change") \
	E_(TDPS_EXT_FREE, "free")

/* The same, as the flight record and the log say it. */
#define TDPS_EXT_PHRASES(EM, E_) \
	EM(TDPS_EXT_MAP, "map leaf") \
	EM(TDPS_EXT_LINK, "link table") \
	EM(TDPS_EXT_REMOVE, "remove leaf") \
	EM(TDPS_EXT_SPLIT, "split") \
	EM(TDPS_EXT_PROMOTE, "promote") \
	EM(TDPS_EXT_OTHER, "change") \
	E_(TDPS_EXT_FREE, "free table")

#define TDPS_SEEN_NAMES(EM, E_) \
	EM(TDPS_SEEN_NOTHING, "nothing") \
	EM(TDPS_SEEN_ABSENT, "absent") \
	EM(TDPS_SEEN_FROZEN, "frozen") \
	EM(TDPS_SEEN_LEAF, "leaf") \
	E_(TDPS_SEEN_TABLE, "table")

#define TDPS_LOCK_NAMES(EM, E_) \
	EM(TDPS_LOCK_UNKNOWN, "unknown") \
	EM(TDPS_LOCK_NONE, "none") \
	EM(TDPS_LOCK_READ, "read") \
	E_(TDPS_LOCK_WRITE, "write")

#define TDPS_MAP_NAMES(EM, E_) \
	EM(TDPS_MAP_DONE, "done") \
	EM(TDPS_MAP_RETRY, "retry") \
	E_(TDPS_MAP_ERROR, "error")

#define TDPS_CHECK_NAMES(EM, E_) \
	EM(TDPS_F1, "F1") \
	EM(TDPS_F2, "F2") \
	EM(TDPS_F3, "F3") \
	EM(TDPS_F4, "F4") \
	EM(TDPS_X1, "X1") \
	EM(TDPS_X2, "X2") \
	EM(TDPS_X3, "X3") \
	EM(TDPS_X4, "X4") \
	EM(TDPS_S1, "S1") \
	EM(TDPS_S2, "S2") \
	EM(TDPS_Z1, "Z1") \
	EM(TDPS_Z2, "Z2") \
	EM(TDPS_T1, "T1") \
	EM(TDPS_R1, "R1") \
	EM(TDPS_L1, "L1") \
	EM(TDPS_A1, "A1") \
	EM(TDPS_D1, "D1") \
	EM(TDPS_H1, "H1") \
	EM(TDPS_H2, "H2") \
	EM(TDPS_P1, "P1") \
	E_(TDPS_SPLAT, "SPLAT")

/* What is true of an SPTE, see struct tdps_spte. */
#define TDPS_SPTE_PRESENT	1
#define TDPS_SPTE_LEAF		2
#define TDPS_SPTE_FROZEN	4
#define TDPS_SPTE_MMIO		8
#define TDPS_SPTE_DIRTY		16

#define TDPS_SPTE_NAMES(EM, E_) \
	EM(TDPS_SPTE_PRESENT, "present") \
	EM(TDPS_SPTE_LEAF, "leaf") \
	EM(TDPS_SPTE_FROZEN, "frozen") \
	EM(TDPS_SPTE_MMIO, "mmio") \
	E_(TDPS_SPTE_DIRTY, "dirty")

#define TDPS_ROOT_NAMES(EM, E_) \
	EM(TDPS_ROOTS_DIRECT, "direct") \
	E_(TDPS_ROOTS_MIRROR, "mirror")

/* A table of them, by number. */
#define TDPS_NAME_AT(number, name)	[number] = name,

#endif
