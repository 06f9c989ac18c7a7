/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/model.h: models are data.  A new drive, medium or library is a new row of model.c's tables.
 */
#ifndef SCSI_MODEL_H
#define SCSI_MODEL_H

#include <vtape/scsi.h>

/* A kind of cartridge as a drive knows it, SSC-4 8.2.3 (density support) and the vendors' SCSI references. */
struct medium {
	const char *suffix, *worm_suffix;	/* how its barcodes end: "L7", "LX"; "" none */
	uint8_t density;		/* primary density code */
	uint8_t type, worm_type;	/* medium types in the mode parameter header */
	uint32_t bits_per_mm;
	uint16_t width_mm10, tracks;	/* tenths of a millimetre */
	uint32_t capacity_mb;		/* native, 10^6 bytes */
	unsigned partitions_max;
	const char *organization, *density_name, *words;	/* 8, 8, 20 characters at most */
};

enum drive_dialect { DIALECT_NEUTRAL, DIALECT_IBM, DIALECT_HPE };	/* vendor-specific pages and bytes of INQUIRY */
struct drive_model {
	struct scsi_model base;
	const char *revision;
	enum drive_dialect dialect;
	unsigned generation;		/* of LTO; 0: none */
	const struct medium *own;	/* what it writes best; a volume whose barcode tells nothing is of this kind */
	const struct medium *writes[4], *reads[4];	/* NULL ends; reads: those that it only reads */
	uint32_t record_max;		/* bytes; the transport may have less */
};
struct changer_model {
	struct scsi_model base;
	const char *revision;
	uint16_t first_transport, first_slot, first_port, first_drive;	/* element addresses */
	bool unload_first;		/* a MOVE from a drive that is not unloaded fails, 5/5302's kin; else it
					 * unloads by itself */
};
const struct drive_model *drive_model_find(const char *name);		/* NULL */
const struct changer_model *changer_model_find(const char *name);

#endif
