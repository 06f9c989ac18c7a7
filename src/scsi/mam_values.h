/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/mam_values.h: the attributes of a cartridge's memory as a table, and the values of those that hosts do not
 * write.
 */
#ifndef SCSI_MAM_VALUES_H
#define SCSI_MAM_VALUES_H

#include "scsi/mam.h"

#define MAM_HEADER 5u		/* of an attribute: identifier, read only and format, length */
#define MAM_VALUE_MAX 90u	/* of those that hosts do not write */

struct mam_attribute {
	uint16_t id;
	uint8_t format;			/* enum catalog_mam_format */
	bool host;
	uint16_t min, max;		/* bytes; of a host's that is there */
};
const struct mam_attribute *mam_attributes(size_t *count);	/* in ascending order, as they are returned */
const struct mam_attribute *mam_attribute(uint16_t id);		/* NULL: not supported */

/* What the values of one partition are worked out from. */
struct mam_view {
	struct scsi_unit *u;
	uint32_t partition;
	struct catalog_volume row;
	struct mam_history history;
	uint64_t all, left;		/* bytes of the partition */
	uint64_t space;			/* bytes of memory that hosts have left */
};
int mam_view(struct scsi_unit *u, uint32_t partition, struct mam_view *out);
/* One of the device or the medium: its bytes. */
int mam_value(const struct mam_view *v, const struct mam_attribute *a, uint8_t out[MAM_VALUE_MAX], size_t *len);
/* Bytes of memory that hosts' attributes take, of all partitions. */
int mam_space_used(struct scsi_unit *u, uint64_t *used);

#endif
