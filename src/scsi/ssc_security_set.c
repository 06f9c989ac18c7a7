/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_security_set: SECURITY PROTOCOL OUT with the page "set data encryption" (SSC-4), the only one of protocol 20h.  A
 * page that is refused changes nothing.
 *
 * There is no word from the transport about who sends a command (TCMU has no I_T nexus), so encryption parameters are
 * those of all initiators or of nobody: scope ALL I_T NEXUS sets them, PUBLIC takes them back, LOCAL and LOCK are
 * refused, and there is nobody else to be told 2A/11.  Reservations are the kernel's, so CKORP and CKORL are refused.
 *
 * The key is kept in struct crypt.  It is never logged or returned, and the bytes of it that the transport brought are
 * the transport's.
 */
#include "scsi/security.h"

/*
 * byte 4   SCOPE (bits 7-5), LOCK (0)
 *      5   CEEM (7-6), RDMC (5-4), SDK (3), CKOD (2), CKORP (1), CKORL (0)
 *      6   encryption mode;  7  decryption mode;  8  algorithm index;  9  key format;  10  KAD format
 *      18  length of the key, the key, and then descriptors of key-associated data
 */
#define PAGE_SET_MIN 20u
enum set_flags { SET_SDK = 0x08, SET_CKOD = 0x04, SET_CKORP = 0x02, SET_CKORL = 0x01 };

/* The page is refused at this byte (and bit). */
static bool wrong(struct scsi_task *t, size_t byte, int bit)
{
	task_bad_parameter(t, (unsigned)byte, bit);
	return false;
}

static bool any(const uint8_t *p, size_t n, size_t *where)
{
	for (*where = 0; *where < n; ++*where)
		if (p[*where])
			return true;
	return false;
}

/* Without a key, encryption and decryption are off, or records are read raw. */
static bool wants_key(const uint8_t *p)
{
	return p[6] == ENCRYPT_ON || p[7] == DECRYPT_ON || p[7] == DECRYPT_MIXED;
}

static bool scope_fits(struct scsi_task *t, const uint8_t *p)
{
	if (p[4] >> 5 != SCOPE_ALL && p[4] >> 5 != SCOPE_PUBLIC)
		return wrong(t, 4, 7);
	if (p[4] & 0x1f)
		return wrong(t, 4, 31 - __builtin_clz(p[4] & 0x1f));
	return true;
}

static bool flags_fit(const struct scsi_unit *u, struct scsi_task *t, const uint8_t *p)
{
	uint8_t not_here = p[5] & (SET_SDK | SET_CKORP | SET_CKORL);

	if (p[5] >> 6 > 1)	/* CEEM: who encrypted a record is not known, so it is not checked */
		return wrong(t, 5, 7);
	if (CRYPT_RDMC(p[5]) == 1)
		return wrong(t, 5, 5);
	if (not_here)
		return wrong(t, 5, 31 - __builtin_clz(not_here));
	if (p[5] & SET_CKOD && !u->ssc.volume)
		return wrong(t, 5, 2);
	return true;
}

static bool modes_fit(struct scsi_task *t, const uint8_t *p)
{
	size_t i;

	if (p[6] != ENCRYPT_OFF && p[6] != ENCRYPT_ON)
		return wrong(t, 6, -1);
	if (p[7] > DECRYPT_MIXED)
		return wrong(t, 7, -1);
	if (wants_key(p) && p[8] != ALGORITHM)
		return wrong(t, 8, -1);
	if (wants_key(p) && p[9])
		return wrong(t, 9, -1);
	if (p[10] > 2)
		return wrong(t, 10, -1);
	if (any(p + 11, 7, &i))
		return wrong(t, 11 + i, -1);
	return true;
}

/* Descriptors behind the key: each type once, in ascending order. */
static bool kads_fit(struct scsi_task *t, const uint8_t *p, size_t at, size_t n, struct crypt *c)
{
	int last = -1;

	while (at < n) {
		uint8_t type = p[at];
		size_t len;

		if (n - at < 4 || type > KAD_A || type <= last)
			return wrong(t, at, -1);
		len = get_be16(p + at + 2);
		if (p[at + 1])
			return wrong(t, at + 1, -1);
		if (len > n - at - 4 || len > (type == KAD_U ? CRYPT_UKAD_MAX : CRYPT_AKAD_MAX))
			return wrong(t, at + 2, -1);
		memcpy(type == KAD_U ? c->ukad : c->akad, p + at + 4, len);
		*(type == KAD_U ? &c->ukad_len : &c->akad_len) = (uint8_t)len;
		last = type;
		at += 4 + len;
	}
	return true;
}

/*
 * What the page of @n bytes asks for, in @c.  False: it has been answered.
 *
 * A key that comes along although nothing is to be encrypted or decrypted is passed over: stenc sends 32 zeros with
 * "off".
 */
static bool set_unpack(const struct scsi_unit *u, struct scsi_task *t, const uint8_t *p, size_t n, struct crypt *c)
{
	size_t key_len = get_be16(p + 18);

	if (p[4] >> 5 == SCOPE_PUBLIC && scope_fits(t, p))
		return true;	/* all the rest is ignored */
	if (!scope_fits(t, p) || !flags_fit(u, t, p) || !modes_fit(t, p))
		return false;
	if (key_len > n - PAGE_SET_MIN || (wants_key(p) && key_len != CRYPT_KEY_BYTES))
		return wrong(t, 18, -1);
	if (!kads_fit(t, p, PAGE_SET_MIN + key_len, n, c))
		return false;
	c->set = true;
	c->encrypt = p[6];
	c->decrypt = p[7];
	c->raw_protect = p[5] & 0xf0;
	c->clear_on_unload = p[5] & SET_CKOD;
	c->kad_format = p[10];
	c->has_key = wants_key(p);
	if (c->has_key)
		memcpy(c->key, p + PAGE_SET_MIN, CRYPT_KEY_BYTES);
	return true;
}

static void set_encryption(struct scsi_unit *u, struct scsi_task *t, const uint8_t *p, size_t n)
{
	struct crypt next = { .instance = u->ssc.crypt.instance + 1 };

	if (set_unpack(u, t, p, n, &next)) {
		crypt_clear(&u->ssc.crypt);
		u->ssc.crypt = next;
	}
	crypt_clear(&next);
}

/* The page is as long as it says, and with INC_512 padded. */
static bool page_len_fits(const struct scsi_task *t, size_t sent, size_t *n)
{
	*n = (size_t)get_be16(t->data + 2) + 4;
	return *n >= PAGE_SET_MIN && *n <= sent && sent - *n < (security_counts_512(t) ? 512 : 1);
}

void ssc_security_out(struct scsi_unit *u, struct scsi_task *t)
{
	size_t sent = security_length(t), n;

	if (t->cdb[1] != PROTOCOL_TAPE_ENCRYPTION)
		task_bad_cdb(t, 1, -1);
	else if (get_be16(t->cdb + 2) != PAGE_SET)
		task_bad_cdb(t, 2, -1);
	else if (!sent || !task_got(t, sent))
		return;
	else if (sent < PAGE_SET_MIN)
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	else if (get_be16(t->data) != PAGE_SET)
		task_bad_parameter(t, 0, -1);
	else if (!page_len_fits(t, sent, &n))
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	else
		set_encryption(u, t, t->data, n);
}
