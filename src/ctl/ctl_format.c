/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message on the control socket: le32 length, that many bytes of JSON, one object.  A descriptor rides on the first
 * byte of a message (SCM_RIGHTS).
 *
 * What ctl_decode() gives is an object and nothing else; lengths are checked before memory is asked for.  Which members
 * a request needs is its handler's business.
 */
#include <vtape/ctl.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_BYTES 4u

int ctl_encode(const json_t *msg, struct buf *out)
{
	CLEANUP(freep) char *text = json_dumps(msg, JSON_COMPACT);
	int r;

	if (!text)
		return err_explain(-EINVAL, "control message: not text that JSON can carry (UTF-8)");
	size_t n = strlen(text);
	if (n > CTL_MESSAGE_MAX)
		return err_explain(-EMSGSIZE, "control message: %zu bytes, more than %u", n, CTL_MESSAGE_MAX);

	r = buf_put_le32(out, (uint32_t)n);
	return r ? r : buf_append(out, text, n);
}

int ctl_decode(const void *p, size_t n, json_t **out)
{
	json_error_t e;

	if (n == 0 || n > CTL_MESSAGE_MAX)
		return err_explain(-EBADMSG, "control message: %zu bytes; 1 to %u are possible", n, CTL_MESSAGE_MAX);
	json_t *msg = json_loadb(p, n, JSON_REJECT_DUPLICATES, &e);
	if (!msg)
		return err_explain(-EBADMSG, "control message: %s at byte %d", e.text, e.position);
	if (!json_is_object(msg)) {
		json_decref(msg);
		return err_explain(-EBADMSG, "control message: not a JSON object");
	}
	*out = msg;
	return 0;
}

/* One sendmsg(2); the descriptor goes with it if there is one. */
static ssize_t send_some(int sock, const void *p, size_t n, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL);
}

static void buf_finip(struct buf *b)
{
	buf_fini(b);
}

int ctl_send(int sock, const json_t *msg, int fd)
{
	CLEANUP(buf_finip) struct buf b = BUF_INIT;
	size_t done = 0;
	int r;

	r = ctl_encode(msg, &b);
	if (r)
		return r;
	while (done < b.len) {
		ssize_t k = send_some(sock, b.data + done, b.len - done, done ? -1 : fd);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_origin(errno == ECONNRESET ? -EPIPE : -errno);
		done += (size_t)k;
	}
	return 0;
}

/* The descriptors that came along: the first is kept, a sender that sends more gets them closed. */
static void keep_one(struct msghdr *m, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int got;
			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

/* @n bytes.  -EPIPE if the other side closed first. */
static int recv_full(int sock, void *p, size_t n, int *fd)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	size_t done = 0;

	while (done < n) {
		struct iovec iov = { (char *)p + done, n - done };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
				    .msg_controllen = sizeof(control.bytes) };
		ssize_t k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_origin(errno == ECONNRESET ? -EPIPE : -errno);
		keep_one(&m, fd);
		if (k == 0)
			return -EPIPE;	/* the end of every conversation: no failure to tell of */
		done += (size_t)k;
	}
	return 0;
}

int ctl_recv(int sock, json_t **msg, int *fd)
{
	CLEANUP(fd_closep) int got_fd = -1;
	CLEANUP(freep) uint8_t *body = NULL;
	uint8_t head[LENGTH_BYTES];
	int r;

	r = recv_full(sock, head, sizeof(head), &got_fd);
	if (r)
		return r;
	struct cursor c = cursor_of(head, sizeof(head));
	size_t n = cursor_le32(&c);
	if (n == 0 || n > CTL_MESSAGE_MAX)
		return err_explain(-EBADMSG, "control message: %zu bytes; 1 to %u are possible", n, CTL_MESSAGE_MAX);

	body = malloc(n);
	if (!body)
		return err_origin(-ENOMEM);
	r = recv_full(sock, body, n, &got_fd);
	if (r)
		return r;
	r = ctl_decode(body, n, msg);
	if (r)
		return r;
	*fd = got_fd;
	got_fd = -1;
	return 0;
}
