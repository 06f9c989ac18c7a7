/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crypt: records that are stored encrypted.
 *
 * Guarantees: what crypt_open() gives is, byte for byte, what crypt_seal() was given, or it is an error; a wrong key is
 * told from damage before anything is decrypted; the key is in struct crypt alone, and nothing that is stored, logged
 * or returned lets it be computed.
 *
 * Nonces.  An application keeps one key for a whole library of tapes: billions of records.  With random 96-bit nonces
 * under one AES key, a chance of 2^-32 for a repeated one (which in GCM gives away both records and the key of the tag)
 * is reached after 2^32 records (SP 800-38D 8.3).  So no record is encrypted with the application's key.  Each has a
 * key of its own, HMAC-SHA-512(key, label, salt) with 128 random bits of salt, and a random nonce beside it: for two
 * records to meet, 224 random bits must be the same, and after 2^64 records the chance of that is 2^-97.  The kernel's
 * generator gives them, record by record (util's random_bytes()), none are kept in this process: a copy of it (fork, a
 * machine that is set back to a snapshot) does not repeat what it drew.
 *
 * The check value is another part of the same HMAC.  It commits to the key (with GCM alone one could make a record
 * that two keys open), it is a different one in each record, so that it does not show which records have the same key,
 * and to find the key from it is to break HMAC-SHA-512 or try 2^256 keys.
 *
 * The header is authenticated with the record, and has a plain sum too: so that damage is not taken for a wrong key by
 * those who have one, and is seen by those who have none.  Headers are known by 128 bits of magic of which a few may be
 * wrong; so that a flipped bit there does not turn a sealed record into a clear one.  A clear record that looks like
 * that, be it by chance, be it one that was read raw, is stored behind a header of its own.
 */
#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "scsi/unit.h"

#define VERSION 1
#define MAGIC_SLACK 4		/* so many bits may be wrong */
#define SALT_BYTES 16
#define NONCE_BYTES 12
#define CHECK_BYTES 16
#define TAG_BYTES 16
enum kind { SEALED = 1, CLEAR = 2 };
enum flags { RAW_FORBIDDEN = 1 };

/* No text: a record that an application writes does not begin like this. */
static const uint8_t magic[CRYPT_LOOK_BYTES] = { 0xe5, 0x1d, 0x93, 0x7a, 'v', 't', 'a', 'p', 'e', 0xc4, 0x0b, 0xb2,
						 0x6f, 0x88, 0x3e, 0xd1 };
static const char label[] = "vtape record 1";

/* vtape-format(5), "Encrypted records". */
struct layout {
	uint8_t magic[CRYPT_LOOK_BYTES];
	uint8_t version, kind, flags, kad_format, ukad_len, akad_len, zero[2];
	uint8_t clear_len[8];
	uint8_t ukad[CRYPT_UKAD_MAX], akad[CRYPT_AKAD_MAX];
	uint8_t salt[SALT_BYTES], nonce[NONCE_BYTES], check[CHECK_BYTES];
	uint8_t sum[8];
};
static_assert(sizeof(struct layout) == CRYPT_HEADER_BYTES, "the header's bytes lie as they are written down");
static_assert(sizeof(struct layout) + TAG_BYTES == CRYPT_OVERHEAD, "header and tag");
static_assert(CRYPT_OVERHEAD + SCSI_TRANSFER_MAX <= TAPE_RECORD_MAX, "what comes by SCSI can be stored sealed");

/* What a record's own secrets are: the key that it is encrypted with, and the value to know the application's by. */
struct derived { uint8_t key[CRYPT_KEY_BYTES], check[CHECK_BYTES], unused[16]; };
static_assert(sizeof(struct derived) == 64, "an HMAC-SHA-512");

static int derive(const uint8_t key[CRYPT_KEY_BYTES], const uint8_t salt[SALT_BYTES], struct derived *out)
{
	uint8_t text[sizeof(label) + SALT_BYTES];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), salt, SALT_BYTES);
	if (!HMAC(EVP_sha512(), key, CRYPT_KEY_BYTES, text, sizeof(text), (uint8_t *)out, NULL))
		return err_explain(-EIO, "libcrypto gives no HMAC-SHA-512");
	return 0;
}

void crypt_clear(struct crypt *c)
{
	uint32_t instance = c->instance + (c->set || c->has_key);

	OPENSSL_cleanse(c, sizeof(*c));
	memset(c, 0, sizeof(*c));
	c->instance = instance;
}

/* ---- headers ---------------------------------------------------------------------------------------------------- */

static int magic_wrong_bits(const uint8_t *p)
{
	return __builtin_popcountll(get_le64(p) ^ get_le64(magic)) +
	       __builtin_popcountll(get_le64(p + 8) ^ get_le64(magic + 8));
}

bool crypt_has_header(const void *p, size_t n)
{
	return n >= CRYPT_LOOK_BYTES && magic_wrong_bits(p) <= MAGIC_SLACK;
}

bool crypt_touches(const struct crypt *c, const void *p, size_t n)
{
	return c->encrypt == ENCRYPT_ON || crypt_has_header(p, n);
}

static bool zeros(const struct layout *h, size_t from, size_t to)
{
	while (from < to && !((const uint8_t *)h)[from])
		from++;
	return from >= to;
}

static bool sealed_fits(const struct layout *h)
{
	return !(h->flags & ~RAW_FORBIDDEN) && h->ukad_len <= CRYPT_UKAD_MAX && h->akad_len <= CRYPT_AKAD_MAX &&
	       zeros(h, offsetof(struct layout, ukad) + h->ukad_len, offsetof(struct layout, akad)) &&
	       zeros(h, offsetof(struct layout, akad) + h->akad_len, offsetof(struct layout, salt));
}

/* Nothing is said of a key. */
static bool clear_fits(const struct layout *h)
{
	return zeros(h, offsetof(struct layout, flags), offsetof(struct layout, zero)) &&
	       zeros(h, offsetof(struct layout, ukad), offsetof(struct layout, sum));
}

/* It holds together: everything that is not the record's own. */
static bool layout_fits(const struct layout *h)
{
	return get_le64(h->sum) == sum64(h, offsetof(struct layout, sum)) && !memcmp(h->magic, magic, sizeof(magic)) &&
	       h->version == VERSION && get_le64(h->clear_len) <= TAPE_RECORD_MAX && !h->zero[0] && !h->zero[1] &&
	       ((h->kind == SEALED && sealed_fits(h)) || (h->kind == CLEAR && clear_fits(h)));
}

/* The header of a stored record of which the first @n bytes are at @p; false: there is none that makes sense. */
static bool layout_get(const void *p, size_t n, struct layout *h)
{
	if (n < sizeof(*h))
		return false;
	memcpy(h, p, sizeof(*h));
	return layout_fits(h);
}

static size_t layout_stored_len(const struct layout *h)
{
	return sizeof(*h) + get_le64(h->clear_len) + (h->kind == SEALED ? TAG_BYTES : 0);
}

static void layout_make(struct layout *h, enum kind kind, size_t n)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, magic, sizeof(magic));
	h->version = VERSION;
	h->kind = (uint8_t)kind;
	put_le64(h->clear_len, n);
}

static void layout_sum(struct layout *h)
{
	put_le64(h->sum, sum64(h, offsetof(struct layout, sum)));
}

bool crypt_header(const void *p, size_t n, struct crypt_header *out)
{
	struct layout h;

	if (!layout_get(p, n, &h))
		return false;
	*out = (struct crypt_header){ .sealed = h.kind == SEALED, .raw_forbidden = h.flags & RAW_FORBIDDEN,
				      .kad_format = h.kad_format, .ukad_len = h.ukad_len, .akad_len = h.akad_len,
				      .clear_len = get_le64(h.clear_len) };
	memcpy(out->ukad, h.ukad, h.ukad_len);
	memcpy(out->akad, h.akad, h.akad_len);
	return true;
}

bool crypt_key_fits(const struct crypt *c, const void *p, size_t n)
{
	struct derived d;
	struct layout h;
	bool fits;

	if (!c->has_key || !layout_get(p, n, &h) || h.kind != SEALED || derive(c->key, h.salt, &d))
		return false;
	fits = !CRYPTO_memcmp(d.check, h.check, CHECK_BYTES);
	OPENSSL_cleanse(&d, sizeof(d));
	return fits;
}

/* ---- AES-256-GCM ------------------------------------------------------------------------------------------------ */

static void cipher_freep(EVP_CIPHER_CTX **x)
{
	EVP_CIPHER_CTX_free(*x);	/* overwrites the key */
}

/* @n bytes of @from to @to; the tag behind a record that is sealed is written, or else compared: false if it does not
 * fit, or libcrypto fails. */
static bool gcm(const struct layout *h, const uint8_t *key, bool seal, const uint8_t *from, size_t n, uint8_t *to,
		uint8_t *tag)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t none[TAG_BYTES];
	int len;

	return x && EVP_CipherInit_ex(x, EVP_aes_256_gcm(), NULL, key, h->nonce, seal) == 1 &&
	       (seal || EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1) &&
	       EVP_CipherUpdate(x, NULL, &len, (const uint8_t *)h, sizeof(*h)) == 1 &&
	       EVP_CipherUpdate(x, to, &len, from, (int)n) == 1 && EVP_CipherFinal_ex(x, none, &len) == 1 &&
	       (!seal || EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
}

/* ---- a record --------------------------------------------------------------------------------------------------- */

static int put_clear(const void *p, size_t n, struct buf *out)
{
	struct layout h;
	int r;

	layout_make(&h, CLEAR, n);
	layout_sum(&h);
	r = buf_append(out, &h, sizeof(h));
	return r ? r : buf_append(out, p, n);
}

/* The header's words about key and initiator, and the secrets for this record. */
static int prepare(const struct crypt *c, struct layout *h, struct derived *d)
{
	int r = random_bytes(h->salt, sizeof(h->salt));

	if (!r)
		r = random_bytes(h->nonce, sizeof(h->nonce));
	if (!r)
		r = derive(c->key, h->salt, d);
	if (r)
		return r;
	h->flags = CRYPT_RDMC(c->raw_protect) == CRYPT_RDMC_FORBID ? RAW_FORBIDDEN : 0;
	h->kad_format = c->kad_format;
	h->ukad_len = c->ukad_len;
	h->akad_len = c->akad_len;
	memcpy(h->ukad, c->ukad, c->ukad_len);
	memcpy(h->akad, c->akad, c->akad_len);
	memcpy(h->check, d->check, CHECK_BYTES);
	layout_sum(h);
	return 0;
}

int crypt_seal(struct crypt *c, const void *p, size_t n, struct buf *out)
{
	struct derived d;
	struct layout h;
	bool done;
	int r;

	out->len = 0;
	if (n > TAPE_RECORD_MAX - CRYPT_OVERHEAD)
		return err_origin(-EMSGSIZE);
	r = buf_reserve(out, n + CRYPT_OVERHEAD);
	if (r)
		return r;
	if (c->encrypt != ENCRYPT_ON)
		return put_clear(p, n, out);
	if (!c->has_key)
		return ASC_SECURITY;
	layout_make(&h, SEALED, n);
	r = prepare(c, &h, &d);
	if (r)
		return r;
	memcpy(out->data, &h, sizeof(h));
	done = gcm(&h, d.key, true, p, n, out->data + sizeof(h), out->data + sizeof(h) + n);
	OPENSSL_cleanse(&d, sizeof(d));
	if (!done)
		return err_explain(-EIO, "libcrypto does not encrypt by AES-256-GCM");
	out->len = sizeof(h) + n + TAG_BYTES;
	return 0;
}

static int open_sealed(const struct crypt *c, const struct layout *h, const uint8_t *p, struct buf *clear)
{
	size_t n = get_le64(h->clear_len);
	struct derived d;
	bool known, done = false;
	int r = buf_reserve(clear, n + 1);	/* at least one: an empty buffer has no address */

	if (!r)
		r = derive(c->key, h->salt, &d);
	if (r)
		return r;
	known = !CRYPTO_memcmp(d.check, h->check, CHECK_BYTES);
	if (known) {
		uint8_t tag[TAG_BYTES];

		memcpy(tag, p + sizeof(*h) + n, TAG_BYTES);
		done = gcm(h, d.key, false, p + sizeof(*h), n, clear->data, tag);
	}
	OPENSSL_cleanse(&d, sizeof(d));
	if (!known)
		return ASC_WRONG_KEY;
	if (!done) {
		OPENSSL_cleanse(clear->data, n);	/* nobody shall see what was not authentic */
		return ASC_CRYPTO_INTEGRITY;
	}
	clear->len = n;
	return 0;
}

/* May a sealed record be given to the initiator?  0, or a sense code; *raw: as it is stored. */
static int may_open(const struct crypt *c, const struct layout *h, bool *raw)
{
	*raw = c->decrypt == DECRYPT_RAW && !(h->flags & RAW_FORBIDDEN);
	if (*raw || (c->has_key && (c->decrypt == DECRYPT_ON || c->decrypt == DECRYPT_MIXED)))
		return 0;
	return ASC_UNABLE_TO_DECRYPT;
}

int crypt_open(struct crypt *c, const void *p, size_t n, struct buf *clear, const uint8_t **out, size_t *len)
{
	bool headed = crypt_has_header(p, n), raw = false;
	struct layout h;
	int r;

	clear->len = 0;
	c->last_sealed = false;
	if (headed && (!layout_get(p, n, &h) || layout_stored_len(&h) != n))
		return ASC_UNRECOVERED_READ;
	if (!headed || h.kind == CLEAR) {
		if (c->decrypt == DECRYPT_ON)
			return ASC_UNENCRYPTED;
		*out = (const uint8_t *)p + (headed ? sizeof(h) : 0);
		*len = n - (headed ? sizeof(h) : 0);
		return 0;
	}
	c->last_sealed = true;
	r = may_open(c, &h, &raw);
	if (!r && !raw)
		r = open_sealed(c, &h, p, clear);
	if (r)
		return r;
	*out = raw ? p : clear->data;
	*len = raw ? n : clear->len;
	return 0;
}
