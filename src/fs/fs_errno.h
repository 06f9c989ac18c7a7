/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_errno: what a program sees.  The only translator from results of rooms below to errno; scsi/sense.c is its
 * sister. */
#ifndef FS_FS_ERRNO_H
#define FS_FS_ERRNO_H

/*
 * fs_errno() - a result of tape/ or library/ as a program on the mount may see it
 * @r:  0, a condition of enum tape_e, or -errno
 *
 * Return: 0 or -errno.  Errors that only mean something inside (a digest that does not fit, a broken structure) are
 * -EIO.
 */
int fs_errno(int r);
/* As fs_errno() for results of catalog/ (enum CATALOG_E_*). */
int fs_errno_catalog(int r);

#endif
