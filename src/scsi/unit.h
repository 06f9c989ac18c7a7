/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/unit.h: the inside of a unit, and what its files give each other.
 *
 *   unit.c        a unit: made, reset, one command at a time (attention, CDB, medium, the command, its answer kept)
 *   sense.c       answers: CHECK CONDITION and its sense data, parameter data
 *   model.c       the tables of models
 *   spc.c, reserve.c, inquiry.c, rsoc.c   commands of every unit
 *   ssc.c         a drive: who has the tape, what is loaded
 *   ssc_may.c, ssc_keep.c   what may be written; what outlives a kill
 *   ssc_io.c, ssc_read.c, ssc_write.c, ssc_move.c, ssc_medium.c, ssc_mode.c, ssc_log.c, ssc_density.c,
 *   ssc_security.c, ssc_security_set.c   its commands
 *   mam.c         the cartridge's memory
 *   crypt.c       records that are stored encrypted;  lbp.c  checksums that come with records
 *   smc.c, smc_element.c, smc_mode.c   a changer and its commands
 *   memory.c      what outlives the process
 *
 * Every file with commands has a table of them, a struct op_group; the groups of a kind of unit are listed in unit.c.
 * The table is all that dispatching, checking of CDBs and REPORT SUPPORTED OPERATION CODES know.
 */
#ifndef SCSI_UNIT_H
#define SCSI_UNIT_H

#include <vtape/scsi.h>

#include "scsi/crypt.h"
#include "scsi/memory.h"
#include "scsi/model.h"

/* ---- answers (sense.c) ------------------------------------------------------------------------------------------ */

enum sense_key {
	NO_SENSE = 0x0, RECOVERED_ERROR = 0x1, NOT_READY = 0x2, MEDIUM_ERROR = 0x3, HARDWARE_ERROR = 0x4,
	ILLEGAL_REQUEST = 0x5, UNIT_ATTENTION = 0x6, DATA_PROTECT = 0x7, BLANK_CHECK = 0x8, ABORTED_COMMAND = 0xb,
	VOLUME_OVERFLOW = 0xd, MISCOMPARE = 0xe
};

/* Additional sense code and qualifier, SPC-4 annex D. */
enum sense_code {
	ASC_NONE = 0x0000, ASC_FILEMARK = 0x0001, ASC_END_OF_MEDIUM = 0x0002, ASC_BEGINNING_OF_MEDIUM = 0x0004,
	ASC_END_OF_DATA = 0x0005, ASC_EARLY_WARNING = 0x0007, ASC_OPERATION_IN_PROGRESS = 0x0016,
	ASC_BECOMING_READY = 0x0401, ASC_WRITE_ERROR = 0x0c00, ASC_LBP_ERROR = 0x1001, ASC_UNRECOVERED_READ = 0x1100,
	ASC_POSITIONING_ERROR = 0x1501, ASC_PARAMETER_LIST_LENGTH = 0x1a00, ASC_MISCOMPARE = 0x1d00,
	ASC_INVALID_OPCODE = 0x2000, ASC_INVALID_ELEMENT = 0x2101, ASC_INVALID_CDB_FIELD = 0x2400,
	ASC_INVALID_PARAMETER = 0x2600, ASC_PARAMETER_NOT_SUPPORTED = 0x2601, ASC_PARAMETER_VALUE = 0x2602,
	ASC_WRITE_PROTECTED = 0x2700, ASC_WORM_PROTECTED = 0x300c, ASC_MEDIUM_CHANGED = 0x2800,
	ASC_PORT_ACCESSED = 0x2801,
	ASC_POWER_ON = 0x2900, ASC_BUS_RESET = 0x2902, ASC_LUN_RESET = 0x2903, ASC_NEXUS_LOST = 0x2907,
	ASC_MODE_CHANGED = 0x2a01, ASC_LOG_CHANGED = 0x2a02, ASC_TIMESTAMP_CHANGED = 0x2a10,
	ASC_KEYS_CHANGED = 0x2a11, ASC_SEQUENCE_ERROR = 0x2c00, ASC_INCOMPATIBLE_MEDIUM = 0x3000,
	ASC_MEDIUM_FORMAT = 0x3100, ASC_SAVING_NOT_SUPPORTED = 0x3900, ASC_NO_MEDIUM = 0x3a00,
	ASC_SEQUENTIAL_POSITIONING = 0x3b00, ASC_POSITION_PAST_BOM = 0x3b0c, ASC_DESTINATION_FULL = 0x3b0d,
	ASC_SOURCE_EMPTY = 0x3b0e, ASC_TARGET_FAILURE = 0x4400, ASC_DATA_PHASE = 0x4b00, ASC_WORM_OVERWRITE = 0x300c,
	ASC_APPEND_POSITION = 0x5001, ASC_ERASE_FAILURE = 0x5100, ASC_REMOVAL_FAILED = 0x5300,
	ASC_REMOVAL_PREVENTED = 0x5302, ASC_REMOVAL_PREVENTED_BY_DRIVE = 0x5303,
	ASC_LOG_PARAMETER = 0x5b00, ASC_NO_RESOURCES = 0x5500,
	ASC_SECURITY = 0x7400, ASC_UNABLE_TO_DECRYPT = 0x7401, ASC_UNENCRYPTED = 0x7402, ASC_WRONG_KEY = 0x7403,
	ASC_CRYPTO_INTEGRITY = 0x7404
};

struct sense {
	enum sense_key key;
	uint16_t code;			/* enum sense_code or another */
	bool filemark, eom, ili;
	bool valid;			/* @info counts */
	int64_t info;			/* INFORMATION: residual; in fixed format 32 bits, two's complement */
	bool field, in_cdb;		/* sense-key specific: where the error is */
	uint16_t byte;
	int8_t bit;			/* -1: no bit */
	bool deferred;
};
/* Sense data, in fixed or descriptor format; bytes put into @out. */
size_t sense_put(uint8_t out[SCSI_SENSE_MAX], const struct sense *s, bool descriptors);
/* CHECK CONDITION; fixed format unless D_SENSE is on (descriptor format then). */
void task_sense(struct scsi_task *t, const struct sense *s);
void task_check(struct scsi_task *t, enum sense_key key, uint16_t code);
void task_bad_cdb(struct scsi_task *t, unsigned byte, int bit);		/* 5/2400 with its field pointer; @bit -1 */
void task_bad_parameter(struct scsi_task *t, unsigned byte, int bit);	/* 5/2600 */
/* An error of ours (< 0): 3/1100 or 3/0C00, 7/..., D/0002, 4/4400, 5/5500, or BUSY for -EBUSY; logged. */
void task_failed(struct scsi_task *t, int r);
/* Parameter data: as much of @n bytes as @alloc and the transport have room for. */
void task_put(struct scsi_task *t, const void *p, size_t n, size_t alloc);
/* What the initiator sent of a parameter list of @want bytes; false: 5/1A00 has been answered. */
bool task_got(struct scsi_task *t, size_t want);

/* ---- commands --------------------------------------------------------------------------------------------------- */

enum op_flags {
	OP_ALWAYS = 1,		/* does not report a pending unit attention (INQUIRY, REQUEST SENSE, REPORT LUNS) */
	OP_MEDIUM = 2,		/* needs a medium: else 2/3A00 before it is run */
	OP_TAPE = 4,		/* needs the drive too: it is taken before it is run, or BUSY */
	OP_KERNEL = 8,		/* the kernel's target core answers it; here for REPORT SUPPORTED OPERATION CODES.  Its
				 * @run, NULL as a rule, is for transports without one */
	OP_OUT = 16,		/* the initiator sends data */
};
struct op {
	uint8_t code;
	int action;		/* service action in byte 1, bits 0-4; -1: none */
	const char *name;	/* as in the standard */
	uint8_t usage[16];	/* CDB usage data: 1 bits may be set; [0] is the code.  A bit set outside: 5/2400 */
	uint16_t timeout_s;	/* recommended, never 0; nominal is about a tenth of it */
	unsigned flags;
	void (*run)(struct scsi_unit *u, struct scsi_task *t);	/* status is GOOD when it is called */
};
struct op_group { const struct op *op; size_t count; };
#define OP_GROUP(table) { table, sizeof(table) / sizeof(*(table)) }
unsigned op_cdb_len(uint8_t code);	/* by its group: 6, 10, 12, 16 */

/* Of every unit; drives; changers.  NULL ends a list (unit.c). */
extern const struct op_group spc_group, reserve_group, inquiry_group, rsoc_group;
extern const struct op_group ssc_io_group, ssc_move_group, ssc_medium_group, ssc_mode_group, ssc_log_group,
	ssc_density_group, ssc_security_group, mam_group;
extern const struct op_group smc_group, smc_element_group, smc_mode_group;
/* Of a unit: all of its ops in the order of codes and service actions; those of code c begin at op[first[c]] and end
 * before op[first[c + 1]]. */
struct op_index { const struct op **op; uint16_t first[257]; };
/* NULL: not supported.  *code_known: other service actions of it are. */
const struct op *op_find(const struct op_index *x, uint8_t code, uint8_t action, bool *code_known);

/* ---- unit attentions: the first that is set is reported, once --------------------------------------------------- */

enum attention {
	ATTENTION_POWER_ON, ATTENTION_BUS_RESET, ATTENTION_LUN_RESET, ATTENTION_NEXUS_LOST, ATTENTION_MEDIUM_CHANGED,
	ATTENTION_PORT_ACCESSED, ATTENTION_MODE_CHANGED, ATTENTION_LOG_CHANGED, ATTENTION_KEYS_CHANGED, ATTENTIONS
};
void unit_attention(struct scsi_unit *u, enum attention a);
/* The first one's code; it is not pending any more.  False: none was. */
bool unit_attention_take(struct scsi_unit *u, uint16_t *code);

/* ---- a drive ---------------------------------------------------------------------------------------------------- */

/* Mode parameters: what initiators set.  ssc_mode.c has the pages, and what they are after a reset. */
struct ssc_mode {
	uint32_t block_len;		/* 0: variable */
	uint8_t density;		/* 0: the medium's */
	uint8_t buffered;		/* buffered mode, 1 */
	uint8_t compression;		/* DCE, 1: the pool's; 0: none from now on */
	uint8_t lbp_method;		/* 0, 1 (Reed-Solomon CRC), 2 (CRC32C) */
	uint8_t lbp_write, lbp_read;
	uint8_t append_only;		/* page 10/01, write mode 1 */
	uint8_t sense_descriptors;	/* D_SENSE */
	uint16_t pews_mb;		/* programmable early warning size */
	uint8_t alert_report;		/* page 1C: MRIE and so on, as given */
	uint8_t partitions_wanted;	/* page 11: additional ones, and how */
	uint8_t partition_flags;	/* FDP SDP IDP PSUM POFM, byte 4 of the page */
	uint8_t partition_units;
	uint16_t partition_size[TAPE_PARTITIONS_MAX];
};

struct ssc_counters {
	uint64_t written_records, written_bytes, read_records, read_bytes;	/* since the load */
	uint64_t write_errors, read_errors;
	uint64_t loads, all_written_bytes, all_read_bytes;			/* of the unit */
	uint64_t marks_written;
};

/* A tape that was given back is the same when it is taken again, or it has changed. */
struct ssc_left {
	bool valid;
	uint32_t partition;
	uint64_t object;
	uint64_t generation, objects, written_ns;
};

struct ssc {
	unsigned number;		/* the library's drive */
	uint32_t overwrite_partition;	/* ALLOW OVERWRITE: once, at that place */
	struct drive *drive;		/* ours now; NULL: not taken */
	uint64_t volume;		/* in the drive when last looked; 0: none */
	const struct medium *medium;	/* what that volume is in this drive; NULL: none */
	bool writes;			/* taken for writing */
	bool modified;			/* since the load: mam_modify() was called */
	bool prevented;			/* PREVENT MEDIUM REMOVAL */
	bool overwrite_allowed;
	bool pew_warned;		/* programmable early warning was told since the head came behind it */
	bool cuts;			/* this command cuts off what lies ahead: on disk before it is answered
					 * (ssc_keep.c) */
	bool memory_damage_told;	/* since the load: of a row of the cartridge's memory */
	bool plain;			/* compression of the tape in the drive is switched off by us */
	uint64_t out;			/* UNLOAD left it in the drive, until LOAD or a robot takes it; 0: none */
	uint64_t overwrite_object;
	uint64_t alerts;		/* TapeAlert flags: bit n - 1 is flag n */
	struct ssc_mode mode;
	struct ssc_counters count;
	struct crypt crypt;
	struct buf bounce, clear;	/* a record that cannot go straight to the initiator: as stored, in clear */
	struct ssc_left left;		/* where the tape was when it was given back */
	uint64_t told_end[TAPE_PARTITIONS_MAX];	/* of data, as memory and log have it (ssc_keep.c) */
	uint64_t older_end[TAPE_PARTITIONS_MAX];	/* as it was when the log turned */
	struct ssc_behind *behind;	/* NULL: not needed yet */
	uint64_t ahead;			/* objects here that a killed command may have written (ssc_keep.c) */
};

int ssc_new(struct scsi_unit *u);
void ssc_free(struct scsi_unit *u, bool keep);
void ssc_reset(struct scsi_unit *u, enum scsi_reset what);
/* Looks what is in the drive; a change since the last look is a unit attention.  Before every command. */
void ssc_look(struct scsi_unit *u);
/* The drive is ours when it returns true; false: @t has been answered (BUSY, NOT READY). */
bool ssc_take(struct scsi_unit *u, struct scsi_task *t);
int ssc_give_back(struct scsi_unit *u);		/* commits; 0 if it was not ours */
/* Before anything is changed on the tape: write protection, WORM, append-only, MAM's counter.  False: answered. */
bool ssc_may_write(struct scsi_unit *u, struct scsi_task *t);
/* For ssc_may_write(): the drive is ours for writing (false: answered); the tape is compressed as the mode page
 * wants it. */
bool ssc_take_for_writing(struct scsi_unit *u, struct scsi_task *t);
void ssc_choose_compression(struct scsi_unit *u);
/* The tape refused a change with TAPE_E_PROTECTED: says why (write protection, WORM, a lock). */
void ssc_refused(struct scsi_unit *u, struct scsi_task *t);
/* ssc_keep.c: what outlives a kill. */
/* A new unit over an old one's memory goes on where that was; false: it is as switched on anew. */
bool ssc_keep_restore(struct scsi_unit *u);
/* What is done next cuts off what lies ahead.  Part of ssc_may_write(). */
int ssc_keep_cut(struct scsi_unit *u);
/* These objects, up to the position, have been written in memory.  Both may commit: then the error of that. */
int ssc_keep_record(struct scsi_unit *u, const struct tape_pos *at, const void *p, size_t n);
int ssc_keep_marks(struct scsi_unit *u, const struct tape_pos *at, uint32_t count);
/* Before a command that changes the tape is answered: a cut is committed, and without buffering all that is written. */
int ssc_keep_end(struct scsi_unit *u);
/* @n filemarks and nothing else from @object on?  0, 1: no. */
int ssc_only_marks(struct scsi_unit *u, uint32_t partition, uint64_t object, uint64_t n);
/* ssc_behind.c: a commit by a thread of its own, while commands go on.  Nothing, if one is under way; it has ended
 * before the drive is given back. */
void ssc_behind_commit(struct ssc *s);
void ssc_behind_wait(struct ssc *s);
void ssc_behind_stop(struct ssc *s);
/* The drive is taken, for writing or not, where a claim elsewhere allows it.  -EBUSY. */
int ssc_open_drive(struct scsi_unit *u, bool write);
void ssc_close_drive(struct scsi_unit *u, int *error);
/* Behind a command: what must outlive a kill goes to the memory.  @t NULL: between commands. */
void ssc_save(struct scsi_unit *u, uint64_t sequence, const struct scsi_task *t);
/* Everything is on disk: what waits in the memory need not any more. */
void ssc_committed(struct scsi_unit *u);
/* Bytes of the medium and what is left of them, for one partition; of the loaded volume. */
int ssc_capacity(struct scsi_unit *u, uint32_t partition, uint64_t *all, uint64_t *left);
/* Is the programmable early warning behind @pos? */
int ssc_beyond_programmable(struct scsi_unit *u, const struct tape_pos *pos, bool *beyond);
void ssc_alert(struct scsi_unit *u, unsigned flag);	/* 1..64 */
void ssc_mode_defaults(struct ssc_mode *m);
/* Which medium a volume is in this model: by its barcode's end, or the model's own. */
const struct medium *ssc_medium_of(const struct drive_model *m, const char *barcode, bool worm);

/* The cartridge's memory (mam.c): the volume change reference counter goes up with the first change after a load. */
void mam_loaded(struct scsi_unit *u);
int mam_modify(struct scsi_unit *u);

/* lbp.c: 4 bytes behind each record, in the order in which they go over the wire. */
void lbp_put(unsigned method, const void *p, size_t n, uint8_t crc[4]);
bool lbp_fits(unsigned method, const void *p, size_t n, const uint8_t crc[4]);
void lbp_without_instruction(bool on);	/* tests only: as on a processor that has none for CRC-32C */

/* ---- a changer -------------------------------------------------------------------------------------------------- */

/* Element type codes, SMC-3; the elements of a type are one run of addresses. */
enum element_type { ELEMENT_ANY, ELEMENT_TRANSPORT, ELEMENT_STORAGE, ELEMENT_PORT, ELEMENT_DRIVE };
#define ELEMENT_TYPES 4u
struct element_run { enum element_type type; uint32_t first, count; };

/* What SEND VOLUME TAG asked to look for; REQUEST VOLUME ELEMENT ADDRESS tells what was found. */
struct smc_search {
	uint8_t given, action, type;
	uint16_t start, sequence_min;
	uint8_t pattern[32];
};

/*
 * MOVE MEDIUM and EXCHANGE MEDIUM are done once.  Steps, and what a kill behind each leaves:
 *  1. the memory has the CDB and the volumes that are to go	they are where they were: the repeat moves them
 *  2. the library has moved them, durably			the repeat finds its CDB in the memory, and the volumes
 *								where they were to go: GOOD
 *  3. the memory has the answer, and nothing begun		the answer is given again (unit.c)
 */
struct smc_begun {
	uint8_t cdb[SCSI_CDB_MAX];
	uint64_t volume[2];		/* [0]: 0 if nothing is begun; [1]: of EXCHANGE */
};

struct smc {
	uint64_t seen_ports;		/* library_place_changes(): told already */
	uint64_t ports_print;		/* library_ports_print(), as of then */
	uint32_t slots, ports;		/* library_places(): told already */
	bool prevented;
	uint8_t auto_unload;		/* a MOVE from a drive unloads by itself; of the vendor's mode page */
	struct smc_search search;
	struct smc_begun begun;
};
/* In the order of addresses; those of no elements too. */
void smc_runs(const struct scsi_unit *u, struct element_run out[ELEMENT_TYPES]);
/* The place at an element address; false: there is none, or it is a transport element. */
bool smc_place(const struct scsi_unit *u, uint16_t address, struct library_place *out);
bool smc_is_transport(const struct scsi_unit *u, uint16_t address);
int smc_new(struct scsi_unit *u);
void smc_free(struct scsi_unit *u);
void smc_reset(struct scsi_unit *u, enum scsi_reset what);
void smc_look(struct scsi_unit *u);
void smc_save(struct scsi_unit *u, uint64_t sequence, const struct scsi_task *t);

/* ---- the unit --------------------------------------------------------------------------------------------------- */

/* Reservations as one initiator makes them, where there is no kernel that has them for all (reserve.c). */
struct reservation {
	bool simple;			/* RESERVE(6) or (10) */
	bool registered, held;
	uint8_t type;			/* of the persistent one, if held */
	uint64_t key;			/* if registered */
	uint32_t generation;
};
void reserve_reset(struct scsi_unit *u, enum scsi_reset what);
void spc_reset(struct scsi_unit *u, enum scsi_reset what);

struct scsi_unit {
	struct scsi_unit_config cfg;
	struct scsi_unit_info id;	/* identity, all of it made out; counters */
	const struct drive_model *drive_model;		/* of its kind; the other is NULL */
	const struct changer_model *changer_model;
	struct op_index ops;
	uint32_t attentions;		/* bits, enum attention */
	struct reservation reservation;
	int64_t timestamp_offset_ms;	/* SET TIMESTAMP: to the wall clock */
	uint8_t timestamp_origin;
	uint8_t buffer[256];		/* WRITE BUFFER, READ BUFFER: echo */
	size_t buffer_len;
	struct memory *memory;
	struct ssc ssc;
	struct smc smc;
	pthread_mutex_t lock;		/* around a command, and a reset from another thread */
};

#endif
