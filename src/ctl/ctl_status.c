/* SPDX-License-Identifier: BSD-2-Clause */
/* What a failure is to a script: the exit status of vtape and vtaped. */
#include <vtape/ctl.h>

#include <errno.h>

enum status { DONE, FAILED, USAGE, NOT_FOUND, BUSY, PROTECTED, NO_SPACE, DAMAGED };

static const struct {
	int error;
	enum status status;
} statuses[] = {
	{ EINVAL, USAGE },	 { ERANGE, USAGE },
	{ ENOENT, NOT_FOUND },	 { ENOTDIR, NOT_FOUND }, { ENXIO, NOT_FOUND },
	{ EBUSY, BUSY },	 { EEXIST, BUSY },	 { ENOTEMPTY, BUSY }, { EADDRINUSE, BUSY },
	{ EROFS, PROTECTED },	 { EPERM, PROTECTED },	 { EACCES, PROTECTED },
	{ ENOSPC, NO_SPACE },	 { EDQUOT, NO_SPACE },
	{ EBADMSG, DAMAGED },	 { EUCLEAN, DAMAGED },
};

int ctl_exit_status(int r)
{
	if (r == 0)
		return DONE;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].error == -r)
			return (int)statuses[i].status;
	return FAILED;
}
