/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_mode_pages: the mode pages of a drive as a table: their bytes, which bits may be changed, and what a change
 * means.
 * SPC-4 7.5, SSC-4 8.3 and the SCSI references of IBM's and HPE's LTO drives.
 *
 * A field that may not be changed must be as it is.  What is accepted has an effect somewhere; what would have none
 * cannot be changed.
 */
#include <assert.h>

#include "scsi/mode.h"

#define HEADER 2u		/* of a page; with a subpage 4 */
#define HEADER_SUB 4u

/* ---- 0Ah control, 0Ah/F0h control data protection --------------------------------------------------------------- */

static const uint8_t control_changeable[] = { 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

static void control_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[2] = m->sense_descriptors ? 0x04 : 0;
}

static bool control_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			 struct mode_fault *fault)
{
	c->mode.sense_descriptors = p[2] >> 2 & 1;
	return true;
}

#define LBP_METHODS 2u
#define LBP_BYTES 4
static const uint8_t protection_changeable[MODE_PAGE_MAX] = { 0, 0, 0, 0, 0xff, 0x3f, 0xc0 };

static void protection_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[4] = m->lbp_method;
	p[5] = m->lbp_method ? LBP_BYTES : 0;
	p[6] = (uint8_t)((m->lbp_write ? 0x80 : 0) | (m->lbp_read ? 0x40 : 0));
}

static bool protection_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			    struct mode_fault *fault)
{
	uint8_t bytes = p[4] ? LBP_BYTES : 0;

	if (p[4] > LBP_METHODS) {
		*fault = (struct mode_fault){ 4, -1 };
		return false;
	}
	if ((p[5] & 0x3f) != bytes) {
		*fault = (struct mode_fault){ 5, 5 };
		return false;
	}
	/* LBP_W, LBP_R: of nothing. */
	if (!p[4] && p[6]) {
		*fault = (struct mode_fault){ 6, 31 - __builtin_clz(p[6]) };
		return false;
	}
	c->mode.lbp_method = p[4];
	c->mode.lbp_write = p[6] >> 7;
	c->mode.lbp_read = p[6] >> 6 & 1;
	return true;
}

/* ---- 0Fh data compression --------------------------------------------------------------------------------------- */

/* The algorithm is 1, LTO's; hosts that switch compression off may say 0 (st does, if told so). */
static const uint8_t compression_changeable[] = { 0, 0, 0x80, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0, 0 };

static void compression_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[2] = (uint8_t)((m->compression ? 0x80 : 0) | 0x40);
	p[3] = 0x80;
	put_be32(p + 4, 1);
	put_be32(p + 8, 1);
}

static bool compression_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			     struct mode_fault *fault)
{
	c->mode.compression = p[2] & 0x80 && p[7];
	return true;
}

/* ---- 10h device configuration, 10h/01h its extension ------------------------------------------------------------ */

static const uint8_t configuration_changeable[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0 };

static void configuration_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	struct library_drive info;

	if (u->ssc.volume && !library_drive_info(u->cfg.lib, u->ssc.number, &info) && info.loaded)
		p[3] = (uint8_t)info.pos.partition;
	p[8] = 0x40;			/* LOIS: objects have identifiers, LOCATE goes by them */
	p[10] = 0x18;			/* EEG, SEW: EOD is made, and buffers are written at early warning */
	p[14] = m->compression;
}

/* Compression stands on two pages: the one that was changed counts. */
static bool configuration_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			       struct mode_fault *fault)
{
	if (p[14] > 1) {
		*fault = (struct mode_fault){ 14, -1 };
		return false;
	}
	if (p[14] != u->ssc.mode.compression)
		c->mode.compression = p[14];
	return true;
}

/* The alert control bits live beside those of page 1Ch in alert_report. */
#define REPORT_DEXCPT 0x08
#define REPORT_TAPLSD 0x80
static const uint8_t extension_changeable[MODE_PAGE_MAX] = { 0, 0, 0, 0, 0x08, 0xf0, 0xff, 0xff };

static void extension_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[4] = m->alert_report & REPORT_TAPLSD ? 0x08 : 0;
	p[5] = (uint8_t)(m->append_only ? 0x10 : 0);
	put_be16(p + 6, m->pews_mb);
}

bool ssc_alerts_stay(const struct scsi_unit *u)
{
	return u->ssc.mode.alert_report & REPORT_TAPLSD;
}

static bool extension_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			   struct mode_fault *fault)
{
	if (p[5] >> 4 > 1) {
		*fault = (struct mode_fault){ 5, 7 };
		return false;
	}
	c->mode.alert_report = (uint8_t)((c->mode.alert_report & ~REPORT_TAPLSD) | (p[4] & 0x08 ? REPORT_TAPLSD : 0));
	c->mode.append_only = p[5] >> 4;
	c->mode.pews_mb = get_be16(p + 6);
	return true;
}

/* ---- 11h medium partition --------------------------------------------------------------------------------------- */

#define FDP 0x80
#define SDP 0x40
#define IDP 0x20
#define PSUM 0x18
#define POFM 0x04
#define SIZE_REST 0xffff
static const uint8_t partition_changeable[] = { 0, 0, 0, 0xff, FDP | SDP | IDP | PSUM, 0, 0x0f, 0,
						0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Partitions that this cartridge may have, or the drive's own if there is none. */
static unsigned partitions_max(const struct scsi_unit *u)
{
	const struct medium *m = u->ssc.medium ? u->ssc.medium : u->drive_model->own;

	return m->partitions_max < TAPE_PARTITIONS_MAX ? m->partitions_max : TAPE_PARTITIONS_MAX;
}

static uint32_t partitions_now(struct scsi_unit *u)
{
	struct volume_stat st;

	if (!u->ssc.volume || library_stat(u->cfg.lib, u->ssc.volume, &st) || !st.partitions)
		return 1;
	return st.partitions;
}

unsigned ssc_partitions_wanted(struct scsi_unit *u)
{
	return u->ssc.mode.partition_flags ? u->ssc.mode.partitions_wanted : partitions_now(u) - 1;
}

void ssc_partitions_done(struct scsi_unit *u)
{
	u->ssc.mode.partition_flags = u->ssc.mode.partitions_wanted = 0;
}

/* As they are: in megabytes, or in what is needed for them to fit 16 bits. */
static void partitions_put(struct scsi_unit *u, uint8_t *p)
{
	uint64_t bytes[TAPE_PARTITIONS_MAX] = { 0 }, left, most = 0, unit = 1000000;
	uint32_t partitions = partitions_now(u);
	uint8_t exponent = 6;

	p[4] = PSUM | POFM;
	for (uint32_t i = 0; i < partitions && i < partitions_max(u); i++) {
		if (u->ssc.volume && ssc_capacity(u, i, &bytes[i], &left))
			bytes[i] = 0;
		most = bytes[i] > most ? bytes[i] : most;
	}
	for (; most / unit >= SIZE_REST && exponent < 15; exponent++)
		unit *= 10;
	p[3] = (uint8_t)(partitions - 1);
	p[6] = exponent;
	for (unsigned i = 0; i < partitions_max(u); i++)
		put_be16(p + MODE_PARTITION_SHIFT + 2 * i, (uint16_t)(bytes[i] / unit));
}

static void partition_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[2] = (uint8_t)(partitions_max(u) - 1);
	p[5] = 0x03;			/* format and partitions are recognized */
	if (!m->partition_flags) {
		partitions_put(u, p);
		return;
	}
	p[3] = m->partitions_wanted;
	p[4] = m->partition_flags;
	p[6] = m->partition_units;
	for (unsigned i = 0; i < partitions_max(u); i++)
		put_be16(p + MODE_PARTITION_SHIFT + 2 * i, m->partition_size[i]);
}

/* For the next FORMAT MEDIUM.  Hosts leave out sizes of partitions that they do not want. */
static bool partition_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			   struct mode_fault *fault)
{
	struct ssc_mode *m = &c->mode;
	size_t sizes = (len - MODE_PARTITION_SHIFT) / 2;
	uint8_t how = p[4] & (FDP | SDP | IDP);
	unsigned rests = 0;

	if (p[3] >= partitions_max(u)) {
		*fault = (struct mode_fault){ 3, -1 };
		return false;
	}
	if (how & (how - 1)) {
		*fault = (struct mode_fault){ 4, how & FDP ? 7 : 6 };
		return false;
	}
	if (how & IDP && sizes <= p[3] && p[3]) {
		*fault = (struct mode_fault){ 1, -1 };
		return false;
	}
	for (unsigned i = 0; how & IDP && i <= p[3] && i < sizes; i++) {
		if (get_be16(p + MODE_PARTITION_SHIFT + 2 * i) != SIZE_REST || !rests++)
			continue;
		*fault = (struct mode_fault){ MODE_PARTITION_SHIFT + 2 * i, -1 };
		return false;
	}
	if (!how)
		return true;
	m->partitions_wanted = p[3];
	m->partition_flags = (uint8_t)((p[4] & (how | PSUM)) | POFM);
	m->partition_units = p[6];
	for (unsigned i = 0; i < TAPE_PARTITIONS_MAX; i++)
		m->partition_size[i] = i < sizes ? get_be16(p + MODE_PARTITION_SHIFT + 2 * i) : 0;
	return true;
}

/* ---- 1Ch informational exceptions, 1Dh medium configuration ----------------------------------------------------- */

/* Exceptions are told by the TapeAlert log page alone: MRIE is 0. */
static const uint8_t exceptions_changeable[] = { 0, 0, 0x0c, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
#define TEST 0x04
#define ALL_FLAGS 32767

static void exceptions_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[2] = m->alert_report & REPORT_DEXCPT;
}

static bool exceptions_take(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
			    struct mode_fault *fault)
{
	int32_t flag = (int32_t)get_be32(p + 8);
	bool known = (flag >= -64 && flag <= 64 && flag) || flag == ALL_FLAGS;

	if (p[2] & TEST && p[2] & REPORT_DEXCPT) {
		*fault = (struct mode_fault){ 2, 2 };
		return false;
	}
	if (p[2] & TEST ? !known : flag != 0) {
		*fault = (struct mode_fault){ 8, -1 };
		return false;
	}
	c->mode.alert_report = (uint8_t)((c->mode.alert_report & ~REPORT_DEXCPT) | (p[2] & REPORT_DEXCPT));
	c->test = p[2] & TEST;
	c->test_flag = flag;
	return true;
}

static void medium_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	struct catalog_volume row;

	if (u->ssc.volume && !catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &row))
		p[2] = row.worm;
}

/* ---- pages with nothing but constants --------------------------------------------------------------------------- */

static void nothing_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
}

/* Below is whatever transport there is: no protocol's own parameters (0Fh). */
static void protocol_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[2] = 0x0f;
}

/* ENCR_C: can encrypt. */
static void ibm_put(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p)
{
	p[7] = 0x08;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* In the order of MODE SENSE's page 3Fh. */
static const struct mode_page pages[] = {
	{ 0x01, 0x00, 12, 0, NULL, nothing_put, NULL },		/* read-write error recovery */
	{ 0x02, 0x00, 16, 0, NULL, nothing_put, NULL },		/* disconnect-reconnect */
	{ 0x0a, 0x00, 12, 0, control_changeable, control_put, control_take },
	{ 0x0a, 0xf0, 32, 0, protection_changeable, protection_put, protection_take },
	{ 0x0f, 0x00, 16, 0, compression_changeable, compression_put, compression_take },
	{ 0x10, 0x00, 16, 0, configuration_changeable, configuration_put, configuration_take },
	{ 0x10, 0x01, 32, 0, extension_changeable, extension_put, extension_take },
	{ 0x11, 0x00, 16, 0, partition_changeable, partition_put, partition_take },
	{ 0x18, 0x00, 8, 0, NULL, protocol_put, NULL },		/* protocol specific logical unit */
	{ 0x19, 0x00, 8, 0, NULL, protocol_put, NULL },		/* protocol specific port */
	{ 0x1c, 0x00, 12, 0, exceptions_changeable, exceptions_put, exceptions_take },
	{ 0x1d, 0x00, 32, 0, NULL, medium_put, NULL },
	{ 0x24, 0x00, 8, 1 << DIALECT_IBM, NULL, ibm_put, NULL },	/* vendor-specific */
};

const struct mode_page *mode_pages(size_t *count)
{
	*count = ARRAY_LEN(pages);
	return pages;
}

bool mode_page_has(const struct scsi_unit *u, const struct mode_page *page)
{
	return !page->dialects || page->dialects & 1 << u->drive_model->dialect;
}

static size_t page_len(const struct scsi_unit *u, const struct mode_page *page)
{
	return page->code == 0x11 ? MODE_PARTITION_SHIFT + 2 * partitions_max(u) : page->len;
}

size_t mode_page_put(struct scsi_unit *u, const struct mode_page *page, const struct ssc_mode *m,
		     uint8_t out[MODE_PAGE_MAX])
{
	size_t len = page_len(u, page);

	assert(len <= MODE_PAGE_MAX);
	memset(out, 0, MODE_PAGE_MAX);
	if (m)
		page->put(u, m, out);
	else if (page->changeable)
		memcpy(out, page->changeable, len);
	out[0] = page->code;
	if (page->subpage) {
		out[0] |= 0x40;
		out[1] = page->subpage;
		put_be16(out + 2, (uint16_t)(len - HEADER_SUB));
	} else {
		out[1] = (uint8_t)(len - HEADER);
	}
	return len;
}

/* Page 11h may end behind any size. */
static bool len_fits(const struct scsi_unit *u, const struct mode_page *page, size_t len)
{
	size_t whole = page_len(u, page);

	return len == whole || (page->code == 0x11 && len >= MODE_PARTITION_SHIFT && len < whole && !(len & 1));
}

bool mode_page_take(struct scsi_unit *u, const struct mode_page *page, const uint8_t *p, size_t len,
		    struct mode_change *c, struct mode_fault *fault)
{
	uint8_t now[MODE_PAGE_MAX];

	if (!len_fits(u, page, len)) {
		*fault = (struct mode_fault){ page->subpage ? 2 : 1, -1 };
		return false;
	}
	mode_page_put(u, page, &u->ssc.mode, now);
	for (unsigned i = page->subpage ? HEADER_SUB : HEADER; i < len; i++) {
		uint8_t wrong = (uint8_t)((p[i] ^ now[i]) & ~(page->changeable ? page->changeable[i] : 0));

		if (!wrong)
			continue;
		*fault = (struct mode_fault){ i, 31 - __builtin_clz(wrong) };
		return false;
	}
	return !page->take || page->take(u, p, len, c, fault);
}
