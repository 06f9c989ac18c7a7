/* SPDX-License-Identifier: BSD-2-Clause */
/* What the requests about contents have in common (serve_member.c): naming tape files and members, telling of them. */
#ifndef DAEMON_SERVE_MEMBER_H
#define DAEMON_SERVE_MEMBER_H

#include "daemon/serve_call.h"

#include <vtape/contents.h>

/* A volume, one of its tape files, one member there, as far as they are named. */
struct place {
	struct catalog_volume volume;
	bool has_file, has_path;
	struct contents_file file;
	struct contents_member member;	/* if has_path and it is not the top of the archive: then .number is 0 */
};
void place_fini(struct place *p);
/* Of {volume, [file], [path | path_raw]}.  A file is a number, from 1 on as in files/, or a name that it has there.
 * -ENOENT with words. */
int place_find(struct call *c, const json_t *words, struct place *out);

/* Is there an archive to look into?  -ENODATA with words. */
int place_is_archive(const struct place *p);

/* Volumes' names, for many rows in a row. */
struct names { uint64_t volume; char name[BARCODE_MAX + 1]; };
const char *volume_name(struct call *c, struct names *n, uint64_t volume);

/* {volume, file, type, size_bytes, mtime_ns, mode, user, group, uid, gid, path, [raw], [link], [link_raw], ...} */
json_t *member_json(const char *volume, const struct contents_file *f, const struct contents_member *m,
		    const char *path);

/* Pending work as a member of an answer: {volumes, files, bytes, ...}. */
json_t *contents_status_json(struct call *c, const struct contents_status *s);

/* What is asked for by a pattern (serve_find.c).  Borrows from the request. */
struct asked {
	struct contents_query q;
	struct buf pattern;
	struct selection volumes;
};
int asked_parse(struct call *c, const json_t *words, struct asked *out);
void asked_fini(struct asked *a);

#endif
