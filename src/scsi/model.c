/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: the tables.  What drives and libraries say of themselves, which cartridges they know.  The first drive and the
 * first library are what is taken when nobody asks for another.
 *
 * Densities, medium types and the generations that a drive reads and writes are those of the Ultrium formats; barcodes
 * end in the generation's two characters, and in another two if the cartridge is WORM.  Revisions are high enough for
 * clients that look at them: LTFS wants B170 of an LTO-5 and HB81 of an LTO-8 drive of IBM.
 */
#include "scsi/unit.h"

/* ---- media: suffix, WORM's, density, types, bits/mm, width, tracks, 10^6 bytes, partitions, names --------------- */

static const struct medium vtape = { "", "", 0x80, 0x00, 0x0c, 10000, 127, 1, 16000000, TAPE_PARTITIONS_MAX,
				     "VTAPE", "VTAPE", "virtual tape" };

static const struct medium lto3 = { "L3", "LT", 0x44, 0x38, 0x3c, 9638, 127, 704, 400000, 1,
				    "LTO-CVE", "U-316", "Ultrium 3/16T" };
static const struct medium lto4 = { "L4", "LU", 0x46, 0x48, 0x4c, 12725, 127, 896, 800000, 1,
				    "LTO-CVE", "U-416", "Ultrium 4/16T" };
static const struct medium lto5 = { "L5", "LV", 0x58, 0x58, 0x5c, 15142, 127, 1280, 1500000, 2,
				    "LTO-CVE", "U-516", "Ultrium 5/16T" };
static const struct medium lto6 = { "L6", "LW", 0x5a, 0x68, 0x6c, 15142, 127, 2176, 2500000, 4,
				    "LTO-CVE", "U-616", "Ultrium 6/16T" };
static const struct medium lto7 = { "L7", "LX", 0x5c, 0x78, 0x7c, 19107, 127, 3584, 6000000, 4,
				    "LTO-CVE", "U-732", "Ultrium 7/32T" };
static const struct medium lto8 = { "L8", "LY", 0x5e, 0x88, 0x8c, 20669, 127, 6656, 12000000, 4,
				    "LTO-CVE", "U-832", "Ultrium 8/32T" };
static const struct medium lto9 = { "L9", "LZ", 0x60, 0x98, 0x9c, 21456, 127, 8960, 18000000, 4,
				    "LTO-CVE", "U-932", "Ultrium 9/32T" };

/* ---- drives ----------------------------------------------------------------------------------------------------- */

#define LTO_RECORD_MAX (8u << 20)

static const struct drive_model drives[] = {
	{ { SCSI_DRIVE, "vtape", "VTAPE", "VIRTUAL TAPE", "a drive of no maker, for every tape, four partitions" },
	  "0100", DIALECT_NEUTRAL, 0, &vtape, { &vtape }, { NULL }, SCSI_TRANSFER_MAX },

	{ { SCSI_DRIVE, "ibm-lto5", "IBM", "ULT3580-TD5", "IBM LTO-5" },
	  "H976", DIALECT_IBM, 5, &lto5, { &lto5, &lto4 }, { &lto3 }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "ibm-lto6", "IBM", "ULT3580-TD6", "IBM LTO-6" },
	  "KAJ9", DIALECT_IBM, 6, &lto6, { &lto6, &lto5 }, { &lto4 }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "ibm-lto7", "IBM", "ULT3580-TD7", "IBM LTO-7" },
	  "PA51", DIALECT_IBM, 7, &lto7, { &lto7, &lto6 }, { &lto5 }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "ibm-lto8", "IBM", "ULT3580-TD8", "IBM LTO-8" },
	  "R3G0", DIALECT_IBM, 8, &lto8, { &lto8, &lto7 }, { NULL }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "ibm-lto9", "IBM", "ULT3580-TD9", "IBM LTO-9" },
	  "R3G0", DIALECT_IBM, 9, &lto9, { &lto9, &lto8 }, { NULL }, LTO_RECORD_MAX },

	{ { SCSI_DRIVE, "hpe-lto5", "HP", "Ultrium 5-SCSI", "HP LTO-5" },
	  "I6RW", DIALECT_HPE, 5, &lto5, { &lto5, &lto4 }, { &lto3 }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "hpe-lto6", "HP", "Ultrium 6-SCSI", "HP LTO-6" },
	  "35GW", DIALECT_HPE, 6, &lto6, { &lto6, &lto5 }, { &lto4 }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "hpe-lto7", "HP", "Ultrium 7-SCSI", "HP LTO-7" },
	  "J4DW", DIALECT_HPE, 7, &lto7, { &lto7, &lto6 }, { &lto5 }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "hpe-lto8", "HPE", "Ultrium 8-SCSI", "HPE LTO-8" },
	  "R3G3", DIALECT_HPE, 8, &lto8, { &lto8, &lto7 }, { NULL }, LTO_RECORD_MAX },
	{ { SCSI_DRIVE, "hpe-lto9", "HPE", "Ultrium 9-SCSI", "HPE LTO-9" },
	  "R3G3", DIALECT_HPE, 9, &lto9, { &lto9, &lto8 }, { NULL }, LTO_RECORD_MAX },
};

/* ---- libraries: first transport, slot, port, drive -------------------------------------------------------------- */

/* Between two kinds there is room for LIBRARY_DRIVES_MAX drives and LIBRARY_PORTS_MAX ports; slots come last. */
static const struct changer_model changers[] = {
	{ { SCSI_CHANGER, "vtape-library", "VTAPE", "LIBRARY", "a library of no maker" },
	  "0100", 0x0001, 0x0400, 0x0300, 0x0100, false },
	{ { SCSI_CHANGER, "ibm-3584", "IBM", "03584L32", "IBM 3584 (TS3500)" },
	  "8020", 0x0001, 0x0401, 0x0301, 0x0101, false },
	{ { SCSI_CHANGER, "stk-l700", "STK", "L700",
	    "StorageTek L700: a drive is unloaded before its tape is fetched" },
	  "0315", 0, 1000, 10, 500, true },
};

const struct drive_model *drive_model_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(drives); i++)
		if (!strcmp(drives[i].base.name, name))
			return &drives[i];
	return NULL;
}

const struct changer_model *changer_model_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(changers); i++)
		if (!strcmp(changers[i].base.name, name))
			return &changers[i];
	return NULL;
}

static struct scsi_model all[ARRAY_LEN(drives) + ARRAY_LEN(changers)];

static void list_all(void)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(drives); i++)
		all[n++] = drives[i].base;
	for (size_t i = 0; i < ARRAY_LEN(changers); i++)
		all[n++] = changers[i].base;
}

const struct scsi_model *scsi_models(size_t *count)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, list_all);
	*count = ARRAY_LEN(all);
	return all;
}

const char *scsi_model_default(enum scsi_kind kind)
{
	return kind == SCSI_DRIVE ? drives[0].base.name : changers[0].base.name;
}

bool scsi_model_known(enum scsi_kind kind, const char *name)
{
	return kind == SCSI_DRIVE ? drive_model_find(name) != NULL : changer_model_find(name) != NULL;
}
