/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi: command sets, bytes in and bytes out.  A unit is what initiators see behind a LUN: a tape drive (SSC-4) or a
 * medium changer (SMC-3), over a drive or the places of the library.  There is no kernel in here: whoever has commands
 * (tcmu/) brings them, one at a time for each unit.
 *
 * A drive is the same one that the mount shows, and one user at a time has it: the unit takes it with the first
 * command that moves or reads the tape, and gives it back when the tape is unloaded or rewound.  While a program has it
 * through the mount, such a command ends with BUSY.
 */
#ifndef VTAPE_SCSI_H
#define VTAPE_SCSI_H

#include <vtape/library.h>

#define SCSI_CDB_MAX 16u
#define SCSI_SENSE_MAX 96u
#define SCSI_TRANSFER_MAX (8u << 20)	/* bytes of one command; a transport may carry less */

enum scsi_status { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02, SCSI_BUSY = 0x08, SCSI_RESERVATION_CONFLICT = 0x18,
		   SCSI_TASK_ABORTED = 0x40 };

struct scsi_task {
	uint8_t cdb[SCSI_CDB_MAX];	/* zeros behind a shorter one */
	uint8_t *data;			/* what the initiator sent, or room for what it asks for; borrowed */
	size_t data_len;		/* of @data: the transport's word.  Whatever the CDB says, no more is touched */
	bool descriptors;		/* set by scsi_execute(): sense data in descriptor format (D_SENSE is on) */
	/* The answer: */
	enum scsi_status status;
	uint8_t sense[SCSI_SENSE_MAX];
	size_t sense_len;		/* 0 unless CHECK CONDITION */
	size_t data_in;			/* bytes put into @data; also with CHECK CONDITION */
};

/* ---- models ----------------------------------------------------------------------------------------------------- */

enum scsi_kind { SCSI_DRIVE = 0x01, SCSI_CHANGER = 0x08 };	/* SPC-4's peripheral device types */
struct scsi_model { enum scsi_kind kind; const char *name, *vendor, *product, *words; };
const struct scsi_model *scsi_models(size_t *count);
const char *scsi_model_default(enum scsi_kind kind);
bool scsi_model_known(enum scsi_kind kind, const char *name);

/* ---- a unit ----------------------------------------------------------------------------------------------------- */

/*
 * Memory that outlives the process when it is killed (a shared mapping of a file; in tests the heap), zeros at first.
 * It has what an initiator was told is done and the disk does not have yet: records since the last commit, where the
 * head stands, mode parameters, and the answer to the last command.  With it a unit goes on as if nothing had
 * happened; without (lost with the machine) it is a drive that was switched on anew: UNIT ATTENTION, power on, and the
 * tape as it was last committed.
 */
#define SCSI_MEMORY_MIN (64u << 10)	/* a changer's; for a drive add what may wait for a commit: 96 MiB is good */

struct scsi_unit_config {
	struct library *lib;		/* borrowed */
	enum scsi_kind kind;
	unsigned drive;			/* of the library, for SCSI_DRIVE */
	struct catalog_unit identity;
	uint8_t store_id[8];		/* serials and NAA numbers are made from it where @identity has none */
	uint32_t transfer_max;		/* the transport's: 1 MiB over loopback; 0: SCSI_TRANSFER_MAX */
	bool tells_resets;		/* the transport itself reports a reset to every initiator: the unit does not */
	void *memory;			/* borrowed; NULL: nothing outlives */
	size_t memory_len;
};

struct scsi_unit;
int scsi_unit_new(const struct scsi_unit_config *cfg, struct scsi_unit **out);	/* -EINVAL with words: no such model */
/* Commits and gives the drive back.  With @keep the memory stays as it is, for one that takes over at once; else it is
 * as new. */
struct scsi_unit *scsi_unit_free(struct scsi_unit *u, bool keep);

/*
 * Executes one command.  @sequence is the transport's name of it, not 0 and not that of the command before: if it is
 * the last one that this unit, or the one before it with the same memory, has executed, nothing is done again and the
 * same answer is given (data that was put into @data the first time is still there).
 * 0: cannot be told apart, is executed.
 */
void scsi_execute(struct scsi_unit *u, uint64_t sequence, struct scsi_task *t);

/* Something happened to the transport.  Also the medium's and mode parameters' volatile state goes, as SAM-5 has it. */
enum scsi_reset { SCSI_POWER_ON, SCSI_BUS_RESET, SCSI_LUN_RESET, SCSI_NEXUS_LOST };
void scsi_reset(struct scsi_unit *u, enum scsi_reset what);

struct scsi_unit_info {
	char model[24], vendor[9], product[17], revision[5], serial[33];
	uint64_t naa;
	bool holds;			/* the drive is this unit's now */
	uint64_t commands, bytes_in, bytes_out;	/* since it was made; in: to the initiator */
};
void scsi_unit_info(struct scsi_unit *u, struct scsi_unit_info *out);
/* What an identity is when nothing is left open: for setting up a transport before there is a unit. */
int scsi_identity(const struct scsi_unit_config *cfg, struct scsi_unit_info *out);

#endif
