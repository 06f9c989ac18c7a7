/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/crypt.h: records that are stored encrypted, AES-256-GCM, by a key that the application brings (SSC-4's tape data
 * encryption, SECURITY PROTOCOL 20h) and that is kept in memory alone.
 *
 * A sealed record is stored as a header (magic, version, key-associated data, a value to know the key by, nonce), the
 * ciphertext and a tag.  A record in clear that begins with the magic is stored behind a header that says so, so that
 * what comes back is what was written, whatever it looks like.  vtape-format(5) has the bytes.
 */
#ifndef SCSI_CRYPT_H
#define SCSI_CRYPT_H

#include <vtape/util.h>

#define CRYPT_KEY_BYTES 32u
#define CRYPT_UKAD_MAX 32u	/* unauthenticated and authenticated key-associated data; as LTO drives */
#define CRYPT_AKAD_MAX 12u
#define CRYPT_LOOK_BYTES 16u	/* so much of a stored record tells whether it is sealed or behind a header */
#define CRYPT_HEADER_BYTES 128u	/* so much of it is all that crypt_header() and crypt_key_fits() look at */
#define CRYPT_OVERHEAD 144u	/* a stored record is longer than the clear one by at most so much */

enum crypt_encrypt { ENCRYPT_OFF = 0, ENCRYPT_EXTERNAL = 1, ENCRYPT_ON = 2 };
enum crypt_decrypt { DECRYPT_OFF = 0, DECRYPT_RAW = 1, DECRYPT_ON = 2, DECRYPT_MIXED = 3 };
struct crypt {
	enum crypt_encrypt encrypt;
	enum crypt_decrypt decrypt;
	bool has_key;		/* false with ENCRYPT_ON: the key went with a killed process; nothing is sealed */
	uint8_t key[CRYPT_KEY_BYTES];
	uint8_t kad_format;	/* what the key-associated data is, as given */
	uint8_t ukad[CRYPT_UKAD_MAX], akad[CRYPT_AKAD_MAX];
	uint8_t ukad_len, akad_len;
	uint32_t instance;	/* key instance counter: grows with every change of the key */
	bool set;		/* by an initiator, for all of them; false: as after power on */
	bool clear_on_unload;	/* CKOD */
	uint8_t raw_protect;	/* CEEM, RDMC as given: byte 5 of the page */
	/* Of the last record that was read: for the page "next block encryption status". */
	bool last_sealed;
};
#define CRYPT_RDMC(flags) ((flags) >> 4 & 3)
/* Reading raw what is written from now on. */
enum { CRYPT_RDMC_DEFAULT = 0, CRYPT_RDMC_ALLOW = 2, CRYPT_RDMC_FORBID = 3 };

/* No key, all off; the key's bytes are overwritten.  The counter goes on. */
void crypt_clear(struct crypt *c);
/* Must the record go through crypt_seal() before it is stored?  (Encryption is on, or it looks like a header.) */
bool crypt_touches(const struct crypt *c, const void *p, size_t n);
/* @out's bytes are replaced.  0; > 0: an enum sense_code to be told with DATA PROTECT (there is no key any more);
 * < 0. */
int crypt_seal(struct crypt *c, const void *p, size_t n, struct buf *out);
/* @p: the first @n >= min(length, CRYPT_LOOK_BYTES) bytes of a stored record: is it sealed, or behind a header?  True
 * also of a header with a few wrong bits in its magic. */
bool crypt_has_header(const void *p, size_t n);
/* The record in clear, in @clear (its bytes are replaced) or as it lies in @p.  0; > 0: an enum sense_code to be told
 * with DATA PROTECT (or ASC_UNRECOVERED_READ for MEDIUM ERROR: the header makes no sense); < 0. */
int crypt_open(struct crypt *c, const void *p, size_t n, struct buf *clear, const uint8_t **out, size_t *len);
/* What a stored record's header says, for the status pages; @n may be less than the record.  False: it has none, or one
 * that makes no sense. */
struct crypt_header {
	bool sealed;
	bool raw_forbidden;
	uint8_t kad_format;
	uint8_t ukad[CRYPT_UKAD_MAX], akad[CRYPT_AKAD_MAX];
	uint8_t ukad_len, akad_len;
	size_t clear_len;
};
bool crypt_header(const void *p, size_t n, struct crypt_header *out);
/* Is it sealed by the key that @c has?  Told by the header alone. */
bool crypt_key_fits(const struct crypt *c, const void *p, size_t n);

#endif
