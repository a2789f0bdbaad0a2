/*
 * lib/store/inbox.c - the folders of an INBOX opened once; from then on all
 * goes relative to their descriptors.
 */
#include "lib/store/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store/file.h"

#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int
inbox_folder(const char *path, char name[STORE_NAME_MAX + 1])
{
	struct span whole = span_str(path);
	ssize_t slash = span_rfind(whole, '/');
	char *folder;
	int fd;

	if (slash == -1 || span_copy(span_from(whole, (size_t)slash + 1), name,
	    STORE_NAME_MAX + 1) == -1 || !file_name_ok(name)) {
		errno = EINVAL;
		return -1;
	}
	folder = span_dup(span_make(path, slash == 0 ? 1 : (size_t)slash));
	fd = open(folder, FOLDER);
	x_free(&folder);
	return fd;
}

int
inbox_open(struct inbox *in, const char *mailbox, const char *index,
    uid_t owner, uint64_t quota_octets, const struct store_locks *locks)
{
	int saved;

	memset(in, 0, sizeof(*in));
	in->mail_dir = in->index_dir = -1;
	if ((in->mail_dir = inbox_folder(mailbox, in->name)) == -1 ||
	    (in->index_dir = open(index, FOLDER | O_NOFOLLOW)) == -1) {
		saved = errno;
		inbox_close(in);
		errno = saved;
		return -1;
	}
	if (locks == NULL) {
		dotlock_local_init(&in->local, in->mail_dir);
		locks = &in->local.locks;
	}
	in->conf = (struct store_conf){ .mail_dir = in->mail_dir,
		.index_dir = in->index_dir, .name = in->name, .owner = owner,
		.quota_octets = quota_octets, .locks = locks };
	return 0;
}

void
inbox_close(struct inbox *in)
{
	if (in->mail_dir != -1)
		close(in->mail_dir);
	if (in->index_dir != -1)
		close(in->index_dir);
	in->mail_dir = in->index_dir = -1;
}
