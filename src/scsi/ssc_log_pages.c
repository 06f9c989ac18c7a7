/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_log_pages: the log pages of a drive as a table, and what is in those of the drive itself; those of the tape are
 * in
 * ssc_log_tape.c.  Of SPC-4 and SSC-4, and 30h, 31h, 32h, 37h as IBM's and HPE's LTO drives have them.
 *
 * There is no head that wears out, so what counts retries and corrections is 0.  Compression is not told apart by tape:
 * chunks are shared.  What a tape has is what was written to it, the ratio is 1.
 */
#include <assert.h>

#include "scsi/log.h"
#include "scsi/mam.h"
#include "scsi/mode.h"

/* ---- parameters ------------------------------------------------------------------------------------------------- */

void log_put(struct log *l, uint16_t code, enum log_control control, const void *p, size_t n)
{
	uint8_t header[4] = { (uint8_t)(code >> 8), (uint8_t)code, (uint8_t)control, (uint8_t)n };

	if (code < l->from || l->r)
		return;
	l->r = buf_append(&l->b, header, sizeof(header));
	if (!l->r)
		l->r = buf_append(&l->b, p, n);
}

void log_number(struct log *l, uint16_t code, enum log_control control, unsigned bytes, uint64_t n)
{
	uint8_t b[8];

	if (bytes < 8 && n >> 8 * bytes)
		n = (1ull << 8 * bytes) - 1;
	put_be64(b, n);
	log_put(l, code, control, b + 8 - bytes, bytes);
}

static void put_counter(struct log *l, uint16_t code, unsigned bytes, uint64_t n)
{
	log_number(l, code, COUNTER, bytes, l->zero ? 0 : n);
}

void log_text(struct log *l, uint16_t code, enum log_control control, size_t n, const char *s)
{
	char b[32];
	size_t len = strlen(s);

	assert(n <= sizeof(b));
	memset(b, ' ', sizeof(b));
	memcpy(b, s, len < n ? len : n);
	log_put(l, code, control, b, n);
}

/* ---- 02h, 03h error counters ------------------------------------------------------------------------------------ */

static void put_errors(struct log *l, uint64_t bytes, uint64_t errors)
{
	for (uint16_t code = 0x0000; code <= 0x0004; code++)
		put_counter(l, code, 4, 0);
	put_counter(l, 0x0005, 8, bytes);
	put_counter(l, 0x0006, 4, errors);
}

static void write_errors_put(struct log *l)
{
	put_errors(l, l->u->ssc.count.all_written_bytes, l->u->ssc.count.write_errors);
}

static void read_errors_put(struct log *l)
{
	put_errors(l, l->u->ssc.count.all_read_bytes, l->u->ssc.count.read_errors);
}

static void errors_reset(struct scsi_unit *u)
{
	int r = mam_errors_reset(u);

	if (r)
		log_warn("errors are not kept with the cartridge: %s", err_text(r));
}

static void write_errors_reset(struct scsi_unit *u)
{
	errors_reset(u);
	u->ssc.count.all_written_bytes = 0;
}

static void read_errors_reset(struct scsi_unit *u)
{
	errors_reset(u);
	u->ssc.count.all_read_bytes = 0;
}

/* ---- 0Ch sequential access device: ssc_log_tape.c --------------------------------------------------------------- */

static void sequential_reset(struct scsi_unit *u)
{
	u->ssc.count.all_written_bytes = u->ssc.count.all_read_bytes = 0;
}

/* ---- 11h DT device status, 12h TapeAlert response, 2Eh TapeAlert ------------------------------------------------ */

static void status_put(struct log *l)
{
	struct scsi_unit *u = l->u;
	const struct ssc *s = &u->ssc;
	uint8_t vhf[4] = { 0 };

	vhf[0] = (uint8_t)((s->prevented ? 0x80 : 0) | (s->volume ? 0x20 : 0) | (s->mode.compression ? 0x10 : 0) |
			   (ssc_protected(u) ? 0x08 : 0) | 0x01);	/* PAMR, MACC, CMPR, WRTP, DINIT */
	/* RAA, or medium present, seated, threaded, mounted */
	vhf[1] = s->volume ? 0x17 : 0x20;
	vhf[3] = (uint8_t)((s->crypt.encrypt || s->crypt.decrypt ? 0x10 : 0) | (s->alerts ? 0x01 : 0));	/* EPP, TAFC */
	log_put(l, 0x0000, LIST, vhf, sizeof(vhf));
	log_number(l, 0x0001, LIST, 2, 100);	/* to be polled every so many milliseconds */
}

static void response_put(struct log *l)
{
	uint8_t flags[8] = { 0 };

	for (unsigned flag = 1; flag <= 64; flag++)
		if (l->u->ssc.alerts & 1ull << (flag - 1))
			flags[(flag - 1) / 8] |= (uint8_t)(0x80 >> (flag - 1) % 8);
	log_put(l, 0x0000, LIST, flags, sizeof(flags));
}

static void alert_put(struct log *l)
{
	for (unsigned flag = 1; flag <= 64; flag++)
		log_number(l, (uint16_t)flag, LIST, 1, l->u->ssc.alerts >> (flag - 1) & 1);
}

static void alert_reset(struct scsi_unit *u)
{
	u->ssc.alerts = 0;
}

/* ---- 14h device statistics -------------------------------------------------------------------------------------- */

static void device_put(struct log *l)
{
	const struct ssc_counters *c = &l->u->ssc.count;

	log_number(l, 0x0000, LIST, 4, c->loads);
	log_number(l, 0x0001, LIST, 4, 0);	/* cleaning operations */
	log_number(l, 0x000d, LIST, 4, c->loads);
	log_number(l, 0x000e, LIST, 4, c->write_errors);
	log_number(l, 0x000f, LIST, 4, c->read_errors);
	log_text(l, 0x0040, TEXT, 32, l->u->id.serial);
	log_text(l, 0x0041, TEXT, 32, l->u->id.serial);
	log_number(l, 0x0080, LIST, 1, l->u->ssc.prevented);
}

/* ---- 1Bh and 32h data compression ------------------------------------------------------------------------------- */

/* Whole megabytes, and the bytes beyond them. */
static void put_split(struct log *l, uint16_t code, uint64_t bytes)
{
	log_number(l, code, LIST, 4, bytes / MEGA);
	log_number(l, (uint16_t)(code + 1), LIST, 4, bytes % MEGA);
}

static void compression_put(struct log *l)
{
	const struct ssc_counters *c = &l->u->ssc.count;

	log_number(l, 0x0000, LIST, 2, 100);	/* ratios in hundredths */
	log_number(l, 0x0001, LIST, 2, 100);
	put_split(l, 0x0002, c->read_bytes);	/* to the host, from the tape */
	put_split(l, 0x0004, c->read_bytes);
	put_split(l, 0x0006, c->written_bytes);	/* from the host, to the tape */
	put_split(l, 0x0008, c->written_bytes);
}

/* ---- 37h performance -------------------------------------------------------------------------------------------- */

/* Drive and media efficiency: 0, not known. */
static void performance_put(struct log *l)
{
	log_number(l, 0x0000, LIST, 1, 0);
	log_number(l, 0x0001, LIST, 1, 0);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const struct log_page pages[] = {
	{ 0x02, true, write_errors_put, write_errors_reset },
	{ 0x03, true, read_errors_put, read_errors_reset },
	{ 0x0c, false, log_sequential, sequential_reset },
	{ 0x11, false, status_put, NULL },
	{ 0x12, false, response_put, NULL },
	{ 0x14, false, device_put, NULL },
	{ 0x17, false, log_volume, NULL },
	{ 0x1b, false, compression_put, NULL },
	{ LOG_TAPE_ALERT, false, alert_put, alert_reset },
	{ 0x30, false, log_usage, NULL },
	{ 0x31, false, log_capacity, NULL },
	{ 0x32, false, compression_put, NULL },
	{ 0x37, false, performance_put, NULL },
};

const struct log_page *log_pages(size_t *count)
{
	*count = ARRAY_LEN(pages);
	return pages;
}
