/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_log: LOG SENSE and LOG SELECT of a drive (SPC-4 6.5, 6.6).  What is in the pages is in ssc_log_pages.c.
 *
 * Nothing is saved and there are no thresholds.  Parameters that are lists are returned whatever PAGE CONTROL asks for
 * (tapeinfo asks for thresholds); of counters there are the cumulative values and their defaults.  LOG SELECT resets
 * counters, and sets none.  Nobody is told of that by a unit attention: who sends a command is not known here, so it
 * would be who reset them.
 */
#include <errno.h>

#include "scsi/log.h"
#include "scsi/mam.h"
#include "scsi/mode.h"

#define HEADER 4u
#define ALL_SUBPAGES 0xff
#define PCR 0x02

enum page_control { THRESHOLD, CUMULATIVE, DEFAULT_THRESHOLD, DEFAULT_CUMULATIVE };

static const struct log_page *page_find(uint8_t code)
{
	size_t count;
	const struct log_page *pages = log_pages(&count);

	for (size_t i = 0; i < count; i++)
		if (pages[i].code == code)
			return &pages[i];
	return NULL;
}

/* ---- LOG SENSE -------------------------------------------------------------------------------------------------- */

static void header_put(struct buf *b, uint8_t code, uint8_t subpage)
{
	b->data[0] = (uint8_t)(code | (subpage ? 0x40 : 0));
	b->data[1] = subpage;
	put_be16(b->data + 2, (uint16_t)(b->len - HEADER));
}

/* Supported pages; @subpages: pairs of page and subpage. */
static void sense_supported(struct scsi_task *t, bool subpages)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	size_t count;
	const struct log_page *pages = log_pages(&count);
	int r = buf_append(&b, "\0\0\0", HEADER);

	if (!r)
		r = subpages ? buf_append(&b, "\0\0\0\xff", 4) : buf_put_u8(&b, 0);
	for (size_t i = 0; !r && i < count; i++) {
		r = buf_put_u8(&b, pages[i].code);
		if (!r && subpages)
			r = buf_put_u8(&b, 0);
	}
	if (r) {
		task_failed(t, r);
		return;
	}
	header_put(&b, 0, subpages ? ALL_SUBPAGES : 0);
	task_put(t, b.data, b.len, get_be16(t->cdb + 7));
}

/* Alerts that are told are over (SSC-4), unless TAPLSD: those of which the parameter was sent whole. */
static void alerts_told(struct scsi_unit *u, const struct scsi_task *t, uint16_t from)
{
	uint64_t told = 0;
	unsigned first = from ? from : 1;
	int r;

	if (ssc_alerts_stay(u))
		return;
	for (unsigned flag = first; flag <= 64 && HEADER + 5 * (flag - first + 1) <= t->data_in; flag++)
		told |= 1ull << (flag - 1);
	told &= u->ssc.alerts;
	r = told ? mam_alerted(u, told) : 0;
	if (r)
		log_warn("TapeAlert flags are not kept with the cartridge: %s", err_text(r));
	u->ssc.alerts &= ~told;
}

static void sense_page(struct scsi_unit *u, struct scsi_task *t, const struct log_page *page)
{
	enum page_control control = (enum page_control)(t->cdb[2] >> 6);
	struct log l = { .u = u, .b = BUF_INIT, .from = get_be16(t->cdb + 5), .zero = control == DEFAULT_CUMULATIVE };

	if (page->counters && (control == THRESHOLD || control == DEFAULT_THRESHOLD)) {
		task_bad_cdb(t, 2, 7);
		return;
	}
	l.r = buf_append(&l.b, "\0\0\0", HEADER);
	page->put(&l);
	if (l.r) {
		task_failed(t, l.r);
	} else if (l.b.len == HEADER && l.from) {
		task_bad_cdb(t, 5, -1);
	} else {
		header_put(&l.b, page->code, 0);
		task_put(t, l.b.data, l.b.len, get_be16(t->cdb + 7));
		if (page->code == LOG_TAPE_ALERT)
			alerts_told(u, t, l.from);
	}
	buf_fini(&l.b);
}

static void log_sense(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t code = t->cdb[2] & 0x3f, subpage = t->cdb[3];
	const struct log_page *page = page_find(code);

	if (code && !page)
		task_bad_cdb(t, 2, 5);
	else if (subpage && (code || subpage != ALL_SUBPAGES))
		task_bad_cdb(t, 3, -1);
	else if (!code && get_be16(t->cdb + 5))
		task_bad_cdb(t, 5, -1);
	else if (!code)
		sense_supported(t, subpage);
	else
		sense_page(u, t, page);
}

/* ---- LOG SELECT ------------------------------------------------------------------------------------------------- */

static void reset_pages(struct scsi_unit *u, uint8_t code)
{
	size_t count;
	const struct log_page *pages = log_pages(&count);

	for (size_t i = 0; i < count; i++)
		if ((!code || pages[i].code == code) && pages[i].reset)
			pages[i].reset(u);
}

/* No parameter can be set: a list is as good as its first page header says. */
static void refuse_list(struct scsi_task *t, size_t n)
{
	if (!task_got(t, n))
		return;
	if (n < HEADER || n - HEADER < get_be16(t->data + 2))
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	else if (!(t->data[0] & 0x3f) || !page_find(t->data[0] & 0x3f))
		task_bad_parameter(t, 0, 5);
	else
		task_bad_parameter(t, HEADER, -1);
}

static void log_select(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t code = t->cdb[2] & 0x3f;
	bool reset = t->cdb[1] & PCR;
	uint16_t n = get_be16(t->cdb + 7);

	if ((code && !page_find(code)) || (n && code))
		task_bad_cdb(t, 2, 5);
	else if (t->cdb[3])
		task_bad_cdb(t, 3, -1);
	else if (reset && n)
		task_bad_cdb(t, 1, 1);
	else if (n)
		refuse_list(t, n);
	else if (reset || t->cdb[2] >> 6 == DEFAULT_CUMULATIVE)
		reset_pages(u, code);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const struct op ops[] = {
	{ 0x4c, -1, "LOG SELECT", { 0x4c, 0x02, 0xff, 0xff, 0, 0, 0, 0xff, 0xff }, 60, OP_OUT, log_select },
	{ 0x4d, -1, "LOG SENSE", { 0x4d, 0, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff }, 60, 0, log_sense },
};

const struct op_group ssc_log_group = OP_GROUP(ops);
