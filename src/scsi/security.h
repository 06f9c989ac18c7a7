/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/security.h: tape data encryption, between what a drive tells (ssc_security.c) and what it is told
 * (ssc_security_set.c).
 */
#ifndef SCSI_SECURITY_H
#define SCSI_SECURITY_H

#include "scsi/unit.h"

enum security_protocol { PROTOCOL_INFORMATION = 0x00, PROTOCOL_TAPE_ENCRYPTION = 0x20 };
#define ALGORITHM 1		/* the index of the only one */
#define PAGE_SET 0x0010		/* set data encryption */
enum encryption_scope { SCOPE_PUBLIC = 0, SCOPE_ALL = 2 };
enum kad_type { KAD_U = 0, KAD_A = 1 };	/* key-associated data, not authenticated and authenticated */

/* Lengths in the CDB are of bytes, or of 512 bytes each if INC_512 is set. */
static inline bool security_counts_512(const struct scsi_task *t)
{
	return t->cdb[4] & 0x80;
}

static inline size_t security_length(const struct scsi_task *t)
{
	return (size_t)get_be32(t->cdb + 6) << (security_counts_512(t) ? 9 : 0);
}

void ssc_security_out(struct scsi_unit *u, struct scsi_task *t);

#endif
