/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's messages.  What the decoder takes, it takes again once it was encoded; and the same bytes as a
 * stream on a socket, frames and all, end in messages or in an error and never in a wait.
 */
#include "fuzz/fuzz.h"

#include <vtape/ctl.h>

#include <sys/socket.h>
#include <unistd.h>

#define STREAM_MAX 65536u	/* fits a socket's buffer, so that one thread can write it all and then read */

static void decode_and_back(const uint8_t *data, size_t size)
{
	json_t *msg = NULL, *again = NULL;
	struct buf b = BUF_INIT;

	if (ctl_decode(data, size, &msg) == 0) {
		/* Written out, escapes may make it longer than it may be; nothing else can go wrong. */
		if (ctl_encode(msg, &b) == 0) {
			fuzz_require(ctl_decode(b.data + 4, b.len - 4, &again) == 0);
			fuzz_require(json_equal(msg, again));
		}
	}
	json_decref(msg);
	json_decref(again);
	buf_fini(&b);
}

static void read_as_stream(const uint8_t *data, size_t size)
{
	int s[2];

	if (size > STREAM_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		return;
	fuzz_require(io_write_full(s[0], data, size) == 0);
	shutdown(s[0], SHUT_WR);
	for (;;) {
		json_t *msg = NULL;
		int fd = -1;
		if (ctl_recv(s[1], &msg, &fd))
			break;
		fuzz_require(json_is_object(msg) && fd == -1);
		json_decref(msg);
	}
	close(s[0]);
	close(s[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_and_back(data, size);
	read_as_stream(data, size);
	return 0;
}
