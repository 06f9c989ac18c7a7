/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inquiry: who a unit is.  Standard INQUIRY data (SPC-4 6.6.2) and the vital product data pages: SPC-4's of every unit,
 * SSC-4's of drives.  All of it is made from the model's row and the identity; nothing here changes a unit.
 */
#include <stdio.h>

#include "scsi/unit.h"

#define STANDARD_LEN 96u
#define VPD_MAX 256u

/* Text in its field: blank padded, not terminated. */
static void put_text(uint8_t *b, size_t n, const char *s)
{
	size_t len = strlen(s);

	memset(b, ' ', n);
	memcpy(b, s, len < n ? len : n);
}

/* ---- standard data ---------------------------------------------------------------------------------------------- */

/* What makers put into bytes 36-55. */
static void put_dialect(const struct scsi_unit *u, uint8_t *b)
{
	const struct changer_model *c = u->changer_model;

	/* HP's drives: byte 40, bit 0: WORM cartridges can be used. */
	if (u->drive_model && u->drive_model->dialect == DIALECT_HPE)
		b[40] = 0x01;
	/* Libraries: the serial number at 38, and at 55 that there is a reader of barcodes. */
	if (c) {
		put_text(b + 38, 12, u->id.serial);
		b[55] = 0x01;
	}
}

static void standard(struct scsi_unit *u, struct scsi_task *t)
{
	bool drive = u->cfg.kind == SCSI_DRIVE;
	uint8_t b[STANDARD_LEN] = { (uint8_t)u->cfg.kind, 0x80 /* RMB */, 0x06 /* SPC-4 */, 0x02, STANDARD_LEN - 5 };

	if (t->cdb[2]) {
		task_bad_cdb(t, 2, -1);
		return;
	}
	b[5] = drive ? 0x01 : 0;	/* PROTECT: logical block protection, SSC-4 */
	b[7] = 0x02;			/* CMDQUE */
	put_text(b + 8, 8, u->id.vendor);
	put_text(b + 16, 16, u->id.product);
	put_text(b + 32, 4, u->id.revision);
	put_dialect(u, b);
	/* SAM-5, SPC-4, SSC-4 or SMC-3, no version claimed. */
	put_be16(b + 58, 0x00a0);
	put_be16(b + 60, 0x0460);
	put_be16(b + 62, drive ? 0x0520 : 0x0480);
	task_put(t, b, sizeof(b), get_be16(t->cdb + 3));
}

/* ---- vital product data: each page puts its bytes behind the header and returns their number --------------------- */

static size_t serial(struct scsi_unit *u, uint8_t *b)
{
	size_t n = strlen(u->id.serial);

	memcpy(b, u->id.serial, n);
	return n;
}

/* Device identification: T10 vendor's (vendor, product, serial), and the NAA number. */
static size_t identification(struct scsi_unit *u, uint8_t *b)
{
	size_t n = strlen(u->id.serial);

	b[0] = 0x02;			/* ASCII */
	b[1] = 0x01;			/* of the logical unit, T10 vendor ID */
	b[3] = (uint8_t)(24 + n);
	put_text(b + 4, 8, u->id.vendor);
	put_text(b + 12, 16, u->id.product);
	memcpy(b + 28, u->id.serial, n);
	b += 28 + n;
	b[0] = 0x01;			/* binary */
	b[1] = 0x03;			/* of the logical unit, NAA */
	b[3] = 8;
	put_be64(b + 4, u->id.naa);
	return 28 + n + 12;
}

/* Extended INQUIRY data. */
static size_t extended(struct scsi_unit *u, uint8_t *b)
{
	b[0] = u->cfg.kind == SCSI_DRIVE ? 0x08 : 0;	/* SPT 1: a drive's logical block protection */
	b[1] = 0x07;					/* HEADSUP, ORDSUP, SIMPSUP */
	b[9] = 32;					/* sense data is no longer */
	return 60;
}

/* Sequential-access device capabilities: WORM, when that is what is loaded; with nothing loaded, that it could be. */
static size_t capabilities(struct scsi_unit *u, uint8_t *b)
{
	struct catalog_volume v;
	bool loaded = u->ssc.volume && !catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &v);

	b[0] = !loaded || v.worm ? 0x01 : 0;
	return 2;
}

/* TapeAlert supported flags: all. */
static size_t alerts(struct scsi_unit *u, uint8_t *b)
{
	memset(b, 0xff, 8);
	return 8;
}

/* The library that the drive is in. */
static size_t automation_serial(struct scsi_unit *u, uint8_t *b)
{
	struct scsi_unit_config cfg = u->cfg;
	struct scsi_unit_info info;
	size_t n;

	cfg.kind = SCSI_CHANGER;
	if (catalog_unit_get(library_catalog(u->cfg.lib), CATALOG_UNIT_CHANGER, &cfg.identity)) {
		cfg.identity = (struct catalog_unit){ .number = CATALOG_UNIT_CHANGER };
		snprintf(cfg.identity.model, sizeof(cfg.identity.model), "%s", scsi_model_default(SCSI_CHANGER));
	}
	if (scsi_identity(&cfg, &info))
		return 0;
	n = strlen(info.serial);
	memcpy(b, info.serial, n);
	return n;
}

/* Logical block protection: none, Reed-Solomon CRC, and from LTO-7 on CRC32C; 4 bytes, writing and reading. */
static size_t protection(struct scsi_unit *u, uint8_t *b)
{
	unsigned generation = u->drive_model->generation;
	unsigned methods = generation && generation < 7 ? 2 : 3;

	for (unsigned m = 0; m < methods; m++) {
		uint8_t *d = b + 4 + 8 * m;

		d[0] = 7;
		d[1] = (uint8_t)m;
		d[2] = m ? 4 : 0;
		d[3] = m ? 0xc0 : 0;
	}
	return 4 + 8 * methods;
}

static size_t supported(struct scsi_unit *u, uint8_t *b);

static const struct vpd { uint8_t code; bool of_drives; size_t (*put)(struct scsi_unit *u, uint8_t *b); } pages[] = {
	{ 0x00, false, supported }, { 0x80, false, serial }, { 0x83, false, identification }, { 0x86, false, extended },
	{ 0xb0, true, capabilities }, { 0xb1, true, serial }, { 0xb2, true, alerts }, { 0xb3, true, automation_serial },
	{ 0xb5, true, protection },
};

static bool has_page(const struct scsi_unit *u, const struct vpd *p)
{
	return !p->of_drives || u->cfg.kind == SCSI_DRIVE;
}

static size_t supported(struct scsi_unit *u, uint8_t *b)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (has_page(u, &pages[i]))
			b[n++] = pages[i].code;
	return n;
}

static void vital(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[VPD_MAX] = { (uint8_t)u->cfg.kind, t->cdb[2] };

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		size_t n;

		if (pages[i].code != t->cdb[2] || !has_page(u, &pages[i]))
			continue;
		n = pages[i].put(u, b + 4);
		put_be16(b + 2, (uint16_t)n);
		task_put(t, b, 4 + n, get_be16(t->cdb + 3));
		return;
	}
	task_bad_cdb(t, 2, -1);
}

static void inquiry(struct scsi_unit *u, struct scsi_task *t)
{
	if (t->cdb[1] & 0x01)
		vital(u, t);
	else
		standard(u, t);
}

static const struct op ops[] = {
	{ 0x12, -1, "INQUIRY", { 0x12, 0x01, 0xff, 0xff, 0xff }, 30, OP_ALWAYS, inquiry },
};
const struct op_group inquiry_group = OP_GROUP(ops);
