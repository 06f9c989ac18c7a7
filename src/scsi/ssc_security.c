/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_security: SECURITY PROTOCOL IN (SPC-4), protocols 00h (which there are) and 20h, tape data encryption (SSC-4):
 * what a drive can, how it stands, what the next record is.  What is sent to it, the key above all, is
 * ssc_security_set.c's.
 *
 * One algorithm, index 1: AES-256-GCM with a tag of 16 bytes, keys of 32 bytes as they are (key format 0).  What a
 * drive does not have, page 0012h and the algorithm's descriptor say.
 */
#include <errno.h>

#include "scsi/security.h"

#define AES_256_GCM_16 0x00010014	/* SPC-4, security algorithm codes: ENCR_AES_GCM with a 16 byte ICV */
#define PAGE_MAX 512u
enum authenticated { NOT_COVERED = 1, NOT_TRIED = 2 };
enum next_status { NEXT_UNKNOWN = 1, NEXT_NO_RECORD = 2, NEXT_CLEAR = 3, NEXT_OPENS = 5, NEXT_CLOSED = 6 };

/* A page is put together in PAGE_MAX zeros.  Its length; 0: the task has been answered. */
struct page { uint8_t protocol; uint16_t code; size_t (*make)(struct scsi_unit *u, struct scsi_task *t, uint8_t *b); };
static const struct page pages[10];

/* Pages of protocol 20h begin with their code and the length of what follows. */
static size_t close_page(uint8_t *b, uint16_t code, size_t len)
{
	put_be16(b, code);
	put_be16(b + 2, (uint16_t)(len - 4));
	return len;
}

/* ---- which there are -------------------------------------------------------------------------------------------- */

static size_t make_protocols(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	put_be16(b + 6, 2);
	b[8] = PROTOCOL_INFORMATION;
	b[9] = PROTOCOL_TAPE_ENCRYPTION;
	return 10;
}

/* No certificate: two reserved bytes and a length of 0. */
static size_t make_certificate(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	return 4;
}

static size_t make_in_pages(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	size_t n = 4;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (pages[i].protocol != PROTOCOL_TAPE_ENCRYPTION || !pages[i].make)
			continue;
		put_be16(b + n, pages[i].code);
		n += 2;
	}
	return close_page(b, 0x0000, n);
}

static size_t make_out_pages(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	put_be16(b + 4, PAGE_SET);
	return close_page(b, 0x0001, 6);
}

/* ---- what the drive can ----------------------------------------------------------------------------------------- */

static size_t make_capabilities(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	bool loaded = u->ssc.volume;
	uint8_t *a = b + 20;

	b[4] = 1 << 2 | 1;		/* EXTDECC: no key manager but the initiator; CFG_P: it may set a key */
	a[0] = ALGORITHM;
	put_be16(a + 2, 20);
	/* AVFMV; MAC_C, DELB_C: damage and clear records are told; DECRYPT_C, ENCRYPT_C: 2, as drives do it. */
	a[4] = (uint8_t)(loaded << 7 | 1 << 5 | 1 << 4 | 2 << 2 | 2);
	/* AVFCP: 2 if it is valid here; NONCE_C: the drive makes nonces; KADF_C; VCELB_C; KADs of any length. */
	a[5] = (uint8_t)(loaded << 7 | 1 << 4 | 1 << 3 | 1 << 2);
	put_be16(a + 6, CRYPT_UKAD_MAX);
	put_be16(a + 8, CRYPT_AKAD_MAX);
	put_be16(a + 10, CRYPT_KEY_BYTES);
	/* DKAD_C: KADs may come with a key that is to decrypt; EEMC_C: nothing is encrypted elsewhere; RDMC_C: reading
	 * raw can be forbidden, and is not by itself. */
	a[12] = 3 << 6 | 1 << 4 | 5 << 1;
	put_be32(a + 20, AES_256_GCM_16);
	return close_page(b, 0x0010, 44);
}

/* One byte each; 0: a key as it is. */
static size_t make_key_formats(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	return close_page(b, 0x0011, 5);
}

static size_t make_management(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	b[5] = 1 << 2;		/* CKOD_C, and no LOCK_C, CKORP_C, CKORL_C */
	b[7] = 1 << 2 | 1;	/* AITN_C, PUBLIC_C, and no LOCAL_C */
	return close_page(b, 0x0012, 16);
}

static size_t make_random(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	int r = random_bytes(b + 4, 32);

	if (r) {
		task_failed(t, r);
		return 0;
	}
	return close_page(b, 0x0030, 36);
}

/* ---- what records look like ------------------------------------------------------------------------------------- */

/* As much of a record as a header takes, from its place in the stream: nothing moves.  *n is 0: there is no record. */
static int look(struct volume *v, uint32_t partition, uint64_t object, uint8_t head[CRYPT_HEADER_BYTES], size_t *n)
{
	struct volume_reader *reader;
	struct tape_tally before;
	struct tape_object o;
	int r = volume_object(v, partition, object, &o);

	*n = 0;
	if (r == TAPE_E_EOD || (!r && o.mark))
		return 0;
	if (!r)
		r = volume_tally(v, partition, object, &before);
	if (!r)
		r = volume_reader_new(v, partition, &reader);
	if (r)
		return err_fold(r);
	*n = o.len < CRYPT_HEADER_BYTES ? o.len : CRYPT_HEADER_BYTES;
	r = volume_reader_read(reader, before.bytes, head, *n);
	volume_reader_free(reader);
	return r;
}

/* Is one of @count objects from there on sealed?  What cannot be read is not. */
static bool sealed_from(struct volume *v, uint32_t partition, uint64_t object, unsigned count)
{
	uint8_t head[CRYPT_HEADER_BYTES];
	struct crypt_header h;
	size_t n;

	for (; count--; object++)
		if (!look(v, partition, object, head, &n) && crypt_header(head, n, &h) && h.sealed)
			return true;
	return false;
}

/* Nobody keeps an account of sealed records.  Who encrypts does so from the beginning of a tape or of a file on, or up
 * to its end: there it is looked for, so it may not be seen where it is odd. */
#define FILES_LOOKED_AT 8u
#define RECORDS_LOOKED_AT 3u
static bool partition_has_sealed(struct volume *v, uint32_t partition)
{
	struct tape_tally at;
	uint64_t back;

	for (uint64_t file = 0; file < FILES_LOOKED_AT && !volume_find_file(v, partition, file, &at); file++)
		if (sealed_from(v, partition, at.objects, RECORDS_LOOKED_AT))
			return true;
	if (volume_end(v, partition, &at))
		return false;
	back = at.objects < RECORDS_LOOKED_AT ? at.objects : RECORDS_LOOKED_AT;
	return sealed_from(v, partition, at.objects - back, RECORDS_LOOKED_AT);
}

static bool volume_has_sealed(struct scsi_unit *u)
{
	struct volume *v;
	bool sealed = false;

	if (!u->ssc.volume)
		return false;
	if (u->ssc.drive)
		v = drive_volume(u->ssc.drive);
	else if (library_look(u->cfg.lib, u->ssc.volume, &v))
		return false;
	for (uint32_t i = 0; !sealed && i < volume_partitions(v); i++)
		sealed = partition_has_sealed(v, i);
	if (!u->ssc.drive)
		library_look_end(u->cfg.lib, u->ssc.volume);
	return sealed;
}

/* ---- how it stands ---------------------------------------------------------------------------------------------- */

static uint8_t *put_kad(uint8_t *p, uint8_t type, enum authenticated how, const uint8_t *kad, uint8_t len)
{
	if (!len)
		return p;
	p[0] = type;
	p[1] = (uint8_t)how;
	put_be16(p + 2, len);
	memcpy(p + 4, kad, len);
	return p + 4 + len;
}

static size_t make_status(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	const struct crypt *c = &u->ssc.crypt;
	uint8_t *p = b + 24;

	b[4] = c->set ? SCOPE_ALL << 5 | SCOPE_ALL : SCOPE_PUBLIC;
	b[5] = (uint8_t)c->encrypt;
	b[6] = (uint8_t)c->decrypt;
	b[7] = c->encrypt == ENCRYPT_ON || c->decrypt > DECRYPT_RAW ? ALGORITHM : 0;
	put_be32(b + 8, c->instance);
	/* PARAMETERS CONTROL: initiators may set them; VCELB; CEEMS as given; RDMD. */
	b[12] = (uint8_t)(1 << 4 | volume_has_sealed(u) << 3 | c->raw_protect >> 6 << 1 |
			  (CRYPT_RDMC(c->raw_protect) == CRYPT_RDMC_FORBID));
	b[13] = c->kad_format;
	p = put_kad(p, KAD_U, NOT_COVERED, c->ukad, c->ukad_len);
	p = put_kad(p, KAD_A, NOT_TRIED, c->akad, c->akad_len);
	return close_page(b, 0x0020, (size_t)(p - b));
}

/* ---- what the next record is ------------------------------------------------------------------------------------ */

struct next { enum next_status status; struct crypt_header h; };

static int next_of(struct scsi_unit *u, const struct tape_pos *pos, struct next *x)
{
	const struct crypt *c = &u->ssc.crypt;
	uint8_t head[CRYPT_HEADER_BYTES];
	size_t n;
	int r = look(drive_volume(u->ssc.drive), pos->partition, pos->object, head, &n);

	*x = (struct next){ .status = NEXT_UNKNOWN };
	if (r == -EBADMSG)
		return 0;
	if (r)
		return r;
	if (!n)
		x->status = NEXT_NO_RECORD;
	else if (!crypt_has_header(head, n))
		x->status = NEXT_CLEAR;
	else if (!crypt_header(head, n, &x->h))
		x->status = NEXT_UNKNOWN;
	else if (!x->h.sealed)
		x->status = NEXT_CLEAR;
	else
		x->status = c->decrypt > DECRYPT_RAW && crypt_key_fits(c, head, n) ? NEXT_OPENS : NEXT_CLOSED;
	return 0;
}

static size_t make_next(struct scsi_unit *u, struct scsi_task *t, uint8_t *b)
{
	uint8_t *p = b + 16;
	struct tape_pos pos;
	struct next x;
	int r;

	if (!u->ssc.volume) {
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
		return 0;
	}
	if (!ssc_take(u, t))
		return 0;
	r = drive_position(u->ssc.drive, &pos);
	if (!r)
		r = next_of(u, &pos, &x);
	if (r) {
		task_failed(t, err_fold(r));
		return 0;
	}
	put_be64(b + 4, pos.object);
	b[12] = (uint8_t)x.status;	/* compression status: 0, a record does not show it */
	if (x.h.sealed) {
		b[13] = ALGORITHM;
		b[14] = x.h.raw_forbidden;
		b[15] = x.h.kad_format;
		p = put_kad(p, KAD_U, NOT_COVERED, x.h.ukad, x.h.ukad_len);
		p = put_kad(p, KAD_A, NOT_TRIED, x.h.akad, x.h.akad_len);
	}
	return close_page(b, 0x0021, (size_t)(p - b));
}

/* ---- SECURITY PROTOCOL IN --------------------------------------------------------------------------------------- */

static const struct page pages[10] = {
	{ PROTOCOL_INFORMATION, 0x0000, make_protocols },
	{ PROTOCOL_INFORMATION, 0x0001, make_certificate },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0000, make_in_pages },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0001, make_out_pages },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0010, make_capabilities },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0011, make_key_formats },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0012, make_management },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0020, make_status },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0021, make_next },
	{ PROTOCOL_TAPE_ENCRYPTION, 0x0030, make_random },
};

static const struct page *page_of(const struct scsi_task *t, bool *protocol_known)
{
	*protocol_known = false;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (pages[i].protocol != t->cdb[1])
			continue;
		*protocol_known = true;
		if (pages[i].code == get_be16(t->cdb + 2) && pages[i].make)
			return &pages[i];
	}
	return NULL;
}

static void protocol_in(struct scsi_unit *u, struct scsi_task *t)
{
	bool known;
	const struct page *page = page_of(t, &known);
	uint8_t b[PAGE_MAX] = { 0 };
	size_t n;

	if (!page) {
		task_bad_cdb(t, known ? 2 : 1, -1);
		return;
	}
	n = page->make(u, t, b);
	if (n)
		/* INC_512: zeros up to the next 512 */
		task_put(t, b, security_counts_512(t) ? PAGE_MAX : n, security_length(t));
}

static const struct op ops[] = {
	{ 0xa2, -1, "SECURITY PROTOCOL IN",
	  { 0xa2, 0xff, 0xff, 0xff, 0x80, 0, 0xff, 0xff, 0xff, 0xff }, 60, 0, protocol_in },
	{ 0xb5, -1, "SECURITY PROTOCOL OUT",
	  { 0xb5, 0xff, 0xff, 0xff, 0x80, 0, 0xff, 0xff, 0xff, 0xff }, 60, OP_OUT, ssc_security_out },
};

const struct op_group ssc_security_group = OP_GROUP(ops);
