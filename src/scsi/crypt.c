/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "scsi/crypt.h"

void crypt_clear(struct crypt *c)
{
	memset(c, 0, sizeof(*c));
}

bool crypt_touches(const struct crypt *c, const void *p, size_t n)
{
	return false;
}

int crypt_seal(struct crypt *c, const void *p, size_t n, struct buf *out)
{
	out->len = 0;
	return buf_append(out, p, n);
}

bool crypt_has_header(const void *p, size_t n)
{
	return false;
}

int crypt_open(struct crypt *c, const void *p, size_t n, struct buf *clear, const uint8_t **out, size_t *len)
{
	*out = p;
	*len = n;
	return 0;
}

bool crypt_header(const void *p, size_t n, struct crypt_header *out)
{
	return false;
}
