/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring: commands that the kernel's target core hands over, one after another, each exactly once (vtape/tcmu.h has the
 * steps).
 *
 * What is in the mapping is read as foreign bytes: every offset and length is checked against the mapping and against
 * what belongs where, and one that does not fit ends the serving.  A command whose data lies in one piece is executed
 * in place; else it goes over the memory's bounce, which a kill leaves as it was: what a READ has put there must
 * still be there when its answer is given again.
 *
 * Who wakes, waits and maps is device.c.
 */
#include <errno.h>
#include <linux/target_core_user.h>

#include <vtape/tcmu.h>

struct answer {
	uint8_t status, uflags;
	uint32_t read_len;
	uint8_t sense[TCMU_SENSE_BUFFERSIZE];
};

/* The ring's memory. */
struct steps {
	uint64_t identity;
	uint64_t at;			/* the command in work, see below; changes by one store */
	struct answer answer;		/* of that command, if @at says so */
};
#define BOUNCE_AT 4096u
_Static_assert(sizeof(struct steps) <= BOUNCE_AT, "steps and bounce fit the memory");

/* @at: number (34 bits), offset of its entry in units of 8 (29), whether @answer is its answer (1). */
#define AT_ANSWERED 1u
#define AT_NOWHERE 0x1fffffffu		/* an offset that no entry has: it would not fit behind it */
static uint64_t at_of(uint64_t number, uint32_t offset8, unsigned answered)
{
	return number << 30 | (uint64_t)offset8 << 1 | answered;
}
static uint64_t at_number(uint64_t at) { return at >> 30; }
static uint32_t at_offset8(uint64_t at) { return at >> 1 & AT_NOWHERE; }

struct tcmu_ring {
	uint8_t *map;
	size_t len;
	uint32_t cmdr_off, cmdr_size;	/* as they were when they were checked */
	struct steps *steps;
	uint8_t *bounce;		/* SCSI_TRANSFER_MAX; NULL: not needed yet */
	struct steps own;
	uint8_t *own_bounce;
};

/* One command's request, read and checked. */
struct request {
	uint8_t cdb[SCSI_CDB_MAX];
	struct iovec *iov;		/* offsets into the mapping */
	uint32_t iov_cnt;
	size_t data_len;		/* of all; at most SCSI_TRANSFER_MAX if it is in pieces */
	bool pieces;
};

/* ---- the mailbox ------------------------------------------------------------------------------------------------ */

static struct tcmu_mailbox *mailbox(const struct tcmu_ring *r)
{
	return (struct tcmu_mailbox *)(void *)r->map;
}

static uint32_t *number_at(const struct tcmu_ring *r, size_t offset)
{
	return (uint32_t *)(void *)(r->map + offset);
}

/* What the kernel wrote before it moved the head is seen behind this. */
static uint32_t head_now(const struct tcmu_ring *r)
{
	return __atomic_load_n(number_at(r, offsetof(struct tcmu_mailbox, cmd_head)), __ATOMIC_ACQUIRE);
}

static uint32_t tail_now(const struct tcmu_ring *r)
{
	return __atomic_load_n(number_at(r, offsetof(struct tcmu_mailbox, cmd_tail)), __ATOMIC_RELAXED);
}

static uint32_t behind(const struct tcmu_ring *r, uint32_t offset, uint32_t len)
{
	return offset + len == r->cmdr_size ? 0 : offset + len;
}

/* What we wrote into the entry is seen by who sees this. */
static void tail_moves(const struct tcmu_ring *r, uint32_t offset, uint32_t len)
{
	__atomic_store_n(number_at(r, offsetof(struct tcmu_mailbox, cmd_tail)), behind(r, offset, len),
			 __ATOMIC_RELEASE);
}

static int mailbox_check(const struct tcmu_ring *r)
{
	const struct tcmu_mailbox *mb = mailbox(r);

	if (r->len < sizeof(*mb) || (uintptr_t)r->map % 8)
		return err_explain(-EUCLEAN, "the kernel's ring has %zu bytes, too few for its mailbox", r->len);
	if (mb->version != TCMU_MAILBOX_VERSION)
		return err_explain(-EUCLEAN, "the kernel's ring is of version %u, not %u", mb->version,
				   TCMU_MAILBOX_VERSION);
	if (!(mb->flags & TCMU_MAILBOX_FLAG_CAP_READ_LEN))
		return err_explain(-EUCLEAN, "this kernel is too old: its TCMU cannot deliver short reads");
	if (mb->cmdr_off < sizeof(*mb) || mb->cmdr_off % 8 || mb->cmdr_size % 8 ||
	    mb->cmdr_size < 2 * sizeof(struct tcmu_cmd_entry) || (uint64_t)mb->cmdr_off + mb->cmdr_size > r->len)
		return err_explain(-EUCLEAN, "the kernel's ring, %u bytes at %u, does not fit the %zu bytes there are",
				   mb->cmdr_size, mb->cmdr_off, r->len);
	return 0;
}

int tcmu_ring_new(void *map, size_t len, struct tcmu_ring **out)
{
	struct tcmu_ring *ring = calloc(1, sizeof(*ring));
	int r;

	if (!ring)
		return err_origin(-ENOMEM);
	ring->map = map;
	ring->len = len;
	r = mailbox_check(ring);
	if (r) {
		free(ring);
		return r;
	}
	ring->cmdr_off = mailbox(ring)->cmdr_off;
	ring->cmdr_size = mailbox(ring)->cmdr_size;
	ring->steps = &ring->own;
	ring->own.at = at_of(0, AT_NOWHERE, 0);
	*out = ring;
	return 0;
}

struct tcmu_ring *tcmu_ring_free(struct tcmu_ring *ring)
{
	if (!ring)
		return NULL;
	free(ring->own_bounce);
	free(ring);
	return NULL;
}

void tcmu_ring_memory(struct tcmu_ring *ring, void *memory, uint64_t identity)
{
	struct steps *s = memory;

	/* Of another ring: numbers go on, so that the unit's memory does not know the next one; nothing is in work. */
	if (s->identity != identity) {
		__atomic_store_n(&s->at, at_of(at_number(s->at), AT_NOWHERE, 0), __ATOMIC_RELEASE);
		s->identity = identity;
	}
	ring->steps = s;
	ring->bounce = (uint8_t *)memory + BOUNCE_AT;
}

/* ---- data ------------------------------------------------------------------------------------------------------- */

static int bounce_get(struct tcmu_ring *r)
{
	if (r->bounce)
		return 0;
	r->bounce = r->own_bounce = malloc(SCSI_TRANSFER_MAX);
	return r->bounce ? 0 : err_origin(-ENOMEM);
}

static uint8_t *piece_at(const struct tcmu_ring *r, const struct request *q, uint32_t i)
{
	return r->map + (uintptr_t)q->iov[i].iov_base;
}

/* How much of piece @i belongs to the first @left bytes. */
static size_t piece_len(const struct request *q, uint32_t i, size_t left)
{
	return q->iov[i].iov_len < left ? q->iov[i].iov_len : left;
}

static void gather(const struct tcmu_ring *r, const struct request *q)
{
	size_t at = 0;

	for (uint32_t i = 0, n; at < q->data_len; i++, at += n) {
		n = (uint32_t)piece_len(q, i, q->data_len - at);
		memcpy(r->bounce + at, piece_at(r, q, i), n);
	}
}

static void scatter(const struct tcmu_ring *r, const struct request *q, size_t len)
{
	size_t at = 0;

	for (uint32_t i = 0, n; at < len; i++, at += n) {
		n = (uint32_t)piece_len(q, i, len - at);
		memcpy(piece_at(r, q, i), r->bounce + at, n);
	}
}

/* The kernel takes no length 0: it hands the whole buffer to an initiator that reads, with what was in there before.
 * (Which way data goes it does not tell; behind a WRITE nobody looks at the buffer again.) */
static void blank(const struct tcmu_ring *r, const struct request *q, const struct scsi_task *t)
{
	if (t->status != SCSI_GOOD || t->data_in || (q->cdb[0] & 0x1f) == 0x0a)
		return;
	for (uint32_t i = 0; i < q->iov_cnt; i++)
		memset(piece_at(r, q, i), 0, q->iov[i].iov_len);
}

/* ---- a command -------------------------------------------------------------------------------------------------- */

static struct tcmu_cmd_entry *entry_at(const struct tcmu_ring *r, uint32_t offset)
{
	return (struct tcmu_cmd_entry *)(void *)(r->map + r->cmdr_off + offset);
}

/* Bytes of a CDB, by its group as the kernel counts them. */
static size_t cdb_len(uint8_t code)
{
	static const uint8_t len[8] = { 6, 10, 10, 12, 16, 12, 10, 10 };

	return len[code >> 5];
}

static int request_data(const struct tcmu_ring *r, struct request *q)
{
	const uint64_t from = (uint64_t)r->cmdr_off + r->cmdr_size;

	for (uint32_t i = 0; i < q->iov_cnt; i++) {
		uint64_t at = (uintptr_t)q->iov[i].iov_base, n = q->iov[i].iov_len;

		if (at < from || at > r->len || n > r->len - at)
			return err_explain(-EUCLEAN, "a command in the kernel's ring has its data where there is none");
		if (i && at != (uintptr_t)q->iov[i - 1].iov_base + q->iov[i - 1].iov_len)
			q->pieces = true;
		q->data_len += n;
	}
	if (q->pieces && q->data_len > SCSI_TRANSFER_MAX)
		q->data_len = SCSI_TRANSFER_MAX;
	return 0;
}

static int request_read(const struct tcmu_ring *r, uint32_t offset, uint32_t len, struct request *q)
{
	struct tcmu_cmd_entry *e = entry_at(r, offset);
	const uint64_t cdb = e->req.cdb_off, from = (uint64_t)r->cmdr_off + offset;
	size_t n;

	*q = (struct request){ .iov_cnt = e->req.iov_cnt };
	q->iov = (struct iovec *)(void *)((uint8_t *)e + offsetof(struct tcmu_cmd_entry, req.iov));
	if (q->iov_cnt > (len - offsetof(struct tcmu_cmd_entry, req.iov)) / sizeof(*q->iov))
		return err_explain(-EUCLEAN, "a command in the kernel's ring has more pieces than fit it");
	if (cdb < from || cdb >= from + len)
		return err_explain(-EUCLEAN, "a command in the kernel's ring is not where it says");
	n = cdb_len(r->map[cdb]);
	if (n > from + len - cdb)
		return err_explain(-EUCLEAN, "a command in the kernel's ring is cut off");
	memcpy(q->cdb, r->map + cdb, n);
	return request_data(r, q);
}

/* Step 2: the number of the entry at @offset, as it had it already, or a new one. */
static uint64_t number_of(const struct tcmu_ring *r, uint32_t offset, const struct request *q)
{
	struct tcmu_cmd_entry *e = entry_at(r, offset);
	const uint64_t at = r->steps->at;
	uint64_t number = at_number(at);

	if (at_offset8(at) == offset / 8 && number && e->req.__pad1 == number)
		return number;
	/* Which way data goes the kernel does not tell; with a READ nothing comes. */
	if (q->pieces && (q->cdb[0] & 0x1f) != 0x08)
		gather(r, q);
	number = at_number(at_of(number + 1, 0, 0));
	number += !number;
	e->req.__pad1 = number;
	__atomic_store_n(&r->steps->at, at_of(number, offset / 8, 0), __ATOMIC_RELEASE);
	return number;
}

/* Steps 1 to 4. */
static int execute(struct tcmu_ring *r, struct scsi_unit *u, uint32_t offset, uint32_t len)
{
	struct answer *a = &r->steps->answer;
	struct scsi_task t;
	struct request q;
	uint64_t number;
	int x = request_read(r, offset, len, &q);

	if (!x && q.pieces)
		x = bounce_get(r);
	if (x)
		return x;
	number = number_of(r, offset, &q);
	t = (struct scsi_task){ .data = q.pieces ? r->bounce : r->map, .data_len = q.data_len };
	if (!q.pieces && q.iov_cnt)
		t.data = piece_at(r, &q, 0);
	memcpy(t.cdb, q.cdb, sizeof(t.cdb));
	scsi_execute(u, number, &t);
	if (q.pieces)
		scatter(r, &q, t.data_in);
	blank(r, &q, &t);
	a->status = (uint8_t)t.status;
	/* With it the kernel delivers data along with sense, and the residual: always, not for short reads alone. */
	a->uflags = t.data_in ? TCMU_UFLAG_READ_LEN : 0;
	a->read_len = (uint32_t)t.data_in;
	memset(a->sense, 0, sizeof(a->sense));
	memcpy(a->sense, t.sense, t.sense_len);
	__atomic_store_n(&r->steps->at, at_of(number, offset / 8, AT_ANSWERED), __ATOMIC_RELEASE);
	return 0;
}

static int command(struct tcmu_ring *r, struct scsi_unit *u, uint32_t offset, uint32_t len)
{
	struct tcmu_cmd_entry *e = entry_at(r, offset);
	const struct answer *a = &r->steps->answer;
	int x = 0;

	/* The answer lies over the request: what is done already must not be read again. */
	if (at_offset8(r->steps->at) != offset / 8 || !(r->steps->at & AT_ANSWERED))
		x = execute(r, u, offset, len);
	if (x)
		return x;
	e->rsp.scsi_status = a->status;
	e->rsp.__pad1 = 0;
	e->rsp.__pad2 = 0;
	e->rsp.read_len = a->read_len;
	memcpy(e->rsp.sense_buffer, a->sense, sizeof(a->sense));
	e->hdr.uflags |= a->uflags;
	return 0;
}

/*
 * The kernel has told the initiators' side already.  Commands are executed one after another, in the order of the
 * ring: what an abort is for has ended before it is read, so there is nothing to abort.
 */
static void task_management(struct scsi_unit *u, const struct tcmu_tmr_entry *e)
{
	switch (e->tmr_type) {
	case TCMU_TMR_LUN_RESET:
		scsi_reset(u, SCSI_LUN_RESET);
		break;
	case TCMU_TMR_TARGET_WARM_RESET:
	case TCMU_TMR_TARGET_COLD_RESET:
		scsi_reset(u, SCSI_BUS_RESET);
		break;
	default:
		break;
	}
}

/* ---- entry after entry ------------------------------------------------------------------------------------------ */

static size_t entry_min(unsigned op)
{
	switch (op) {
	case TCMU_OP_CMD:
		return sizeof(struct tcmu_cmd_entry);	/* the answer has to fit */
	case TCMU_OP_TMR:
		return sizeof(struct tcmu_tmr_entry);
	default:
		return sizeof(struct tcmu_cmd_entry_hdr);
	}
}

static int serve_one(struct tcmu_ring *r, struct scsi_unit *u, uint32_t *tail, uint32_t head)
{
	struct tcmu_cmd_entry *e = entry_at(r, *tail);
	const uint32_t there = (head > *tail ? head : r->cmdr_size) - *tail, len_op = e->hdr.len_op,
		       len = len_op & ~TCMU_OP_MASK, op = len_op & TCMU_OP_MASK;
	int x = 0;

	if (len > there || len < entry_min(op))
		return err_explain(-EUCLEAN, "the kernel's ring has an entry of %u bytes where %u are", len, there);
	switch (op) {
	case TCMU_OP_CMD:
		x = command(r, u, *tail, len);
		break;
	case TCMU_OP_TMR:
		task_management(u, (const struct tcmu_tmr_entry *)(void *)e);
		break;
	case TCMU_OP_PAD:
		break;
	default:
		e->hdr.uflags |= TCMU_UFLAG_UNKNOWN_OP;
		break;
	}
	if (x)
		return x;
	tail_moves(r, *tail, len);
	*tail = behind(r, *tail, len);
	/* Done with, so that no other entry at that offset can be taken for it. */
	if (op == TCMU_OP_CMD)
		__atomic_store_n(&r->steps->at, at_of(at_number(r->steps->at), AT_NOWHERE, 0), __ATOMIC_RELEASE);
	return 0;
}

int tcmu_ring_serve(struct tcmu_ring *ring, struct scsi_unit *u, unsigned *done)
{
	const uint32_t head = head_now(ring);
	uint32_t tail = tail_now(ring);
	int r = 0;

	*done = 0;
	if (head >= ring->cmdr_size || tail >= ring->cmdr_size || head % 8 || tail % 8)
		return err_explain(-EUCLEAN, "the kernel's ring has its head at %u and its tail at %u of %u", head,
				   tail, ring->cmdr_size);
	while (!r && tail != head) {
		r = serve_one(ring, u, &tail, head);
		*done += !r;
	}
	return r;
}
