/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contents: what is on the tapes.  The second and third level of the catalog (the first, volumes, is catalog/'s): the
 * tape files of every volume, and the members of the archives in them; how they are found; and the thread that fills
 * it in as tapes are written.
 *
 * All of it can be had again from the tapes, so it lies in a space of its own (KV_CONTENTS) that the journal leaves
 * out and no writer waits for.  A row is never believed by itself: it names its place on the tape by objects and by
 * volume_stretch(), and is told only while the tape still has that.  So what is told is true at the moment of
 * asking, after overwriting, erasing, appending and restoring a generation, also after a crash; what is not there
 * yet is being looked at (contents_pending()).  Contents of old generations stay as long as these, and hold again
 * when one is restored.
 *
 * Everything in archives is foreign: names hold any bytes but NUL and '/', lengths are checked, "..", "." and empty
 * parts of a path never become a name.
 */
#ifndef VTAPE_CONTENTS_H
#define VTAPE_CONTENTS_H

#include <vtape/catalog.h>
#include <vtape/library.h>
#include <vtape/tarball.h>
#include <vtape/util.h>

enum { CONTENTS_E_NONE = 1 };

struct contents;
/* All borrowed.  No thread runs yet. */
int contents_open(struct kv *kv, struct catalog *cat, struct library *lib, struct contents **out);
struct contents *contents_close(struct contents *c);	/* contents_stop() first */

/* ---- level two: tape files --------------------------------------------------------------------------------------- */

/* Standard labels (ANSI X3.27, ISO 1001, IBM) that stand before a tape file, as far as they are there. */
enum contents_label_kind { LABEL_NONE, LABEL_ANSI, LABEL_IBM /* the same in EBCDIC */ };
#define LABEL_NEVER UINT64_MAX		/* expires 99365, 99366 or 99999 */
struct contents_label {
	enum contents_label_kind kind;
	char volume[7], owner[15];	/* VOL1 */
	char file_id[18], set_id[7];	/* HDR1; trailing blanks are cut */
	uint32_t section, sequence, generation;
	uint64_t created_ns, expires_ns;	/* 0: not said */
	char format;			/* HDR2: 'F', 'D', 'V', 'S', 'U'; 0: there is no HDR2 */
	uint32_t block_bytes, record_bytes;
};

enum contents_how {
	CONTENTS_WAITING,	/* not looked at yet */
	CONTENTS_LISTED,	/* an archive, all of its members are known */
	CONTENTS_BROKEN,	/* an archive that could be read in part: damaged, cut off, or beyond the limits */
	CONTENTS_NO_ARCHIVE,
	CONTENTS_LABELS,	/* a group of labels, of the file behind it or before it */
	CONTENTS_OFF,		/* the pool's property contents is off */
};
const char *contents_how_name(enum contents_how h);	/* "waiting", "archive", "broken", "data", "labels", "off" */

struct contents_file {
	uint64_t volume;
	uint32_t partition;
	uint64_t file;			/* filemarks before it in its partition */
	uint64_t first, last;		/* objects; last: its closing mark, or (not closed) its last record */
	bool closed;
	uint64_t stretch;		/* volume_stretch() of @last */
	uint64_t offset, bytes, records;	/* in the stream */
	uint32_t record_bytes;		/* of its first record */
	uint64_t written_ns;		/* when it was seen to be there, within seconds; if it was seen late, not after
					 * the tape was last written */
	struct library_writer writer;
	enum contents_how how;
	uint32_t content;		/* number of its list of members, never used again; 0: none */
	uint64_t members;
	bool compressed;
	char format[64];		/* libarchive's words; of plain data what its first bytes are, or "" */
	uint8_t magic[16];		/* its first bytes */
	uint8_t magic_len;
	struct contents_label label;
};

/* The tape files of a volume as it is now, in order, from @from on; those not looked at yet are WAITING.  Answers
 * from the tape's map and the rows: no data is read.  What lies in a part of the map that is damaged is passed
 * over.  Non-zero from @each stops and is returned.  Of partition 0, or @partition: of one that the tape does not
 * have there are none. */
int contents_files(struct contents *c, uint64_t volume, uint64_t from,
		   int (*each)(void *ctx, const struct contents_file *f), void *ctx);
int contents_files_of(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from,
		      int (*each)(void *ctx, const struct contents_file *f), void *ctx);
/* One of partition 0.  CONTENTS_E_NONE: the tape has no such file. */
int contents_file(struct contents *c, uint64_t volume, uint64_t file, struct contents_file *out);
/* The tape file that a list of members belongs to, if some tape has it now; CONTENTS_E_NONE. */
int contents_file_of(struct contents *c, uint32_t content, struct contents_file *out);
/* The latest expiration date in labels on the volume: 0 none. From a row, no walk.  CONTENTS_E_NONE: it was not
 * looked at yet as it is now (contents_settle() does), so nobody knows. */
int contents_expires(struct contents *c, uint64_t volume, uint64_t *expires_ns);
/* The label of its first file (VOL1); .kind LABEL_NONE if there is none. */
int contents_volume_label(struct contents *c, uint64_t volume, struct contents_label *out);

/* Labels on a blank volume that the caller has claimed for writing, or @overwrite over what is on it: VOL1, and an
 * empty tape file between its own.  Of @label: kind, volume, owner, created_ns.  -EINVAL with words: what a label
 * cannot say, then nothing is written; TAPE_E_PROTECTED, TAPE_E_FULL. */
int contents_label_write(struct volume *v, const struct contents_label *label, bool overwrite);

/* ---- level three: members ---------------------------------------------------------------------------------------- */

/*
 * Members of one list have numbers in the order of the archive, from 1; 0 is the root of its tree, which has no
 * row.  A folder that is only part of other members' paths is a member too (implied).  Of two of one path the later
 * one counts (contents_lookup(), contents_children()), as when the archive is unpacked.
 */
#define CONTENTS_NAME_MAX 1024u		/* bytes of a part of a path; a longer one is cut, and .odd */
struct contents_member {
	uint32_t content, number;
	uint32_t dir;			/* number of the folder that it is in */
	char type;			/* '-', 'd', 'l', 'h', 'c', 'b', 'p', 's' */
	bool implied, odd;		/* odd: its path in the archive is another, see .raw */
	char name[CONTENTS_NAME_MAX + 1];
	uint32_t mode, uid, gid;	/* mode: permission bits */
	uint32_t dev_major, dev_minor;
	uint64_t size;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t from, to, data;	/* tarball_member's */
	uint64_t before, missing;	/* so are these */
	uint64_t nth;			/* members of the archive before it; its number counts implied ones too */
	char user[64], group[64];	/* "": not said; cut if longer */
	struct buf link;		/* target of 'l' and 'h', NUL behind; len 0: none */
	struct buf raw;			/* odd: the path as the archive has it, NUL behind; cut if longer than 64 KiB */
};
void contents_member_fini(struct contents_member *m);	/* may be called on a zeroed one */
/* *out is zeroed or one that was used before; CONTENTS_E_NONE. */
int contents_member(struct contents *c, uint32_t content, uint32_t number, struct contents_member *out);
/* By name in folder @dir; of a folder: .number is the one that its children name. */
int contents_lookup(struct contents *c, uint32_t content, uint32_t dir, const char *name, struct contents_member *out);
/* By path ("a/b/c", "" or "." is the root: _NONE). */
int contents_resolve(struct contents *c, uint32_t content, const char *path, struct contents_member *out);
/* "a/b/c" of a member, NUL behind. */
int contents_path(struct contents *c, const struct contents_member *m, struct buf *out);
/* What is in folder @dir, each name once, in the order of the archive; from numbers > @after on. */
int contents_children(struct contents *c, uint32_t content, uint32_t dir, uint32_t after,
		      int (*each)(void *ctx, const struct contents_member *m), void *ctx);
/* All, in the order of the archive, from @from on; implied ones too. */
int contents_each(struct contents *c, uint32_t content, uint32_t from,
		  int (*each)(void *ctx, const struct contents_member *m), void *ctx);
/* Do two members of it have one path? */
int contents_doubles(struct contents *c, uint32_t content, bool *yes);
/* The last member that begins at or before byte @at of the archive; CONTENTS_E_NONE. */
int contents_at(struct contents *c, uint32_t content, uint64_t at, struct contents_member *out);

/* A new list.  Written in batches as it grows; seen by nobody before contents_list_end(). */
struct contents_list;
int contents_list_begin(struct contents *c, struct contents_list **out);
int contents_list_add(struct contents_list *l, const struct tarball_member *m);
/* Its number and how many members it has; then it belongs to @file, whose row is written with it (.content, .members,
 * .how and what describes the archive are the caller's to set before, .content and .members are set here). */
int contents_list_end(struct contents_list *l, struct contents_file *file);
struct contents_list *contents_list_free(struct contents_list *l);	/* not ended: what was written goes */
/* The row of a tape file without a list. */
int contents_file_put(struct contents *c, const struct contents_file *f);

/* ---- finding ----------------------------------------------------------------------------------------------------- */

enum contents_match { MATCH_GLOB, MATCH_REGEX, MATCH_EXACT };
struct contents_query {
	/* Without '/' it is about the last part of a path, else about all of it ("etc/passwd" is "*" "/etc/passwd" too;
	 * one that begins with '/' is about the whole path).  A glob is fnmatch(3)'s, where '*' stays within a part
	 * and "**" does not.  NULL or "": everything. */
	const char *pattern;
	enum contents_match match;
	bool ignore_case;
	uint64_t size_min, size_max;		/* size_max 0: none */
	int64_t mtime_from, mtime_to;		/* seconds; mtime_to 0: none */
	const char *owner;			/* name or number; NULL: any */
	const char *types;			/* "fdl": f is '-'; NULL: any */
	uint32_t pool;				/* 0: any */
	const uint64_t *volumes;		/* any of these; NULL: any */
	size_t volume_count;
	bool newest;				/* of one path only the one on the tape file written last */
	uint64_t limit;				/* 0: none */
};
struct contents_hit {
	const struct contents_file *file;
	const struct contents_member *member;
	const char *path;
};
/*
 * A name, or the beginning of one, is looked up; anything else is tried on each different name once.  Hits come in
 * the order of names.  Only what is on a tape now.  @each also gets (NULL hit) a sign of life now and then;
 * non-zero from it stops and is returned.  -EINVAL with words: a regular expression that is none.
 */
int contents_find(struct contents *c, const struct contents_query *q,
		  int (*each)(void *ctx, const struct contents_hit *hit), void *ctx);

/* ---- keeping it true --------------------------------------------------------------------------------------------- */

/*
 * The keeper: a thread at low priority that looks at what has been written.  A tape that is being written is looked
 * at behind the writer, once its tape files are closed; all of it is done soon after its close or unload.  It reads
 * archives' headers through library_look() in steps of some milliseconds, and gives way to writers.
 */
int contents_start(struct contents *c);
void contents_stop(struct contents *c);
struct contents_status {
	uint64_t volumes, files, bytes;		/* still to be looked at */
	uint64_t lists, members;		/* known */
	uint64_t volume;			/* looked at now; 0: none */
};
int contents_pending(struct contents *c, struct contents_status *out);
/* Looks at @volume (0: all) before the others, and waits until it is done; @forget: as if nothing were known of
 * it. What does not agree with its writer yet (a tape file that he has not closed) is not waited for.  @progress
 * non-zero stops waiting, and is returned.  Without contents_start() it looks by itself. */
int contents_settle(struct contents *c, uint64_t volume, bool forget,
		    int (*progress)(void *ctx, const struct contents_status *s), void *ctx);
/* Beside everything else: rows that do not fit each other.  @repair: what is wrong is forgotten, and looked at
 * again. */
struct contents_checked { uint64_t files, lists, members, faults, repaired; };
int contents_check(struct contents *c, bool repair, void (*found)(void *ctx, const char *what, bool repaired),
		   void *ctx, struct contents_checked *out);

/* ---- reading what is found --------------------------------------------------------------------------------------- */

/* A tape file as an archive is read from: through library_look(), so in nobody's way.  -ESTALE from reads once the
 * tape has been written over.  *source is valid until contents_source_free(). */
struct contents_source;
int contents_source_new(struct contents *c, const struct contents_file *f, struct contents_source **out);
struct contents_source *contents_source_free(struct contents_source *s);
const struct tarball_source *contents_source(struct contents_source *s);
/* What is wanted ends at byte @until: nothing behind it is read ahead. */
void contents_source_until(struct contents_source *s, uint64_t until);
/* Bytes of the tape that were read through it. */
uint64_t contents_source_read(const struct contents_source *s);

/* One member's bytes.  Where .data says where they lie they are read there; else the archive is read from where it
 * must be, and going back begins again.  -ESTALE, -EBADMSG, -EIO; *got 0 at its end. */
struct contents_reader;
int contents_reader_new(struct contents *c, const struct contents_file *f, const struct contents_member *m,
			struct contents_reader **out);
struct contents_reader *contents_reader_free(struct contents_reader *r);
int contents_reader_read(struct contents_reader *r, uint64_t offset, void *buf, size_t n, size_t *got);
uint64_t contents_reader_taken(const struct contents_reader *r);	/* bytes of the tape that were read for it */
/* Do its bytes lie on the tape as they are?  Then a read takes no longer than one of the tape; else it may take as long
 * as all of the archive takes. */
bool contents_reader_there(const struct contents_reader *r);
/* @stop is asked every few milliseconds of a read; once it says true the read is -EINTR.  NULL: nobody is. */
void contents_reader_stop(struct contents_reader *r, bool (*stop)(void *ctx), void *ctx);

#endif
