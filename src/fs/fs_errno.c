/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_errno: two tables.  Conditions of a tape become what st(4) gives for them; what is a matter of the store's
 * inside becomes EIO, with the words already in the log.
 */
#include <errno.h>
#include <vtape/catalog.h>
#include <vtape/tape.h>

#include "fs/fs_errno.h"

static const int errno_of_tape[] = {
	[TAPE_E_FILEMARK] = EIO,	/* spacing stopped at a mark; for reads st.c says what it means */
	[TAPE_E_EOD] = EIO,
	[TAPE_E_BOP] = EIO,
	[TAPE_E_EARLY_WARNING] = 0,	/* it was written; st.c tells the next write */
	[TAPE_E_FULL] = ENOSPC,
	[TAPE_E_LENGTH] = ENOMEM,
	[TAPE_E_PROTECTED] = EACCES,
	[TAPE_E_NO_MEDIUM] = ENOMEDIUM,
};

static const int errno_of_catalog[] = {
	[CATALOG_E_NONE] = ENOENT,
	[CATALOG_E_EXISTS] = EEXIST,
	[CATALOG_E_NOT_EMPTY] = ENOTEMPTY,
};

static int errno_outside(int r)
{
	switch (-r) {
	case EBADMSG:
	case EUCLEAN:
	case ENOTRECOVERABLE:
	case EPROTO:
		return -EIO;
	default:
		return r;
	}
}

int fs_errno(int r)
{
	if (r <= 0)
		return errno_outside(r);
	return (size_t)r < ARRAY_LEN(errno_of_tape) ? -errno_of_tape[r] : -EIO;
}

int fs_errno_catalog(int r)
{
	if (r <= 0)
		return errno_outside(r);
	return (size_t)r < ARRAY_LEN(errno_of_catalog) ? -errno_of_catalog[r] : -EIO;
}
