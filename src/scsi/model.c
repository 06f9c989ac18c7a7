/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: the tables.  What drives and libraries say of themselves, which cartridges they know.
 */
#include "scsi/unit.h"

static const struct medium vtape = {
	"", 0x00, 0x00, 0x00, 0, 127, 1, 0, TAPE_PARTITIONS_MAX, "VTAPE", "VTAPE", "virtual tape"
};

static const struct drive_model drives[] = {
	{ { SCSI_DRIVE, "vtape", "VTAPE", "VIRTUAL TAPE", "a drive of no maker: records of any size, four partitions" },
	  "0100", DIALECT_NEUTRAL, 0, &vtape, { &vtape }, { NULL }, SCSI_TRANSFER_MAX },
};

static const struct changer_model changers[] = {
	{ { SCSI_CHANGER, "vtape-library", "VTAPE", "LIBRARY", "a library of no maker" }, "0100", 0x0001, 0x0400, 0x0300, 0x0100,
	  false },
};

const struct drive_model *drive_model_find(const char *name)
{
	for (size_t i = 0; i < sizeof(drives) / sizeof(*drives); i++)
		if (!strcmp(drives[i].base.name, name))
			return &drives[i];
	return NULL;
}

const struct changer_model *changer_model_find(const char *name)
{
	for (size_t i = 0; i < sizeof(changers) / sizeof(*changers); i++)
		if (!strcmp(changers[i].base.name, name))
			return &changers[i];
	return NULL;
}

const struct scsi_model *scsi_models(size_t *count)
{
	static struct scsi_model all[sizeof(drives) / sizeof(*drives) + sizeof(changers) / sizeof(*changers)];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(drives) / sizeof(*drives); i++)
		all[n++] = drives[i].base;
	for (size_t i = 0; i < sizeof(changers) / sizeof(*changers); i++)
		all[n++] = changers[i].base;
	*count = n;
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
